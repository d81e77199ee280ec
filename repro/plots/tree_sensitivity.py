"""R2 of boosted trees against their number, by learning rate and leaves."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import (
    MANY_LINES,
    SCALE,
    Point,
    bars,
    common_legend,
    fit_r2,
    heading,
    log_x,
    panel_grid,
    points,
    published,
)
from repro.plots.style import MANY, MARKERS, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.published_matrix import LIGHTGBM, LIGHTGBM_TREES, WHERE

_COLUMNS: Final = 3


def drawable(scores: ArmScores) -> bool:
    """Whether there are boosted trees to show."""
    return bool(scores.table.rows(experiment="trees", model="lightgbm").size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """One panel a noise level, at the size that was run with the most settings (the largest of several).

    Hollow: the same boosters cut at fixed numbers of trees; with bars: where early stopping ended them, a little apart.
    """
    stopped = [point for point in points(scores, experiment="trees", model="lightgbm") if point.matched]
    cut = [point for point in points(scores, experiment="trees_fixed", model="lightgbm") if point.matched]
    looks = _looks(stopped)
    levels = sorted({point.cell.train_noise for point in stopped})
    columns, rows = min(_COLUMNS, len(levels)), -(-len(levels) // _COLUMNS)
    with style():
        figure = Figure(figsize=(max(3.7 * columns, 8.0), 1.3 + 2.9 * rows), layout="constrained")
        panels = panel_grid(figure, len(levels), _COLUMNS)
        for axes, level in zip(panels.flat, levels, strict=False):
            _panel(axes, level, stopped, cut, looks)
            axes.set(xlabel="trees", ylabel=SCALE if axes in panels[:, 0] else "R²")
        title = f"Boosted trees (LightGBM), {count(len(scores.table.truth))} test stars"
        heading(figure, f"{title}; hollow: cut there, with bars: early stopping (shifted to be seen)")
        common_legend(figure, panels.flat, 3)
        return save(figure, path)


def _looks(found: list[Point]) -> dict[tuple[float, float], Look]:
    """Colour by learning rate, marker and line by leaves."""
    rates = sorted({point.number("rate") for point in found})
    leaves = sorted({point.number("leaves") for point in found})
    return {
        (rate, leaf): Look(MANY[i % len(MANY)], MARKERS[k % len(MARKERS)], MANY_LINES[k % len(MANY_LINES)])
        for i, rate in enumerate(rates)
        for k, leaf in enumerate(leaves)
    }


def _panel(
    axes: Axes, level: float, stopped: list[Point], cut: list[Point], looks: dict[tuple[float, float], Look]
) -> None:
    own = [point for point in stopped if point.cell.train_noise == level]
    size = max({point.cell.n_train for point in own}, key=lambda n: (sum(p.cell.n_train == n for p in own), n))
    for place, ((rate, leaves), look) in enumerate(looks.items()):
        fixed, ended = (
            [
                point
                for point in kind
                if point.place == (level, size) and (point.number("rate"), point.number("leaves")) == (rate, leaves)
            ]
            for kind in (cut, stopped)
        )
        fixed.sort(key=lambda point: point.number("trees"))
        number = [point.number("trees") for point in fixed]
        axes.plot(number, [point.value for point in fixed], look.marker, color=look.colour, ms=3, mfc="none")
        x = np.array([point.facts.get("trees", np.nan) for point in ended]) * 1.025 ** (place - len(looks) / 2)
        line = sorted(zip([*number, *x], [point.value for point in (*fixed, *ended)], strict=True))
        axes.plot(*np.array(line).reshape(-1, 2).T, look.line, color=look.colour, lw=1.0, alpha=0.8)
        bars(axes, x, ended, look, f"rate {rate:g}, {leaves:g} leaves", ls="none", ms=6)
    known = level in LIGHTGBM
    label = f"32 000 spectra, rate 0.05, 63 leaves ({WHERE})"
    published(axes, [(LIGHTGBM_TREES[level], LIGHTGBM[level])] if known else [], label)
    axes.set_title(f"noise {level:g}, {count(size)} spectra", fontsize=9)
    log_x(axes)
    fit_r2(axes)
