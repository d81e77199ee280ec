"""Where the transformer looks and what its estimate depends on, beside the mean spectrum of each star class."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.experiments.attention_table import CLASSES, AttentionTable
from repro.plots.attention import CLASS_NAMES, COLOURS, MAP_NAMES, WAVE_LABEL, colour_bar, groups, lines, strips, title
from repro.plots.style import save, style
from repro.scores.attention import AttentionScores

_RATIOS: Final = (1.5, 2.0)  # heights of a spectrum and of its strips, in those of the windows


def draw(table: AttentionTable, path: str | Path) -> Path:
    """Top: windows of lines and bands. Below, by star class: mean spectrum, and all maps times uniform.

    Args:
        table: maps of test stars.
        path: of the PNG.
    """
    scores = AttentionScores(table)
    shown = [name for name in CLASSES if scores.stars[name].any()]
    names = (*table.maps, *table.references)
    maps = {where: [scores.mean(where, name) for name in names] for where in shown}
    highest = max(float(np.nanmax(row) * len(row)) for rows in maps.values() for row in rows)
    with style():
        figure = Figure(figsize=(11.4, 2.0 + 3.2 * len(shown)), layout="constrained")
        ratios = [1.5, *_RATIOS * len(shown)]
        top, *others = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
        groups(top, table)
        bands = others[1::2]
        for where, spectrum, band in zip(shown, others[::2], bands, strict=True):
            _spectrum(spectrum, table, where, int(scores.stars[where].sum()))
            image = strips(band, table, maps[where], highest)
            band.set_yticks(range(len(names)), [MAP_NAMES[name] for name in names], fontsize=7.5)
            band.set_ylabel("maps")
            for row in range(1, len(names)):
                band.axhline(row - 0.5, color="white", lw=0.8)
        bands[-1].set_xlabel(WAVE_LABEL)
        bands[-1].set_xlim(table.wave[0], table.wave[-1])
        colour_bar(figure, image, bands, "share of a map over that of the pixels")
        figure.suptitle(title(table), fontsize=10.5)
        return save(figure, path)


def _spectrum(axes: Axes, table: AttentionTable, where: str, stars: int) -> None:
    lines(axes, table)
    flux = table.flux[list(CLASSES).index(where)]
    axes.plot(table.wave, flux, color=COLOURS[where], lw=0.6)
    axes.set_title(f"{CLASS_NAMES[where]}: mean of {stars}", loc="left", fontsize=8.5, pad=2)
    axes.set_ylabel("flux")
