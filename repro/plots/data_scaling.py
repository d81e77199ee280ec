"""R2 against the number of training spectra, for every model and noise level, settings by validation at each size."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import look_of
from repro.plots.matrix import SCALE, bars, common_legend, fit_r2, heading, interval_of, log_x, panel_grid, published
from repro.plots.style import count, save, style
from repro.scores.board import Leaderboard
from repro.scores.names import display
from repro.scores.published_matrix import LIGHTGBM, RIDGE_BEST, RIDGE_BEST_100K, SCALING, WHERE

_COLUMNS: Final = 3
_MOST: Final = 100_000  # training spectra of published numbers that are shown


def draw(board: Leaderboard, path: str | Path) -> Path:
    """One panel a noise level; a model that learns from no spectra is a level line."""
    models = list(dict.fromkeys(entry.model for entry in sorted(board.entries, key=lambda e: (-e.r2, e.model))))
    columns, rows = min(_COLUMNS, len(board.levels)), -(-len(board.levels) // _COLUMNS)
    with style():
        figure = Figure(figsize=(max(4.1 * columns, 8.0), 1.9 + 3.0 * rows), layout="constrained")
        panels = panel_grid(figure, len(board.levels), _COLUMNS, sharex=True)
        for axes, level in zip(panels.flat, board.levels, strict=False):
            _panel(axes, board, models, level)
        for axes in panels.flat:
            axes.set_ylabel(SCALE if axes in panels[:, 0] else "R²")
        log_x(panels[0, 0])
        for column in range(columns):
            below = [axes for axes in panels[:, column] if axes.get_visible()][-1]
            below.set_xlabel("training spectra")
            below.tick_params(labelbottom=True)
        common_legend(figure, panels.flat, 4)
        stars = board.conditions.get("n_test")
        heading(
            figure, f"More training spectra, same protocol at every size, {count(stars) if stars else ''} test stars"
        )
        return save(figure, path)


def _panel(axes: Axes, board: Leaderboard, models: list[str], level: float) -> None:
    for k, model in enumerate(models):
        entries = sorted((e for e in board.entries if (e.model, e.level) == (model, level)), key=lambda e: e.size)
        if not entries:
            continue
        look = look_of(model, models)
        if entries[0].n_train == 0:
            axes.axhline(
                entries[0].r2, color=look.colour, ls=look.line, lw=1.1, label=f"{display(model)} (no training)"
            )
            continue
        x = np.array([entry.size for entry in entries]) * 1.015 ** (k - len(models) / 2)
        bars(axes, x, [interval_of(entry) for entry in entries], look, display(model))
    _published(axes, level)
    axes.set_title(f"noise {level:g}", fontsize=9)
    fit_r2(axes)


def _published(axes: Axes, level: float) -> None:
    ridge: list[tuple[float, float]] = [
        (n, values[level][1]) for n, values in ((32_000, RIDGE_BEST), (100_000, RIDGE_BEST_100K)) if level in values
    ]
    trees: list[tuple[float, float]] = [(32_000, LIGHTGBM[level])] if level in LIGHTGBM else []
    if level == 1.0:
        ridge += [point for point in SCALING["ridge"] if point[0] <= _MOST]
        trees += [point for point in SCALING["lightgbm"] if point[0] <= _MOST]
    for points, model in ((ridge, "ridge"), (trees, "lightgbm")):
        published(axes, points, f"{display(model)}, {WHERE}", look_of(model, []).marker)
