"""The opacity of all atomic lines, summed on the pixels.

A pair is one line at one depth of one star. Pairs whose centre stays below the threshold are left out; the others are
sorted by the width of the window in which they exceed it, and evaluated block by block.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import pi
from typing import Final

import torch
from torch import Tensor

from repro.physics.atmosphere import Atmosphere
from repro.physics.constants import BOLTZMANN, BOLTZMANN_EV, SECOND_RADIATION, SPEED_OF_LIGHT
from repro.physics.lines import ABSORPTION, PERTURBERS, WIDTH_TEMPERATURE, LineList
from repro.physics.voigt import WEAK_DAMPING, voigt_strong, voigt_weak

THRESHOLD: Final = 5e-4  # of the background opacity, below which a line is ignored where log tau is not small
_SHALLOW: Final = 10.0**-1.5  # optical depth above which the threshold grows as 1 / tau: little light forms there
_DEEPEST: Final = 1.2  # log tau below which no light escapes, and lines are left out
_WING_BOUND: Final = 2.0 * 1.3 / pi**0.5  # H(a, v) < exp(-v^2) + 1.3 a / (sqrt(pi) v^2)
_BLOCK: Final = 1 << 17  # profile values evaluated at a time


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

    def take(self, index: Tensor) -> "_Pairs":
        return _Pairs(*(getattr(self, field.name).index_select(0, index) for field in fields(self)))

    def slice(self, start: int, stop: int) -> "_Pairs":
        return _Pairs(*(getattr(self, field.name)[start:stop] for field in fields(self)))


def _half_windows(limit: int) -> list[int]:
    """Growing sizes [pixels] up to `limit`."""
    halves = [2]
    while halves[-1] < limit:
        halves.append(max(halves[-1] + 1, round(1.2 * halves[-1])))
    return halves


class LineOpacity:
    """Adds the opacity of a line list to that of the background."""

    def __init__(
        self, lines: LineList, pixels: Pixels, *, device: torch.device, dtype: torch.dtype, threshold: float = THRESHOLD
    ) -> None:
        self._pixels = pixels
        self._dtype = dtype
        self._threshold = threshold
        self._names = lines.species
        self._halves = _half_windows(pixels.count)
        self._half_windows = torch.tensor(self._halves, dtype=dtype, device=device)
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

    def add(self, opacity: Tensor, atmosphere: Atmosphere, background: Tensor) -> Tensor:
        """`opacity` (B, D, W), in units of the reference opacity, with the lines added.

        `background` (B, D, L) is the opacity without lines at the line centres, in the same units.
        """
        pairs = self._pairs(atmosphere, background)
        group = 2 * torch.bucketize(pairs.half_window, self._half_windows).clamp(max=len(self._halves) - 1)
        group = (group + (pairs.damping >= WEAK_DAMPING)).to(torch.uint8)
        pairs = pairs.take(torch.argsort(group, stable=True))
        sizes = torch.bincount(group, minlength=2 * len(self._halves)).tolist()
        places, values = [], []
        start = 0
        for index, size in enumerate(sizes):
            half = self._halves[index // 2]
            profile = voigt_strong if index % 2 else voigt_weak
            count = max(1, _BLOCK // (2 * half + 1))
            for first in range(start, start + size, count):
                place, value = self._profile(pairs.slice(first, min(first + count, start + size)), half, profile)
                places.append(place)
                values.append(value)
            start += size
        return opacity.view(-1).index_add(0, torch.cat(places), torch.cat(values)).view_as(opacity)

    def _profile(self, pairs: _Pairs, half: int, profile: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Places in the flat opacity array and values there of pairs over the window of +-half pixels."""
        offset = torch.arange(-half, half + 1, device=pairs.row.device)[:, None]
        distance = (offset.to(self._dtype) - pairs.shift) * pairs.scale
        excess = (pairs.strength * profile(pairs.damping, distance)).clamp(min=1.0)
        inverse = 1.0 / excess
        fade = 1.0 - inverse * inverse
        value = excess * fade * fade * pairs.threshold
        # Pixels beyond either end are counted at the ends, which are margin.
        pixel = (pairs.pixel + offset).clamp(0, self._pixels.count - 1)
        return (pairs.row * self._pixels.count + pixel).flatten(), value.flatten()

    def _pairs(self, atmosphere: Atmosphere, background: Tensor) -> _Pairs:
        threshold = self._threshold * (1.0 + _SHALLOW / 10.0**atmosphere.log_tau)
        speed = torch.sqrt(
            2.0 * BOLTZMANN * atmosphere.temperature[..., None] / self._mass + atmosphere.microturbulence**2
        )
        strength = self._strength(atmosphere, background, speed, threshold)
        visible = (strength > 1.0) & (atmosphere.log_tau <= _DEEPEST)[:, None]
        index = torch.nonzero(visible.flatten())[:, 0]
        n_lines, n_depths = strength.shape[-1], strength.shape[-2]
        row, line = index // n_lines, index % n_lines

        strength = strength.flatten().index_select(0, index)
        species = self._species[line]
        pair_speed = speed.to(self._dtype).flatten().index_select(0, row * speed.shape[-1] + species)
        van_der_waals = self._van_der_waals(atmosphere, row, line)
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

    def _van_der_waals(self, atmosphere: Atmosphere, row: Tensor, line: Tensor) -> Tensor:
        """Full widths (N,) [rad/s] of pairs."""
        densities = torch.stack([atmosphere.n_h1, atmosphere.n_he1, atmosphere.n_h2], dim=-1)
        ln_perturbers = torch.log(densities @ self._perturbers).to(self._dtype).flatten()
        ln_temperature = torch.log(atmosphere.temperature / WIDTH_TEMPERATURE).to(self._dtype).flatten()
        return torch.exp(self._ln_width[line] + self._exponent[line] * ln_temperature[row] + ln_perturbers[row])

    def _strength(self, atmosphere: Atmosphere, background: Tensor, speed: Tensor, threshold: Tensor) -> Tensor:
        """Opacity (B, D, L) at the line centres for a profile of 1, over background and threshold."""
        ln_density = torch.log(atmosphere.number_over_partition(self._names) / speed)
        ln_density = ln_density - torch.log(atmosphere.reference_opacity * threshold)[..., None]
        inverse_temperature = (1.0 / atmosphere.temperature).to(self._dtype)[..., None]
        by_line = ln_density.to(self._dtype).flatten(0, 1).index_select(1, self._species)
        exponent = by_line.unflatten(0, background.shape[:2]) + self._ln_strength
        exponent = exponent - self._energy * inverse_temperature
        return torch.exp(exponent) * -torch.expm1(-self._inverse_wave * inverse_temperature) / background
