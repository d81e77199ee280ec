"""How much of each map lies on lines and bands, beside windows moved elsewhere and a network before its training."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.experiments.attention_table import CLASSES, AttentionTable
from repro.plots.attention import CLASS_NAMES, COLOURS, MAP_NAMES, title
from repro.plots.style import PURPLE, save, style
from repro.scores.attention import EVERY, AttentionScores

_SHOWN: Final = ("attention", "rollout", "saliency", "occlusion", "fisher_marginal")
_OFFSET: Final = 0.18  # of a row, between star classes
_P: Final = 0.05  # up to which a point is filled
_LEAST: Final = 1e-3  # times uniform: what is less stands there
_UNTRAINED: Final = ("attention", "rollout", "saliency")


def draw(table: AttentionTable, path: str | Path) -> Path:
    """A panel for each map, a row for each group: enrichment by star class with its bootstrap error.

    Args:
        table: maps of test stars.
        path: of the PNG.
    """
    scores = AttentionScores(table)
    with style():
        figure = Figure(figsize=(13.0, 1.9 + 0.5 * len(table.groups)), layout="constrained")
        panels = figure.subplots(1, len(_SHOWN), sharey=True, sharex=True)
        lowest = 1.0
        for axes, name in zip(panels, _SHOWN, strict=True):
            lowest = min(lowest, _panel(axes, scores, name))
            axes.set_title(MAP_NAMES[name])
        panels[0].set_yticks(range(len(table.groups)), table.groups)
        panels[0].set_ylim(len(table.groups) - 0.5, -0.5)
        panels[0].set_ylabel("lines and bands")
        panels[0].set_xscale("log")
        panels[0].xaxis.set_major_formatter("{x:g}")
        panels[0].set_xlim(left=0.6 * lowest)
        panels[2].set_xlabel("share of the map in the windows, over that of the pixels")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        figure.suptitle(title(table), fontsize=10.5)
        return save(figure, path)


def _panel(axes: Axes, scores: AttentionScores, name: str) -> float:
    """Draw a map and give its lowest point."""
    axes.axvline(1.0, color="black", lw=0.7)
    rows = np.arange(len(scores.table.groups))
    moved = [scores.moved(EVERY, name, group) for group in scores.table.groups]
    low = np.maximum([each.low for each in moved], _LEAST)
    high = np.array([each.high for each in moved])
    axes.barh(rows, high - low, left=low, height=0.8, color="0.87", lw=0, label="windows moved elsewhere: 95 %")
    classes = [where for where in CLASSES if scores.stars[where].any()]
    lowest = 1.0
    for number, where in enumerate(classes):
        offset = _OFFSET * (number - 0.5 * (len(classes) - 1))
        lowest = min(lowest, _points(axes, scores, name, where, rows + offset))
    if name in _UNTRAINED:
        before = [scores.enrichment(EVERY, name, group, "untrained").value for group in scores.table.groups]
        axes.plot(before, rows, "x", color=PURPLE, ms=4, label="before training, all stars")
    return lowest


def _points(axes: Axes, scores: AttentionScores, name: str, where: str, rows: np.ndarray) -> float:
    table = scores.table
    found = [scores.enrichment(where, name, group) for group in table.groups]
    beyond = np.array([scores.moved(where, name, group).p <= _P for group in table.groups])
    values, errors = (np.array([getattr(each, what) for each in found]) for what in ("value", "error"))
    values = np.maximum(values, _LEAST)
    colour = COLOURS[where]
    axes.errorbar(values, rows, xerr=np.minimum(errors, 0.99 * values), fmt="none", ecolor=colour, elinewidth=0.8)
    label = f"{CLASS_NAMES[where]}; filled: p ≤ {_P:g} among moved windows"
    axes.plot(values, rows, "o", mfc="white", mec=colour, ms=4.5)
    axes.plot(values[beyond], rows[beyond], "o", color=colour, ms=4.5)
    axes.plot([], [], "o", color=colour, ms=4.5, label=label)
    return float(values.min())
