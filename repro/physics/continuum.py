"""Continuous opacity from 6600 to 16400 A: H-, H, Rayleigh and Thomson scattering.

H2+, He-, collision-induced absorption of H2 and metals are left out (of the order of 1 % or less there for F to M
stars). Scattering is counted as true absorption: 0.1 % of the opacity at tau = 1 and 0.6 % at log tau = -1 in the
median over the label box, but up to 7 % and 24 % in the coolest metal-poor giants (3750 K, log g 1, [M/H] -2.5).
"""

from functools import cache
from math import pi
from typing import Final, Protocol

import torch
from torch import Tensor

from repro.physics.constants import (
    BOLTZMANN,
    BOLTZMANN_EV,
    ELECTRON_MASS,
    HYDROGEN_IONISATION,
    HYDROGEN_RYDBERG,
    PLANCK,
    SECOND_RADIATION,
    SPEED_OF_LIGHT,
)
from repro.physics.data import read_table

_H_MINUS_LIMIT: Final = 16419.0  # A, ionisation threshold of H- in John's fit
_LOWEST_LEVEL: Final = 3  # of hydrogen bound-free at these wavelengths
_HIGHEST_LEVEL: Final = 20  # the levels above are dissolved
_THOMSON: Final = 6.652e-25  # cm^2


class Absorbers(Protocol):
    """What the continuous opacity depends on, all (B, D) in CGS; an `Atmosphere` or a `Gas` will do."""

    @property
    def temperature(self) -> Tensor: ...
    @property
    def electron_pressure(self) -> Tensor: ...
    @property
    def n_electron(self) -> Tensor: ...
    @property
    def n_h1(self) -> Tensor: ...
    @property
    def n_he1(self) -> Tensor: ...
    @property
    def n_h2(self) -> Tensor: ...


@cache
def _h_minus(device: torch.device) -> tuple[Tensor, Tensor]:
    """John's coefficients: bound-free (6,) and free-free (6, 6), rows n, columns A ... F."""
    table = read_table("hminus")
    bound_free = torch.tensor(table["bound_free"]["C"], dtype=torch.float64, device=device)
    free_free = torch.tensor(table["free_free"]["rows"], dtype=torch.float64, device=device)
    return bound_free, free_free


@cache
def _levels(device: torch.device) -> Tensor:
    return torch.arange(_LOWEST_LEVEL, _HIGHEST_LEVEL + 1, dtype=torch.float64, device=device)


def h_minus_bound_free(wave: Tensor) -> Tensor:
    """Photodetachment cross-section of H- (W,) [cm^2] (John 1988, A&A 193, 189, eq. 5); 0 beyond 1.6419 um."""
    coefficients, _ = _h_minus(wave.device)
    micron = wave * 1e-4
    x = (1.0 / micron - 1e4 / _H_MINUS_LIMIT).clamp(min=0.0)
    powers = 0.5 * torch.arange(len(coefficients), dtype=torch.float64, device=wave.device)
    return 1e-18 * micron**3 * x**1.5 * (x[:, None] ** powers @ coefficients)


def h_minus_free_free(wave: Tensor) -> Tensor:
    """Factors (6, W) of (5040 K / T)^((n+1)/2), n = 1 ... 6, in the H- free-free opacity [cm^4 dyn^-1] (John 1988)."""
    _, coefficients = _h_minus(wave.device)
    micron = wave * 1e-4
    powers = torch.stack([micron**exponent for exponent in (2, 0, -1, -2, -3, -4)])
    return 1e-29 * coefficients @ powers


def hydrogen_bound_free(level: Tensor, wave: Tensor) -> Tensor:
    """Photoionisation cross-section [cm^2] of hydrogen in `level`, continued redward of the threshold.

    `level` (principal quantum number) and `wave` [A] are broadcast against each other.

    Kramers with the Gaunt factor of Menzel & Pekeris (1935, MNRAS 96, 77; Gray, Stellar Photospheres, eq. 8.8).
    """
    rydbergs = wave * 1e-8 * HYDROGEN_RYDBERG
    gaunt = 1.0 - 0.3456 * rydbergs ** (-1.0 / 3.0) * (rydbergs / level**2 - 0.5)
    return 1.0449e-26 * wave**3 / level**5 * gaunt


