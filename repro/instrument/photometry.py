"""AB magnitudes through the HSC-i filter."""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from repro.errors import DataError
from repro.instrument import calibration

SPEED_OF_LIGHT: Final = 2.99792458e18  # [A/s]
AB_ZERO: Final = 10.0 ** (-0.4 * 48.60)  # F_nu of AB magnitude 0 [erg s^-1 cm^-2 Hz^-1] (Oke & Gunn 1983)
BLOCKING_RANGE: Final = 200.0  # [A] at the blue end of the synthesised range
_MAX_MISSING: Final = 1e-3  # share of the filter that a spectrum may leave uncovered


def ab_magnitude(wave: Tensor, flux: Tensor) -> Tensor:
    """AB magnitude through HSC-i of spectra that span the filter.

    -2.5 log10(int F_lambda R lambda dlambda / int (c/lambda^2) R lambda dlambda) - 48.60, both integrals over the range
    of `wave`, F_lambda linear between its samples.

    Args:
        wave: (W,) increasing [A, vacuum].
        flux: (B, W) [erg s^-1 cm^-2 A^-1].

    Returns:
        (B,) magnitudes.

    Raises:
        DataError: `wave` leaves more than 0.1 % of the filter uncovered.
    """
    grid = _as_numpy(wave)
    weights = response_weights(grid, grid[0], grid[-1]) / _reference(grid[0], grid[-1])
    return _magnitude(flux @ torch.from_numpy(weights).to(flux))


class ZeroPoint:
    """HSC-i magnitude of synthetic spectra that end inside the filter.

    Blueward of the synthesised range, where a tenth of the filter lies, the spectrum is the continuum times the mean of
    flux over continuum in the bluest 200 A.

    Args:
        wave: (W,) uniform grid of the synthesised range [A, vacuum].
        wave_blue: (V,) coarse grid of the continuum from the filter's blue end up to `wave[0]` [A].

    Raises:
        DataError: the two grids leave a gap or more than 0.1 % of the filter uncovered.
    """

    def __init__(self, wave: Tensor, wave_blue: Tensor) -> None:
        grid, blue = _as_numpy(wave), _as_numpy(wave_blue)
        if blue[-1] < grid[0] - 1e-6:
            raise DataError(f"photometry: no continuum between {blue[-1]:.2f} and {grid[0]:.2f} A")
        reference = _reference(blue[0], grid[-1])
        self._weights = torch.from_numpy(response_weights(grid, grid[0], grid[-1]) / reference).to(wave.device)
        self._weights_blue = torch.from_numpy(response_weights(blue, blue[0], grid[0]) / reference).to(wave.device)
        self._n_blocking = int(np.searchsorted(grid, grid[0] + BLOCKING_RANGE, side="right"))

    def __call__(self, flux: Tensor, continuum: Tensor, continuum_blue: Tensor) -> Tensor:
        """AB magnitudes (B,) of `flux` (B, W) with its `continuum` (B, W) and `continuum_blue` (B, V), cgs per A."""
        blocking = (flux[:, : self._n_blocking] / continuum[:, : self._n_blocking]).mean(dim=1)
        return _magnitude(flux @ self._weights + blocking * (continuum_blue @ self._weights_blue))


def zero_point(wave: Tensor, flux: Tensor, continuum: Tensor, wave_blue: Tensor, continuum_blue: Tensor) -> Tensor:
    """HSC-i magnitude (B,) of the spectra as given; see `ZeroPoint`.

    A star of magnitude m has the flux times 10^(-0.4 (m - zero point)).
    """
    return ZeroPoint(wave, wave_blue)(flux, continuum, continuum_blue)


def response_weights(grid: np.ndarray, low: float, high: float) -> np.ndarray:
    """Weights w, (W,), with sum w F = integral of F R lambda from `low` to `high`, exact for F linear between samples.

    R is linear between its tabulated values as well, so that the integrand is a cubic between the breaks of both and
    two Gauss points integrate it exactly.
    """
    weights = np.zeros(grid.size)
    for points, value in _gauss(grid, low, high):
        left = np.clip(np.searchsorted(grid, points) - 1, 0, grid.size - 2)
        share = (points - grid[left]) / (grid[left + 1] - grid[left])
        value = value * points
        weights += np.bincount(left, value * (1 - share), grid.size) + np.bincount(left + 1, value * share, grid.size)
    return weights


def _gauss(grid: np.ndarray, low: float, high: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """The two Gauss points of every interval between the breaks of `grid` and filter, and R d(lambda) at each."""
    filter_wave, response = calibration.array("hsc_i_wave"), calibration.array("hsc_i_response")
    breaks = np.unique(np.clip(np.concatenate([grid, filter_wave, [low, high]]), low, high))
    middle, half = (breaks[1:] + breaks[:-1]) / 2, np.diff(breaks) / 2
    both = (middle + sign * half / np.sqrt(3.0) for sign in (-1, 1))
    return [(points, half * np.interp(points, filter_wave, response, left=0.0, right=0.0)) for points in both]


def _reference(low: float, high: float) -> float:
    """Integral of (c/lambda^2) R lambda from `low` to `high`, after checking that the range spans the filter."""
    filter_wave = calibration.array("hsc_i_wave")
    covered, whole = _response_over_wave(low, high), _response_over_wave(filter_wave[0], filter_wave[-1])
    if covered < (1 - _MAX_MISSING) * whole:
        raise DataError(
            f"photometry: {low:.2f}-{high:.2f} A leaves {100 * (1 - covered / whole):.2f} % of the HSC-i filter"
            f" uncovered (at most {100 * _MAX_MISSING:.1f} %)"
        )
    return SPEED_OF_LIGHT * covered


def _response_over_wave(low: float, high: float) -> float:
    """Integral of R / lambda from `low` to `high`."""
    return float(sum((value / points).sum() for points, value in _gauss(np.empty(0), low, high)))


def _magnitude(mean_flux_nu: Tensor) -> Tensor:
    return -2.5 * torch.log10(mean_flux_nu / AB_ZERO)


def _as_numpy(wave: Tensor) -> np.ndarray:
    return wave.detach().cpu().numpy().astype(np.float64)
