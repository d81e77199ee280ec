"""How alike two spectra are, in numbers, for the whole range and feature by feature."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.view.identifications import windows
from repro.view.spectrum import View

Array = NDArray[np.float64]

_FEWEST: Final = 4  # pixels of a window that a number is given for


def residual(one: View, other: View) -> Array:
    """(other - one) / one in percent, (W,), of two views on one grid."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(one.flux != 0.0, 100.0 * (other.flux - one.flux) / one.flux, np.nan)


def compare(one: View, other: View) -> dict[str, dict[str, Any]]:
    """Numbers of the likeness of `other` to `one`, two scaled views on one grid, by window.

    For each window with at least four pixels:
    pixels; rms_percent and median_offset_percent of the residual (other - one) / one;
    straightened_rms_percent: rms of other - one in units of the median of one, after removing the best straight line
    over the whole range; explained_variance: 1 - var(other - one) / var(one) after the same, and after removing the
    window's own mean; share: part of the squared straightened difference of the whole range that lies in the window;
    derivatives: for each label that both have, correlation and amplitude (the slope of the regression of the second
    derivative on the first), both straightened over the whole range. NaN stands where a number has no meaning.
    """
    good = np.isfinite(one.flux) & np.isfinite(other.flux)
    wave, percent = one.wave[good], residual(one, other)[good]
    first, second = one.flux[good], other.flux[good]
    level = float(np.median(first))
    shape, difference = straightened(wave, first / level), straightened(wave, (second - first) / level)
    slopes = {
        label: (straightened(wave, a[good]), straightened(wave, b[good]))
        for label in one.slopes
        if label in other.slopes
        and (a := one.slopes[label].values) is not None
        and (b := other.slopes[label].values) is not None
    }
    numbers = {}
    for name, inside in windows(wave).items():
        if np.count_nonzero(inside) < _FEWEST:
            continue
        numbers[name] = {
            "pixels": int(np.count_nonzero(inside)),
            "rms_percent": _rms(percent[inside]),
            "median_offset_percent": float(np.nanmedian(percent[inside])),
            "straightened_rms_percent": 100.0 * _rms(difference[inside]),
            "explained_variance": 1.0 - _ratio(float(np.var(difference[inside])), float(np.var(shape[inside]))),
            "share": _ratio((difference[inside] ** 2).sum(), (difference**2).sum()),
            "derivatives": {label: _likeness(a[inside], b[inside]) for label, (a, b) in slopes.items()},
        }
    return numbers


def straightened(wave: Array, values: Array) -> Array:
    """Values (W,) without their best straight line."""
    x = (wave - wave.mean()) / np.ptp(wave)
    fit: Array = np.polynomial.polynomial.polyval(x, np.polynomial.polynomial.polyfit(x, values, 1))
    return values - fit


def _likeness(one: Array, other: Array) -> dict[str, float]:
    a, b = one - one.mean(), other - other.mean()
    return {
        "correlation": _ratio((a * b).sum(), np.sqrt((a**2).sum() * (b**2).sum())),
        "amplitude": _ratio((a * b).sum(), (a**2).sum()),
    }


def _rms(values: Array) -> float:
    return float(np.sqrt(np.nanmean(values**2)))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0.0 else float("nan")
