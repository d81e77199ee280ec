"""R2 of models that are tested at other noise levels than they were trained at."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from repro.plots.matrix import Point, heading, points
from repro.plots.style import MINUS, ORANGE, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.names import display

_DARK: Final = 0.55  # R2 from which numbers are written in black
_CHOICES: Final = {"validation": "penalty by validation", "100": "α = 100", "": "early stopping"}


def drawable(scores: ArmScores) -> bool:
    """Whether there are models tested at other levels."""
    return bool(scores.table.rows(experiment="cross_noise").size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """One panel a model and choice of its settings, at its largest size; framed: the best training level of a test.

    Only a training level that is better than the matched one (|difference| > h, paired) is framed in another row.
    """
    panels = _panels(points(scores, experiment="cross_noise"))
    with style():
        figure = Figure(figsize=(0.6 + 4.3 * len(panels), 4.6), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, found) in zip(row, panels.items(), strict=True):
            image = _map(axes, scores, found)
            axes.set_title(title, fontsize=9)
        figure.colorbar(image, ax=list(row), label="R² of log g (colour ends at 0 and 1)", aspect=30)
        heading(
            figure,
            f"Trained at one noise level, tested at another: R² on {count(len(scores.table.truth))} test stars",
            "framed: the matched training level, or another one that is better by more than the paired 90 % interval",
        )
        return save(figure, path)


def _panels(found: list[Point]) -> dict[str, list[Point]]:
    panels: dict[str, list[Point]] = {}
    largest: dict[tuple[str, str], int] = {}
    for point in found:
        key = (point.cell.model, point.part("choice"))
        largest[key] = max(point.cell.n_train, largest.get(key, 0))
    for (model, choice), n in largest.items():
        title = f"{display(model)}, {_CHOICES.get(choice, choice)}, {count(n)} spectra"
        wanted = (model, choice, n)
        panels[title] = [p for p in found if (p.cell.model, p.part("choice"), p.cell.n_train) == wanted]
    return panels


def _map(axes: Axes, scores: ArmScores, found: list[Point]) -> QuadMesh:
    train, test = (sorted({getattr(point.cell, name) for point in found}) for name in ("train_noise", "test_noise"))
    values = np.full((len(train), len(test)), np.nan)
    at = {(point.cell.train_noise, point.cell.test_noise): point for point in found}
    for (level, shown), point in at.items():
        values[train.index(level), test.index(shown)] = point.value
    axes.grid(visible=False)
    axes.set_facecolor("0.9")
    edges = (np.arange(len(test) + 1) - 0.5, np.arange(len(train) + 1) - 0.5)
    image = axes.pcolormesh(
        *edges, np.ma.masked_invalid(values), cmap="cividis", vmin=0.0, vmax=1.0, edgecolors="white"
    )
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if value < _DARK else "black"
            axes.text(column, row, _text(value), ha="center", va="center", fontsize=7.5, color=colour)
    for column, shown in enumerate(test):
        best = _best(scores, at, shown)
        if best is not None:
            row = train.index(best)
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=ORANGE, lw=2.0, zorder=3))
    axes.set_xticks(range(len(test)), [f"{level:g}" for level in test])
    axes.set_yticks(range(len(train)), [f"{level:g}" for level in train])
    axes.set(xlabel="noise level of the test spectra", ylabel="noise level of the training spectra")
    return image


def _best(scores: ArmScores, at: dict[tuple[float, float], Point], shown: float) -> float | None:
    """Training level for a test level: the matched one unless another is resolvably better; None without it."""
    matched = at.get((shown, shown))
    if matched is None:
        return None
    best, most = shown, 0.0
    for (level, tested), point in at.items():
        if tested == shown and level != shown:
            gain = scores.difference(point.cell, matched.cell)
            if gain.value > max(gain.half_width, most):
                best, most = level, gain.value
    return best


def _text(value: float) -> str:
    shown = f"{value:.3f}" if value > 0.995 else f"{value:.2f}" if value > -10 else f"{value:.0f}"
    return shown.replace("-", MINUS)
