"""Paschen lines of hydrogen, and the continuum into which they merge towards the series limit.

Both follow SYNTHE (Kurucz 1993, CD-ROM 18; 2005, Mem. S.A.It. Suppl. 8, 14), with which the BOSZ spectra were made,
not the best theory of the day: see `PaschenLines`.
"""

from functools import cache
from math import pi, sqrt
from typing import Final

import torch
from torch import Tensor

from repro.physics.atmosphere import Atmosphere
from repro.physics.constants import (
    ATOMIC_MASS_UNIT,
    BOLTZMANN,
    BOLTZMANN_EV,
    HYDROGEN_IONISATION,
    HYDROGEN_RYDBERG,
    SECOND_RADIATION,
    SPEED_OF_LIGHT,
)
from repro.physics.continuum import hydrogen_bound_free
from repro.physics.data import read_table
from repro.physics.lines import ABSORPTION
from repro.physics.polynomial import horner, horner_tensors

LOWER_LEVEL: Final = 3
SERIES_LIMIT: Final = 1e8 * LOWER_LEVEL**2 / HYDROGEN_RYDBERG  # A, vacuum

_LOWEST_DENSITY: Final = 1e8  # electrons cm^-3: below it Stark profiles count for nothing, and overflow
_MERGING_SPAN: Final = 500.0  # cm^-1
_NEAREST: Final = 1.7e-6  # relative detuning, half a step of the grid of SYNTHE at R = 300 000: closer is the centre
_STARK_WIDTH: Final = 5.0  # in units of K F0
_SWITCH: Final = (0.7, 1.4)  # ratios of widths between which one form of the profile fades into another

# E1(x) = -ln x + polynomial for x <= 1, exp(-x) / x times a ratio of polynomials above: Abramowitz & Stegun 5.1.53-54.
_E1_NEGLIGIBLE: Final = 80.0  # E1 = 2e-37 there
_E1_SERIES: Final = (-0.57721566, 0.99999193, -0.24991055, 0.05519968, -0.00976004, 0.00107857)
_E1_NUMERATOR: Final = (0.250621, 2.334733, 1.0)
_E1_DENOMINATOR: Final = (1.681534, 3.330657, 1.0)


def paschen_wave(level: Tensor) -> Tensor:
    """Vacuum wavelength [A] of the transition from level 3 to `level`."""
    return 1e8 / (HYDROGEN_RYDBERG * (1.0 / LOWER_LEVEL**2 - level**-2.0))


def lower_population(atmosphere: Atmosphere) -> Tensor:
    """Density (B, D) [cm^-3] of hydrogen atoms in level 3."""
    energy = HYDROGEN_IONISATION * (1.0 - 1.0 / LOWER_LEVEL**2) / BOLTZMANN_EV
    return LOWER_LEVEL**2 * atmosphere.n_h1 * torch.exp(-energy / atmosphere.temperature)


def line_share(atmosphere: Atmosphere, wave: Tensor) -> Tensor:
    """Share (B, D, W) of the absorption from level 3 that is in lines; the rest is continuum.

    SYNTHE (subroutine XLINOP): 0 up to the wavelength of the level 1600 n_e^(-2/15) - 1.5, an empirical form of the
    limit of Inglis & Teller (1939, ApJ 90, 439), then linear in wavelength to 1 at 500 cm^-1 below that level.
    """
    last = 1600.0 * atmosphere.n_electron ** (-2.0 / 15.0) - 1.5
    merged = paschen_wave(last)[..., None]
    end = 1e8 / (1e8 / merged - _MERGING_SPAN)
    return ((wave - merged) / (end - merged)).clamp(0.0, 1.0)


def pseudo_continuum(atmosphere: Atmosphere, wave: Tensor) -> Tensor:
    """Absorption (B, D, W) [cm^-1] from level 3 into merged levels, redward of the series limit; 0 blueward.

    The bound-free cross-section, continued, times 1 - `line_share`. It joins the bound-free continuum at the limit
    without a step.
    """
    lower = torch.tensor([float(LOWER_LEVEL)], dtype=wave.dtype, device=wave.device)
    section = hydrogen_bound_free(lower, wave) * (wave > SERIES_LIMIT)
    merged = 1.0 - line_share(atmosphere, wave)
    return lower_population(atmosphere)[..., None] * _stimulated(atmosphere, wave) * section * merged


def _stimulated(atmosphere: Atmosphere, wave: Tensor) -> Tensor:
    return -torch.expm1(-SECOND_RADIATION / (wave * atmosphere.temperature[..., None]))


