"""Scores of predictions, and the bins of test stars that they are given in.

There is one signal-to-noise ratio: the median over the pixels of a star's noise-free flux over its error, which is also
that of the published Fisher grids. The `snr` column of the data set is its 95th percentile and about 1.16 times larger.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SNR_EDGES: Final = (2.5, 3.5, 4.5, 5.5, 6.5, 8.5, 12.5, 18.0, 28.0)  # of the published core figure
MAGNITUDE_EDGES: Final = (20.5, 21.0, 21.5, 22.0, 22.5)
TEMPERATURE_EDGES: Final = (3750.0, 4500.0, 5250.0, 6000.0)
METALLICITY_EDGES: Final = (-2.5, -1.75, -1.0, -0.25, 0.75)
FEWEST: Final = 20  # stars of a bin that a number is given for


def r2(truth: Array, prediction: Array) -> float:
    """1 - mean squared error / variance of the truth (n,); nan for fewer than two different truths."""
    variance = float(np.var(truth)) if len(truth) else 0.0
    return 1.0 - float(np.mean((prediction - truth) ** 2)) / variance if variance > 0 else float("nan")


def rmse(truth: Array, prediction: Array) -> float:
    """Root mean squared error of predictions (n,); nan without stars."""
    return float(np.sqrt(np.mean((prediction - truth) ** 2))) if len(truth) else float("nan")


def mae(truth: Array, prediction: Array) -> float:
    """Mean absolute error of predictions (n,); nan without stars."""
    return float(np.mean(np.abs(prediction - truth))) if len(truth) else float("nan")


def snr_bins(snr: Array) -> dict[str, NDArray[np.bool_]]:
    """Members (n,) of each SNR bin, by name: `snr_2.5_3.5` and so on."""
    return _bins("snr", snr, SNR_EDGES)


def magnitude_bins(mag: Array) -> dict[str, NDArray[np.bool_]]:
    """Members (n,) of each bin of HSC-i, by name: `mag_20.5_21` and so on."""
    return _bins("mag", mag, MAGNITUDE_EDGES)


def cells(temperature: Array, metallicity: Array) -> dict[str, NDArray[np.bool_]]:
    """Members (n,) of each cell of T_eff [K] and [M/H], by name: `T_eff_3750_4500/M_H_-2.5_-1.75` and so on."""
    return {
        f"{warm}/{rich}": inside & members
        for warm, inside in _bins("T_eff", temperature, TEMPERATURE_EDGES).items()
        for rich, members in _bins("M_H", metallicity, METALLICITY_EDGES).items()
    }


def _bins(name: str, values: Array, edges: tuple[float, ...]) -> dict[str, NDArray[np.bool_]]:
    """Half-open bins; the last one holds its upper edge too."""
    place = np.searchsorted(edges, values, side="right") - 1
    place[values == edges[-1]] = len(edges) - 2
    pairs = zip(edges, edges[1:], strict=False)
    return {f"{name}_{low:g}_{high:g}": place == number for number, (low, high) in enumerate(pairs)}
