"""The opacity of all atomic lines, summed on the pixels.

A pair is one line at one depth of one star. Pairs whose centre stays below the threshold are left out; the others are
sorted by the width of the window in which they exceed it, and evaluated block by block.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Final

import torch
from torch import Tensor

from repro.physics.atmosphere import Atmosphere
from repro.physics.constants import BOLTZMANN, BOLTZMANN_EV, SECOND_RADIATION, SPEED_OF_LIGHT
from repro.physics.lines import ABSORPTION, PERTURBERS, WIDTH_TEMPERATURE, LineList
from repro.physics.voigt import WEAK_DAMPING, voigt_strong, voigt_weak

THRESHOLD: Final = 1e-3  # of the background opacity, below which a line is ignored where log tau is not small
_SHALLOW: Final = 10.0**-1.5  # optical depth above which the threshold grows as 1 / tau: little light forms there
_DEEPEST: Final = 1.2  # log tau below which no light escapes, and lines are left out
_HALF_WINDOWS: Final = (
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    10,
    12,
    15,
    18,
    22,
    27,
    33,
    41,
    50,
    70,
    100,
    150,
    220,
    320,
    500,
    1000,
    2000,
)
_WING_BOUND: Final = 2.0 * 1.3 / pi**0.5  # H(a, v) < exp(-v^2) + 1.3 a / (sqrt(pi) v^2)
_BLOCK: Final = 1 << 18  # profile values evaluated at a time


@dataclass(frozen=True)
class Pixels:
    """A uniform grid of wavelengths."""

    start: float  # [A]
    step: float  # [A]
    count: int

    def wave(self, device: torch.device | str = "cpu") -> Tensor:
        """Wavelengths (W,) [A], float64."""
        return self.start + self.step * torch.arange(self.count, dtype=torch.float64, device=device)


@dataclass(frozen=True)
class _Pairs:
    """Properties (N,) of the pairs that exceed the threshold."""

    row: Tensor  # of the opacity array, one a star and depth
    pixel: Tensor  # nearest to the line centre
    shift: Tensor  # of the line centre from that pixel [pixels]
    scale: Tensor  # Doppler widths per pixel
    damping: Tensor
    strength: Tensor  # opacity over the threshold if the profile were 1
    threshold: Tensor  # in units of the reference opacity
    half_window: Tensor  # pixels from the centre to where the line falls below the threshold


class LineOpacity:
    """Adds the opacity of a line list to that of the background."""

    def __init__(
        self, lines: LineList, pixels: Pixels, *, device: torch.device, dtype: torch.dtype, threshold: float = THRESHOLD
    ) -> None:
        self._pixels = pixels
        self._dtype = dtype
        self._threshold = threshold
        self._names = lines.species
        position = (lines.wave - pixels.start) / pixels.step
        self._pixel = torch.round(position).to(torch.int64).to(device)
        self._perturbers = torch.tensor(PERTURBERS, dtype=torch.float64, device=device)
        self._species = lines.species_index.to(device)
        self._mass = lines.species_mass.to(device)
        self._shift = (position - torch.round(position)).to(device, dtype)
        self._wave = lines.wave.to(device)
        self._inverse_wave = (SECOND_RADIATION / lines.wave).to(device, dtype)
        self._ln_strength = torch.log(ABSORPTION / pi**0.5 * lines.gf * lines.wave * 1e-8).to(device, dtype)
        self._energy = (lines.energy / BOLTZMANN_EV).to(device, dtype)
        self._radiative = lines.radiative.to(device, dtype)
        self._ln_width = torch.log(lines.width).to(device, dtype)
        self._exponent = lines.exponent.to(device, dtype)
        # Both are to be divided by the Doppler speed.
        self._damping_factor = (lines.wave * 1e-8 / (4.0 * pi)).to(device, dtype)
        self._scale_factor = (pixels.step / lines.wave * SPEED_OF_LIGHT).to(device, dtype)

    @property
    def wave(self) -> Tensor:
        """Line centres (L,) [A], float64: where `background` of `add` is wanted."""
        return self._wave

    def add(self, opacity: Tensor, atmosphere: Atmosphere, background: Tensor) -> None:
        """Adds the lines to `opacity` (B, D, W), in units of the reference opacity, in place.

        `background` (B, D, L) is the opacity without lines at the line centres, in the same units.
        """
        pairs = self._pairs(atmosphere, background)
        flat = opacity.view(-1)
        weak = pairs.damping < WEAK_DAMPING
        lower = 0
        for half in _HALF_WINDOWS:
            last = half == _HALF_WINDOWS[-1]
            inside = (pairs.half_window > lower) & (last | (pairs.half_window <= half))
            for profile, kind in ((voigt_weak, weak), (voigt_strong, ~weak)):
                chosen = torch.nonzero(inside & kind)[:, 0]
                for block in chosen.split(max(1, _BLOCK // (2 * half + 1))):
                    self._add_block(flat, pairs, block, half, profile)
            lower = half

    def _add_block(
        self, flat: Tensor, pairs: _Pairs, block: Tensor, half: int, profile: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        """Adds pairs `block` over the window of +-half pixels."""
        offset = torch.arange(-half, half + 1, device=flat.device)[:, None]
        distance = (offset.to(self._dtype) - pairs.shift[block]) * pairs.scale[block]
        excess = (pairs.strength[block] * profile(pairs.damping[block], distance)).clamp(min=1.0)
        inverse = 1.0 / excess
        fade = 1.0 - inverse * inverse
        value = excess * fade * fade * pairs.threshold[block]
        # Pixels beyond either end are counted at the ends, which are margin.
        pixel = (pairs.pixel[block] + offset).clamp(0, self._pixels.count - 1)
        flat.index_add_(0, (pairs.row[block] * self._pixels.count + pixel).flatten(), value.flatten())

    def _pairs(self, atmosphere: Atmosphere, background: Tensor) -> _Pairs:
        temperature = atmosphere.temperature
        threshold = self._threshold * (1.0 + _SHALLOW / 10.0**atmosphere.log_tau)
        speed = torch.sqrt(2.0 * BOLTZMANN * temperature[..., None] / self._mass + atmosphere.microturbulence**2)
        strength = self._strength(atmosphere, speed, threshold) / background
        visible = (strength > 1.0) & (atmosphere.log_tau <= _DEEPEST)[:, None]
        index = torch.nonzero(visible.flatten())[:, 0]
        n_lines, n_depths = strength.shape[-1], strength.shape[-2]
        row, line = index // n_lines, index % n_lines

        strength = strength.flatten()[index]
        pair_speed = speed.to(self._dtype).flatten()[row * speed.shape[-1] + self._species[line]]
        densities = torch.stack([atmosphere.n_h1, atmosphere.n_he1, atmosphere.n_h2], dim=-1)
        perturbers = densities @ self._perturbers
        ln_temperature = torch.log(temperature / WIDTH_TEMPERATURE).to(self._dtype).flatten()[row]
        ln_perturbers = torch.log(perturbers).to(self._dtype).flatten()[row]
        van_der_waals = torch.exp(self._ln_width[line] + self._exponent[line] * ln_temperature + ln_perturbers)
        damping = (self._radiative[line] + van_der_waals) * self._damping_factor[line] / pair_speed
        scale = self._scale_factor[line] / pair_speed
        # Half the threshold each for a bound on the Doppler core and one on the damping wing of the Voigt function.
        reach = torch.maximum(torch.log(2.0 * strength), _WING_BOUND * damping * strength)
        return _Pairs(
            row=row,
            pixel=self._pixel[line],
            shift=self._shift[line],
            scale=scale,
            damping=damping,
            strength=strength,
            threshold=threshold.to(self._dtype)[row % n_depths] * background.flatten()[index],
            half_window=torch.sqrt(reach) / scale + 0.5,
        )

    def _strength(self, atmosphere: Atmosphere, speed: Tensor, threshold: Tensor) -> Tensor:
        """Opacity (B, D, L) at the line centres for a profile of 1, over reference opacity and threshold."""
        ln_density = torch.log(atmosphere.number_over_partition(self._names) / speed)
        ln_density = ln_density - torch.log(atmosphere.reference_opacity * threshold)[..., None]
        inverse_temperature = (1.0 / atmosphere.temperature).to(self._dtype)[..., None]
        exponent = ln_density.to(self._dtype)[..., self._species] + self._ln_strength
        exponent = exponent - self._energy * inverse_temperature
        return torch.exp(exponent) * -torch.expm1(-self._inverse_wave * inverse_temperature)
