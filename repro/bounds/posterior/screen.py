"""A first look: which intervals can carry mass for which star, and a template near each star.

All stars are compared with all nodes under the same weights, those of a mean spectrum at the middle of the law. Along
an interval spectra are taken to run straight; the misfit is then a parabola, known from its ends and their distance.
Where the ends are far apart that is no good: the interval is cut into eighths by spectra of the spline.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.posterior.direct import line_labels
from repro.bounds.posterior.law import Intervals
from repro.bounds.posterior.medians import row_medians
from repro.bounds.scaling import MEDIAN
from repro.labels import LABELS
from repro.spectra.interpolate import spline_along_axis
from repro.spectra.nodes import NodeGrid

_BLOCK: Final = 512  # nodes at a time
_BOW: Final = 0.05  # squared distance of spectra from the straight line that is allowed for, over that of the ends
_FAR: Final = 60.0  # squared distance of the ends, in units of the mean spectrum's noise, from which intervals are cut
_CUTS: Final = 8


@dataclass(frozen=True)
class Start:
    """A template near each star, found from its flux alone.

    Attributes:
        node: row of a node beside it, (n,).
        template: its flux, (n, P) float32.
        zero_point: of it, (n,) float64.
    """

    node: Tensor
    template: Tensor
    zero_point: Tensor


class Screen:
    """Judges intervals for stars (n, P).

    Args:
        grid: the nodes.
        flux: theirs, of median 0.5, (N, P) float32.
        zero_point: theirs, (N,) float64.
        weights: 1 / variance of a typical star, (P,).
        margin: intervals are wanted if ln p may come this close to the best.

    Attributes:
        start: a template near each star.
        wanted: for each group of intervals, whether any of them is wanted, (n, groups) bool.
    """

    def __init__(
        self,
        x: Tensor,
        grid: NodeGrid,
        flux: Tensor,
        zero_point: Tensor,
        all_intervals: Intervals,
        groups: list[NDArray[np.intp]],
        weights: Tensor,
        margin: float,
    ) -> None:
        self._intervals, self._weights = all_intervals, weights
        self._misfit = misfits(x, flux, weights)
        self._level = self._misfit.min(dim=1, keepdim=True).values / x.shape[1]
        self._distance = torch.cat(
            [
                _distance(flux, ends, weights)
                for ends in np.array_split(all_intervals.ends, len(all_intervals.ends) // 512 + 1)
            ]
        )
        far = (self._distance > _FAR).nonzero()[:, 0].cpu().numpy()
        self._column = np.full(len(all_intervals.axis), -1)
        self._column[far] = np.arange(len(far))
        self._least, place = self._cut(x, grid, far)
        best = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
        member = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        possible = []
        for members in groups:
            score, allowance = self._score(members, slice(None))
            possible.append((score + allowance).max(dim=1).values)
            highest, column = score.max(dim=1)
            member = torch.where(highest > best, torch.tensor(members, device=x.device)[column], member)
            best = torch.maximum(best, highest)
        self._bar = best - margin
        self.wanted = torch.stack(possible, dim=1) >= self._bar[:, None]
        self.start = self._start(grid, member.cpu().numpy(), place, x.device)

    def pairs(self, members: NDArray[np.intp], stars: Tensor) -> Tensor:
        """Which of the intervals are wanted for which of the stars: places in both lists, (k, 2)."""
        score, allowance = self._score(members, stars)
        return (score + allowance >= self._bar[stars, None]).nonzero()

    def _score(self, members: NDArray[np.intp], stars: Tensor | slice) -> tuple[Tensor, Tensor]:
        """ln of the greatest density in each interval if spectra ran straight, and what a bow may add; (n, m)."""
        misfit, level = self._misfit[stars], self._level[stars]
        ends = torch.tensor(self._intervals.ends[members], device=misfit.device)
        distance = self._distance[members]
        least = _lowest(misfit[:, ends[:, 0]], misfit[:, ends[:, 1]], distance)[0]
        column = self._column[members]
        far = np.flatnonzero(column >= 0)
        least[:, far] = self._least[stars][:, column[far]]
        bow = _BOW * distance / torch.tensor(np.where(column >= 0, _CUTS**2, 1.0), device=misfit.device)
        prior = torch.tensor(self._intervals.log_prior[members], device=misfit.device)
        return prior - 0.5 * len(self._weights) * torch.log(least.clamp(min=1.0)), bow / level

    def _cut(self, x: Tensor, grid: NodeGrid, far: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Least misfit of each of the intervals `far` when cut into pieces, and where it is, 0 to 1; (n, m) each."""
        least = torch.empty((len(x), len(far)), dtype=torch.float32, device=x.device)
        place = torch.empty_like(least)
        at_once = _BLOCK // (_CUTS + 1)
        for first in range(0, len(far), at_once):
            members = far[first : first + at_once]
            flux = _spectra(grid, self._intervals, members, np.arange(_CUTS + 1) / _CUTS)[0].to(x.device)
            misfit = misfits(x, flux.flatten(end_dim=1), self._weights).reshape(len(x), len(members), -1)
            step = flux[:, 1:] - flux[:, :-1]
            lowest, along = _lowest(misfit[:, :, :-1], misfit[:, :, 1:], (step * step) @ self._weights)
            here, piece = lowest.min(dim=2)
            least[:, first : first + at_once] = here
            place[:, first : first + at_once] = (piece + along.gather(2, piece[..., None])[..., 0]) / _CUTS
        return least, place

    def _start(self, grid: NodeGrid, member: NDArray[np.intp], cut_place: Tensor, device: torch.device) -> Start:
        rows = np.arange(len(member))
        ends = torch.tensor(self._intervals.ends[member], device=device)
        star = torch.arange(len(member), device=device)
        place = _lowest(self._misfit[star, ends[:, 0]], self._misfit[star, ends[:, 1]], self._distance[member])[1]
        places = place.cpu().numpy().astype(np.float64)
        column = self._column[member]
        cut = column >= 0
        places[cut] = cut_place.cpu().numpy()[rows[cut], column[cut]]
        flux, zero_point = _spectra(grid, self._intervals, member, places[:, None])
        return Start(ends[:, 0], flux[:, 0].to(device), zero_point[:, 0].to(device))


