"""Smallest error of any estimator of log g under two priors, against magnitude."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.bounds.van_trees_table import VanTreesTable
from repro.plots.style import BLUE, GREEN, GREY, ORANGE, save, style


def draw(table: VanTreesTable, path: str | Path) -> Path:
    """Root mean squared errors, and R2 relative to the variance of each prior."""
    with style():
        figure = Figure(figsize=(10.4, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        _errors(left, table)
        _scores(right, table)
        figure.suptitle(
            f"Bayesian bounds on log g, {len(table.free)} labels unknown, observing conditions known", fontsize=10.5
        )
        return save(figure, path)


def _errors(axes: Axes, table: VanTreesTable) -> None:
    axes.plot(table.magnitudes, np.sqrt(table.unbiased), "s--", color=GREY, label="unbiased: mean Cramér-Rao bound")
    axes.plot(table.magnitudes, np.sqrt(table.box), "o-", color=BLUE, label="any estimator, uniform prior")
    axes.plot(table.magnitudes, np.sqrt(table.taper), "D-", color=ORANGE, label="any estimator, cos² prior")
    for variance, colour in ((table.variance_box, BLUE), (table.variance_taper, ORANGE)):
        axes.axhline(np.sqrt(variance), color=colour, lw=0.8, ls=":")
    axes.plot([], [], ":", color="black", lw=0.8, label="spread of log g under each prior")
    axes.set(yscale="log", xlabel="HSC-i magnitude", ylabel="smallest root mean squared error of log g [dex]")
    axes.legend(loc="lower right")


def _scores(axes: Axes, table: VanTreesTable) -> None:
    for values, law, variance, colour, marker, name in (
        (table.box, table.law_box, table.variance_box, BLUE, "o", "uniform prior"),
        (table.taper, table.law_taper, table.variance_taper, ORANGE, "D", "cos² prior"),
    ):
        axes.plot(table.magnitudes, 1.0 - values / variance, f"{marker}-", color=colour, label=name)
        mean = 1.0 - float(law @ table.law_weights) / variance
        axes.axhline(mean, color=colour, lw=0.8, ls="--")
        axes.annotate(
            f"over the test law: {mean:.3f}",
            (table.magnitudes.min(), mean),
            xytext=(0, 3 if colour == BLUE else -11),
            textcoords="offset points",
            color=colour,
            fontsize=8.0,
        )
    low, high = table.law[:, 0].min(), table.law[:, 0].max()
    axes.axvspan(low, high, color=GREEN, alpha=0.08, lw=0, label="magnitudes of the sum over the test law")
    axes.set(xlabel="HSC-i magnitude", ylabel="largest R² of any estimator", ylim=(min(0.0, axes.get_ylim()[0]), 1.02))
    axes.legend(loc="lower left")
