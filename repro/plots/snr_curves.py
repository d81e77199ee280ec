"""What the figures of R2 against SNR share: bins with enough stars, ceilings as published and for other stars."""

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.bounds.van_trees_table import VanTreesTable
from repro.plots.style import AMBER, BLUE, SKY, count
from repro.scores import published
from repro.scores.bins import FEWEST, SNR_EDGES
from repro.scores.ceilings import PAPER_VARIANCE, r2max
from repro.scores.efficiency import Efficiency
from repro.scores.population import published_rows

Array = NDArray[np.float64]

SNR_RANGE: Final = (2.0, 30.0)  # of the axis: that of the test sets


def filled_bins(result: Efficiency) -> tuple[list[int], Array]:
    """SNR bins with enough stars: their places in the result, and their geometric middles."""
    names = [f"snr_{low:g}_{high:g}" for low, high in zip(SNR_EDGES, SNR_EDGES[1:], strict=False)]
    middles = np.sqrt(np.array(SNR_EDGES[:-1]) * np.array(SNR_EDGES[1:]))
    places = [result.bins.index(name) for name in names]
    full = result.count[places] >= FEWEST
    return [place for place, enough in zip(places, full, strict=True) if enough], middles[full]


def left_out(result: Efficiency) -> str:
    """What a title says of the SNR bins that have too few stars; "" without any."""
    small = [
        name.removeprefix("snr_").replace("_", "–")
        for name, number in zip(result.bins, result.count, strict=True)
        if name.startswith("snr_") and number < FEWEST and name.count("_") == 2
    ]
    return f"; bins of fewer than {FEWEST} stars are not drawn ({', '.join(small)})" if small else ""


def snr_points(axes: Axes, snr: Array, values: Array, error: Array, colour: str, form: str, label: str) -> None:
    """R2 (K, 1 + B) at K SNRs, with bars."""
    finite = np.where(np.isfinite(values[:, 0]), values[:, 0], np.nan)  # -inf: a star without a bound
    axes.errorbar(snr, finite, error, fmt=form, color=colour, ms=4, lw=1.3, capsize=2, label=label)


def lowest_end(values: Array, error: Array) -> float:
    """Lower end of the lowest bar of finite values (K,); 0 without any."""
    finite = (values - np.nan_to_num(error))[np.isfinite(values)]
    return float(finite.min()) if finite.size else 0.0


def paper_curves(axes: Axes, table: CeilingTable, colour: str = BLUE) -> None:
    """The published ceiling, the median over nodes, from a table of this kit and as it was published."""
    use = np.isfinite(table.crlb).any(axis=1)
    bound = np.nanmedian(table.crlb[use][:, published_rows(table.labels)], axis=1)
    snr = table.snr_percentiles[use, 1]
    fine = np.geomspace(*SNR_RANGE, 200)
    order = np.argsort(snr)
    power_law = np.exp(np.interp(np.log(fine), np.log(snr[order]), np.log(bound[order]), left=np.nan, right=np.nan))
    label = f"paper's statistic, this kit: median over {count(len(table.labels))} nodes of clip(1 − C/V, 0, 1), V = 5/3"
    axes.plot(fine, r2max(power_law, PAPER_VARIANCE), color=colour, lw=1.3, label=label)
    paper = published.CEILINGS[len(table.free)]
    label = f"the same, published ({count(paper.n_nodes)} nodes)"
    axes.plot(published.SNR, paper.r2max_median, "s", mfc="none", color=colour, label=label)


def van_trees_points(
    axes: Axes, table: CeilingTable, bounds: VanTreesTable, colours: tuple[str, str] = (AMBER, SKY)
) -> None:
    """Bayesian bounds for stars of two priors, at the SNR that nodes of the same magnitude and conditions have."""
    known = [m for m, magnitude in enumerate(bounds.magnitudes) if magnitude in table.magnitudes]
    rows = [int(np.flatnonzero(table.magnitudes == bounds.magnitudes[m])[0]) for m in known]
    snr = table.snr_percentiles[rows, 1]
    for name, errors, variance, colour, marker in (
        ("uniform on the box", bounds.box, bounds.variance_box, colours[0], "P"),
        ("tapered to the edges of the box", bounds.taper, bounds.variance_taper, colours[1], "X"),
    ):
        label = f"van Trees type, any estimator, for stars of another law: {name} (V = {variance:.2f})"
        axes.plot(snr, 1.0 - errors[known] / variance, marker, color=colour, ms=6, label=label)
