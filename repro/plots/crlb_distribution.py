"""Distribution over nodes of the marginal bound on log g at one magnitude, beside the published one."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.plots import published
from repro.plots.style import BLUE, GREY, ORANGE, magnitude_row, save, style
from repro.scores.ceilings import PAPER_VARIANCE


def draw(table: CeilingTable, path: str | Path, magnitude: float = published.HISTOGRAM_MAGNITUDE) -> Path:
    """Histogram of the table's bounds with first-order and second-order edges; the published bins are continued."""
    row = magnitude_row(table, magnitude)
    bound, other = (values[row][table.identifiable[row]] for values in (table.crlb, table.crlb_second_order))
    other = other[np.isfinite(other)]
    edges = _edges(np.concatenate([bound, other]))
    with style():
        figure = Figure(figsize=(6.4, 4.8), layout="constrained")
        axes = figure.add_subplot()
        if magnitude == published.HISTOGRAM_MAGNITUDE:
            label = f"published ({sum(published.HISTOGRAM)} nodes, counts read off the figure)"
            axes.stairs(
                published.HISTOGRAM, published.histogram_edges(), fill=True, color=GREY, alpha=0.35, label=label
            )
        counts, others = (np.histogram(values, edges)[0] for values in (bound, other))
        axes.stairs(counts, edges, color=BLUE, lw=1.6, label=f"this kit ({bound.size} nodes)")
        label = "this kit, second-order differences at the edges of the grid"
        axes.stairs(others, edges, color=ORANGE, lw=1.1, ls="--", label=label)
        top = 1.12 * axes.get_ylim()[1]
        width = np.log10(edges[1] / edges[0])
        axes.set(
            xscale="log",
            ylim=(0.0, top),
            xlabel="marginal Cramér-Rao bound C on log g [dex²]",
            ylabel=f"nodes per bin of {width:.3f} dex",
            title=f"Bound on log g of every node at magnitude {magnitude:g}",
        )
        marks = (
            (np.median(bound), f"median {np.median(bound):.3g}", "right", BLUE),
            (bound.mean(), f"mean {bound.mean():.3g}", "left", BLUE),
            (PAPER_VARIANCE, "V = 5/3", "left", "black"),
        )
        for height, (value, name, side, color) in zip((0.985, 0.985, 0.93), marks, strict=True):
            axes.axvline(value, color=color, lw=0.9, ls=":")
            axes.annotate(
                name,
                (value, height * top),
                xytext=(3 if side == "left" else -3, 0),
                textcoords="offset points",
                ha=side,
                va="top",
                color=color,
                fontsize=7.5,
            )
        figure.legend(loc="outside lower center", ncols=1)
        return save(figure, path)


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The published bins, continued with the same width until all values are inside."""
    edges = np.log10(published.histogram_edges())
    width = edges[1] - edges[0]
    below = max(0, int(np.ceil((edges[0] - np.log10(values.min())) / width)))
    above = max(0, int(np.ceil((np.log10(values.max()) - edges[-1]) / width)))
    return 10.0 ** (edges[0] + width * np.arange(-below, len(edges) + above))
