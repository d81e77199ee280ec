"""Whether posteriors of log g are calibrated: where the truth falls, how often intervals hold it, how wide they are."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.posterior.table import PosteriorTable
from repro.plots.style import BLUE, MARKERS, MINUS, ORANGE, PURPLE, count, save, style
from repro.scores.posterior import PIT_BINS

_COLOURS: Final = (BLUE, ORANGE, PURPLE)
_BAND: Final = 1.96  # standard errors: 95 % of what a calibrated posterior shows
_LEVELS: Final = np.linspace(0.0, 1.0, 101)
_STARS: Final = 40  # of a group by posterior width, at least
_MOST_GROUPS: Final = 10


def draw(table: PosteriorTable, path: str | Path) -> Path:
    """Draw all observers of `table`."""
    with style():
        figure = Figure(figsize=(10.2, 3.9), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        _ranks(left, table)
        _coverage(middle, table)
        _widths(right, table)
        mode = table.conditions.get("mode", "unknown")
        figure.suptitle(
            f"Calibration of the posterior of log g: {count(len(table.truth))} test stars, sampling mode {mode}"
        )
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))
        return save(figure, path)


def _ranks(axes: Axes, table: PosteriorTable) -> None:
    n = len(table.truth)
    share = 1.0 / PIT_BINS
    error = _BAND * np.sqrt(n * share * (1.0 - share))
    label = "95 % of what calibrated posteriors show, point by point"
    axes.axhspan(max(n * share - error, 0.0), n * share + error, color="black", alpha=0.1, lw=0, label=label)
    axes.axhline(n * share, color="black", lw=0.6)
    highest = n * share + error
    for name, pit, colour in zip(table.observers, table.pit, _COLOURS, strict=False):
        found, edges = np.histogram(pit, bins=PIT_BINS, range=(0.0, 1.0))
        axes.stairs(found, edges, color=colour, lw=1.4, label=_name(name))
        highest = max(highest, float(found.max()))
    axes.set(
        xlim=(0.0, 1.0),
        ylim=(0.0, 1.1 * highest),
        xlabel="probability below the true log g (PIT)",
        ylabel=f"stars in 1/{PIT_BINS}",
        title="where the truth falls",
    )


def _coverage(axes: Axes, table: PosteriorTable) -> None:
    error = _BAND * np.sqrt(_LEVELS * (1.0 - _LEVELS) / len(table.truth))
    axes.fill_between(_LEVELS, -error, error, color="black", alpha=0.1, lw=0)
    axes.axhline(0.0, color="black", lw=0.6)
    reach = 1.2 * error.max()
    for pit, colour in zip(table.pit, _COLOURS, strict=False):
        excess = np.mean(2.0 * np.abs(pit - 0.5) <= _LEVELS[:, None], axis=1) - _LEVELS
        axes.plot(_LEVELS, excess, color=colour)
        reach = max(reach, 1.1 * float(np.abs(excess).max()))
    axes.set(
        xlim=(0.0, 1.0),
        ylim=(-reach, reach),
        xlabel="nominal coverage of the central interval",
        ylabel=f"actual {MINUS} nominal coverage",
        title="how often intervals hold the truth",
    )


def _widths(axes: Axes, table: PosteriorTable) -> None:
    values = []
    for number, (mean, sd) in enumerate(zip(table.mean, table.sd, strict=True)):
        colour, marker = _COLOURS[number % len(_COLOURS)], MARKERS[number % len(MARKERS)]
        groups = np.array_split(np.argsort(sd, kind="stable"), max(min(len(sd) // _STARS, _MOST_GROUPS), 1))
        width = np.array([np.sqrt(np.mean(sd[group] ** 2)) for group in groups])
        error = np.array([_rms(mean[group] - table.truth[group]) for group in groups])
        # of a root mean square, from the scatter of the squares; none where one node has all the mass
        scatter = np.array([np.std((mean - table.truth)[group] ** 2) / np.sqrt(len(group)) for group in groups])
        bar = np.divide(0.5 * scatter, error, out=np.zeros_like(error), where=error > 0)
        axes.errorbar(width, error, yerr=bar, fmt=marker, ms=4 + 3 * number, mfc="none", lw=1, color=colour)
        values += [*width, *(error + bar), *(error - bar)]
    top = 1.1 * max(values)
    axes.plot([0.0, top], [0.0, top], color="black", lw=0.6)
    axes.set(
        xlim=(0.0, top),
        ylim=(0.0, top),
        xlabel="posterior standard deviation of log g [dex]",
        ylabel="rms error of the posterior mean [dex]",
        title="how wide they are (±1 standard error)",
    )


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _name(observer: str) -> str:
    return {
        "flux": "flux: sees the noisy flux alone (the ceiling)",
        "weights": "weights: template fit with known errors (no ceiling)",
    }.get(observer, observer)
