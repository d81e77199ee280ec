"""Schur ratio: the share of a node's log g information that survives not knowing the other labels."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.plots import published
from repro.plots.style import BLUE, ORANGE, magnitude_row, save, style


def draw(table: CeilingTable, path: str | Path, magnitude: float = published.HISTOGRAM_MAGNITUDE) -> Path:
    """Distribution over nodes per effective temperature at `magnitude`, and per magnitude over all nodes."""
    row = magnitude_row(table, magnitude)
    temperature = table.label("T_eff")
    with style():
        figure = Figure(figsize=(9.0, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        nodes = np.unique(temperature)
        groups = [table.schur[row, (temperature == node) & table.identifiable[row]] for node in nodes]
        _boxes(left, groups, [f"{node:.0f}" for node in nodes])
        left.set(
            xlabel="T_eff [K]",
            ylabel="Schur ratio  C(others known) / C(others unknown)",
            ylim=(0.0, 1.12),
            title=f"per temperature, magnitude {magnitude:g}",
        )
        by_magnitude = [table.schur[m, table.identifiable[m]] for m in range(len(table.magnitudes))]
        names = [
            f"{value:g}\n(SNR {snr:.3g})"
            for value, snr in zip(table.magnitudes, table.snr_percentiles[:, 1], strict=True)
        ]
        _boxes(right, by_magnitude, names)
        shown = [m for m in table.magnitudes if m in published.MAGNITUDES]
        medians = [published.SCHUR_MEDIAN[published.MAGNITUDES.index(m)] for m in shown]
        places = [1 + list(table.magnitudes).index(m) for m in shown]
        right.plot(places, medians, "D", mfc="none", color="black", label="published median", zorder=4)
        right.set(xlabel="HSC-i magnitude", title="per magnitude, all nodes")
        right.legend(loc="upper right", borderaxespad=0.2)
        figure.supxlabel("line: median; box: quartiles; whiskers: smallest and largest node", fontsize=7.5)
        return save(figure, path)


def _boxes(axes: Axes, groups: list[NDArray[Any]], names: list[str]) -> None:
    axes.boxplot(
        groups,
        whis=(0, 100),
        widths=0.6,
        tick_labels=names,
        patch_artist=True,
        boxprops={"facecolor": BLUE, "alpha": 0.3, "edgecolor": BLUE},
        medianprops={"color": ORANGE, "lw": 1.8},
        whiskerprops={"color": BLUE},
        capprops={"color": BLUE},
    )
    axes.tick_params(axis="x", labelsize=7.5)
