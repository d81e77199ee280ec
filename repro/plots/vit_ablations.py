"""What every choice of the transformer gains over the published one: paired differences of R2, a row a setting."""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import Interval, bars_across, half_width, heading, number
from repro.plots.style import BLUE, GREY, count, save, style
from repro.scores import settings
from repro.scores.ablations import PUBLISHED, Ablation, ablations, against_main
from repro.scores.arms import ArmScores
from repro.scores.interval import Measured, resolved
from repro.scores.names import display
from repro.scores.published_vit import SWEEP

_LOOK: Final = Look(BLUE, "o", "none")
_ROOM: Final = 0.9  # rows that the name of a group takes


class Row(NamedTuple):
    """One difference: the group it belongs to, its name, the number, and what the published sweep has; nan without."""

    group: str
    name: str
    gain: Measured
    published: float


def drawable(scores: ArmScores) -> bool:
    """Whether there are settings to compare."""
    return bool(ablations(scores) or against_main(scores))


def draw(scores: ArmScores, path: str | Path) -> Path:
    """One row an arm against its reference, grouped by experiment; filled: resolved among all rows."""
    rows = _rows(scores)
    answers = resolved([row.gain for row in rows])
    groups = list(dict.fromkeys(row.group for row in rows))
    height = len(rows) + _ROOM * len(groups)
    with style():
        figure = Figure(figsize=(9.6, 1.9 + 0.235 * height), layout="constrained")
        axes = figure.subplots()
        ticks: dict[float, str] = {}
        place = 0.0
        for group in groups:
            text: dict[str, Any] = {"fontsize": 8.5, "fontweight": "bold", "va": "center", "annotation_clip": False}
            axes.annotate(group, (0.01, place), xycoords=("axes fraction", "data"), **text)
            place += _ROOM
            for row, answer in zip(rows, answers, strict=True):
                if row.group == group:
                    _row(axes, row, place, answer)
                    ticks[place] = f"{row.name}   {_text(row.gain)}"
                    place += 1.0
        axes.axvline(0.0, color="black", lw=0.8)
        axes.set_yticks(list(ticks), list(ticks.values()), fontsize=7.5)
        axes.set_ylim(place - 0.4, -0.7)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("R² of the setting minus R² of its reference, on the same stars under the same noise")
        axes.set_ylabel("setting, and its difference in R²")
        axes.xaxis.set_major_formatter(lambda value, _: number(round(value, 6)))
        _legend(figure, axes)
        heading(
            figure,
            f"Choices of the transformer, paired over {count(len(scores.table.truth))} test stars and runs",
            "bars: 90 % interval of stars and seeds together (of the stars alone where there is one run); "
            "dots: single runs",
        )
        return save(figure, path)


def _rows(scores: ArmScores) -> list[Row]:
    """Experiments in the order of `PUBLISHED`, then other networks against the main one."""
    pairs = sorted(ablations(scores), key=lambda one: list(PUBLISHED).index(one.cell.experiment))
    found = [_ablation(scores, pair) for pair in pairs]
    for cell, other in against_main(scores):
        group = f"other networks against {display(other.model)}"
        name = f"{display(cell.model)}, {count(cell.n_train)} spectra"
        found.append(Row(group, name, scores.difference(cell, other), np.nan))
    return found


def _ablation(scores: ArmScores, pair: Ablation) -> Row:
    cell, other = pair
    reference = PUBLISHED[cell.experiment]
    group = f"{cell.experiment}: against {_words(reference)}, {count(cell.n_train)} spectra"
    name = _words(cell.setting)
    if other.setting != reference:
        name += f" against {_words(other.setting)}"
    published = SWEEP.get(cell.setting, np.nan) - SWEEP[reference] if cell.experiment == "shape" else np.nan
    return Row(group, name, scores.difference(cell, other), published)


def _words(setting: str) -> str:
    """Values alone where one part is varied: `sw`; `patch 8, width 256` where several are."""
    parts = settings.parts(setting)
    if len(parts) == 1:
        return next(iter(parts.values()))
    return ", ".join(f"{name} {value}" for name, value in parts.items())


def _row(axes: Axes, row: Row, place: float, answer: bool) -> None:
    bars_across(axes, [Interval(row.gain.value, half_width(row.gain))], [place], _LOOK, filled=answer)
    axes.plot(row.gain.runs, np.full(len(row.gain.runs), place), ".", ms=3, color=GREY, alpha=0.7, zorder=1.8)
    axes.plot(row.published, place, "D", mfc="none", color="0.5", ms=5)


def _text(gain: Measured) -> str:
    return f"{gain.value:+.3f} ± {half_width(gain):.3f}".replace("-", "\N{MINUS SIGN}")


def _legend(figure: Figure, axes: Axes) -> None:
    look: dict[str, Any] = {"color": BLUE, "ls": "none", "ms": 6}
    marks = [
        axes.plot([], [], "o", label="resolved among all rows (Holm, 90 %)", **look)[0],
        axes.plot([], [], "o", mfc="white", label="not resolved", **look)[0],
    ]
    if any(np.isfinite(line.get_xdata()).any() for line in axes.lines if line.get_marker() == "D"):
        label = "published sweep: validation R², one run each, learning rates and epochs differ too"
        marks.append(axes.plot([], [], "D", mfc="none", color="0.5", ms=5, ls="none", label=label)[0])
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
