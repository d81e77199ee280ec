"""Distribution over nodes of the marginal bound on log g at one magnitude, beside the published one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.plots.style import BLUE, GREY, ORANGE, count, magnitude_row, save, style
from repro.scores import published
from repro.scores.ceilings import PAPER_VARIANCE
from repro.scores.population import published_rows

Array = NDArray[np.float64]


def draw(tables: Sequence[CeilingTable], path: str | Path, magnitude: float = published.HISTOGRAM_MAGNITUDE) -> Path:
    """Share of nodes per bin, a panel each for tables of 3 and 5 free labels; the published bins are continued.

    The kit's bounds are drawn with first-order and with second-order edges. Nodes count as often as published ones lie
    nearest to them, so that a grid that leaves nodes out is compared with the same population.
    """
    rows = [magnitude_row(table, magnitude) for table in tables]
    with style():
        figure = Figure(figsize=(0.6 + 5.2 * len(tables), 5.2), layout="constrained")
        panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
        for axes, table, row in zip(panels, tables, rows, strict=True):
            _panel(axes, table, row, with_published=magnitude == published.HISTOGRAM_MAGNITUDE)
        panels[0].set_ylabel("nodes per dex of C, divided by all nodes")
        panels[0].set_ylim(0.0, 1.16 * panels[0].get_ylim()[1])
        figure.suptitle(f"Bound on log g of every node at magnitude {magnitude:g}", fontsize=10.5)
        return save(figure, path)


def _panel(axes: Axes, table: CeilingTable, row: int, *, with_published: bool) -> None:
    paper = published.CEILINGS[len(table.free)]
    rows = published_rows(table.labels)
    rows = rows[table.identifiable[row, rows]]
    bound, other = table.crlb[row, rows], table.crlb_second_order[row, rows]
    other = other[np.isfinite(other)]
    if with_published:
        label = f"published ({count(sum(paper.histogram))} nodes, counts read off the figure)"
        counts = np.array(paper.histogram, dtype=float)
        axes.stairs(_density(counts, paper.edges), paper.edges, fill=True, color=GREY, alpha=0.35, label=label)
    edges = _continued(paper.edges, np.concatenate([bound, other]))
    number = int(table.identifiable[row].sum())
    weighted = ", each for the published ones nearest to it" if bound.size != number else ""
    first, second = (_density(np.histogram(values, edges)[0], edges) for values in (bound, other))
    axes.stairs(first, edges, color=BLUE, lw=1.5, label=f"this kit ({count(number)} nodes{weighted})")
    label = "this kit, second-order differences at the edges of the grid"
    axes.stairs(second, edges, color=ORANGE, lw=1.0, ls="--", label=label)
    axes.set(
        xscale="log",
        xlabel="marginal Cramér-Rao bound C on log g [dex²]",
        title=f"{len(table.free)} free labels, {count(len(table.labels))} nodes",
    )
    _mark(axes, float(np.median(bound)), f"median {np.median(bound):.3g}", BLUE, "right", 0.985)
    _mark(axes, float(bound.mean()), f"mean {bound.mean():.3g}", BLUE, "left", 0.985)
    _mark(axes, PAPER_VARIANCE, "V = 5/3", "black", "left", 0.93)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), borderaxespad=0.0)


def _mark(axes: Axes, value: float, name: str, colour: str, side: str, height: float) -> None:
    axes.axvline(value, color=colour, lw=0.9, ls=":")
    axes.annotate(
        name,
        (value, height),
        xycoords=axes.get_xaxis_transform(),
        xytext=(3 if side == "left" else -3, 0),
        textcoords="offset points",
        ha=side,
        va="top",
        color=colour,
        fontsize=7.5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )


def _density(counts: Array, edges: Array) -> Array:
    return counts / counts.sum() / np.log10(edges[1] / edges[0])


def _continued(edges: Array, values: Array) -> Array:
    """Equal bins in log, continued with the same width until all values are inside."""
    places = np.log10(edges)
    width = places[1] - places[0]
    below = max(0, int(np.ceil((places[0] - np.log10(values.min())) / width)))
    above = max(0, int(np.ceil((np.log10(values.max()) - places[-1]) / width)))
    return 10.0 ** (places[0] + width * np.arange(-below, len(places) + above))
