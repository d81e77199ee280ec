"""Saliency pixel by pixel, beside the Fisher information that an efficient estimate would follow, on the main lines."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.experiments.attention_table import CLASSES, AttentionTable
from repro.plots.attention import CLASS_NAMES, WAVE_LABEL, lines, title
from repro.plots.style import BLUE, GREY, ORANGE, save, style
from repro.scores.attention import AttentionScores

_RANGES: Final = ((7650.0, 7715.0), (8170.0, 8235.0), (8470.0, 8850.0))  # [A]: K I, Na I, Ca II with Fe I and Mg I
_CURVES: Final = (("saliency of the network", ORANGE), ("Fisher information, other labels unknown", BLUE))


def draw(table: AttentionTable, path: str | Path) -> Path:
    """A row for each star class, a column for each range of wavelengths; the mean spectrum in grey, on its own scale.

    Args:
        table: maps of test stars.
        path: of the PNG.
    """
    scores = AttentionScores(table)
    shown = [name for name in CLASSES if scores.stars[name].any()]
    ranges = [(low, high) for low, high in _RANGES if ((table.wave >= low) & (table.wave <= high)).any()]
    with style():
        figure = Figure(figsize=(11.4, 1.4 + 2.3 * len(shown)), layout="constrained")
        ratios = [1.0 if high - low < 100.0 else 3.0 for low, high in ranges]
        panels = figure.subplots(
            len(shown), len(ranges), sharex="col", sharey="row", squeeze=False, width_ratios=ratios
        )
        for row, where in zip(panels, shown, strict=True):
            for axes, span in zip(row, ranges, strict=True):
                _panel(axes, table, list(CLASSES).index(where), span)
            row[0].set_ylabel("share of a pixel / uniform")
            row[-1].set_title(f"{CLASS_NAMES[where]}: mean of {int(scores.stars[where].sum())}", fontsize=8.5)
        for axes in panels[-1]:
            axes.set_xlabel(WAVE_LABEL)
        handles, labels = panels[0, -1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        figure.suptitle(title(table), fontsize=10.5)
        return save(figure, path)


def _panel(axes: Axes, table: AttentionTable, number: int, span: tuple[float, float]) -> None:
    lines(axes, table)
    inside = (table.wave >= span[0]) & (table.wave <= span[1])
    wave = table.wave[inside]
    profiles = table.profiles[:, number] * len(table.wave)
    highest = float(np.nanmax(profiles))
    flux = table.flux[number] / table.flux[number].max()
    axes.plot(wave, highest * flux[inside], color=GREY, lw=0.6, alpha=0.7, label="mean flux, scaled to the axis")
    for (label, colour), profile in zip(_CURVES, profiles, strict=True):
        axes.plot(wave, profile[inside], color=colour, lw=1.0, label=label)
    axes.set_xlim(*span)
    axes.set_ylim(0.0, 1.05 * highest)
