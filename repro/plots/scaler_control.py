"""What scaling the input does to trees and to ridge regression, with the validation spectra scaled alike and not."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import Point, bars_across, common_legend, heading, number, points
from repro.plots.style import BLUE, GREEN, ORANGE, SKY, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.names import display
from repro.scores.published_matrix import SCALER, WHERE

_INPUTS: Final = {
    "raw": "flux as it is",
    "standardised": "standardised",
    "centred": "centred",
    "scaled": "divided by\nits spread",
    "snr": "flux / error\n(uses the error)",
    "snr_centred": "flux / error,\ncentred\n(uses the error)",
}
# part of the setting that tells two series apart, then by its value how they are drawn and what they are
_SERIES: Final = {
    "lightgbm": {
        "transformed": (Look(GREEN, "o", "-"), "early stopping on validation spectra scaled alike"),
        "raw": (Look(ORANGE, "s", "-"), "early stopping on validation spectra left as they are"),
    },
    "ridge": {
        "": (Look(BLUE, "o", "-"), "penalty by validation for each input"),
        "yes": (Look(SKY, "s", "-"), "every input standardised again, one penalty: a tautology"),
    },
}
_PART: Final = {"lightgbm": "validation", "ridge": "restandardised"}


def drawable(scores: ArmScores) -> bool:
    """Whether there are scaled inputs to show."""
    return bool(scores.table.rows(experiment="scaler").size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """One panel a model, at its largest size; one row an input. Numbers beside points of LightGBM: trees at the end."""
    found = points(scores, experiment="scaler")
    models = [model for model in _SERIES if any(point.cell.model == model for point in found)]
    with style():
        figure = Figure(figsize=(max(5.6 * len(models), 7.0) + 0.6, 5.2), layout="constrained")
        panels = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
        for axes, model in zip(panels, models, strict=True):
            own = [point for point in found if point.cell.model == model]
            _panel(axes, model, own)
        panels[0].set_yticks(range(len(_INPUTS)), list(_INPUTS.values()), fontsize=8)
        panels[0].set_ylim(len(_INPUTS) - 0.5, -0.5)
        panels[0].set_ylabel("input")
        title = f"Scaling of the input, {count(len(scores.table.truth))} test stars; numbers: trees at the end"
        common_legend(figure, panels, len(models))
        heading(figure, title)
        return save(figure, path)


def _panel(axes: Axes, model: str, own: list[Point]) -> None:
    n = max(point.cell.n_train for point in own)
    level = own[0].cell.train_noise
    rows = list(_INPUTS)
    for shift, (value, (look, label)) in zip((-0.14, 0.14), _SERIES[model].items(), strict=True):
        series = [p for p in own if p.part(_PART[model]) == value and p.cell.n_train == n and p.part("input") in rows]
        y = np.array([rows.index(point.part("input")) for point in series]) + shift
        if series:
            bars_across(axes, series, y, look, label, filled=value not in ("raw", "yes"))
        for point, height in zip(series, y, strict=True):
            if "trees" in point.facts:
                trees = f"{point.facts['trees']:.0f}"
                text = f" {trees} tree" + "s" * (trees != "1")
                at = point.value + point.half_width
                axes.annotate(text, (at, height), (3, 0), textcoords="offset points", fontsize=7, va="center")
    known = SCALER[model]
    y = np.array([rows.index(name) for name in known])
    axes.plot(list(known.values()), y, "D", mfc="none", color="0.55", ms=6, label=f"{WHERE}", zorder=1.5)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.12 * (high - low) * (model == "lightgbm"))  # room for the numbers of trees
    axes.axvline(0.0, color="black", lw=0.6)
    axes.xaxis.set_major_formatter(lambda value, _: number(round(value, 6)))
    axes.set(xlabel="R² of log g", title=f"{display(model)}, noise {level:g}, {count(n)} spectra")
