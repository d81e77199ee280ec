"""The opacity of molecular lines: cross-sections, expanded in temperature, times densities.

At each wavelength the cross-section is r(T) times a series of Chebyshev polynomials in 1/T, which the opacity of all
depths turns into one product of matrices. The series interpolates at the Chebyshev points of 1500 ... 9000 K.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.physics.atmosphere import Atmosphere
from repro.physics.constants import BOLTZMANN_EV
from repro.physics.molecules import cache
from repro.physics.molecules.cross_section import LineSum
from repro.physics.molecules.line_list import MOLECULES

TERMS: Final = 16
COOLEST, HOTTEST = 1500.0, 9000.0  # K; beyond, where no molecule matters, the cross-section stays as it is there
# r(T): what most lines do, so that the series has little left to describe at the cold end.
_ENERGY: Final = 1.0  # eV
_POWER: Final = -2.0
_CENTRE: Final = 0.5 * (1.0 / COOLEST + 1.0 / HOTTEST)
_HALF_RANGE: Final = 0.5 * (1.0 / COOLEST - 1.0 / HOTTEST)

Report = Callable[[int, int], None]


class MolecularOpacity:
    """Adds the opacity of the lines of CN and TiO."""

    def __init__(self, wave: Tensor, microturbulence: float, dtype: torch.dtype) -> None:
        """wave (W,): ascending wavelengths [A], float64, on the device to work on; microturbulence in cm/s."""
        grid = wave.cpu().numpy()
        series = np.concatenate([coefficients(molecule, grid, microturbulence) for molecule in MOLECULES])
        self._series = torch.from_numpy(series).to(wave.device, dtype)

    def add(self, opacity: Tensor, atmosphere: Atmosphere) -> Tensor:
        """`opacity` (B, D, W), in units of the reference opacity, with the molecular lines added."""
        basis = temperature_basis(atmosphere.temperature)
        densities = [atmosphere.molecule_density(molecule) for molecule in MOLECULES]
        weights = [(density / atmosphere.reference_opacity)[..., None] * basis for density in densities]
        factors = torch.cat(weights, dim=-1).to(opacity.dtype)
        return torch.baddbmm(opacity, factors, self._series.expand(len(opacity), -1, -1))


def temperature_basis(temperature: Tensor) -> Tensor:
    """r(T) times the Chebyshev polynomials (..., TERMS) at temperatures (...) [K]."""
    inside = temperature.clamp(COOLEST, HOTTEST)
    x = ((1.0 / inside - _CENTRE) / _HALF_RANGE)[..., None]
    polynomials = [torch.ones_like(x), x]
    while len(polynomials) < TERMS:
        polynomials.append(2.0 * x * polynomials[-1] - polynomials[-2])
    scale = torch.exp(-_ENERGY / (BOLTZMANN_EV * inside)) * (inside / HOTTEST) ** _POWER
    return scale[..., None] * torch.cat(polynomials, dim=-1)


def coefficients(
    molecule: str, wave: NDArray[np.float64], microturbulence: float, report: Report | None = None
) -> NDArray[np.float32]:
    """Coefficients (TERMS, W) [cm^2] of the series at wavelengths (W,) [A], from the cache or computed.

    microturbulence in cm/s; `report` is told the number of temperatures done and to be done.
    """
    name = file_name(molecule, wave, microturbulence)
    return cache.stored(name, (TERMS, len(wave)), lambda: _expand(molecule, wave, microturbulence, report))


def file_name(molecule: str, wave: NDArray[np.float64], microturbulence: float) -> str:
    """Name in the cache of a series."""
    grid = (len(wave), float(wave[0]), float(wave[-1]))
    return f"{molecule}-{cache.key(molecule, grid, microturbulence)[:24]}.npz"


def _expand(
    molecule: str, wave: NDArray[np.float64], microturbulence: float, report: Report | None
) -> NDArray[np.float32]:
    angles = np.pi * (np.arange(TERMS) + 0.5) / TERMS
    temperatures = 1.0 / (_CENTRE + _HALF_RANGE * np.cos(angles))
    scale = temperature_basis(torch.from_numpy(temperatures))[:, 0].numpy()
    cosines = np.cos(np.outer(np.arange(TERMS), angles)) * 2.0 / TERMS
    cosines[0] *= 0.5
    line_sum = LineSum(molecule, wave)
    result = np.zeros((TERMS, len(wave)))
    for number, temperature in enumerate(temperatures):
        values = line_sum(float(temperature), microturbulence) / scale[number]
        for term in range(TERMS):
            result[term] += cosines[term, number] * values
        if report:
            report(number + 1, TERMS)
    return result.astype(np.float32)
