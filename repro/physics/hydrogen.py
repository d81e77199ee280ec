"""Paschen lines of hydrogen, and the continuum that dissolved upper levels leave redward of the series limit."""

from functools import cache
from math import log, pi
from typing import Final

import numpy as np
import torch
from torch import Tensor

from repro.physics.atmosphere import Atmosphere
from repro.physics.constants import (
    ATOMIC_MASS_UNIT,
    BOHR_RADIUS,
    BOLTZMANN,
    BOLTZMANN_EV,
    ELECTRON_VOLT,
    ELEMENTARY_CHARGE,
    HYDROGEN_IONISATION,
    HYDROGEN_RYDBERG,
    SECOND_RADIATION,
    SPEED_OF_LIGHT,
)
from repro.physics.continuum import hydrogen_bound_free
from repro.physics.data import read_table
from repro.physics.lines import ABSORPTION

LOWER_LEVEL: Final = 3
SERIES_LIMIT: Final = 1e8 * LOWER_LEVEL**2 / HYDROGEN_RYDBERG  # A, vacuum
NEAR: Final = 3.0  # A from a line centre within which the Doppler broadening is convolved in full

_LOWEST_ELECTRON_DENSITY: Final = 10.0**10.5  # cm^-3, of the fit of the Stark profiles
_HELIUM_RADIUS: Final = 1.02e-8  # cm
_HIGHEST_LEVEL: Final = 100.0  # beyond it every level is dissolved
_SHAPE_RANGE: Final = (-5.5, 6.0)  # of the shape parameter y for the levels that are not dissolved
_COMPONENTS: Final = 0.35 * 1.4 ** np.arange(23)  # widths of the Gaussians, in units of the Stark width


@cache
def _table() -> dict[str, float]:
    return {k: v for k, v in read_table("hydrogen")["stark_profile"].items() if isinstance(v, float)}


def occupation_probability(atmosphere: Atmosphere, level: Tensor) -> Tensor:
    """Probability (B, D, K) that hydrogen level n (K,), not necessarily an integer, exists in the plasma.

    Hummer & Mihalas 1988, ApJ 331, 794: perturbations by neutral H and He, and by charged particles.
    """
    radius = BOHR_RADIUS * torch.sqrt(2.5 * level**4 + 0.5 * level**2)
    binding = HYDROGEN_IONISATION * ELECTRON_VOLT / level**2
    quantum = 16.0 / 3.0 * (level / (level + 1.0)) ** 2 * (level + 7.0 / 6.0) / (level**2 + level + 0.5)
    quantum = torch.where(level <= 3.0, torch.ones_like(level), quantum)
    charged = 16.0 * (ELEMENTARY_CHARGE**2 / (binding * torch.sqrt(quantum))) ** 3
    volume = atmosphere.n_h1[..., None] * (radius + BOHR_RADIUS) ** 3
    volume = volume + atmosphere.n_he1[..., None] * (radius + _HELIUM_RADIUS) ** 3
    volume = volume + atmosphere.n_electron[..., None] * charged
    return torch.exp(-4.0 * pi / 3.0 * volume)


def lower_population(atmosphere: Atmosphere) -> Tensor:
    """Density (B, D) [cm^-3] of hydrogen atoms in level 3."""
    energy = HYDROGEN_IONISATION * (1.0 - 1.0 / LOWER_LEVEL**2) / BOLTZMANN_EV
    return LOWER_LEVEL**2 * atmosphere.n_h1 * torch.exp(-energy / atmosphere.temperature)


