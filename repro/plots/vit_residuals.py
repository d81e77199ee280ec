"""Residuals of the transformer against temperature, gravity, metallicity and SNR: every star, bias and scatter."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import look_of
from repro.plots.matrix import common_legend, half_width, heading
from repro.plots.node_stars import node_stars
from repro.plots.style import MINUS, WINE, count, save, snr_ticks, style
from repro.scores.arms import ArmScores, Rows
from repro.scores.contenders import Contenders
from repro.scores.interval import Measured
from repro.scores.names import display
from repro.scores.parts import Part
from repro.scores.residual_profiles import AXES, profile, values_of

_NAMES: Final = {
    "T_eff": "T_eff [K]",
    "log_g": "true log g [dex, cgs]",
    "M_H": "[M/H] [dex]",
    "snr": "SNR: median of noise-free flux / error",
}
_INK: Final = "black"  # of the main model


def draw(known: Contenders, path: str | Path) -> Path:
    """Above: the stars of the first run of the main model, mean residual and scatter. Below: scatter of every model."""
    scores, rows = known.scores, known.scores.rows(known.main)
    residual = scores.table.predictions[rows[0]] - scores.table.truth
    with style():
        figure = Figure(figsize=(13.2, 7.4), layout="constrained")
        above, below = figure.subplots(2, len(AXES), sharey="row", sharex="col", height_ratios=(3, 2))
        for axes, name in zip(above, AXES, strict=True):
            node_stars(axes, values_of(scores, name), residual, scores.table.truth)
            _profile(axes, scores, rows, name)
            axes.axhline(0.0, color="black", lw=0.6)
        _shrinkage(above[AXES.index("log_g")], scores, rows)
        for axes, name in zip(below, AXES, strict=True):
            _scatters(axes, known, name)
            axes.set_xlabel(_NAMES[name])
        snr_ticks(below[AXES.index("snr")])
        above[0].set_ylabel("prediction − truth, log g [dex]")
        below[0].set_ylabel("scatter of the residual\nwithin the bin [dex]")
        below[0].set_ylim(bottom=0.0)
        common_legend(figure, (*above, *below), 4)
        whole = (scores.measured(rows, "rmse"), scores.measured(rows, "mae"))
        errors = ", ".join(f"{name} {one.value:.3f} dex" for name, one in zip(("RMSE", "MAE"), whole, strict=True))
        heading(
            figure,
            f"Residuals of {display(known.name)} ({count(known.main.n_train)} training spectra) on "
            f"{count(len(scores.table.truth))} test stars: {errors}",
            "bars: 90 % interval of stars and runs, of bins with 20 stars at least; "
            "no R² of bins: it would depend on how far the labels of a bin spread",
        )
        return save(figure, path)


def _profile(axes: Axes, scores: ArmScores, rows: Rows, name: str) -> None:
    found = profile(scores, rows, name)
    bias = np.array([one.value for one in found.bias])
    half = np.array([half_width(one) for one in found.bias])
    axes.errorbar(found.middle, bias, half, fmt="s-", color=_INK, ms=4, lw=1.3, capsize=2, label="mean of a bin")
    scatter = np.array([one.value for one in found.scatter])
    for sign, label in ((1.0, "mean ± standard deviation of a bin"), (-1.0, None)):
        axes.plot(found.middle, bias + sign * scatter, "--", color=_INK, lw=1.2, label=label)


def _shrinkage(axes: Axes, scores: ArmScores, rows: Rows) -> None:
    """The least squares line of the residual over the truth: its slope is that of the prediction, less 1."""
    truth = scores.table.truth
    everyone = Part(scores, np.ones(len(truth), dtype=bool))
    slope, bias = everyone.measured("slope", rows), everyone.measured("bias", rows)
    if isinstance(slope, Measured) and isinstance(bias, Measured):
        ends = np.array([truth.min(), truth.max()])
        line = bias.value + (slope.value - 1.0) * (ends - truth.mean())
        label = f"shrinkage: prediction = {slope.value:.2f} · truth + constant".replace("-", MINUS)
        axes.plot(ends, line, "-.", color=WINE, lw=1.8, label=label)


def _scatters(axes: Axes, known: Contenders, name: str) -> None:
    """Standard deviation of the residual in each bin; a bar ends at 0."""
    models: Sequence[str] = list(known.headline)
    for place, (model, rows) in enumerate(known.headline.items()):
        found, look = profile(known.scores, rows, name), look_of(model, models)
        width = np.ptp(found.middle) if len(found.middle) else 0.0
        shift = 0.004 * width * (place - 0.5 * len(models))
        value = np.array([one.value for one in found.scatter])
        half = np.array([half_width(one) for one in found.scatter])
        form: dict[str, Any] = {"marker": look.marker, "ls": look.line, "color": look.colour, "ms": 4, "capsize": 2}
        form |= {"lw": 1.8 if model == known.name else 1.0, "elinewidth": 1.0, "label": display(model)}
        axes.errorbar(found.middle + shift, value, (np.minimum(half, value), half), **form)
