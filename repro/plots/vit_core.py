"""The core figure of the transformer: R2 of log g against SNR, every method and ceiling on one test set; and published.

The published figure exists in two versions on two SNRs. Here all stand on one: the median over pixels of noise-free
flux over error. Published points are hollow and come from other spectra, other test sets and other ceilings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.plots.looks import look_of
from repro.plots.matrix import legend_below
from repro.plots.snr_curves import SNR_RANGE, filled_bins, left_out
from repro.plots.style import GREY, MINUS, ROSE, WINE, compressed_below_zero, count, save, snr_ticks, style
from repro.scores import published
from repro.scores.bins import FEWEST, SNR_EDGES
from repro.scores.contenders import Contenders
from repro.scores.efficiency import Efficiency
from repro.scores.names import display

Array = NDArray[np.float64]

_OPTIMUM: Final = "mmse"
# name in `Efficiency` -> colour, line, label
_CEILINGS: Final = {
    _OPTIMUM: (WINE, "-", "ceiling: exact Bayes optimum of the flux, MMSE"),
    "van_trees": (
        WINE,
        ":",
        "van Trees bound of stars spread evenly over the box: does not bind these",
    ),
    "median": (ROSE, "--", "ceiling as published, from this kit's nodes: median of clip(1 − CRLB/V, 0, 1), V = 5/3"),
}
_BAND: Final = (5.0, 95.0)  # percentiles of the resamples
_VERSIONS: Final = ((published.README_CURVES, "o", "v1, README"), (published.PAPER_CURVES, "s", "v2, paper"))
_MODELS: Final = {"ViT": "vit", "LightGBM": "lightgbm", "template": "template"}  # published -> its look


def draw(known: Contenders, result: Efficiency, path: str | Path) -> Path:
    """Left: methods and ceilings. Right: the first of the methods beside what was published. Below: stars per bin.

    Args:
        known: which arms the methods are.
        result: methods, the main one first, and the ceilings `mmse`, `van_trees`, `median` (those it has) in SNR bins
            of the test set; the R2 of a bin is relative to the label variance of the bin.
        path: of the PNG.
    """
    sizes = {model: int(known.scores.table.n_train[rows[0]]) for model, rows in known.headline.items()}
    with style():
        figure = Figure(figsize=(11.4, 9.2), layout="constrained")
        (left, right), below = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(7, 1))
        lowest = _methods(left, result, sizes)
        _ceilings(left, result)
        _curve(right, result, 0, _name(result, 0, sizes))
        _published(right)
        left.set(title="methods and ceilings on the same stars", ylabel="R² of log g within the bin")
        right.set(title="beside the published points: other spectra, other test sets")
        compressed_below_zero(left, lowest)
        right.axhline(0.0, color="black", lw=0.6)
        for axes in below:
            _stars(axes, result)
            axes.set_xlim(*SNR_RANGE)
            snr_ticks(axes)
            axes.set_xlabel("SNR of a star: median over pixels of noise-free flux / error")
        below[0].set_ylabel("stars")
        legend_below(below[0], 0.62, 1, fontsize=7.5, handles=left.get_legend_handles_labels()[0])
        legend_below(below[1], 0.62, 1, fontsize=7.5, handles=right.get_legend_handles_labels()[0])
        figure.suptitle(
            f"R² against SNR on {count(int(result.count[0]))} test stars under one noise draw{left_out(result)}\n"
            "bands and bars: 90 % of the resamples of the stars, runs averaged; "
            "points stand at the geometric middle of their bin",
            fontsize=9.5,
        )
        return save(figure, path)


def _methods(axes: Axes, result: Efficiency, sizes: Mapping[str, int]) -> float:
    """Draw all, side by side, the main one above the others; the lowest end of an interval."""
    half = 0.5 * len(result.models)
    return min(
        _curve(axes, result, m, _name(result, m, sizes), apart=1.006 ** (m - half)) for m in range(len(result.models))
    )


def _curve(axes: Axes, result: Efficiency, m: int, label: str, *, apart: float = 1.0) -> float:
    """R2 of one method in the bins with enough stars: a band for the main one, bars for the others."""
    places, snr = filled_bins(result)
    look, main = look_of(result.models[m], result.models), m == 0
    low, high = (np.percentile(result.r2[m][places, 1:], q, axis=-1) for q in _BAND)
    form = {"marker": look.marker, "ls": look.line, "color": look.colour, "label": label}
    axes.plot(snr * apart, result.r2[m][places, 0], **form, ms=5, lw=2.0 if main else 1.2, zorder=3 if main else 2)
    if main:
        axes.fill_between(snr * apart, low, high, color=look.colour, alpha=0.13, lw=0)
    else:
        axes.vlines(snr * apart, low, high, color=look.colour, lw=0.9, alpha=0.8)
    return float(low.min(initial=0.0))


def _name(result: Efficiency, m: int, sizes: Mapping[str, int]) -> str:
    """As the legend has it: the method, what it learnt from, and its R2 over all stars."""
    model = result.models[m]
    learnt = f"{count(sizes[model])} spectra" if sizes[model] else "no training"
    return f"{display(model)} ({learnt}; all stars: {result.r2[m, 0, 0]:.3f})".replace("-", MINUS)


def _ceilings(axes: Axes, result: Efficiency) -> None:
    for name, (colour, line, label) in _CEILINGS.items():
        if name in result.ceilings:
            places, snr = filled_bins(result)
            values = result.ceiling_r2[result.ceilings.index(name)]
            axes.plot(snr, values[places, 0], line, color=colour, lw=2.0, label=f"{label} ({values[0, 0]:.3f})")
            if name == _OPTIMUM:
                low, high = (np.percentile(values[places, 1:], q, axis=-1) for q in _BAND)
                axes.fill_between(snr, low, high, color=colour, alpha=0.13, lw=0)


def _published(axes: Axes) -> None:
    paper = published.PAPER_5D
    low, high = SNR_RANGE
    shown = np.array([(s, r) for s, r in zip(published.SNR, paper.r2max_median, strict=True) if low < s < high])
    label = f"ceiling, published (median over {count(paper.n_nodes)} nodes, V = 5/3; of these SNRs)"
    axes.plot(*shown.T, "^", mfc="white", color=ROSE, ms=6, label=label)
    for curves, marker, where in _VERSIONS:
        for name, values in curves.r2.items():
            look = look_of(_MODELS[name], [])
            axes.plot(
                curves.median_snr, values, marker, ls=":", lw=0.8, mfc="white", color=look.colour, ms=6,
                label=f"{name}, published ({where})",
            )  # fmt: skip
    note = (
        f"v2 stands at the data set's SNR column, here divided by {published.SNR_COLUMN}; v1 at the median itself;\n"
        "template: on test stars of its own (1000 in v1, 11 000 in v2)"
    )
    axes.plot([], [], ls="none", label=note)


def _stars(axes: Axes, result: Efficiency) -> None:
    """Stars of every bin; grey where they are too few for an R2."""
    for low, high in zip(SNR_EDGES, SNR_EDGES[1:], strict=False):
        number = int(result.count[result.bins.index(f"snr_{low:g}_{high:g}")])
        colour = GREY if number >= FEWEST else "0.85"
        axes.bar(low, number, width=high - low, align="edge", color=colour, ec="white", lw=0.8)
        axes.annotate(
            str(number), (np.sqrt(low * high), number), (0, 2), textcoords="offset points", ha="center", fontsize=7
        )
    axes.margins(y=0.28)
