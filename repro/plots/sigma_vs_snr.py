"""Marginal error bound of log g against SNR, its spread over nodes, and the 1/SNR law through it."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from repro.bounds.table import CeilingTable
from repro.plots import published
from repro.plots.style import BLUE, GREY, MINUS, ORANGE, curve, save, style
from repro.scores.ceilings import PAPER_VARIANCE, summarise


def draw(table: CeilingTable, path: str | Path) -> Path:
    """Draw all magnitudes of `table`."""
    summary = summarise(table)
    snr, low, middle, high = (
        curve(table, summary, name) for name in ("snr_median", "sigma_p10", "sigma_median", "sigma_p90")
    )
    constant = np.exp(np.nanmean(np.log(middle * snr)))
    slope = summary.get(f"{len(table.free)}D/sigma_snr_slope", np.nan)
    with style():
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        axes = figure.add_subplot()
        axes.fill_between(snr, low, high, color=BLUE, alpha=0.15, lw=0, label="spread over nodes, 10–90 %")
        label = f"median over nodes (log-log slope {slope:.3f})".replace("-1", f"{MINUS}1")
        axes.plot(snr, middle, "o-", color=BLUE, label=label)
        axes.plot(
            published.SNR, published.SIGMA_MEDIAN, "D", mfc="none", color="black", label="published median (1260 nodes)"
        )
        line = np.geomspace(snr.min(), snr.max(), 2)
        axes.plot(line, constant / line, "--", color=ORANGE, lw=1.2, label=f"{constant:.2f} dex / SNR")
        axes.axhline(np.sqrt(PAPER_VARIANCE), color=GREY, lw=0.8, ls=":")
        axes.annotate(
            "√(5/3): spread of the nodes themselves (R²max = 0)",
            (snr.max(), np.sqrt(PAPER_VARIANCE)),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            color=GREY,
            fontsize=7.5,
        )
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="SNR: median over nodes and pixels of flux / error",
            ylabel="σ(log g), marginal Cramér-Rao bound [dex]",
            title=f"Smallest error of an unbiased log g against SNR, {len(table.labels)} nodes",
        )
        axes.set_xticks([2, 3, 5, 10, 20, 50, 100], ["2", "3", "5", "10", "20", "50", "100"])
        axes.set_xticks([], minor=True)
        axes.set_yticks([0.01, 0.03, 0.1, 0.3, 1.0, 3.0], ["0.01", "0.03", "0.1", "0.3", "1", "3"])
        axes.set_yticks([], minor=True)
        axes.legend(loc="lower left")
        return save(figure, path)
