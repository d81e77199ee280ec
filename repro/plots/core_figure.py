"""The core figure: R2 of log g against SNR; every ceiling and every model on one test set, with one meaning of SNR."""

from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.bounds.van_trees_table import VanTreesTable
from repro.plots.snr_curves import (
    SNR_RANGE,
    filled_bins,
    left_out,
    lowest_end,
    snr_points,
)
from repro.plots.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    MANY,
    MARKERS,
    ORANGE,
    PURPLE,
    SKY,
    compressed_below_zero,
    count,
    save,
    snr_ticks,
    style,
)
from repro.scores import published
from repro.scores.ceilings import PAPER_VARIANCE, r2max
from repro.scores.efficiency import Efficiency
from repro.scores.population import published_rows

Array = NDArray[np.float64]

_OPTIMUM: Final = "mmse_flux"
# ceilings in the order of the legend: name in `Efficiency`, colour, form, label
_CEILINGS: Final = (
    ("crlb", ORANGE, "v--", "unbiased estimators: 1 − E[C]/V, C of these stars"),
    ("local_prior", GREEN, "^-", "local Gaussian prior: 1 − E[C/(C + V)], C of these stars"),
    (_OPTIMUM, "black", "o-", "exact Bayes optimum of the flux (MMSE)"),
)
_PUBLISHED: Final = {"ViT": "-", "LightGBM": "--", "template": ":"}


def draw(result: Efficiency, table: CeilingTable, bounds: VanTreesTable, flux_error: float, path: str | Path) -> Path:
    """Left: ceilings. Right: models beside the optimum and the published curves.

    Args:
        result: models and the ceilings `crlb`, `local_prior`, `mmse_flux` (those it has) in SNR bins of the test set;
            the R2 of a bin is relative to the label variance of the bin.
        table: bounds at nodes with five free labels, for the paper's median curve.
        bounds: for stars of a prior of its own, per magnitude.
        flux_error: R2 over all stars that an observer who also sees the error array reaches at least.
        path: of the PNG.
    """
    with style():
        figure = Figure(figsize=(11.4, 7.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        lowest = min(_ceilings(left, result), _models(right, result))
        _paper_curves(left, table)
        _van_trees(left, table, bounds)
        left.axhline(flux_error, color=PURPLE, lw=1.0, ls=(0, (4, 2)), label=_flux_error_label(flux_error))
        _published_models(right)
        left.set(title="ceilings", ylabel="R² of log g (compressed below 0)")
        right.set(title="models")
        for axes in (left, right):
            compressed_below_zero(axes, lowest)
            axes.set_xlim(*SNR_RANGE)
            snr_ticks(axes)
            axes.set_xlabel("SNR of a star: median over pixels of noise-free flux / error")
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), borderaxespad=0.0, fontsize=7.5)
        figure.suptitle(f"R² against SNR on {count(int(result.count[0]))} test stars{left_out(result)}", fontsize=10.5)
        figure.supxlabel(
            "V is that of the stars of a bin; bars: bootstrap standard error; points stand at the middle of their bin",
            fontsize=7.5,
        )
        return save(figure, path)


def _ceilings(axes: Axes, result: Efficiency) -> float:
    places, snr = filled_bins(result)
    lowest = 0.0
    for name, colour, form, label in _CEILINGS:
        if name in result.ceilings:
            values = result.ceiling_r2[result.ceilings.index(name)]
            snr_points(axes, snr, values[places], result.error(values)[places], colour, form, label)
            lowest = min(lowest, lowest_end(values[places, 0], result.error(values)[places]))
    return lowest


def _models(axes: Axes, result: Efficiency) -> float:
    places, snr = filled_bins(result)
    lowest = 0.0
    if _OPTIMUM in result.ceilings:
        optimum = result.ceiling_r2[result.ceilings.index(_OPTIMUM)]
        label = "exact Bayes optimum of the flux (MMSE), on the same noise"
        snr_points(axes, snr, optimum[places], result.error(optimum)[places], "black", "o-", label)
    for name, values, colour, marker in zip(result.models, result.r2, cycle(MANY), cycle(MARKERS), strict=False):
        error = result.error(values)[places]
        snr_points(axes, snr, values[places], error, colour, f"{marker}-", f"{name} (all stars: {values[0, 0]:.2f})")
        lowest = min(lowest, lowest_end(values[places, 0], error))
    return lowest


def _paper_curves(axes: Axes, table: CeilingTable) -> None:
    """The published ceiling, the median over nodes, from a table of this kit and as it was published."""
    use = np.isfinite(table.crlb).any(axis=1)
    bound = np.nanmedian(table.crlb[use][:, published_rows(table.labels)], axis=1)
    snr = table.snr_percentiles[use, 1]
    fine = np.geomspace(*SNR_RANGE, 200)
    order = np.argsort(snr)
    power_law = np.exp(np.interp(np.log(fine), np.log(snr[order]), np.log(bound[order]), left=np.nan, right=np.nan))
    label = f"paper's statistic, this kit: median over {count(len(table.labels))} nodes of clip(1 − C/V, 0, 1), V = 5/3"
    axes.plot(fine, r2max(power_law, PAPER_VARIANCE), color=BLUE, lw=1.3, label=label)
    paper = published.CEILINGS[len(table.free)]
    label = f"the same, published ({count(paper.n_nodes)} nodes)"
    axes.plot(published.SNR, paper.r2max_median, "s", mfc="none", color=BLUE, label=label)


def _van_trees(axes: Axes, table: CeilingTable, bounds: VanTreesTable) -> None:
    """Bayesian bounds for stars of two priors, at the SNR that nodes of the same magnitude and conditions have."""
    known = [m for m, magnitude in enumerate(bounds.magnitudes) if magnitude in table.magnitudes]
    rows = [int(np.flatnonzero(table.magnitudes == bounds.magnitudes[m])[0]) for m in known]
    snr = table.snr_percentiles[rows, 1]
    for name, errors, variance, colour, marker in (
        ("uniform on the box", bounds.box, bounds.variance_box, AMBER, "P"),
        ("tapered to the edges of the box", bounds.taper, bounds.variance_taper, SKY, "X"),
    ):
        label = f"van Trees type, any estimator, for stars of another law: {name} (V = {variance:.2f})"
        axes.plot(snr, 1.0 - errors[known] / variance, marker, color=colour, ms=6, label=label)


def _flux_error_label(value: float) -> str:
    return f"flux and error array: at least {np.floor(1e4 * value) / 1e4:g} over all stars, by the error array alone"


def _published_models(axes: Axes) -> None:
    for curves, shade in ((published.README_CURVES, 0.55), (published.PAPER_CURVES, 0.75)):
        for model, values in curves.r2.items():
            axes.plot(curves.median_snr, values, _PUBLISHED[model], color=str(shade), lw=0.9, zorder=1)
    label = (
        "published (README: dark, paper: light): ViT solid, LightGBM dashed, template dotted;\n"
        f"the SNR column that the paper's figure uses divided by {published.SNR_COLUMN}"
    )
    axes.plot([], [], "-", color=GREY, lw=0.9, label=label)
