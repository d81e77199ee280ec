"""What each further unknown costs: the error bound of log g, rung by rung."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from repro.bounds.nuisance_table import FLUX_NUISANCES, RUNGS, NuisanceTable
from repro.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, count, save, style
from repro.scores.nuisances import as_published

_COLOURS: Final = (BLUE, ORANGE, GREEN, PURPLE)  # of the magnitudes


def draw(table: NuisanceTable, path: str | Path) -> Path:
    """One row a rung: median over nodes and the range from the 10th to the 90th percentile, at each magnitude.

    At the right the median over nodes of each node's error over its own 5D error, at the first magnitude. Nodes count
    as often as they stand for those of the published lattice.
    """
    nodes, table = len(table.labels), as_published(table)
    with style():
        figure = Figure(figsize=(9.0, 1.6 + 0.33 * len(table.rungs)), layout="constrained")
        axes = figure.subplots()
        shift = np.linspace(-0.16, 0.16, len(table.magnitudes))
        for m, magnitude in enumerate(table.magnitudes):
            low, middle, high = np.nanpercentile(np.sqrt(table.crlb[:, m]), (10.0, 50.0, 90.0), axis=1)
            rows = np.arange(len(table.rungs)) + shift[m]
            colour = _COLOURS[m % len(_COLOURS)]
            axes.hlines(rows, low, high, color=colour, lw=2.2, alpha=0.45)
            axes.plot(middle, rows, "o", ms=4.5, color=colour, label=f"magnitude {magnitude:g}")
        _rows(axes, table)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("bound on the error of log g [dex]: median over nodes, 10th to 90th percentile")
        axes.set_ylabel("unknown beside log g")
        axes.set_title(f"What each further unknown costs, {count(nodes)} nodes")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(table.magnitudes))
        return save(figure, path)


def _rows(axes: Axes, table: NuisanceTable) -> None:
    """Names of the rungs, their ratio to 5D, and lines between the three families."""
    ratios = np.nanmedian(np.sqrt(table.crlb[:, 0] / table.bound("5D")[0]), axis=1)
    axes.set_yticks(range(len(table.rungs)), [RUNGS[name].title for name in table.rungs], fontsize=8)
    axes.set_ylim(len(table.rungs) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    other = axes.secondary_yaxis("right")
    other.set_yticks(range(len(table.rungs)), [f"× {ratio:.3f}" for ratio in ratios], fontsize=8)
    other.tick_params(axis="y", length=0)
    other.set_ylabel(f"error over that of 5D, magnitude {table.magnitudes[0]:g} (median)")
    families = [_family(name) for name in table.rungs]
    for row in range(1, len(families)):
        if families[row] != families[row - 1]:
            axes.axhline(row - 0.5, color=GREY, lw=0.8)


def _family(name: str) -> int:
    rung = RUNGS[name]
    return 2 if rung.without_scatter else int(bool(set(rung.unknown) & set(FLUX_NUISANCES)))
