"""The opacity in front of which the atomic lines stand: continuum, Paschen lines and the levels that have merged.

It is computed on a coarse grid that is fine only around the Paschen lines, and interpolated.
"""

from math import asinh, ceil, sinh
from typing import Final

import torch
from torch import Tensor

from repro.physics.atmosphere import Atmosphere
from repro.physics.continuum import continuum_opacity
from repro.physics.hydrogen import SERIES_LIMIT, PaschenLines, paschen_wave, pseudo_continuum

_HIGHEST_LEVEL: Final = 40
_LOWEST_LEVEL: Final = 9
_CORE_SPACING: Final = 0.05  # A, a sixth of the Doppler width of hydrogen
_GROWTH: Final = 0.2  # spacing over distance in the line wings
_WIDEST: Final = 20.0  # A
_GAP: Final = 1e-6  # A, from the series limit to the nodes beside it
_POINTS: Final = 4  # of the interpolation


def line_nodes(low: float, high: float) -> Tensor:
    """Ascending wavelengths (M,) [A] from `low` to beyond `high`, dense around the Paschen lines.

    Two of them stand on either side of the series limit, where the slope of the opacity jumps.
    """
    levels = torch.arange(_HIGHEST_LEVEL, _LOWEST_LEVEL - 1, -1, dtype=torch.float64)
    centres = paschen_wave(levels).tolist()
    ends = [0.5 * (a + b) for a, b in zip(centres[:-1], centres[1:], strict=True)] + [centres[-1] + 100.0]
    start = SERIES_LIMIT + _GAP
    nodes = [start]
    for centre, end in zip(centres, ends, strict=True):
        nodes += [centre - offset for offset in reversed(_offsets(centre - start)[:-1])]
        nodes += [centre + offset for offset in _offsets(end - centre)[1:]]
        start = end
    nodes = [node for node in nodes if node < high + 4.0 * _WIDEST]
    blue = [SERIES_LIMIT - _GAP - offset for offset in reversed(_offsets(SERIES_LIMIT - _GAP - low))]
    return torch.tensor(blue + nodes, dtype=torch.float64)


def smooth_nodes(low: float, high: float) -> Tensor:
    """Ascending wavelengths (M,) [A] from `low` to `high` for the continuum, two of them around the series limit."""
    pieces = []
    for start, stop in ((low, min(high, SERIES_LIMIT - _GAP)), (max(low, SERIES_LIMIT + _GAP), high)):
        if stop > start:
            count = max(_POINTS, 1 + ceil((stop - start) / _WIDEST))
            pieces.append(torch.linspace(start, stop, count, dtype=torch.float64))
    return torch.cat(pieces)


def _offsets(distance: float) -> list[float]:
    """Distances 0 ... `distance` from a line centre, with spacing from _CORE_SPACING growing to _WIDEST."""
    unit = _CORE_SPACING / _GROWTH
    count = ceil(asinh(distance / unit) / _GROWTH)
    step = asinh(distance / unit) / count
    offsets = [unit * sinh(step * k) for k in range(count)] + [distance]
    fine = [x for x in offsets if x * _GROWTH < _WIDEST]
    if len(fine) == len(offsets):
        return offsets
    rest = max(1, ceil((distance - fine[-1]) / _WIDEST))
    return fine + [fine[-1] + (distance - fine[-1]) * k / rest for k in range(1, rest + 1)]


class Interpolation:
    """Cubic interpolation from nodes to wavelengths, within each side of the series limit."""

    def __init__(self, nodes: Tensor, wave: Tensor, dtype: torch.dtype) -> None:
        """nodes (M,) ascending, at least four on each side of the limit that is in use; wave (W,) within them."""
        split = int((nodes < SERIES_LIMIT).sum())
        blue = wave < SERIES_LIMIT
        first = torch.searchsorted(nodes, wave) - _POINTS // 2
        lowest = torch.where(blue, 0, split)
        highest = torch.where(blue, split, len(nodes)) - _POINTS
        self._first = torch.minimum(torch.maximum(first, lowest), highest)
        points = nodes[self._first + torch.arange(_POINTS, device=nodes.device)[:, None]]
        weights = torch.ones_like(points)
        for i in range(_POINTS):
            for j in range(_POINTS):
                if i != j:
                    weights[i] *= (wave - points[j]) / (points[i] - points[j])
        self._weights = weights.to(dtype)

    def __call__(self, values: Tensor) -> Tensor:
        """Values (..., M) at the nodes to values (..., W) at the wavelengths."""
        rows = values.flatten(0, -2)  # of two dimensions index_select is several times faster
        total = self._weights[0] * rows.index_select(1, self._first)
        for point in range(1, _POINTS):
            total = total + self._weights[point] * rows.index_select(1, self._first + point)
        return total.unflatten(0, values.shape[:-1])


class Background:
    """Opacity of continuum, Paschen lines and merged levels."""

    def __init__(self, wave: Tensor, dtype: torch.dtype) -> None:
        """wave (W,): ascending wavelengths [A], float64, on the device to work on."""
        low, high = float(wave[0]), float(wave[-1])
        self._nodes = line_nodes(low - 1.0, high).to(wave.device)
        self._lines = PaschenLines(self._nodes, dtype)
        self._dtype = dtype

    @property
    def nodes(self) -> Tensor:
        """Wavelengths (M,) [A] of the opacity."""
        return self._nodes

    def opacity(self, atmosphere: Atmosphere) -> Tensor:
        """Opacity (B, D, M) at the nodes, in units of the reference opacity."""
        continuum = relative_continuum(atmosphere, self._nodes).to(self._dtype)
        scale = (1.0 / atmosphere.reference_opacity).to(self._dtype)[..., None]
        return continuum + self._lines.opacity(atmosphere) * scale


def relative_continuum(atmosphere: Atmosphere, wave: Tensor) -> Tensor:
    """Continuous opacity (B, D, W), merged levels included, in units of the reference opacity."""
    opacity = continuum_opacity(atmosphere, wave) + pseudo_continuum(atmosphere, wave)
    return opacity / atmosphere.reference_opacity[..., None]