def misfits(x: Tensor, flux: Tensor, weights: Tensor) -> Tensor:
    """Sum over pixels of weights (P,) times (x (n, P) - flux (N, P))^2, the same weights for all: (n, N) float32."""
    mean = flux.mean(dim=0)
    weighted = (x - mean) * weights
    result = (weighted * (x - mean)).sum(dim=1, keepdim=True).repeat(1, len(flux))
    for first in range(0, len(flux), _BLOCK):
        part = flux[first : first + _BLOCK] - mean
        result[:, first : first + _BLOCK] += (part * part) @ weights
        result[:, first : first + _BLOCK].addmm_(weighted, part.T, alpha=-2.0)
    return result


def _lowest(first: Tensor, last: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
    """Least misfit on the straight line between spectra of misfits `first` and `last`, and where it is, 0 to 1."""
    place = (0.5 + 0.5 * (first - last) / distance.clamp(min=1e-6)).clamp(0.0, 1.0)
    return (1 - place) * first + place * last - place * (1 - place) * distance, place


def _distance(flux: Tensor, ends: NDArray[np.intp], weights: Tensor) -> Tensor:
    step = flux[ends[:, 1]] - flux[ends[:, 0]]
    return (step * step) @ weights


def _spectra(
    grid: NodeGrid, some: Intervals, members: NDArray[np.intp], places: NDArray[np.float64]
) -> tuple[Tensor, Tensor]:
    """Flux of median 0.5, (m, l, P) float32, and zero points, (m, l), at places (l,) or (m, l) of intervals (m,)."""
    places = np.broadcast_to(places, (len(members), places.shape[-1]))
    numbers = np.repeat(members, places.shape[1])
    labels = line_labels(grid, some, numbers, places.ravel())
    flux, zero_point = spline_along_axis(grid, np.array(LABELS)[some.axis[numbers]], labels)
    scale = MEDIAN / row_medians(flux.astype(np.float32))
    shape = places.shape
    unit = torch.tensor((flux * scale[:, None]).astype(np.float32)).reshape(*shape, -1)
    return unit, torch.tensor(zero_point - 2.5 * np.log10(scale)).reshape(shape)
