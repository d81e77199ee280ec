"""Why V1's estimate failed: its information against the label difference it divides by, and the control beside it."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.neighbours_table import NeighbourTable
from repro.plots.style import BLUE, GREY, ORANGE, save, style

_GROUPS = 20  # of equal numbers of spectra, whose medians make the curve
_SHOWN = (1e-4, 1e6)  # of the bounds' ratio; the numbers outside are written


def draw(table: NeighbourTable, path: str | Path) -> Path:
    """Left, V1's information over the lattice's; right, distributions of both estimates' bounds over the lattice's."""
    use = table.succeeded
    span, ratio = 0.1 * table.span[use, 1], table.information[use] / table.lattice_information[use]
    with style():
        figure = Figure(figsize=(9.2, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.scatter(span, ratio, s=3, color=GREY, alpha=0.35, lw=0, rasterized=True)
        order = np.argsort(span, kind="stable")
        groups = [part for part in np.array_split(order, _GROUPS) if part.size]
        middle = np.array([[np.median(span[part]), np.median(ratio[part])] for part in groups]).reshape(-1, 2)
        left.plot(*middle.T, "o-", color=ORANGE, ms=4, label="median of a twentieth of the spectra")
        if middle.size:
            guide = np.geomspace(span.min(), span.max(), 2)
            place = middle[len(middle) // 4]
            label = "∝ 1 / difference²: fluxes that do not follow the label"
            left.plot(guide, place[1] * (guide / place[0]) ** -2, "--", color="black", lw=1.0, label=label)
        left.axhline(1.0, color=BLUE, lw=1.0)
        left.set(
            xscale="log",
            yscale="log",
            xlabel="difference in log g between the two neighbours [dex]",
            ylabel="information on log g: V1 / lattice derivatives",
            title=f"V1 ({use.sum()} of {use.size} spectra)",
        )
        left.legend(loc="lower left")
        control = table.control_crlb / table.control_lattice_crlb
        _distribution(right, table.crlb[use] / table.lattice_crlb[use], ORANGE, "V1, three labels")
        label = f"local linear regression,\nall labels ({control.size} spectra)"
        _distribution(right, control[np.isfinite(control)], BLUE, label)
        right.axvline(1.0, color=GREY, lw=0.9, ls=":")
        right.set(
            xscale="log",
            xlim=_SHOWN,
            ylim=(0.0, 1.0),
            xlabel="bound on log g / bound from lattice derivatives",
            ylabel="share of the spectra below",
            title="The same sample, two ways",
        )
        right.legend(loc="lower right")
        return save(figure, path)


def _distribution(axes: Axes, values: NDArray[Any], colour: str, name: str) -> None:
    """Cumulative distribution; what lies outside the page is counted in the legend."""
    low, high = (values < _SHOWN[0]).sum(), (values > _SHOWN[1]).sum()
    outside = f"\n({low} below, {high} above this range)" if low + high else ""
    axes.plot(np.sort(values), (np.arange(values.size) + 0.5) / max(values.size, 1), color=colour, lw=1.8)
    axes.plot([], [], color=colour, lw=1.8, label=name + outside)
