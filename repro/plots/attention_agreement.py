"""How alike the maps are: rank correlations over the tokens."""

from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from repro.experiments.attention_table import CLASSES, AttentionTable
from repro.plots.attention import CLASS_NAMES, MAP_NAMES, Array, title
from repro.plots.style import MINUS, save, style
from repro.scores.attention import EVERY, AttentionScores

_DARK: Final = 0.45  # of the colours, up to which numbers are white


def draw(table: AttentionTable, path: str | Path) -> Path:
    """A matrix of Spearman's correlations for all stars and for each star class.

    Args:
        table: maps of test stars.
        path: of the PNG.
    """
    scores = AttentionScores(table)
    shown = [where for where in (EVERY, *CLASSES) if scores.stars[where].any()]
    with style():
        figure = Figure(figsize=(10.4, 8.6), layout="constrained")
        panels = figure.subplots(2, 2, sharex=True, sharey=True, squeeze=False).ravel()
        names = (*table.maps, *table.references)
        values = {w: np.array([[scores.agreement(w, a, b).value for b in names] for a in names]) for w in shown}
        lowest = min(0.0, *(float(matrix.min()) for matrix in values.values()))
        for axes, where in zip(panels, shown, strict=False):
            image = _matrix(axes, values[where], [MAP_NAMES[name] for name in names], lowest)
            axes.set_title(CLASS_NAMES[where])
        for axes in panels[len(shown) :]:
            axes.set_visible(False)
        bar = figure.colorbar(image, ax=list(panels), pad=0.01, aspect=40)
        bar.set_label("Spearman's rank correlation over the tokens")
        figure.suptitle(title(table), fontsize=10.5)
        return save(figure, path)


def _matrix(axes: Axes, values: Array, labels: list[str], lowest: float) -> QuadMesh:
    places = range(len(labels))
    edges = np.arange(len(labels) + 1) - 0.5
    image = axes.pcolormesh(edges, edges, values, cmap="cividis", vmin=lowest, vmax=1.0, edgecolors="white")
    for row, column in product(places, repeat=2):
        value = values[row, column]
        colour = "white" if value - lowest < _DARK * (1.0 - lowest) else "black"
        text = f"{value:.2f}".replace("-", MINUS)
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(places, labels, rotation=40, ha="right", fontsize=7.5)
    axes.set_yticks(places, labels, fontsize=7.5)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set(xlabel="map", ylabel="map")
    axes.label_outer()
    axes.grid(visible=False)
    return image
