"""Ceiling on R2 against SNR: the curves as published, and what the same bounds say about a population."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.bounds.table import CeilingTable
from repro.plots.style import GREY, colour_of, compressed_below_zero, count, curve, nodes_of, save, snr_ticks, style
from repro.scores import published
from repro.scores.ceilings import law_variance, summarise


def draw(tables: Sequence[CeilingTable], path: str | Path) -> Path:
    """Draw all magnitudes of one table of 3 or 5 free labels, or of one each.

    Left: the paper's statistic, beside the published points; those at a wrong SNR are joined with their right place.
    Right: mean bounds over the nodes and over the law of the labels, and the value for an estimator that knows the law.
    Below R2 = 0 the axis is logarithmic, so that nothing is cut.
    """
    with style():
        figure = Figure(figsize=(10.4, 6.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        lowest = 0.0
        for table in tables:
            summary = summarise(table)
            _as_published(left, table, summary)
            lowest = min(lowest, _corrected(right, table, summary))
        _published_points(left, tables)
        left.set(title="as published: median over nodes of clip(1 − C/V, 0, 1), V = 5/3")
        left.set_ylabel("ceiling on R² of log g (compressed below 0)")
        right.set(title="as corrected: what the same bounds say about a population")
        for axes in (left, right):
            compressed_below_zero(axes, lowest)
            snr_ticks(axes)
            axes.set_xlabel("SNR: median over nodes and pixels of flux / error")
            handles, labels = axes.get_legend_handles_labels()
            axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.11), borderaxespad=0.0)
        figure.suptitle(f"Ceiling on R² against SNR, {nodes_of(tables)}", fontsize=10.5)
        return save(figure, path)


def _as_published(axes: Axes, table: CeilingTable, summary: dict[str, float]) -> None:
    colour, name = colour_of(table), f"{len(table.free)}D"
    snr, median, low, high = (
        curve(table, summary, value) for value in ("snr_median", "r2max_median", "r2max_p10", "r2max_p90")
    )
    label = f"{name}: spread over nodes, 10–90 % (no confidence interval)"
    axes.fill_between(snr, low, high, alpha=0.1, lw=0, label=label, color=colour)
    axes.plot(snr, low, snr, high, color=colour, lw=0.6, alpha=0.6)
    axes.plot(snr, median, "-", lw=1.6, label=f"{name}: median over nodes", color=colour)


def _published_points(axes: Axes, tables: Sequence[CeilingTable]) -> None:
    right, drawn = np.array(published.SNR), np.array(published.SNR_AS_DRAWN)
    moved = right != drawn
    for table in tables:
        k, colour = len(table.free), colour_of(table)
        paper = published.CEILINGS[k]
        median = np.array(paper.r2max_median)
        marker = "D" if k == 3 else "s"
        label = f"{k}D: published median ({count(paper.n_nodes)} nodes)"
        axes.plot(right, median, marker, mfc="none", label=label, zorder=4, color=colour)
        for statistic, magnitude in paper.placeholders:
            m = published.MAGNITUDES.index(magnitude)
            label = f"{k}D: published 10 % point at magnitude {magnitude:g}, a placeholder"
            axes.plot(right[m], getattr(paper, statistic)[m], "x", ms=7, mew=1.6, label=label, zorder=4, color=colour)
        if k == 3:  # the figures of the sources are those of three labels
            label = "3D: the same where the published figures draw it; arrow: to the SNR of the data set"
            axes.plot(drawn[moved], median[moved], marker, ms=4, color=GREY, mfc="none", label=label, zorder=4)
            for start, end, height in zip(drawn[moved], right[moved], median[moved], strict=True):
                arrow = {"arrowstyle": "->", "color": GREY, "shrinkA": 3.0, "shrinkB": 3.0}
                axes.annotate("", (end, height), (start, height), arrowprops=arrow)


def _corrected(axes: Axes, table: CeilingTable, summary: dict[str, float]) -> float:
    """Draw and return the lowest value."""
    colour, name = colour_of(table), f"{len(table.free)}D"
    values = {
        value: curve(table, summary, value)
        for value in ("snr_median", "r2max_median", "r2_aggregate", "r2_aggregate_label_variance", "r2_local_prior")
    }
    snr = values.pop("snr_median")
    lines = {
        "r2max_median": ("-", "the median of the left panel"),
        "r2_local_prior": ("^-", "with a local Gaussian prior: 1 − E[C/(C + V)]"),
        "r2_aggregate": ("o--", "unbiased estimator: 1 − E[C]/V, V = 5/3, nodes alike"),
        "r2_aggregate_label_variance": ("v:", f"the same under the law of the labels, V = {law_variance(table):.3f}"),
    }
    for key, (form, label) in lines.items():
        alpha, width = (0.35, 1.0) if key == "r2max_median" else (1.0, 1.4)
        axes.plot(snr, values[key], form, ms=4, lw=width, alpha=alpha, color=colour, label=f"{name}: {label}")
    return float(np.nanmin(list(values.values())))
