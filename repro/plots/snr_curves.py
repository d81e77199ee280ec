"""What the figures of R2 against SNR share: the axis, bins with enough stars and points with bars in them."""

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from repro.scores.bins import FEWEST, SNR_EDGES
from repro.scores.efficiency import Efficiency

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
