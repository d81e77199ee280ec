"""Maps of the marginal error bound of log g over temperature and gravity, for some metallicities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.plots.style import MINUS, magnitude_row, save, style
from repro.scores import published

Array = NDArray[np.float64]


def draw(
    tables: Sequence[CeilingTable],
    path: str | Path,
    magnitude: float = published.HISTOGRAM_MAGNITUDE,
    metallicities: Sequence[float] = (-2.0, -1.0, 0.0),
) -> Path:
    """A row of panels for each table, at its nodes nearest to each of `metallicities` and to solar abundance ratios.

    Tables of 3 and 5 free labels so show the same stars, with the two ratios known and unknown. Nodes without a bound
    stay hatched.
    """
    sigmas = [np.sqrt(table.crlb[magnitude_row(table, magnitude)]) for table in tables]
    shown = [_nearest(np.unique(table.label("M_H")), metallicities) for table in tables]
    maps = [
        [_map(table, sigma, value) for value in values]
        for table, sigma, values in zip(tables, sigmas, shown, strict=True)
    ]
    found = np.concatenate([values[np.isfinite(values)] for row in maps for _, _, values in row])
    norm = LogNorm(found.min(), found.max()) if found.size else LogNorm(0.1, 1.0)
    columns = max(len(row) for row in maps)
    with style():
        size = (2.2 + 2.5 * columns, 0.9 + 2.7 * len(tables))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(tables), columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat:
            axes.grid(visible=False)
            axes.set_facecolor("0.85")
            axes.patch.set_hatch("///")
            axes.tick_params(axis="x", labelsize=7.5)
        for row, table, values, line in zip(panels, tables, shown, maps, strict=True):
            for axes, value, (temperature, gravity, sigma) in zip(row, values, line, strict=False):
                image = axes.pcolormesh(temperature, gravity, sigma, norm=norm, cmap="cividis_r", shading="nearest")
                axes.set_title(f"{len(table.free)} free labels, [M/H] = {value:+.2f}".replace("-", MINUS), fontsize=9)
            row[0].set_ylabel("log g [dex, cgs]")
        for axes in panels[-1]:
            axes.set_xlabel("T_eff [K]")
        panels[0, 0].invert_xaxis()
        panels[0, 0].invert_yaxis()
        bar = figure.colorbar(image, ax=list(panels.flat), label="σ(log g) [dex]", format=FormatStrFormatter("%g"))
        bar.ax.yaxis.set_minor_formatter(FormatStrFormatter("%g"))
        bar.ax.tick_params(which="both", labelsize=7)
        title = f"Smallest error of an unbiased log g at magnitude {magnitude:g}, solar abundance ratios"
        figure.suptitle(title, fontsize=10)
        return save(figure, path)


def _nearest(nodes: Array, wanted: Sequence[float]) -> list[float]:
    return sorted({float(nodes[np.argmin(np.abs(nodes - value))]) for value in wanted})


def _map(table: CeilingTable, sigma: Array, metallicity: float) -> tuple[Array, Array, Array]:
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
