"""Attention by layer and head, for each star class."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from repro.experiments.attention_table import CLASSES, AttentionTable
from repro.plots.attention import CLASS_NAMES, WAVE_LABEL, colour_bar, groups, strips, title
from repro.plots.style import save, style
from repro.scores.attention import AttentionScores


def draw(table: AttentionTable, path: str | Path) -> Path:
    """Top: windows of lines and bands. Below, by star class: a strip for every head, layer by layer.

    Args:
        table: maps of test stars.
        path: of the PNG.
    """
    scores = AttentionScores(table)
    shown = [name for name in CLASSES if scores.stars[name].any()]
    maps = {where: scores.heads(where) for where in shown}
    layers, heads, places = maps[shown[0]].shape
    highest = max(float(rows.max()) * places for rows in maps.values())
    height = max(0.17 * layers * heads, 1.2)
    with style():
        figure = Figure(figsize=(11.4, 2.3 + (height + 0.25) * len(shown)), layout="constrained")
        top, *bands = figure.subplots(1 + len(shown), 1, sharex=True, height_ratios=[1.3, *[height] * len(shown)])
        groups(top, table)
        for where, band in zip(shown, bands, strict=True):
            image = strips(band, table, list(maps[where].reshape(-1, places)), highest)
            middles = np.arange(layers) * heads + 0.5 * (heads - 1)
            band.set_yticks(middles, [str(layer + 1) for layer in range(layers)])
            for layer in range(1, layers):
                band.axhline(layer * heads - 0.5, color="white", lw=1.2)
            band.set_ylabel(f"layer, {heads} heads each")
            band.set_title(f"{CLASS_NAMES[where]}: mean of {int(scores.stars[where].sum())}", loc="left", fontsize=8.5)
        bands[-1].set_xlabel(WAVE_LABEL)
        bands[-1].set_xlim(table.wave[0], table.wave[-1])
        colour_bar(figure, image, bands, "share of the attention over that of the pixels")
        figure.suptitle(f"attention by head: {title(table)}", fontsize=10.5)
        return save(figure, path)
