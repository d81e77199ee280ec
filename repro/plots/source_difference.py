"""Where the kit's bounds differ from the published ones: by rank, over temperature and metallicity, per gravity."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.plots.style import BLUE, GREY, MINUS, ORANGE, count, magnitude_row, save, style
from repro.scores import published
from repro.scores.population import published_rows
from repro.scores.source_difference import METAL_POOR, UPPER, RankDifference, rank_difference, summarise_difference

Array = NDArray[np.float64]

_MAGNITUDE: Final = published.HISTOGRAM_MAGNITUDE


def draw(tables: Sequence[CeilingTable], path: str | Path) -> Path:
    """A row of panels for each table of 3 or 5 free labels, at the magnitude of the published histograms.

    Ratio to the published bound of the same rank against rank; the same averaged over (T_eff, [M/H]); the share of
    nodes there that belong to the largest tenth of the kit's bounds; and per gravity, where a published figure gives
    medians (of one other magnitude in 5D), the ratio at those nodes.

    Raises:
        ParameterError: a table without that magnitude, or of another number of free labels.
    """
    found = [
        rank_difference(table, magnitude_row(table, _MAGNITUDE), published.CEILINGS[len(table.free)].quantile)
        for table in tables
    ]
    limit = max(0.05, *(float(np.nanmax(np.abs(_cells(each, each.log_ratio)[2]))) for each in found))
    with style():
        figure = Figure(figsize=(13.2, 1.2 + 3.4 * len(tables)), layout="constrained")
        panels = figure.subplots(len(tables), 4, squeeze=False)
        for row, table, difference in zip(panels, tables, found, strict=True):
            _ranks(row[0], difference)
            ratio = _map(row[1], difference, difference.log_ratio, "RdBu_r", (-limit, limit))
            share = _map(row[2], difference, difference.upper.astype(float), "Greys", (0.0, 1.0))
            _gravity(row[3], table, difference)
            row[0].set_title(f"{len(table.free)}D: ratio at equal rank")
            row[1].set_title("its mean per cell")
            row[2].set_title("where our largest tenth sits")
            row[3].set_title(f"per gravity (squares: at {published.ENVELOPES[len(table.free)].magnitude:g})")
        figure.colorbar(ratio, ax=list(panels[:, 1]), label="log₁₀ C / C published [dex]", aspect=30)
        figure.colorbar(share, ax=list(panels[:, 2]), label="share of the nodes of the cell", aspect=30)
        figure.legend(*panels[0, 3].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        sentences = [_sentence(table, difference) for table, difference in zip(tables, found, strict=True)]
        figure.suptitle("\n".join(sentences), fontsize=9)
        return save(figure, path)


def _sentence(table: CeilingTable, difference: RankDifference) -> str:
    values = summarise_difference(difference, "x")
    change = {
        name: f"{abs(ratio - 1.0):.0%} {'higher' if ratio > 1.0 else 'lower'}"
        for name, ratio in {
            "middle": 10.0 ** values["x/log_ratio_median"],
            "tail": 10.0 ** values["x/log_ratio_upper_tenth"],
            "mean": values["x/mean_ratio"],
        }.items()
    }
    return (
        f"{len(table.free)}D, {count(len(table.labels))} nodes, magnitude {_MAGNITUDE:g}: at equal rank our C is "
        f"{change['middle']} at the median and {change['tail']} in the largest tenth, "
        f"{values['x/upper_tenth_metal_poor']:.0%} of it at [M/H] ≤ {METAL_POOR:g}, "
        f"which makes {values['x/upper_tenth_share_of_change']:.0%} of the change of E[C] ({change['mean']})"
    ).replace("-", MINUS)


def _ranks(axes: Axes, difference: RankDifference) -> None:
    order = np.argsort(difference.rank)
    axes.plot(difference.rank[order], difference.log_ratio[order], color=BLUE, lw=1.2)
    axes.axhline(0.0, color="black", lw=0.6)
    axes.axvspan(UPPER, 1.0, color=GREY, alpha=0.15, lw=0)
    axes.set(
        xlim=(0.0, 1.0),
        xlabel="rank (share of nodes with a smaller bound)",
        ylabel="log₁₀ C / C published [dex]",
    )


def _cells(difference: RankDifference, values: Array) -> tuple[Array, Array, Array]:
    return difference.per_cell(values, "M_H", "T_eff")


def _map(axes: Axes, difference: RankDifference, values: Array, colours: str, limits: tuple[float, float]) -> QuadMesh:
    metals, temperature, means = _cells(difference, values)
    axes.grid(visible=False)
    axes.set_facecolor("0.85")
    image = axes.pcolormesh(temperature, metals, means, cmap=colours, vmin=limits[0], vmax=limits[1], shading="nearest")
    axes.invert_xaxis()
    axes.set(xlabel="T_eff [K]", ylabel="[M/H] [dex]")
    axes.tick_params(axis="x", labelsize=7.5)
    return image


def _gravity(axes: Axes, table: CeilingTable, difference: RankDifference) -> None:
    gravity, _, means = difference.per_cell(difference.log_ratio, "log_g", "log_g")
    axes.plot(gravity, np.diag(means), "o-", color=BLUE, ms=4, label="at equal rank, mean over the nodes of a gravity")
    envelope = published.ENVELOPES[len(table.free)]
    row = magnitude_row(table, envelope.magnitude)
    nodes = [(node, sigma) for node, sigma in zip(envelope.log_g, envelope.sigma, strict=True) if node in gravity]
    counted = published_rows(table.labels)
    crlb, log_g = table.crlb[row, counted], table.label("log_g")[counted]
    own = [np.nanmedian(crlb[log_g == node]) for node, _ in nodes]
    ratio = [np.log10(c / sigma**2) for c, (_, sigma) in zip(own, nodes, strict=True)]
    error = [2.0 * published.ENVELOPE_ERROR / sigma / np.log(10.0) for _, sigma in nodes]
    label = "median at that gravity; the published one read off the residual overlay"
    axes.errorbar([node for node, _ in nodes], ratio, error, fmt="s", color=ORANGE, ms=4, capsize=2, label=label)
    axes.axhline(0.0, color="black", lw=0.6)
    axes.set(xlabel="log g [dex, cgs]", ylabel="log₁₀ C / C published [dex]")
