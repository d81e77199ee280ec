"""A page that shows a training while it runs: curves, speed and time left, from a folder that is opened as a file.

Wall time and speed stand here alone: they never repeat themselves, and so belong in no output that has a hash.
"""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from repro.files import atomic_path
from repro.training.history import Epoch, write_history

_WIDTH, _HEIGHT, _MARGIN = 580, 220, 80
_CURVES: Final = {  # Okabe & Ito's colours
    "loss": ("loss of the training spectra", "#0072B2"),
    "validation_r2": ("R2 of the validation spectra", "#D55E00"),
    "validation_mae": ("mean absolute error of the validation spectra (trained label)", "#009E73"),
    "learning_rate": ("learning rate", "#000000"),
}
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{refresh}<title>{title}</title>
<style>body {{ font: 15px sans-serif; margin: 2em; }} svg {{ margin: 0 1em 1em 0; }} text {{ font-size: 12px; }}</style>
</head><body><h1>{title}</h1><p>{state}</p>
{curves}
</body></html>
"""


class Live:
    """Writes history.csv, history.json and index.html, each whole at every moment.

    Args:
        folder: made where it is missing.
        total: presentations in all, unless the training stops before.
        done: those of a training that is resumed.
    """

    def __init__(self, folder: Path, total: int, done: int = 0) -> None:
        self._folder, self._total, self._before = folder, total, done
        self._started = time.monotonic()

    def show(self, history: Sequence[Epoch], done: int, ended: bool = False) -> None:
        """Show the epochs so far, after `done` presentations. Raises DataError on a full disk."""
        seconds = time.monotonic() - self._started
        speed = (done - self._before) / seconds if seconds > 0 else 0.0
        left = 0.0 if ended or speed == 0 else (self._total - done) / speed
        write_history(history, self._folder / "history.csv")
        content = {
            "presentations": done,
            "presentations_planned": self._total,
            "seconds": round(seconds, 3),
            "spectra_per_second": round(speed, 3),
            "seconds_left": round(left, 3),
            "ended": ended,
            "epochs": [asdict(row) for row in history],
        }
        self._write("history.json", json.dumps(content, indent=1))
        self._write("index.html", _page(history, done, self._total, speed, left, ended))

    def _write(self, name: str, text: str) -> None:
        with atomic_path(self._folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _page(history: Sequence[Epoch], done: int, total: int, speed: float, left: float, ended: bool) -> str:
    state = f"{done:,} of {total:,} spectra shown, {speed:,.0f} a second; "
    state += "the training has ended" if ended else f"about {_duration(left)} left"
    curves = [
        _curve(text, colour, [(row.epoch, getattr(row, name)) for row in history])
        for name, (text, colour) in _CURVES.items()
    ]
    title = f"Training: epoch {history[-1].epoch}"
    refresh = "" if ended else '<meta http-equiv="refresh" content="5">'
    return _PAGE.format(refresh=refresh, title=title, state=state, curves="\n".join(curves))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _curve(text: str, colour: str, points: Sequence[tuple[int, float]]) -> str:
    """One curve against the epoch, as SVG; values that are not finite are left out."""
    points = [(x, y) for x, y in points if math.isfinite(y)]
    low, high = min((y for _, y in points), default=0.0), max((y for _, y in points), default=1.0)
    span, last = (high - low) or 1.0, max((x for x, _ in points), default=1)
    right, top, bottom = _WIDTH - 20, 30, _HEIGHT - 40

    def across(x: float) -> float:
        return _MARGIN + (right - _MARGIN) * (x - 1) / max(last - 1, 1)

    def up(y: float) -> float:
        return bottom - (bottom - top) * (y - low) / span

    line = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5" fill="{colour}"/>' for x, y in points)
    now = f": {points[-1][1]:.4g}" if points else ""
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img"><text x="{_MARGIN}" y="16">{text}{now}</text>'
        f'<path d="M{_MARGIN} {top}V{bottom}H{right}" fill="none" stroke="#888"/>'
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}'
        f'<text x="{_MARGIN - 6}" y="{top + 4}" text-anchor="end">{high:.3g}</text>'
        f'<text x="{_MARGIN - 6}" y="{bottom}" text-anchor="end">{low:.3g}</text>'
        f'<text x="{_MARGIN}" y="{bottom + 16}">1</text><text x="{right}" y="{bottom + 16}" text-anchor="end">{last}'
        f'</text><text x="{(right + _MARGIN) / 2}" y="{bottom + 32}" text-anchor="middle">epoch</text></svg>'
    )
