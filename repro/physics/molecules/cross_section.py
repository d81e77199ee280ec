"""Cross-sections of molecules on a grid of wavelengths at any temperature.

Millions of lines are summed by Fourier transform: in ln(wavelength) the Doppler profile is the same
everywhere, so that the strengths of all lines, shared out on a fine grid, are convolved with it at once.
"""

from math import ceil, log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.physics.composition import ELEMENTS
from repro.physics.constants import ATOMIC_MASS_UNIT, BOLTZMANN, SECOND_RADIATION, SPEED_OF_LIGHT
from repro.physics.data import read_table
from repro.physics.lines import ABSORPTION
from repro.physics.molecules.line_list import isotopologues, ln_partition
from repro.physics.molecules.lines import Array

_MARGIN: Final = 1e-3  # of ln(wavelength) beyond the range, 300 km/s: no profile reaches across
_FINEST: Final = 4.5e-7  # step of the fine grid at most, 0.13 km/s
_POINTS: Final = 4  # of the interpolation from the fine grid


class LineSum:
    """All lines of a molecule, ready to be summed at one temperature after the other."""

    def __init__(self, molecule: str, wave: Array) -> None:
        """wave (W,): ascending wavelengths [A] where the cross-section is wanted."""
        self._molecule = molecule
        self._wave = wave
        start = np.log(wave[0]) - _MARGIN
        width = np.log(wave[-1]) + _MARGIN - start
        self._points = 1 << ceil(log2(width / _FINEST))
        self._step = width / self._points
        self.bands = 0
        columns: list[tuple[Array, ...]] = []
        edge = 1.0 + 0.5 * _MARGIN
        for isotopologue in isotopologues(molecule, wave[0] / edge, wave[-1] * edge):
            for lines in isotopologue.systems.values():
                self.bands += len(np.unique(lines.band @ [1000, 1]))
                position = (np.log(1e8 / lines.wavenumber) - start) / self._step
                columns.append((position, isotopologue.weight * lines.gf, lines.energy))
        position, self._gf, energy = (np.concatenate(column) for column in zip(*columns, strict=True))
        self._exponent = energy * SECOND_RADIATION * 1e-8  # K
        self._cell = np.floor(position).astype(np.int64)
        self._share = position - self._cell
        self._to_pixels = _interpolation((np.log(wave) - start) / self._step)

    def __len__(self) -> int:
        """Number of lines."""
        return len(self._gf)

    def __call__(self, temperature: float, microturbulence: float) -> Array:
        """Cross-section (W,) [cm^2] per molecule, stimulated emission included; microturbulence in cm/s.

        Profiles are Gaussian: natural widths are below 1e-3 of the Doppler width.
        """
        strength = self._gf * np.exp(-self._exponent / temperature)
        cells = np.bincount(self._cell, strength * (1.0 - self._share), self._points)
        cells += np.bincount(self._cell + 1, strength * self._share, self._points)
        spectrum = np.fft.rfft(cells) * self._profile(temperature, microturbulence)
        density = np.fft.irfft(spectrum, self._points) / self._step  # per unit of ln(wavelength)
        first, weights = self._to_pixels
        total = sum(weights[point] * density[first + point] for point in range(_POINTS))
        emission = -np.expm1(-SECOND_RADIATION / (self._wave * temperature))
        partition = np.exp(ln_partition(self._molecule, np.array(temperature)))
        result: Array = ABSORPTION * self._wave * 1e-8 / SPEED_OF_LIGHT * emission / partition * total
        return result

    def _profile(self, temperature: float, microturbulence: float) -> Array:
        """Fourier transform of the Doppler profile over that of the triangle by which strengths are shared out."""
        speed2 = BOLTZMANN * temperature / _mass(self._molecule) + 0.5 * microturbulence**2
        frequency = 2.0 * np.pi * np.fft.rfftfreq(self._points, self._step)
        gauss = np.exp(-0.5 * speed2 / SPEED_OF_LIGHT**2 * frequency**2)
        result: Array = gauss / np.sinc(0.5 * frequency * self._step / np.pi) ** 2
        return result


def _mass(molecule: str) -> float:
    """[g]."""
    elements = read_table("atomic_partition")["elements"]
    atoms = read_table("molecules")["molecules"][molecule]["atoms"]
    return float(sum(elements[atom]["mass_amu"] for atom in atoms if atom in ELEMENTS)) * ATOMIC_MASS_UNIT


def _interpolation(position: Array) -> tuple[NDArray[np.int64], Array]:
    """First points (W,) and weights (4, W) of cubic interpolation at positions counted in cells."""
    first = np.floor(position).astype(np.int64) - 1
    x = position - first
    weights = [np.ones_like(x) for _ in range(_POINTS)]
    for i in range(_POINTS):
        for k in range(_POINTS):
            if i != k:
                weights[i] = weights[i] * (x - k) / (i - k)
    return first, np.stack(weights)
