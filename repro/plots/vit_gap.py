"""How far the transformer stays below its ceilings, against SNR; beside it what was stated and what was published."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.matrix import common_legend, heading
from repro.plots.snr_curves import SNR_RANGE, filled_bins
from repro.plots.style import ROSE, WINE, count, save, snr_ticks, style
from repro.scores import published
from repro.scores.contenders import Contenders
from repro.scores.efficiency import Efficiency
from repro.scores.names import display

_BAND: Final = (5.0, 95.0)  # percentiles of the resamples
# name in `Efficiency` -> colour, marker, label
_CEILINGS: Final = {
    "mmse": (WINE, "o", "to the exact Bayes optimum of the flux (MMSE)"),
    "median": (ROSE, "^", "to the ceiling as published: median over nodes of clip(1 − CRLB/V, 0, 1), V = 5/3"),
}
_STEP: Final = 1.03  # between points of one bin
# stated gaps: (SNR, gap, where); paper/vit, card_r2_vs_snr_ceiling_20251227.md, exp_template_fit_11k_20251227.md, hub
_STATED: Final = (
    (4.6, 0.02, "paper"),
    (4.6, 0.10, "card"),
    (4.6, 0.16, "template log"),
    (7.1, 0.07, "paper, table"),
    (7.1, 0.163, "hub"),
    (7.1, 0.18, "paper, text"),
)
_VERSIONS: Final = ((published.README_CURVES, "o", "v1, README"), (published.PAPER_CURVES, "s", "v2, paper"))


def draw(known: Contenders, result: Efficiency, path: str | Path) -> Path:
    """R2 of a ceiling minus that of the main model, paired, in SNR bins with enough stars.

    Args:
        known: whose main model it is.
        result: the main model first, and the ceilings `mmse` and `median` (those it has).
        path: of the PNG.
    """
    places, snr = filled_bins(result)
    with style():
        figure = Figure(figsize=(8.4, 6.4), layout="constrained")
        axes = figure.subplots()
        for number, (name, (colour, marker, label)) in enumerate(_CEILINGS.items()):
            if name in result.ceilings:
                gap = (result.ceiling_r2[result.ceilings.index(name)] - result.r2[0])[places]
                ends = np.percentile(gap[:, 1:], _BAND, axis=-1)
                x = snr * _STEP ** (number - 0.5)
                axes.plot(x, gap[:, 0], marker, ls="-", color=colour, ms=5, label=f"{display(known.name)} {label}")
                axes.vlines(x, *ends, color=colour, lw=1.2)
        _published(axes)
        axes.axhline(0.0, color="black", lw=0.8)
        axes.set_xlim(*SNR_RANGE)
        snr_ticks(axes)
        axes.set_xlabel("SNR of a star: median over pixels of noise-free flux / error")
        axes.set_ylabel("R² of the ceiling minus R² of the transformer")
        common_legend(figure, (axes,), 1)
        heading(
            figure,
            f"Gap to the ceiling: {display(known.name)} on {count(known.main.n_train)} training spectra, "
            f"{count(int(result.count[0]))} test stars",
            "bars: 90 % of the resamples of the stars, runs averaged; below 0 only a ceiling that does not bind can be "
            "passed: CRLB bounds unbiased estimators",
        )
        return save(figure, path)


def _published(axes: Axes) -> None:
    """Crosses: as stated. Hollow: published ceiling minus the published curve, interpolated in log SNR."""
    ceiling = published.PAPER_5D.r2max_median
    for curves, marker, where in _VERSIONS:
        own = curves.median_snr
        at = np.array([(s, r) for s, r in zip(published.SNR, ceiling, strict=True) if own[0] <= s <= own[-1]])
        vit = np.interp(np.log(at[:, 0]), np.log(own), curves.r2["ViT"])
        label = f"follows from the published curve ({where}) and ceiling, on one SNR"
        axes.plot(at[:, 0], at[:, 1] - vit, marker, mfc="white", color="0.35", ms=7, ls="none", label=label)
    snr, gap, names = zip(*_STATED, strict=True)
    axes.plot(snr, gap, "x", color="0.35", ms=7, mew=1.5, label="as stated, at “SNR 5” and at 7.1")
    for number, place in enumerate(zip(snr, gap, strict=True)):
        side, align = (7, "left") if number % 2 == 0 else (-7, "right")
        text = f"{place[1]:g} {names[number]}"
        form: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7, "color": "0.25", "ha": align}
        axes.annotate(text, place, (side, -3), bbox={"fc": "white", "ec": "none", "alpha": 0.7, "pad": 0.6}, **form)
