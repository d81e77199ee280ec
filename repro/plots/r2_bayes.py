"""R2 of the Bayes estimator of log g, by signal-to-noise ratio and by magnitude."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.bounds.posterior.table import PosteriorTable
from repro.plots.style import BLUE, GREEN, ORANGE, compressed_below_zero, count, save, snr_ticks, style
from repro.scores.bins import FEWEST, magnitude_bins, snr_bins
from repro.scores.bootstrap import Scored
from repro.scores.posterior import reach

_SHOWN: Final = {
    "flux": (BLUE, "o", BLUE, "flux: posterior mean from the noisy flux alone (MMSE, the ceiling)"),
    "weights": (ORANGE, "s", "white", "weights: template fit with known errors (an estimator, no ceiling)"),
}
Scores = dict[str, float | Scored]

_PERCENTILES: Final = (2.5, 97.5)


def draw(table: PosteriorTable, leak: float | None, path: str | Path) -> Path:
    """Draw the observers of `table`.

    Args:
        leak: R2 that observer `flux+error` reaches at least, on the same test set; None if not known.
    """
    scores = {name: reach(table, number) for number, name in enumerate(table.observers)}
    panels = (
        ("SNR: median over pixels of flux / error", table.snr, snr_bins(table.snr), 0.02),
        ("HSC-i [mag]", table.mag, magnitude_bins(table.mag), 0.002),
    )
    with style():
        figure = Figure(figsize=(8.6, 4.9), layout="constrained")
        both = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        lowest = 0.0
        for axes, (label, values, bins, spread) in zip(both, panels, strict=True):
            centres = {name: float(np.median(values[members])) for name, members in bins.items() if members.any()}
            for number, (name, found) in enumerate(scores.items()):
                # set apart a little, since the observers nearly agree
                beside = {bin_: centre * (1.0 + spread * number) for bin_, centre in centres.items()}
                lowest = min(lowest, _observer(axes, name, found, beside))
            if leak is not None:
                text = f"flux+error: the error array alone gives R² ≥ {_floor(leak)}"
                axes.axhline(leak, color=GREEN, ls="--", lw=1.2, label=text)
            axes.set_xlabel(label)
        compressed_below_zero(both[0], lowest)
        both[1].axhline(0.0, color="black", lw=0.6)
        both[0].set_ylabel("R² of log g within the bin")
        snr_ticks(both[0])
        both[1].invert_xaxis()
        mode = table.conditions.get("mode", "unknown")
        figure.suptitle(
            f"What the best estimator reaches: {count(len(table.truth))} test stars, sampling mode {mode}\n"
            f"variance of log g of the bin's own stars; 95 % bootstrap intervals; bins of ≥ {FEWEST} stars"
        )
        handles, labels = both[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=1)
        return save(figure, path)


def _observer(axes: Axes, name: str, scores: dict[str, Scores], centres: dict[str, float]) -> float:
    """Draw one observer at the centres of the bins that have a score, and return the lowest value drawn."""
    colour, marker, fill, label = _SHOWN.get(name, (GREEN, "D", GREEN, name))
    shown = [bin_ for bin_ in centres if bin_ in scores]
    found = [score for bin_ in shown if isinstance(score := scores[bin_]["r2"], Scored)]
    promised = [score.value for bin_ in shown if isinstance(score := scores[bin_]["r2_rao_blackwell"], Scored)]
    if not found:
        return 0.0
    place = [centres[bin_] for bin_ in shown]
    middle = np.array([score.value for score in found])
    ends = np.array([np.nanpercentile(score.replicates, _PERCENTILES) for score in found])
    axes.errorbar(
        place,
        middle,
        yerr=np.abs(ends.T - middle),
        fmt=marker + "-",
        ms=4,
        lw=1,
        color=colour,
        mfc=fill,
        capsize=2,
        label=label,
    )
    if name == "flux":
        axes.plot(place, promised, ":", color=colour, lw=1.2, label="flux: what its posterior variances promise")
    return float(min(ends.min(), middle.min(), *promised))


def _floor(value: float) -> str:
    """Rounded down, so that a bound is not overstated."""
    return f"{np.floor(value * 1e4) / 1e4:.4f}"
