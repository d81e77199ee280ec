"""Marginal error bound of log g against SNR, its spread over nodes, and the 1/SNR law through it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.bounds.table import CeilingTable
from repro.plots.style import GREY, MINUS, colour_of, count, curve, nodes_of, save, snr_ticks, style
from repro.scores import published
from repro.scores.ceilings import PAPER_VARIANCE, summarise


def draw(tables: Sequence[CeilingTable], path: str | Path) -> Path:
    """Draw all magnitudes of one table of 3 or 5 free labels, or of one each."""
    with style():
        figure = Figure(figsize=(7.4, 5.6), layout="constrained")
        axes = figure.add_subplot()
        for table in tables:
            _curves(axes, table)
        spread = float(np.sqrt(PAPER_VARIANCE))
        axes.axhline(spread, color=GREY, lw=0.8, ls=":")
        axes.annotate(
            "√(5/3): spread of the nodes themselves (R²max = 0)",
            (1.0, spread),
            xycoords=axes.get_yaxis_transform(),
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            color=GREY,
            fontsize=7.5,
        )
        snr_ticks(axes)
        axes.set(
            yscale="log",
            xlabel="SNR: median over nodes and pixels of flux / error",
            ylabel="σ(log g), marginal Cramér-Rao bound [dex]",
            title=f"Smallest error of an unbiased log g against SNR, {nodes_of(tables)}",
        )
        axes.set_yticks([0.01, 0.03, 0.1, 0.3, 1.0, 3.0], ["0.01", "0.03", "0.1", "0.3", "1", "3"])
        axes.set_yticks([], minor=True)
        figure.legend(loc="outside lower center", ncols=len(tables))
        return save(figure, path)


def _curves(axes: Axes, table: CeilingTable) -> None:
    colour, name = colour_of(table), f"{len(table.free)}D"
    summary = summarise(table)
    snr, low, middle, high = (
        curve(table, summary, value) for value in ("snr_median", "sigma_p10", "sigma_median", "sigma_p90")
    )
    constant = np.exp(np.nanmean(np.log(middle * snr)))
    slope = f"{summary.get(f'{name}/sigma_snr_slope', np.nan):.3f}".replace("-", MINUS)
    axes.fill_between(snr, low, high, color=colour, alpha=0.1, lw=0, label=f"{name}: spread over nodes, 10–90 %")
    axes.plot(snr, middle, "-", color=colour, label=f"{name}: median over nodes (log-log slope {slope})")
    line = np.array([snr.min(), snr.max()])
    axes.plot(line, constant / line, "--", color=colour, lw=0.8, label=f"{name}: {constant:.2f} dex / SNR")
    paper = published.CEILINGS[len(table.free)]
    label = f"{name}: published median ({count(paper.n_nodes)} nodes){'' if paper.sigma_stated else ', from R²max'}"
    marker = "D" if len(table.free) == 3 else "s"
    axes.plot(published.SNR, paper.sigma_median, marker, mfc="none", color=colour, label=label)
