"""The spectra along the lattice's lines, and their scalar products with stars at any place of them.

Between two nodes the spline makes every pixel a cubic in the place lambda, 0 to 1. Its product with a weighted star is
a cubic too, its weighted square a polynomial of degree six: known at 4 and 7 places they are known everywhere. Only the
factor s that makes the median 0.5 is no polynomial; it is computed where a template is wanted (`medians`).

To keep the digits of float32, stars and spectra are taken relative to the mean spectrum m of a group. With T a spectrum
on the scale of its interval, tau the straight line between its medians (over 0.5) at the ends and U = T - tau m,

    x - s T = (x - m) - s U + (1 - s tau) m.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from torch import Tensor

from repro.bounds.posterior.law import Intervals
from repro.bounds.posterior.medians import medians_along
from repro.bounds.scaling import MEDIAN
from repro.labels import LABELS
from repro.spectra.lattice import Lattice

_SIXTHS: Final = np.arange(7) / 6.0
_THIRDS: Final = (0, 2, 4, 6)  # of `_SIXTHS`


@dataclass(frozen=True)
class Group:
    """Templates of some intervals whose spectra are alike; valid until the next group is made.

    Attributes:
        members: numbers of the m intervals.
        nodes: rows of the b nodes at their ends, (b,).
        ends: where in `nodes` each interval starts and ends, (m, 2).
        mean: m, (P,).
        node_shapes, node_squares: the nodes less `mean`, and their squares, (b, P) float32.
        thirds: U at one and two thirds, (2 m, P) float32.
        squares: squares of U at the inner five of seven places, (5 m, P) float32.
        tau: straight line between the medians over 0.5 at the ends, (m, r + 1) float64.
        scale: s, (m, r + 1) float64.
    """

    members: NDArray[np.intp]
    nodes: Tensor
    ends: Tensor
    mean: Tensor
    node_shapes: Tensor
    node_squares: Tensor
    thirds: Tensor
    squares: Tensor
    tau: Tensor
    scale: Tensor


@dataclass(frozen=True)
class Products:
    """Scalar products of R weighted stars with the templates of a group; see the module's text.

    cross, mean_cross: of U with the star and with m, at 4 places, (R, m, 4); square: of U with itself at 7, (R, m, 7);
    star_square, star_mean, mean_square: of the star and m with themselves, (R,).
    """

    cross: Tensor
    mean_cross: Tensor
    square: Tensor
    star_square: Tensor
    star_mean: Tensor
    mean_square: Tensor

    def misfit(self, group: Group, rows: Tensor, columns: Tensor, places: Tensor) -> Tensor:
        """Sum over pixels of w (x - s T)^2, (k, l) float64.

        Args:
            rows, columns: star and interval of each of the k results.
            places: which of the r + 1 places, (l,).
        """
        steps = group.scale.shape[1] - 1
        cubic, sextic = (torch.tensor(a[places.cpu().numpy()].T, device=rows.device) for a in _interpolation(steps))
        s = group.scale[columns[:, None], places]
        rest = 1.0 - s * group.tau[columns[:, None], places]
        cross = self.cross[rows, columns].double() @ cubic
        mean_cross = self.mean_cross[rows, columns].double() @ cubic
        square = self.square[rows, columns].double() @ sextic
        inner = s * (s * square - 2.0 * (cross + rest * mean_cross))
        outer = rest * (2.0 * self.star_mean[rows, None] + rest * self.mean_square[rows, None])
        return self.star_square[rows, None] + inner + outer


def products(group: Group, x: Tensor, weights: Tensor) -> Products:
    """Scalar products of stars (R, P), weighted with (R, P), with the templates of a group."""
    star = x - group.mean
    weighted, mean = weights * star, weights * group.mean
    m = len(group.members)
    tau = group.tau[:, [0, -1]].float()

    def at_ends(values: Tensor, power: int) -> Tensor:
        return values[:, group.ends] * tau**power

    def join(ends: Tensor, middle: Tensor) -> Tensor:
        return torch.cat([ends[..., :1], middle.reshape(len(x), m, -1), ends[..., 1:]], dim=2)

    return Products(
        cross=join(at_ends(weighted @ group.node_shapes.T, 1), weighted @ group.thirds.T),
        mean_cross=join(at_ends(mean @ group.node_shapes.T, 1), mean @ group.thirds.T),
        square=join(at_ends(weights @ group.node_squares.T, 2), weights @ group.squares.T),
        star_square=(weighted * star).sum(dim=1, dtype=torch.float64),
        star_mean=(weighted * group.mean).sum(dim=1, dtype=torch.float64),
        mean_square=(mean * group.mean).sum(dim=1, dtype=torch.float64),
    )


class Templates:
    """Makes groups of templates from the flux of the nodes.

    Args:
        flux: surface flux of the nodes, (N, P) float32, not normalised: the spline runs through it.
        median: of each, (N,).
        all_intervals: of the lattice.
        groups: numbers of the intervals that will be asked for together.
        refinement: templates an interval; its ends are shared with the neighbours.
    """

    def __init__(
        self,
        lattice: Lattice,
        flux: NDArray[np.float32],
        median: NDArray[np.float64],
        all_intervals: Intervals,
        groups: list[NDArray[np.intp]],
        refinement: int,
        device: torch.device,
    ) -> None:
        self._flux = flux
        self._intervals = all_intervals
        self._device = device
        self._refinement = refinement
        self._median = median
        self._hermite = hermite_weights(lattice, all_intervals)
        # kept: fresh memory costs more time than what is computed in it
        longest, pixels = max(len(members) for members in groups), flux.shape[1]
        self._corners = np.empty((longest, 4, pixels), dtype=np.float32)
        self._shapes = torch.empty((longest, 5, pixels), dtype=torch.float32, device=device)
        self._thirds = torch.empty((longest, 2, pixels), dtype=torch.float32, device=device)
        self._threads = ThreadPoolExecutor(torch.get_num_threads())

    def group(self, members: NDArray[np.intp]) -> Group:
        """Templates of the intervals `members`, of which those of one line stand together."""
        some = self._intervals.part(members)
        nodes, ends = np.unique(some.ends, return_inverse=True)
        unit = torch.tensor(self._flux[nodes] * (MEDIAN / self._median[nodes, None]).astype(np.float32))
        unit = unit.to(self._device)
        mean = unit.mean(dim=0)
        second = self._median[some.ends[:, 1]] / self._median[some.ends[:, 0]]
        places = np.arange(self._refinement + 1) / self._refinement
        corners = self._corners[: len(members)]
        medians = np.empty((len(members), len(places)))
        starts = np.flatnonzero(np.any(np.diff(some.line, axis=0, prepend=-2), axis=1))
        lines = [slice(*pair) for pair in zip(starts, [*starts[1:], len(members)], strict=True)]

        def along(line: slice) -> None:
            self.corners(members[line], corners[line])
            for number in range(line.start, line.stop):
                medians[number] = medians_along(corners[number], (MEDIAN, MEDIAN * second[number]), places)

        list(self._threads.map(along, lines))
        straight = torch.tensor(1.0 + (second - 1.0)[:, None] * _SIXTHS[1:-1], dtype=torch.float32)
        shapes = self._shapes[: len(members)]
        torch.matmul(_MIXING.to(self._device), torch.from_numpy(corners).to(self._device), out=shapes)
        shapes.addcmul_(straight.to(self._device)[:, :, None], mean, value=-1.0)
        thirds = self._thirds[: len(members)].copy_(shapes[:, [1, 3]])
        return Group(
            members=members,
            nodes=torch.tensor(nodes, device=self._device),
            ends=torch.tensor(ends.reshape(some.ends.shape), device=self._device),
            mean=mean,
            node_shapes=unit - mean,
            node_squares=(unit - mean) ** 2,
            thirds=thirds.flatten(end_dim=1),
            squares=shapes.square_().flatten(end_dim=1),
            tau=torch.tensor(1.0 + (second - 1.0)[:, None] * places, device=self._device),
            scale=torch.tensor(MEDIAN / medians, device=self._device),
        )

    def corners(self, members: NDArray[np.intp], out: NDArray[np.float32]) -> None:
        """Value and slope at 0 and at 1 of intervals of one line, on the scale of median 0.5 at 0, (m, 4, P)."""
        some = self._intervals.part(members)
        rows = some.line[0][some.line[0] >= 0]
        scale = MEDIAN / self._median[some.ends[:, 0]]
        weights = (self._hermite[members, :, : len(rows)] * scale[:, None, None]).astype(np.float32)
        np.matmul(weights.reshape(-1, len(rows)), self._flux[rows], out=out.reshape(-1, out.shape[2]))


def hermite_weights(lattice: Lattice, some: Intervals) -> NDArray[np.float64]:
    """Weights of the models of each interval's line in value and slope at its ends, (m, 4, K); slopes per interval."""
    result = np.zeros((len(some.axis), 4, some.line.shape[1]))
    for axis in np.unique(some.axis):
        of_axis = np.flatnonzero(some.axis == axis)
        positions = np.where(some.line[of_axis] >= 0, lattice.positions[some.line[of_axis], axis], -1)
        patterns, which = np.unique(positions, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            nodes = np.array(lattice.axes[LABELS[axis]])[pattern[pattern >= 0]]
            slopes = CubicSpline(nodes, np.eye(len(nodes)))(nodes, 1)
            members = of_axis[which.ravel() == number]
            first = some.place[members]
            step = (nodes[first + 1] - nodes[first])[:, None]
            for corner, weights in enumerate((np.eye(len(nodes)), slopes)):
                factor = step if corner else 1.0
                result[members, corner, : len(nodes)] = weights[first] * factor
                result[members, corner + 2, : len(nodes)] = weights[first + 1] * factor
    return result


def group_members(lattice: Lattice, some: Intervals) -> list[NDArray[np.intp]]:
    """Numbers of the intervals that share T_eff and [M/H] at both ends, in order of these."""
    position = lattice.positions[some.ends]  # (m, 2, 5)
    key = position[:, :, [LABELS.index("T_eff"), LABELS.index("M_H")]].reshape(len(some.axis), -1)
    which = np.unique(key, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(which, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(which[order])) + 1)


def _hermite_basis(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factors of value and slope at 0 and at 1 in the cubic at places, (n, 4)."""
    x = places
    return np.stack([(1 + 2 * x) * (1 - x) ** 2, x * (1 - x) ** 2, x**2 * (3 - 2 * x), x**2 * (x - 1)], axis=1)


_MIXING: Final = torch.tensor(_hermite_basis(_SIXTHS[1:-1]), dtype=torch.float32)


@lru_cache(maxsize=8)
def _interpolation(steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of 4 and of 7 equally spaced values in their polynomial at steps + 1 places, (steps + 1, 4 and 7)."""
    places = np.arange(steps + 1) / steps

    def weights(nodes: NDArray[np.float64]) -> NDArray[np.float64]:
        factors = [np.prod([(places - b) / (a - b) for b in nodes if b != a], axis=0) for a in nodes]
        return np.stack(factors, axis=1)

    return weights(_SIXTHS[list(_THIRDS)]), weights(_SIXTHS)
