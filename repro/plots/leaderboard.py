"""Every model on the same test stars: R2 against the noise level, and the order at noise 1 beside the optimum."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import look_of
from repro.plots.matrix import SCALE, Interval, bars, bars_across, fit_r2, heading, interval_of, level_axis, number
from repro.plots.style import MINUS, count, save, style
from repro.scores.board import Entry, Leaderboard
from repro.scores.names import display
from repro.scores.published_matrix import LEVEL_1, WHERE

_LEVEL: Final = 1.0
_SIZES: Final = {32_000: "o", 100_000: "s"}  # published training sizes that are shown, and their marks


def draw(board: Leaderboard, path: str | Path) -> Path:
    """Left: every model at its largest size. Right: the same at noise 1 (else the highest level), by R2.

    Filled: not resolved from the best one of its size (paired, Holm over all pairs of the place).
    """
    models = list(dict.fromkeys(entry.model for entry in sorted(board.entries, key=lambda e: (-e.r2, e.model))))
    level = _LEVEL if _LEVEL in board.levels else board.levels[-1]
    with style():
        figure = Figure(figsize=(12.4, 6.4), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1.0))
        _lines(left, board, models)
        _order(right, board, models, level)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
        stars = board.conditions.get("n_test")
        heading(figure, f"Models of the matrix on {count(stars) if stars else 'the'} test stars")
        return save(figure, path)


def _largest(board: Leaderboard, model: str, level: float) -> Entry | None:
    found = [entry for entry in board.entries if (entry.model, entry.level) == (model, level)]
    return max(found, key=lambda entry: entry.size, default=None)


def _name(entry: Entry, size: int) -> str:
    """Of a model, with its size where that is not the largest one of all."""
    if entry.n_train == 0:
        return f"{display(entry.model)} (no training)"
    return display(entry.model) + ("" if entry.size == size else f" ({count(entry.size)} spectra)")


def _lines(axes: Axes, board: Leaderboard, models: list[str]) -> None:
    places = level_axis(axes, board.levels)
    size = board.sizes[-1]
    for k, model in enumerate(models):
        found = [_largest(board, model, level) for level in board.levels]
        entries = [entry for entry in found if entry is not None]
        look = look_of(model, models)
        x = np.arange(len(found)) + 0.36 * (k / max(len(models) - 1, 1) - 0.5)
        gap = Interval(float("nan"), 0.0)  # no line over levels that were not measured
        bars(axes, x, [interval_of(one) if one else gap for one in found], look, _name(entries[-1], size), ms=5)
    if board.optimum is not None and board.optimum.level in places:
        centre, r2 = places[board.optimum.level], board.optimum.r2
        axes.plot([centre - 0.3, centre + 0.3], [r2, r2], color="black", lw=2.2, label="exact Bayes optimum (MMSE)")
    axes.set(xlabel="noise level of training and test", ylabel=SCALE, title=f"up to {count(size)} training spectra")
    fit_r2(axes)


def _order(axes: Axes, board: Leaderboard, models: list[str], level: float) -> None:
    entries = [entry for model in models if (entry := _largest(board, model, level)) is not None]
    entries.sort(key=lambda entry: -entry.r2)
    for row, entry in enumerate(entries):
        filled = entry.best and entry.size == board.sizes[-1]
        bars_across(axes, [interval_of(entry)], [row], look_of(entry.model, models), filled=filled)
        text = f"{entry.r2:.3f}" + (f" ± {entry.r2_half:.3f}" if entry.r2_half is not None else "")
        axes.annotate(
            text.replace("-", MINUS), (entry.r2, row), (0, 7), textcoords="offset points", fontsize=7.5, ha="center"
        )
    rows = {entry.model: row for row, entry in enumerate(entries)}
    if level == _LEVEL:
        for model, curve in LEVEL_1.items():
            for n, r2 in curve:
                if model in rows and n in _SIZES:
                    axes.plot(r2, rows[model] + 0.22, _SIZES[int(n)], mfc="none", color="0.55", ms=5)
        for n, marker in _SIZES.items():
            axes.plot([], [], marker, mfc="none", ls="none", color="0.55", label=f"{count(n)} spectra ({WHERE})")
    if board.optimum is not None and board.optimum.level == level:
        optimum = board.optimum
        axes.axvline(optimum.r2, color="black", lw=1.4)
        axes.axvspan(optimum.r2 - optimum.half, optimum.r2 + optimum.half, color="black", alpha=0.08, lw=0)
        label = f"exact Bayes optimum of noisy flux: {optimum.r2:.3f}"
        axes.plot([], [], color="black", lw=1.4, label=label)
    axes.axvline(0.0, color="black", lw=0.6)
    axes.set_yticks(range(len(entries)), [_name(entry, board.sizes[-1]) for entry in entries])
    axes.set_ylim(len(entries) - 0.4, -0.7)
    axes.xaxis.set_major_formatter(lambda value, _: number(round(value, 6)))
    axes.set(xlabel="R² of log g", ylabel="model", title=f"noise {level:g}; filled: not resolved from the best")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=2, fontsize=7, borderaxespad=0.0)
