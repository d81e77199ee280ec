"""Where not knowing alpha and carbon hurts: the 5D over the 3D error bound of log g on identical nodes."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.nuisance_table import NuisanceTable
from repro.errors import ParameterError
from repro.plots.style import count, save, style
from repro.scores import published
from repro.scores.nuisances import as_published

Array = NDArray[np.float64]

GIANTS: Final = 2.0  # log g at most
DWARFS: Final = 4.0  # log g at least


def draw(table: NuisanceTable, path: str | Path, magnitude: float = published.HISTOGRAM_MAGNITUDE) -> Path:
    """Median ratio of the errors in each cell of T_eff and [M/H], over gravities and abundance ratios.

    One panel for giants and one for dwarfs, on one colour scale; cells without a bound stay hatched.

    Raises:
        ParameterError: the table has no such magnitude.
    """
    rows = np.flatnonzero(table.paired_magnitudes == magnitude)
    if not rows.size:
        known = ", ".join(f"{value:g}" for value in table.paired_magnitudes)
        raise ParameterError(f"the nuisance table has no magnitude {magnitude:g}; it has {known}")
    nodes, table = len(table.labels), as_published(table)
    ratio = np.sqrt(table.crlb_5d[rows[0]] / table.crlb_3d[rows[0]])
    gravity = table.label("log_g")
    parts = {f"giants, log g ≤ {GIANTS:g}": gravity <= GIANTS, f"dwarfs, log g ≥ {DWARFS:g}": gravity >= DWARFS}
    maps = {name: _map(table, ratio, part) for name, part in parts.items()}
    norm = Normalize(1.0, max(1.01, *(np.nanmax(values, initial=1.0) for _, _, values in maps.values())))
    with style():
        figure = Figure(figsize=(9.0, 4.2), layout="constrained")
        panels = figure.subplots(1, len(maps), sharex=True, sharey=True)
        for axes, (name, (temperature, metals, values)) in zip(panels, maps.items(), strict=True):
            axes.grid(visible=False)
            axes.set_facecolor("0.85")
            axes.patch.set_hatch("///")
            image = axes.pcolormesh(temperature, metals, values, norm=norm, cmap="cividis", shading="nearest")
            axes.set(xlabel="T_eff [K]", title=name)
        panels[0].set_ylabel("[M/H] [dex]")
        panels[0].set_yticks(np.unique(table.label("M_H")))
        panels[0].invert_xaxis()
        figure.colorbar(image, ax=list(panels), label="σ(log g), 5D over 3D, median of the cell")
        title = (
            f"Error of log g with [α/M] and [C/M] unknown over known, magnitude {magnitude:g}:"
            f" median {np.nanmedian(ratio):.3f} over {count(nodes)} nodes"
        )
        figure.suptitle(title, fontsize=10)
        return save(figure, path)


def _map(table: NuisanceTable, ratio: Array, part: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Axes T_eff (n_t,), M_H (n_m,) and medians (n_m, n_t) over the nodes of a part; nan where there is none."""
    temperature, metals = np.unique(table.label("T_eff")), np.unique(table.label("M_H"))
    values = np.full((metals.size, temperature.size), np.nan)
    use = part & np.isfinite(ratio)
    for row, column in np.ndindex(values.shape):
        cell = use & (table.label("M_H") == metals[row]) & (table.label("T_eff") == temperature[column])
        if cell.any():
            values[row, column] = np.median(ratio[cell])
    return temperature, metals, values
