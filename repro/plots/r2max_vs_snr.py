"""Ceiling on R2 against SNR: the paper's median over nodes with its spread, and the values for a population."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.plots import published
from repro.plots.style import BLUE, GREEN, MINUS, ORANGE, PURPLE, curve, save, style
from repro.scores.ceilings import law_variance, summarise

_TICKS: Final = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0, -0.5, -1.0, -2.0, -5.0, -10.0, -20.0)


def draw(table: CeilingTable, path: str | Path) -> Path:
    """Draw all magnitudes of `table`; below R2 = 0 the axis is logarithmic, so that nothing is cut."""
    summary = summarise(table)
    snr, median, low, high, unbiased, law, prior = (
        curve(table, summary, name)
        for name in (
            *("snr_median", "r2max_median", "r2max_p10", "r2max_p90"),
            *("r2_aggregate", "r2_aggregate_label_variance", "r2_local_prior"),
        )
    )
    with style():
        figure = Figure(figsize=(6.4, 5.6), layout="constrained")
        axes = figure.add_subplot()
        label = "spread of the paper's R²max over nodes, 10–90 % (no confidence interval)"
        axes.fill_between(snr, low, high, color=BLUE, alpha=0.15, lw=0, label=label)
        label = "paper: median over nodes of clip(1 − C/V, 0, 1), V = 5/3"
        axes.plot(snr, median, "o-", color=BLUE, label=label)
        label = "published median (1260 nodes)"
        axes.plot(published.SNR, published.R2MAX_MEDIAN, "D", mfc="none", color="black", label=label)
        label = "unbiased estimator: 1 − E[C]/V, V = 5/3"
        axes.plot(snr, unbiased, "s--", color=ORANGE, ms=4, label=label)
        label = f"same with the law of the labels, V = {law_variance(table):.3f}"
        axes.plot(snr, law, "v:", color=PURPLE, ms=4, label=label)
        label = "with a local Gaussian prior: 1 − E[C/(C + V)], law of the labels"
        axes.plot(snr, prior, "^-", color=GREEN, ms=4, label=label)
        lowest = min(0.0, np.nanmin([unbiased, law]))
        axes.set_yscale("function", functions=(_compress, _expand))
        ticks = [tick for tick in _TICKS if tick >= lowest]
        axes.set_yticks(ticks, [f"{tick:g}".replace("-", MINUS) for tick in ticks])
        axes.set(
            xscale="log",
            ylim=(1.1 * lowest - 0.05, 1.05),
            xlabel="SNR: median over nodes and pixels of flux / error",
            ylabel="ceiling on R² of log g (compressed below 0)",
            title=f"Ceiling on R² against SNR, {len(table.labels)} nodes",
        )
        axes.axhline(0.0, color="black", lw=0.6)
        axes.set_xticks([2, 3, 5, 10, 20, 50, 100], ["2", "3", "5", "10", "20", "50", "100"])
        axes.set_xticks([], minor=True)
        figure.legend(loc="outside lower center", ncols=1)
        return save(figure, path)


def _compress(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(value >= 0.0, value, -0.5 * np.log1p(np.maximum(-value, 0.0)))


def _expand(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(value >= 0.0, value, -np.expm1(2.0 * np.maximum(-value, 0.0)))