def pseudo_continuum(atmosphere: Atmosphere, wave: Tensor) -> Tensor:
    """Absorption (B, D, W) [cm^-1] from level 3 into dissolved levels, redward of the series limit; 0 blueward.

    The bound-free cross-section, continued, times 1 - w(n*) / w(3), where n* is the level, not an integer, that a
    photon of this wavelength would reach. It joins the bound-free continuum at the limit without a step.
    """
    gap = 1.0 / LOWER_LEVEL**2 - 1e8 / (HYDROGEN_RYDBERG * wave)
    level = gap.clamp(min=_HIGHEST_LEVEL**-2) ** -0.5
    lower = torch.tensor([float(LOWER_LEVEL)], dtype=wave.dtype, device=wave.device)
    dissolved = 1.0 - occupation_probability(atmosphere, level) / occupation_probability(atmosphere, lower)
    section = hydrogen_bound_free(lower, wave) * (gap > 0.0)
    return lower_population(atmosphere)[..., None] * _stimulated(atmosphere, wave) * section * dissolved


def _stimulated(atmosphere: Atmosphere, wave: Tensor) -> Tensor:
    return -torch.expm1(-SECOND_RADIATION / (wave * atmosphere.temperature[..., None]))


def stark_shape(level: Tensor, n_electron: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ln c [Hz], p, q and y of the Stark profile S ~ (1 + (|dnu| / c)^p)^(-q / p); arguments are broadcast.

    Fit to Stehle & Hutcheon 1999, A&AS 140, 93, for n = 9 ... 30 (0.01-0.02 dex); see tables/hydrogen.json.
    """
    t = _table()
    density = n_electron.clamp(min=_LOWEST_ELECTRON_DENSITY)
    size = torch.log10(level / 15.0)
    excess = torch.log10(density) - 12.5
    y = (excess + t["g"] * size).clamp(*_SHAPE_RANGE)
    log_width = t["a0"] + t["a1"] * size + t["a2"] * excess
    ln_width = log(10.0) * log_width + torch.log(1.25e-9 * density ** (2.0 / 3.0))
    return ln_width, t["p0"] + t["p1"] * y, 2.5 + t["b0"] * torch.exp(t["b1"] * y), y


def stark_norm(ln_width: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """Integral of (1 + (|dnu| / c)^p)^(-q / p) over all dnu [Hz]."""
    ln_beta = torch.lgamma(1.0 / p) + torch.lgamma((q - 1.0) / p) - torch.lgamma(q / p)
    return 2.0 / p * torch.exp(ln_width + ln_beta)


@cache
def _gaussian_weights() -> Tensor:
    """Weights (K, J): the Stark profile, before normalisation, is the sum over Gaussians k of
    sum_j weight[k, j] T_j(y scaled to -1 ... 1) exp(-(dnu / (s_k c))^2 / 2), to 0.4 % within 300 c."""
    t = _table()
    x = np.concatenate([np.linspace(0.0, 1.0, 30), np.geomspace(1.0, 300.0, 250)[1:]])
    scaled = np.cos(np.pi * (np.arange(12) + 0.5) / 12)
    y = _SHAPE_RANGE[0] + (scaled + 1.0) * 0.5 * (_SHAPE_RANGE[1] - _SHAPE_RANGE[0])
    p, q = t["p0"] + t["p1"] * y, 2.5 + t["b0"] * np.exp(t["b1"] * y)
    profile = (1.0 + x[:, None] ** p) ** (-q / p)
    gaussians = np.exp(-0.5 * (x[:, None] / _COMPONENTS) ** 2)
    chebyshev = np.polynomial.chebyshev.chebvander(scaled, 4)
    design = (gaussians[:, None, :, None] * chebyshev[:, None, :] / profile[..., None, None]).reshape(profile.size, -1)
    weights = np.linalg.lstsq(design, np.ones(profile.size), rcond=1e-11)[0]
    return torch.from_numpy(weights.reshape(len(_COMPONENTS), -1))


class PaschenLines:
    """Opacity of the Paschen lines at given wavelengths."""

    def __init__(self, wave: Tensor, dtype: torch.dtype) -> None:
        """wave (W,): ascending vacuum wavelengths [A], float64, on the device to work on."""
        strengths = read_table("hydrogen")["oscillator_strengths_3_to_n"]
        self._level = torch.tensor([float(n) for n in strengths], dtype=torch.float64, device=wave.device)
        self._strength = ABSORPTION * torch.tensor(list(strengths.values()), dtype=torch.float64, device=wave.device)
        centre = paschen_wave(self._level)
        self._centre = centre
        self._wave = wave
        self._detuning = (SPEED_OF_LIGHT * 1e8 * (1.0 / wave - 1.0 / centre[:, None])).abs().to(dtype)
        edges = torch.stack([centre - NEAR, centre + NEAR], dim=-1)
        self._near = torch.searchsorted(wave, edges).tolist()
        self._weights = _gaussian_weights().to(wave.device)
        self._components = torch.from_numpy(_COMPONENTS).to(wave.device)
        self._dtype = dtype

    def opacity(self, atmosphere: Atmosphere) -> Tensor:
        """Absorption (B, D, W) [cm^-1] of all lines, stimulated emission included."""
        population = lower_population(atmosphere)[..., None] * occupation_probability(atmosphere, self._level)
        shape = stark_shape(self._level, atmosphere.n_electron[..., None])
        ln_width, p, q, _ = shape
        strength = population * self._strength / stark_norm(ln_width, p, q)
        hydrogen = read_table("atomic_partition")["elements"]["H"]["mass_amu"] * ATOMIC_MASS_UNIT
        speed = torch.sqrt(2.0 * BOLTZMANN * atmosphere.temperature / hydrogen + atmosphere.microturbulence**2)
        doppler = speed[..., None] / (self._centre * 1e-8)
        total = torch.zeros((), dtype=self._dtype, device=self._wave.device)
        for line, (start, stop) in enumerate(self._near):
            wings = [part[..., line, None].to(self._dtype) for part in (ln_width, p, q, doppler)]
            pieces = [
                self._wing(self._detuning[line, :start], *wings),
                self._core(line, start, stop, shape, doppler),
                self._wing(self._detuning[line, stop:], *wings),
            ]
            total = total + strength[..., line, None].to(self._dtype) * torch.cat(pieces, dim=-1)
        return total * _stimulated(atmosphere, self._wave).to(self._dtype)

    def _core(
        self, line: int, start: int, stop: int, shape: tuple[Tensor, Tensor, Tensor, Tensor], doppler: Tensor
    ) -> Tensor:
        """The Stark profile convolved with the Doppler profile: a sum of Gaussians whose variances add."""
        ln_width, _, _, y = (part[..., line] for part in shape)
        scaled = (y - _SHAPE_RANGE[0]) * (2.0 / (_SHAPE_RANGE[1] - _SHAPE_RANGE[0])) - 1.0
        chebyshev = [torch.ones_like(scaled), scaled]
        while len(chebyshev) < self._weights.shape[-1]:
            chebyshev.append(2.0 * scaled * chebyshev[-1] - chebyshev[-2])
        width = torch.exp(ln_width)[..., None] * self._components
        variance = width**2 + 0.5 * doppler[..., line, None] ** 2
        weight = torch.stack(chebyshev, dim=-1) @ self._weights.T * width * variance**-0.5
        exponent = (-0.5 / variance).to(self._dtype)[..., None] * self._detuning[line, start:stop] ** 2
        return (weight.to(self._dtype)[..., None] * torch.exp(exponent)).sum(dim=-2)

    @staticmethod
    def _wing(detuning: Tensor, ln_width: Tensor, p: Tensor, q: Tensor, doppler: Tensor) -> Tensor:
        """The Stark profile, with the Doppler broadening to second order in its width over the detuning."""
        power = p * (torch.log(detuning) - ln_width)
        inverse = torch.exp(-power)
        profile = torch.exp(-q / p * (power + torch.log1p(inverse)))
        slope = q / (1.0 + inverse)
        return profile * (1.0 + slope * (slope + 1.0) * (0.5 * doppler / detuning) ** 2)


def paschen_wave(level: Tensor) -> Tensor:
    """Vacuum wavelength [A] of the transition from level 3 to `level`."""
    return 1e8 / (HYDROGEN_RYDBERG * (1.0 / LOWER_LEVEL**2 - level**-2.0))
