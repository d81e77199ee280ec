"""Exact medians of spectra that run along a cubic, at many places of it, without sorting all pixels at each.

A pixel whose cubic, less a parabola through three medians, stays above (or below) a narrow band cannot be the median.
The Bernstein coefficients of a cubic bound it, so that this is certain, and few pixels are left to be sorted.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROWS: Final = 256
_BAND: Final = 2e-3  # of the median; widened until the medians are found inside


def hermite_to_bernstein(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bernstein coefficients (4, P) of the cubic with value, slope at 0 and value, slope at 1, (4, P)."""
    value0, slope0, value1, slope1 = corners
    return np.stack([value0, value0 + slope0 / 3.0, value1 - slope1 / 3.0, value1])


def bernstein(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The four cubic Bernstein polynomials at places in 0 to 1, (n, 4)."""
    x, y = places, 1.0 - places
    return np.stack([y**3, 3.0 * x * y**2, 3.0 * x**2 * y, x**3], axis=1)


_HALFWAY: Final = bernstein(np.array([0.5])).astype(np.float32)


def medians_along(
    corners: NDArray[np.float32], ends: tuple[float, float], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Median over the pixels at places (n,) in 0 to 1 of a cubic in each pixel, (n,).

    Args:
        corners: value and slope at 0, value and slope at 1, (4, P).
        ends: medians at 0 and 1.
    """
    coefficients = hermite_to_bernstein(corners)
    middle = float(_middle_two(_HALFWAY @ coefficients, corners.shape[1] // 2).mean())
    bow = 2.0 * middle - 0.5 * (ends[0] + ends[1])
    third = np.array([ends[0], (ends[0] + 2.0 * bow) / 3.0, (2.0 * bow + ends[1]) / 3.0, ends[1]])
    # the parabola's own Bernstein coefficients, raised to degree 3
    coefficients = coefficients - third[:, None].astype(np.float32)
    lowest, highest = coefficients.min(axis=0), coefficients.max(axis=0)
    base = bernstein(places)
    parabola, pixels = base @ third, corners.shape[1]
    band = _BAND * middle
    while True:
        below = int((highest < -band).sum())
        near = np.flatnonzero((highest >= -band) & (lowest <= band))
        rank = pixels // 2 - below
        if 0 < rank < len(near):
            two = _middle_two(base.astype(np.float32) @ coefficients[:, near], rank)
            if pixels % 2:
                two = two[:, 1:]
            if (np.abs(two) <= band).all():
                medians: NDArray[np.float64] = parabola + two.mean(axis=1, dtype=np.float64)
                return medians
        band *= 4.0


def row_medians(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Median of each row, (n,) for (n, P)."""
    half = values.shape[1] // 2
    medians = np.empty(len(values))
    for first in range(0, len(values), _ROWS):
        two = _middle_two(values[first : first + _ROWS], half)
        medians[first : first + _ROWS] = two[:, 1] if values.shape[1] % 2 else two.mean(axis=1, dtype=np.float64)
    return medians


def _middle_two(values: NDArray[np.float32], rank: int) -> NDArray[np.float32]:
    """The values of rank - 1 and rank (from 0) in each row, (n, 2): one partition is faster than one with both."""
    part = np.partition(values, rank, axis=1)
    return np.stack([part[:, :rank].max(axis=1), part[:, rank]], axis=1)
