"""R2 of log g under noise of other shapes: bounds, posteriors and models, each with what knowing the law is worth.

Who ignores the law takes all pixels for independent and Gaussian, as the models were trained to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.bounds.noise_law_table import NoiseLawTable
from repro.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, save, style
from repro.scores.bootstrap import Scored
from repro.scores.noise_laws import ROOT, summarise_noise_laws
from repro.scores.predictions import PredictionTable

NAMES: Final = {
    "gaussian": "independent\nGaussian",
    "student": "heavy tails\nStudent t, ν = 4",
    "correlated": "neighbours\ncorrelated, ρ = 1/4",
    "sky": "sky scaled wrongly\none factor",
    "sky_bands": "sky scaled wrongly\na factor per 250 Å",
}

_SERIES: Final = {
    "bound/optimal/r2_local_prior": ("Cramér-Rao and prior, law known", BLUE, "o", True),
    "bound/naive/r2_local_prior": ("Cramér-Rao and prior, law ignored", BLUE, "o", False),
    "posterior/optimal/r2": ("posterior mean, law known", ORANGE, "s", True),
    "posterior/naive/r2": ("posterior mean, law ignored", ORANGE, "s", False),
}
_MODELS: Final = {"ridge": ("ridge regression", GREEN, "^", False), "mlp": ("perceptron", PURPLE, "v", False)}
_APART: Final = 0.11
_INTERVAL: Final = (2.5, 97.5)  # per cent of the resamples


def draw(table: NoiseLawTable, path: str | Path, predictions: PredictionTable | None = None) -> Path:
    """Draw all laws of `table`, on its stars; models where there are predictions under those laws."""
    values = summarise_noise_laws(table, predictions)
    models = {f"model/{name}/r2": entry for name, entry in _MODELS.items()}
    series = {address: entry for address, entry in (_SERIES | models).items() if _any(values, table, address)}
    with style():
        figure = Figure(figsize=(8.4, 5.2), layout="constrained")
        axes = figure.add_subplot()
        for number, (address, (label, colour, marker, filled)) in enumerate(series.items()):
            offset = (number - 0.5 * (len(series) - 1)) * _APART
            _points(axes, values, table.laws, address, offset, label, colour, marker, filled)
        axes.axhline(0.0, color=GREY, lw=0.8, ls=":")
        axes.set_xticks(range(len(table.laws)), [NAMES.get(law, law) for law in table.laws])
        axes.set_xlim(-0.5, len(table.laws) - 0.5)
        axes.set_ylim(top=1.0)
        axes.grid(visible=False, axis="x")
        axes.set(
            xlabel="law of the noise, of the same variance in every pixel",
            ylabel=f"R² of log g on {len(table.stars)} test stars",
            title="What the shape of the noise does to bounds, posteriors and models (bars: 95 % of resamples)",
        )
        if series:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        else:
            axes.set_title("No posteriors under other noise: the sampling mode `continuous` has no lines to sum over")
        return save(figure, path)


def _any(values: Mapping[str, float | Scored], table: NoiseLawTable, address: str) -> bool:
    return any(f"{ROOT}/{law}/{address}" in values for law in table.laws)


def _points(
    axes: Axes,
    values: Mapping[str, float | Scored],
    laws: tuple[str, ...],
    address: str,
    offset: float,
    label: str,
    colour: str,
    marker: str,
    filled: bool,
) -> None:
    found = {row: values.get(f"{ROOT}/{law}/{address}") for row, law in enumerate(laws)}
    scored = {row: value for row, value in found.items() if isinstance(value, Scored)}
    x = np.array(list(scored)) + offset
    y = np.array([value.value for value in scored.values()])
    low, high = np.nanpercentile([value.replicates for value in scored.values()], _INTERVAL, axis=1)
    axes.errorbar(
        x,
        y,
        yerr=[np.maximum(y - low, 0.0), np.maximum(high - y, 0.0)],
        fmt=marker,
        color=colour,
        mfc=colour if filled else "white",
        ms=5,
        lw=1.0,
        label=label,
    )
