"""Maps of the marginal error bound of log g over temperature and gravity, for some metallicities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.plots import published
from repro.plots.style import magnitude_row, save, style


def draw(
    table: CeilingTable,
    path: str | Path,
    magnitude: float = published.HISTOGRAM_MAGNITUDE,
    metallicities: Sequence[float] = (-2.0, -1.0, 0.0),
) -> Path:
    """One panel for the node nearest to each of `metallicities`; nodes without a bound stay hatched."""
    sigma = np.sqrt(table.crlb[magnitude_row(table, magnitude)])
    nodes = np.unique(table.label("M_H"))
    shown = sorted({float(nodes[np.argmin(np.abs(nodes - value))]) for value in metallicities})
    maps = [_map(table, sigma, value) for value in shown]
    found = np.concatenate([values[np.isfinite(values)] for _, _, values in maps])
    norm = LogNorm(found.min(), found.max()) if found.size else LogNorm(0.1, 1.0)
    with style():
        figure = Figure(figsize=(2.2 + 2.5 * len(shown), 3.6), layout="constrained")
        panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, value, (temperature, gravity, values) in zip(panels, shown, maps, strict=True):
            axes.grid(False)
            axes.set_facecolor("0.85")
            axes.patch.set_hatch("///")
            image = axes.pcolormesh(temperature, gravity, values, norm=norm, cmap="cividis_r", shading="nearest")
            axes.invert_xaxis()
            axes.set(xlabel="T_eff [K]", title=f"[M/H] = {value:+.2f}".replace("-", "−"))
            axes.tick_params(axis="x", labelsize=7.5)
        panels[0].invert_yaxis()
        panels[0].set_ylabel("log g [dex, cgs]")
        bar = figure.colorbar(image, ax=list(panels), label="σ(log g) [dex]", format=FormatStrFormatter("%g"))
        bar.ax.yaxis.set_minor_formatter(FormatStrFormatter("%g"))
        bar.ax.tick_params(which="both", labelsize=7)
        figure.suptitle(f"Smallest error of an unbiased log g at magnitude {magnitude:g}", fontsize=10)
        return save(figure, path)


def _map(
    table: CeilingTable, sigma: NDArray[np.float64], metallicity: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Axes T_eff (n_t,), log_g (n_g,) and sigma (n_g, n_t) at one metallicity; abundance ratios nearest to solar."""
    use = table.label("M_H") == metallicity
    for name in ("a_M", "C_M"):
        nodes = table.label(name)
        use &= nodes == nodes[np.argmin(np.abs(nodes))]
    temperature, column = np.unique(table.label("T_eff")[use], return_inverse=True)
    gravity, row = np.unique(table.label("log_g")[use], return_inverse=True)
    values = np.full((gravity.size, temperature.size), np.nan)
    values[row, column] = sigma[use]
    return temperature, gravity, values