def exponential_integral(x: Tensor) -> Tensor:
    """E1(x) for x > 0, relative error 5e-5; not below 2e-37."""
    small = x.clamp(max=1.0)
    series = horner(_E1_SERIES, small) - torch.log(small)
    large = x.clamp(1.0, _E1_NEGLIGIBLE)
    tail = torch.exp(-large) * horner(_E1_NUMERATOR, large) / (large * horner(_E1_DENOMINATOR, large))
    return torch.where(x < 1.0, series, tail)


@cache
def _field_coefficients(device: torch.device) -> Tensor:
    table = read_table("hydrogen")["field_distribution"]["coefficients"]
    return torch.tensor(table, dtype=torch.float64, device=device)


def field_polynomials(shielding: Tensor) -> list[Tensor]:
    """Coefficients, each of the shape of `shielding`, with which `field_distribution` is computed."""
    powers = torch.stack([torch.ones_like(shielding), shielding, shielding**2], dim=-1)
    return list((powers @ _field_coefficients(shielding.device).T.to(shielding.dtype)).unbind(dim=-1))


def field_distribution(beta: Tensor, polynomials: list[Tensor]) -> Tensor:
    """Quasi-static profile S of one half of a line in beta, the detuning in units of K F0; see tables/hydrogen.json.

    S falls as 1.5 beta^-2.5 and has the area 1/2. `polynomials` are broadcast against beta.
    """
    root = torch.sqrt(beta)
    z = 4.0 * torch.rsqrt(4.0 + beta) - 1.0
    return horner_tensors(polynomials, z) / (83.0 / 8.0 + beta * beta * root / 1.5)


