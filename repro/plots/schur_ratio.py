"""Schur ratio: the share of a node's log g information that survives not knowing the other labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.plots.style import colour_of, count, magnitude_row, nodes_of, save, style
from repro.scores import published
from repro.scores.population import published_rows

Array = NDArray[np.float64]

_WIDTH: Final = 0.8  # of the boxes that stand at one place


def draw(tables: Sequence[CeilingTable], path: str | Path, magnitude: float = published.HISTOGRAM_MAGNITUDE) -> Path:
    """Distribution over nodes per effective temperature at `magnitude`, and per magnitude over all nodes.

    Tables of 3 and of 5 free labels stand beside each other at each temperature and magnitude. Nodes count as often as
    published ones lie nearest to them.
    """
    rows = [magnitude_row(table, magnitude) for table in tables]
    temperatures = np.unique(np.concatenate([table.label("T_eff") for table in tables]))
    with style():
        figure = Figure(figsize=(10.4, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for place, (table, row) in enumerate(zip(tables, rows, strict=True)):
            width = _WIDTH / len(tables)
            offset = (place - 0.5 * (len(tables) - 1)) * width
            warm = np.searchsorted(temperatures, np.unique(table.label("T_eff"))) + offset
            counted = published_rows(table.labels)
            temperature = table.label("T_eff")[counted]
            schur = np.where(table.identifiable, table.schur, np.nan)[:, counted]
            groups = [_known(schur[row, temperature == node]) for node in np.unique(temperature)]
            _boxes(left, groups, warm, width, table)
            by_magnitude = [_known(values) for values in schur]
            _boxes(right, by_magnitude, np.arange(len(by_magnitude)) + offset, width, table)
            _published(right, table, offset)
        _names(left, [f"{node:.0f}" for node in temperatures])
        snr = zip(tables[0].magnitudes, tables[0].snr_percentiles[:, 1], strict=True)
        _names(right, [f"{value:g}\n(SNR {ratio:.3g})" for value, ratio in snr])
        left.set(
            xlabel="T_eff [K]",
            ylabel="Schur ratio  C(others known) / C(others unknown)",
            ylim=(0.0, 1.05),
            title=f"per temperature, magnitude {magnitude:g}",
        )
        right.set(xlabel="HSC-i magnitude", title="per magnitude, all nodes")
        figure.suptitle(f"Schur ratio of log g, {nodes_of(tables)}", fontsize=10.5)
        handles, labels = right.get_legend_handles_labels()
        title = "line: median; box: quartiles; whiskers: smallest and largest node"
        figure.legend(handles, labels, loc="outside lower center", ncols=2, title=title, title_fontsize=8.0)
        return save(figure, path)


def _boxes(axes: Axes, groups: list[Array], places: NDArray[Any], width: float, table: CeilingTable) -> None:
    colour = colour_of(table)
    drawn = axes.boxplot(
        groups,
        positions=places,
        whis=(0, 100),
        widths=0.85 * width,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": colour, "alpha": 0.3, "edgecolor": colour},
        medianprops={"color": colour, "lw": 2.0},
        whiskerprops={"color": colour},
        capprops={"color": colour},
    )
    drawn["boxes"][0].set_label(f"{len(table.free)}D, nodes of this kit")


def _known(values: Array) -> Array:
    return values[np.isfinite(values)]


def _published(axes: Axes, table: CeilingTable, offset: float) -> None:
    shown = [m for m in table.magnitudes if m in published.MAGNITUDES]
    paper = published.CEILINGS[len(table.free)]
    medians = [paper.schur_median[published.MAGNITUDES.index(m)] for m in shown]
    places = [list(table.magnitudes).index(m) + offset for m in shown]
    label = f"{len(table.free)}D, published median ({count(paper.n_nodes)} nodes)"
    axes.plot(places, medians, "D" if len(table.free) == 3 else "s", mfc="none", color="black", label=label, zorder=4)


def _names(axes: Axes, names: list[str]) -> None:
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.grid(visible=False, axis="x")
