"""What the error array tells of log g: how precise it must be to matter, and what the exact one gives away."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.bounds.leak_table import LeakTable
from repro.bounds.star_table import StarBounds
from repro.plots.style import BLUE, GREEN, GREY, ORANGE, save, style
from repro.scores.bins import magnitude_bins, r2
from repro.scores.stars import local_prior

_EXACT: Final = 1e-9  # [dex] what float64 leaves of a gravity on a node, for the logarithm


def draw(stars: StarBounds, leak: LeakTable, path: str | Path) -> Path:
    """Ceiling against the scatter of the array, and the errors of log g read from the stored one."""
    with style():
        figure = Figure(figsize=(10.4, 4.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        _ceilings(left, stars)
        _errors(right, leak)
        figure.suptitle("The error array is a function of the labels: what it gives away", fontsize=10.5)
        return save(figure, path)


def _ceilings(axes: Axes, table: StarBounds) -> None:
    truth = table.label(table.target)
    groups = {"all test stars": np.ones(len(truth), dtype=bool)}
    groups |= {f"HSC-i {name[4:].replace('_', ' to ')}": members for name, members in magnitude_bins(table.mag).items()}
    known = [(label, members) for label, members in groups.items() if members.sum() > 1]
    for number, (label, members) in enumerate(known):
        variance = float(np.var(truth[members]))
        curve = [local_prior(np.nan_to_num(crlb[members], nan=np.inf), variance) for crlb in table.crlb_error]
        colour, width = (BLUE, 2.2) if number == 0 else (GREEN, 1.0)
        shade = 1.0 if number == 0 else 1.0 - 0.22 * (number - 1)
        axes.plot(table.error_scatter, curve, "o-", ms=3.5, color=colour, lw=width, alpha=shade, label=label)
        flux = local_prior(np.nan_to_num(table.crlb_flux[members], nan=np.inf), variance)
        axes.axhline(flux, color=colour, lw=0.8, ls="--", alpha=shade, label="flux alone" if number == 0 else None)
    axes.set(
        xscale="log",
        ylim=(min(0.0, axes.get_ylim()[0]), 1.02),
        xlabel="relative scatter of each pixel's error as handed over",
        ylabel="R² of log g, local Gaussian prior",
        title=f"{len(truth)} test stars, {len(table.free)} labels and the conditions unknown",
    )
    axes.legend(loc="lower left")


def _errors(axes: Axes, table: LeakTable) -> None:
    error = np.abs(table.estimate - table.truth)
    edges = np.geomspace(_EXACT, 10.0, 41).tolist()
    shown = np.maximum(error, 1.01 * _EXACT)
    axes.hist(
        shown[table.identified], bins=edges, color=BLUE, alpha=0.75, label=f"identified: {table.identified.sum()}"
    )
    if not table.identified.all():
        lost = shown[~table.identified]
        axes.hist(lost, bins=edges, color=ORANGE, alpha=0.75, label=f"not identified: {len(lost)}")
    axes.axvline(float(np.std(table.truth)), color=GREY, lw=0.9, ls=":", label="spread of log g itself")
    axes.set_ylim(0.7, 8.0 * len(error))
    score = 1.0 - r2(table.truth, table.estimate)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="|log g read from the stored errors $-$ true| [dex]   (first bin: all below 10⁻⁹)",
        ylabel="test stars",
        title=f"the exact array alone, flux unseen: 1 $-$ R² = {score:.1e}",
    )
    axes.legend(loc="upper left")
