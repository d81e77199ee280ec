"""How much of the reachable R2 each model reaches: over SNR, and over temperature and metallicity."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.errors import ParameterError
from repro.plots.style import MINUS, count, save, style
from repro.scores.bins import FEWEST, METALLICITY_EDGES, SNR_EDGES, TEMPERATURE_EDGES
from repro.scores.efficiency import Efficiency

Array = NDArray[np.float64]

_COLUMNS: Final = 4  # of the small panels
_DARK: Final = 0.55  # colour from which numbers are written in white
_CEILING_NAMES: Final = {
    "mmse_flux": "the exact Bayes optimum of the flux (MMSE)",
    "crlb": "the unbiased bound of the same stars",
    "local_prior": "the local-prior value of the same stars",
}


def draw(result: Efficiency, path: str | Path, ceiling: str = "mmse_flux") -> Path:
    """eta = (V - MSE of the model) / (V - MSE of the ceiling) of every model, with its bootstrap error beside SNR bins.

    Cells of fewer than 20 stars and those where the ceiling explains nothing are hatched.

    Raises:
        ParameterError: the result does not have this ceiling.
    """
    if ceiling not in result.ceilings:
        raise ParameterError(f"efficiency: no ceiling '{ceiling}'; there are {', '.join(result.ceilings)}")
    eta = result.eta[:, result.ceilings.index(ceiling)]
    error = result.error(eta)
    models = len(result.models)
    rows = -(-models // _COLUMNS)
    with style():
        figure = Figure(figsize=(11.4, 1.6 + 0.42 * models + 2.3 * rows), layout="constrained")
        parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.1 + 0.42 * models, 2.3 * rows))
        top, bottom = parts[:, 0]
        axes = top.subplots()
        _snr(axes, result, eta, error)
        panels = bottom.subplots(rows, -(-models // rows), sharex=True, sharey=True, squeeze=False)
        for panel in panels.flat[models:]:
            panel.set_visible(False)
        for panel, model, values in zip(panels.flat, result.models, eta, strict=False):
            image = _cells(panel, result, values)
            panel.set_title(f"{model} (all stars: {_number(values[0, 0])})", fontsize=8.5)
        for panel in panels[:, 0]:
            panel.set_ylabel("[M/H] [dex]")
        for column in range(panels.shape[1]):
            below = [panel for panel in panels[:, column] if panel.get_visible()][-1]
            below.set_xlabel("T_eff [K]")
            below.tick_params(labelbottom=True)
        bottom.colorbar(image, ax=list(panels.flat), label="η (colour ends at 0 and 1)", aspect=30)
        name = _CEILING_NAMES.get(ceiling, ceiling)
        figure.suptitle(
            f"Efficiency η = (V − MSE) / (V − MSE of the ceiling) against {name}, {count(int(result.count[0]))} test "
            f"stars\nhatched: fewer than {FEWEST} stars, or a ceiling that explains nothing; V is that of the cell",
            fontsize=9.5,
        )
        return save(figure, path)


def _snr(axes: Axes, result: Efficiency, eta: Array, error: Array) -> None:
    bins = [f"snr_{low:g}_{high:g}" for low, high in zip(SNR_EDGES, SNR_EDGES[1:], strict=False)]
    places = [0, *(result.bins.index(name) for name in bins)]
    shown = np.where(result.count[places] >= FEWEST, eta[:, places, 0], np.nan)
    _image(axes, np.arange(len(places) + 1.0), np.arange(len(eta) + 1.0), shown)
    for (row, column), value in np.ndenumerate(shown):
        if np.isfinite(value):
            spread = error[row, places[column]]
            text = f"{_number(value)} ± {spread:.2f}" if np.isfinite(spread) else _number(value)
            _write(axes, column + 0.5, row + 0.5, text, value)
    names = ["all", *(name.removeprefix("snr_").replace("_", "–") for name in bins)]
    numbered = [f"{name}\n{result.count[place]} stars" for name, place in zip(names, places, strict=True)]
    axes.set_xticks(np.arange(len(places)) + 0.5, numbered, fontsize=7.5)
    axes.set_yticks(np.arange(len(eta)) + 0.5, result.models)
    axes.invert_yaxis()
    axes.set(xlabel="SNR: median over pixels of noise-free flux / error", ylabel="model, ± bootstrap error")


def _cells(axes: Axes, result: Efficiency, eta: Array) -> QuadMesh:
    """One model over cells of (T_eff, [M/H])."""
    shown = np.full((len(METALLICITY_EDGES) - 1, len(TEMPERATURE_EDGES) - 1), np.nan)
    for row, (poor, rich) in enumerate(zip(METALLICITY_EDGES, METALLICITY_EDGES[1:], strict=False)):
        for column, (cool, warm) in enumerate(zip(TEMPERATURE_EDGES, TEMPERATURE_EDGES[1:], strict=False)):
            place = result.bins.index(f"T_eff_{cool:g}_{warm:g}/M_H_{poor:g}_{rich:g}")
            if result.count[place] >= FEWEST:
                shown[row, column] = eta[place, 0]
    image = _image(axes, np.array(TEMPERATURE_EDGES), np.array(METALLICITY_EDGES), shown)
    for (row, column), value in np.ndenumerate(shown):
        if np.isfinite(value):
            x, y = (np.mean(edges[i : i + 2]) for edges, i in ((TEMPERATURE_EDGES, column), (METALLICITY_EDGES, row)))
            _write(axes, float(x), float(y), _number(value), value)
    axes.set_xticks(TEMPERATURE_EDGES, [f"{edge:g}" for edge in TEMPERATURE_EDGES], fontsize=6.5)
    axes.set_yticks(METALLICITY_EDGES, [_number(edge) for edge in METALLICITY_EDGES], fontsize=7.5)
    axes.set_xlim(TEMPERATURE_EDGES[-1], TEMPERATURE_EDGES[0])
    return image


def _image(axes: Axes, x: Array, y: Array, values: Array) -> QuadMesh:
    axes.grid(visible=False)
    axes.set_facecolor("0.9")
    axes.patch.set_hatch("///")
    axes.patch.set_edgecolor("0.6")
    return axes.pcolormesh(x, y, np.ma.masked_invalid(values), cmap="cividis", vmin=0.0, vmax=1.0, edgecolors="white")


def _write(axes: Axes, x: float, y: float, text: str, value: float) -> None:
    axes.text(x, y, text, ha="center", va="center", fontsize=7.5, color="white" if value < _DARK else "black")


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)