def _stimulated_cross_sections(wave: Tensor) -> Tensor:
    """Rows (K, W) for the columns of `_stimulated_weights`: everything to be reduced by stimulated emission."""
    frequency = SPEED_OF_LIGHT * 1e8 / wave
    rydbergs = wave * 1e-8 * HYDROGEN_RYDBERG
    free_free = 3.692e8 * frequency**-3
    gaunt = 0.3456 * rydbergs ** (-1.0 / 3.0)
    levels = _levels(wave.device)[:, None]
    bound_free = hydrogen_bound_free(levels, wave) * (rydbergs < levels**2)
    rows = [h_minus_bound_free(wave), free_free * (1.0 + 0.5 * gaunt), free_free * gaunt * wave / SECOND_RADIATION]
    return torch.cat([torch.stack(rows), bound_free])


def _stimulated_weights(gas: Absorbers) -> Tensor:
    """Columns (B, D, K): H- bound-free, H free-free and its part that grows with T, H bound-free of each level."""
    temperature, n_h1 = gas.temperature, gas.n_h1
    h_minus = 0.75 * temperature**-2.5 * torch.exp(SECOND_RADIATION / (_H_MINUS_LIMIT * temperature))
    saha = (2.0 * pi * ELECTRON_MASS * BOLTZMANN * temperature / PLANCK**2) ** 1.5
    electrons_protons = n_h1 * saha * torch.exp(-HYDROGEN_IONISATION / (BOLTZMANN_EV * temperature))
    free_free = electrons_protons * temperature**-0.5
    columns = [n_h1 * gas.electron_pressure * h_minus, free_free, free_free * temperature]
    levels = _levels(temperature.device)
    excitation = HYDROGEN_IONISATION * (1.0 - levels**-2) / BOLTZMANN_EV
    populations = n_h1[..., None] * levels**2 * torch.exp(-excitation / temperature[..., None])
    return torch.cat([torch.stack(columns, dim=-1), populations], dim=-1)


def _other_cross_sections(wave: Tensor) -> Tensor:
    """Rows (10, W) for the columns of `_other_weights`.

    Rayleigh scattering: H, Dalgarno (1962, see Kurucz 1970, SAO Special Report 309); He, the same report; H2, Dalgarno
    & Williams (1962, ApJ 136, 690).
    """
    inverse = wave**-2
    hydrogen = inverse**2 * (5.799e-13 + inverse * (1.422e-6 + 2.784 * inverse))
    helium = 5.484e-14 * inverse**2 * (1.0 + (2.44e5 + 5.94e10 / (wave**2 - 2.90e5)) * inverse) ** 2
    molecular = inverse**2 * (8.14e-13 + inverse * (1.28e-6 + 1.61 * inverse))
    thomson = torch.full_like(wave, _THOMSON)
    return torch.cat([h_minus_free_free(wave), torch.stack([hydrogen, helium, molecular, thomson])])


def _other_weights(gas: Absorbers) -> Tensor:
    """Columns (B, D, 10): six powers of temperature of H- free-free, neutral H, He, H2, electrons."""
    powers = 0.5 * torch.arange(2, 8, dtype=torch.float64, device=gas.temperature.device)
    h_minus = (gas.n_h1 * gas.electron_pressure)[..., None] * (5040.0 / gas.temperature)[..., None] ** powers
    scatterers = torch.stack([gas.n_h1, gas.n_he1, gas.n_h2, gas.n_electron], dim=-1)
    return torch.cat([h_minus, scatterers], dim=-1)


def continuum_opacity(gas: Absorbers, wave: Tensor) -> Tensor:
    """Continuous opacity (B, D, W) [cm^-1] at vacuum wavelengths (W,) [A].

    Smooth in wavelength but for the edges of hydrogen (Paschen: 8205.87 A). The opacity of the dissolved upper levels
    redward of an edge is not in it: `hydrogen_bound_free` is the cross-section to continue with.
    """
    stimulated = -torch.expm1(-SECOND_RADIATION / (wave * gas.temperature[..., None]))
    absorption = _stimulated_weights(gas) @ _stimulated_cross_sections(wave)
    return stimulated * absorption + _other_weights(gas) @ _other_cross_sections(wave)