def _switch(ratio: Tensor) -> Tensor:
    """0 for small ratios, 1 for large ones, in between a cubic with continuous slope."""
    low, high = _SWITCH
    t = ((ratio - low) / (high - low)).clamp(0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


class _Plasma:
    """What the profiles take from the gas: (B, D, 1) each, in the precision of the profiles."""

    def __init__(self, atmosphere: Atmosphere, dtype: torch.dtype) -> None:
        kelvin = atmosphere.temperature[..., None]
        density = atmosphere.n_electron[..., None].clamp(min=_LOWEST_DENSITY)
        warmth, sixth = kelvin / 1e4, density ** (1.0 / 6.0)
        # Electrons: between the two cut-offs of their impacts, at low and at high density.
        dilute = 1.0 / (1.0 + density / 1e13)
        dense = 2.0 / (1.0 + 0.012 / kelvin * torch.sqrt(density / kelvin))
        cutoff = 320.0 * warmth**0.3 / sixth * dilute + dense * (1.0 - dilute)
        impact = 78940.0 / kelvin * cutoff
        hydrogen = read_table("atomic_partition")["elements"]["H"]["mass_amu"] * ATOMIC_MASS_UNIT
        speed = torch.sqrt(2.0 * BOLTZMANN * kelvin / hydrogen + atmosphere.microturbulence**2)
        self.field = (1.25e-9 * sixth**4).to(dtype)  # F0 [esu cm^-2]
        self.impact = impact.to(dtype)
        self.impact_strength = (6.77 * torch.sqrt(1.25e-9 * sixth**4 * impact)).to(dtype)
        self.plasma = (1.0 / (5.96e-23 * density)).to(dtype)
        self.near_loss = (0.2 + 0.09 * torch.sqrt(warmth) * dilute).to(dtype)
        self.far_loss = (0.2 / (1.0 + density / 1e15)).to(dtype)
        self.doppler = (speed / SPEED_OF_LIGHT).to(dtype)
        self.polynomials = field_polynomials((0.08989 * sixth / torch.sqrt(kelvin)).to(dtype))


class _Transitions:
    """One transition from level 3 at each wavelength, and what its profile takes from it: (W,) each."""

    def __init__(self, wave: Tensor, upper: Tensor, strength: Tensor, dtype: torch.dtype) -> None:
        """wave (W,) [A], upper (W,) the upper level there, strength (W,) [cm^2 Hz]."""
        lower = float(LOWER_LEVEL)
        difference = upper**2 - lower**2
        spread = (lower * upper) ** 2
        # Stark shift of the outer components [A esu^-1 cm^2] (Griem 1960, ApJ 132, 883).
        stark = 5.5e-5 * spread**2 / difference / (1.0 + 0.13 / (upper - lower))
        centre = paschen_wave(upper)
        distance = ((wave - centre) / centre).abs().clamp(min=_NEAREST)
        impact = difference**2 / spread
        frequency = SPEED_OF_LIGHT * 1e8 / centre
        self.distance = distance.to(dtype)
        self.beta = (distance * centre / stark).to(dtype)
        self.width = (_STARK_WIDTH * stark / centre).to(dtype)
        self.impact = (impact * distance).to(dtype)
        self.impact_strength = torch.sqrt(impact * stark / centre).to(dtype)
        self.plasma = (distance**2).to(dtype)
        self.doppler_strength = (strength / (frequency * sqrt(pi))).to(dtype)
        self.stark_strength = (strength * centre / (frequency * stark)).to(dtype)


def _stark(line: _Transitions, gas: _Plasma) -> Tensor:
    """Profile (B, D, W) in units of K F0: quasi-static ions and electrons, and impacts of electrons."""
    beta = line.beta / gas.field
    impact = line.impact * gas.impact
    plasma = line.plasma * gas.plasma
    integral = 0.5 * torch.exp(-impact) + exponential_integral(impact) - 0.5 * exponential_integral(plasma)
    loss = 1.0 - gas.near_loss / (1.0 + (90.0 * impact) ** 3) - gas.far_loss / (1.0 + 2000.0 * impact)
    gamma = (line.impact_strength * gas.impact_strength * integral * loss).clamp(min=0.0)
    electrons = (0.9 * impact) ** 2
    electrons = (electrons + 0.03 * torch.sqrt(impact)) / (electrons + 1.0)
    quasi_static = field_distribution(beta, gas.polynomials) * (1.0 + electrons)
    return quasi_static + gamma / (pi * (gamma * gamma + beta * beta))


def _profile(line: _Transitions, gas: _Plasma) -> Tensor:
    """Strength times profile (B, D, W) [cm^2]: the Doppler and the Stark profile side by side."""
    stark_width = line.width * gas.field
    outside = _switch(line.distance / torch.maximum(gas.doppler, stark_width))
    stark_core = _switch(stark_width / gas.doppler)
    both = outside * stark_core
    doppler = torch.exp(-((line.distance / gas.doppler) ** 2)) * (line.doppler_strength / gas.doppler)
    stark = _stark(line, gas) * (line.stark_strength / gas.field)
    return (1.0 - stark_core + both) * doppler + (outside + stark_core - both) * stark


class PaschenLines:
    """Opacity of the Paschen lines P9 ... P40 at given wavelengths.

    As in SYNTHE (subroutines XLINOP and HPROF4, the latter by D. Peterson; described by Cowley & Castelli 2002, A&A
    387, 595, section 3): quasi-static ions and electron impacts after Griem (1960, ApJ 132, 883; 1967, ApJ 147, 1092),
    adjusted to Vidal, Cooper & Smith (1973, ApJS 25, 37). Doppler and Stark profiles are added, not convolved; within
    the half-width of the wider of the two only that one counts. Each line reaches to the centres of its neighbours,
    so that two lines overlap at any wavelength, and fades with `line_share` where the series merges.

    The area of such a profile is not 1: it rises to 1.7-2 where the Stark effect is wider than the Doppler effect,
    because ions and impacts are added there too. Profiles of unit area (Stehle & Hutcheon 1999, A&AS 140, 93) make the
    cores of P11 to P20 of the BOSZ spectra 1-4 % too shallow.

    Other than in SYNTHE, the cores begin and end smoothly, so that opacities are continuous in the labels, and
    radiative, resonance and van der Waals broadening are left out: their widths stay near or below 1 % of the Stark
    width wherever a line reaches 0.1 % of the continuous opacity.
    """

    def __init__(self, wave: Tensor, dtype: torch.dtype) -> None:
        """wave (W,): ascending vacuum wavelengths [A] up to P9, float64, on the device to work on."""
        table = read_table("hydrogen")["oscillator_strengths_3_to_n"]
        highest = max(int(level) for level in table)
        strengths = torch.zeros(highest + 2, dtype=torch.float64, device=wave.device)
        for level, strength in table.items():
            strengths[int(level)] = ABSORPTION * strength
        self._dtype = dtype
        self._blue = int((wave <= SERIES_LIMIT).sum())  # wavelengths without lines
        self._wave = wave[self._blue :]
        gap = 1.0 / LOWER_LEVEL**2 - 1e8 / (HYDROGEN_RYDBERG * self._wave)
        red = torch.rsqrt(gap.clamp(min=1.0 / (highest + 1) ** 2)).floor().clamp(max=highest)
        self._transitions = [
            _Transitions(self._wave, upper, strengths[upper.long()], dtype) for upper in (red, red + 1.0)
        ]

    def opacity(self, atmosphere: Atmosphere) -> Tensor:
        """Absorption (B, D, W) [cm^-1] of all lines, stimulated emission included."""
        gas = _Plasma(atmosphere, self._dtype)
        red, blue = (_profile(line, gas) for line in self._transitions)
        weight = lower_population(atmosphere)[..., None] * line_share(atmosphere, self._wave)
        weight = weight * _stimulated(atmosphere, self._wave)
        return torch.nn.functional.pad(weight.to(self._dtype) * (red + blue), (self._blue, 0))
