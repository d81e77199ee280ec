"""The opacity of all atomic lines, summed on the pixels.

A pair is one line at one depth of one star. Pairs whose centre stays below the threshold are left out; the others are
sorted by the width of the window in which they exceed it, and evaluated block by block: the Voigt function around the
centre, its damping wing farther out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from math import ceil, pi
from typing import Final

import torch
from torch import Tensor

from repro.physics.atmosphere import Atmosphere
from repro.physics.constants import BOLTZMANN, BOLTZMANN_EV, SECOND_RADIATION, SPEED_OF_LIGHT
from repro.physics.lines import ABSORPTION, PERTURBERS, STARK_EXPONENT, WIDTH_TEMPERATURE, LineList
from repro.physics.voigt import WEAK_DAMPING, voigt_strong, voigt_weak, voigt_wing

THRESHOLD: Final = 5e-4  # of the background opacity, below which a line is ignored where log tau is not small
_SHALLOW: Final = 10.0**-1.5  # optical depth above which the threshold grows as 1 / tau: little light forms there
_WING_BOUND: Final = 2.0 * 1.3 / pi**0.5  # H(a, v) < exp(-v^2) + 1.3 a / (sqrt(pi) v^2)
_CORE: Final = 0.6  # A from the centre, five or more Doppler widths, beyond which the profile is its damping wing
_SMALLEST: Final = 2  # pixels, of the narrowest window
_BLOCK: Final = 1 << 16  # profile values evaluated at a time


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

    pixel: Tensor  # nearest to the line centre, int32
    place: Tensor  # of that pixel in the flat opacity array with its margins, int32
    shift: Tensor  # of the line centre from that pixel [pixels]
    scale: Tensor  # Doppler widths per pixel
    damping: Tensor
    strength: Tensor  # opacity over the threshold if the profile were 1
    threshold: Tensor  # in units of the reference opacity
    half_window: Tensor  # pixels from the centre to where the line falls below the threshold

    def take(self, index: Tensor) -> "_Pairs":
        """The pairs of an index."""
        return _Pairs(*(getattr(self, field.name).index_select(0, index) for field in fields(self)))

    def grouped(self, group: Tensor, count: int) -> list["_Pairs"]:
        """The pairs of each of `count` groups, in the order they have here."""
        ordered = self.take(torch.argsort(group.to(torch.uint8), stable=True))
        stop = torch.bincount(group, minlength=count).cumsum(0).tolist()
        return [ordered.slice(first, last) for first, last in zip([0, *stop[:-1]], stop, strict=True)]

    def blocks(self, window: int) -> Iterator["_Pairs"]:
        """Parts of about _BLOCK profile values, for windows of so many pixels."""
        count = max(1, _BLOCK // window)
        return (self.slice(start, start + count) for start in range(0, len(self.pixel), count))

    def slice(self, start: int, stop: int) -> "_Pairs":
        """The pairs from `start` to before `stop`."""
        return _Pairs(*(getattr(self, field.name)[start:stop] for field in fields(self)))


def _growing(low: int, high: int) -> list[int]:
    """Window sizes [pixels] that grow by a fifth from `low` to at least `high`."""
    sizes = [low]
    while sizes[-1] < high:
        sizes.append(max(sizes[-1] + 1, round(1.2 * sizes[-1])))
    return sizes


class LineOpacity:
    """Adds the opacity of a line list to that of the background."""

    def __init__(
        self, lines: LineList, pixels: Pixels, *, device: torch.device, dtype: torch.dtype, threshold: float = THRESHOLD
    ) -> None:
        self._pixels = pixels
        self._dtype = dtype
        self._threshold = threshold
        self._names = lines.species
        self._core = max(_SMALLEST, ceil(_CORE / pixels.step))
        # On either side, so that only far wings have to be kept within the array.
        self._margin = 2 * self._core
        inner = _growing(_SMALLEST, self._core)[:-1]
        self._inner = [(half, kind) for half in [*inner, self._core] for kind in (voigt_weak, voigt_strong)]
        self._inner_bounds = torch.tensor(inner, dtype=dtype, device=device)
        self._outer = _growing(self._core, pixels.count)[1:]
        self._outer_bounds = torch.tensor(self._outer[:-1], dtype=dtype, device=device)
        position = (lines.wave - pixels.start) / pixels.step
        self._pixel = torch.round(position).to(torch.int32).to(device)
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
        self._stark = lines.stark.to(device, dtype)
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
        padded = torch.nn.functional.pad(opacity, (self._margin, self._margin))
        total = padded.view(-1)
        self._add_cores(total, pairs)
        self._add_wings(total, pairs.take(torch.nonzero(pairs.half_window > self._core)[:, 0]))
        return padded[..., self._margin : -self._margin]

    def _add_cores(self, total: Tensor, pairs: _Pairs) -> None:
        """Add to the flat array what pairs give within the core."""
        group = 2 * torch.bucketize(pairs.half_window, self._inner_bounds) + (pairs.damping >= WEAK_DAMPING)
        outside = (pairs.pixel < -self._core) | (pairs.pixel >= self._pixels.count + self._core)
        group = torch.where(outside, len(self._inner), group)
        parts = pairs.grouped(group, len(self._inner) + 1)[:-1]
        for (half, profile), part in zip(self._inner, parts, strict=True):
            offset = torch.arange(-half, half + 1, dtype=torch.int32, device=total.device)[:, None]
            for block in part.blocks(2 * half + 1):
                value = self._value(block, offset, profile)
                total.index_add_(0, (block.place + offset).view(-1), value.view(-1))

    def _add_wings(self, total: Tensor, pairs: _Pairs) -> None:
        """Add to the flat array what pairs give beyond the core."""
        group = torch.bucketize(pairs.half_window, self._outer_bounds)
        for half, part in zip(self._outer, pairs.grouped(group, len(self._outer)), strict=True):
            side = torch.arange(self._core + 1, half + 1, dtype=torch.int32, device=total.device)
            offset = torch.cat([-side.flip(0), side])[:, None]
            for block in part.blocks(2 * len(side)):
                value = self._value(block, offset, voigt_wing)
                # Pixels beyond either end are counted there, in the margin.
                pixel = (block.pixel + offset).clamp(-self._margin, self._pixels.count + self._margin - 1)
                total.index_add_(0, (pixel + (block.place - block.pixel)).view(-1), value.view(-1))

    def _value(self, pairs: _Pairs, offset: Tensor, profile: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Opacity (offsets, N) of pairs at pixels counted from the line centres."""
        distance = (offset.to(self._dtype) - pairs.shift) * pairs.scale
        excess = (pairs.strength * profile(pairs.damping, distance)).clamp(min=1.0)
        # The excess times (1 - 1 / excess^2)^2.
        inverse = 1.0 / excess
        return torch.addcmul(excess, inverse, inverse * inverse - 2.0) * pairs.threshold

    def _pairs(self, atmosphere: Atmosphere, background: Tensor) -> _Pairs:
        threshold = self._threshold * (1.0 + _SHALLOW / 10.0**atmosphere.log_tau)
        speed = torch.sqrt(
            2.0 * BOLTZMANN * atmosphere.temperature[..., None] / self._mass + atmosphere.microturbulence**2
        )
        strength = self._strength(atmosphere, background, speed, threshold)
        index = torch.nonzero(strength.flatten() > 1.0)[:, 0]
        n_lines, n_depths = strength.shape[-1], strength.shape[-2]
        row, line = index // n_lines, index % n_lines

        strength = strength.flatten().index_select(0, index)
        species = self._species[line]
        pair_speed = speed.to(self._dtype).flatten().index_select(0, row * speed.shape[-1] + species)
        width = self._radiative[line] + self._van_der_waals(atmosphere, row, line)
        electrons = atmosphere.n_electron * (atmosphere.temperature / WIDTH_TEMPERATURE) ** STARK_EXPONENT
        width = torch.addcmul(width, self._stark[line], electrons.to(self._dtype).flatten()[row])
        damping = width * self._damping_factor[line] / pair_speed
        scale = self._scale_factor[line] / pair_speed
        # Half the threshold each for a bound on the Doppler core and one on the damping wing of the Voigt function.
        reach = torch.maximum(torch.log(2.0 * strength), _WING_BOUND * damping * strength)
        return _Pairs(
            pixel=self._pixel[line],
            place=(row * (self._pixels.count + 2 * self._margin) + self._margin).to(torch.int32) + self._pixel[line],
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
