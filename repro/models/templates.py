"""The spectra of a node grid and a spline through them, with its slopes, in few directions: for many stars at once.

The spline is that of `spectra.interpolate.TensorSpline`, through the surface flux as it is: along a line of the lattice
it gives what the spectrum sets were made of.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import PPoly
from torch import Tensor
from torch.nn.functional import embedding_bag

from repro.spectra.interpolate import BSplines
from repro.spectra.lattice import Lattice
from repro.spectra.lowrank import blocks, principal_directions
from repro.spectra.nodes import NodeGrid

RANK: Final = 128  # directions: they keep the flux of 10 080 nodes to 1.4e-4 of its median, rms


class Templates:
    """The spectra of a node grid and a spline through them, in their leading directions.

    Args:
        lattice: of the N nodes; where some are missing there is no spline, and labels are those of nodes.
        basis: directions, (r, P), orthonormal.
        nodes: coefficients of the nodes' flux, in any unit, (N, r) float32.
    """

    def __init__(
        self,
        lattice: Lattice,
        basis: NDArray[np.float64],
        nodes: NDArray[np.float32],
        device: str | torch.device = "cpu",
    ) -> None:
        self.lattice = lattice
        self.device = torch.device(device)
        self.basis = torch.from_numpy(basis).to(self.device)
        self.nodes = torch.from_numpy(nodes).to(self.device)
        self._axes: list[_Axis] | None = None
        if lattice.missing:
            return
        cube = lattice.reshape(nodes.astype(np.float64))
        splines = [BSplines(values) for values in lattice.axes.values()]
        for axis, spline in enumerate(splines):
            cube = spline.coefficients(cube, axis)
        self._coefficients = torch.from_numpy(cube.reshape(nodes.shape)).float().to(self.device)
        ends = [(values[0], values[-1]) for values in lattice.axes.values()]
        self._axes = [_Axis(*both, self.device) for both in zip(splines, ends, strict=True)]
        self.low, self.high = torch.tensor(ends, dtype=torch.float64, device=self.device).T

    @classmethod
    def of(cls, grid: NodeGrid, rank: int = RANK, device: str | torch.device = "cpu") -> "Templates":
        """Those of a node grid, in `rank` directions; in all there are if its nodes or pixels are fewer."""
        n_nodes, n_pixels = grid.flux.shape
        basis = principal_directions(lambda rows: _unit_median(grid.flux[rows]), n_nodes, n_pixels, rank)
        unit = float(np.median(grid.flux[::64]))
        nodes = np.concatenate([grid.flux[rows] / unit @ basis.T for rows in blocks(n_nodes)])
        return cls(grid.lattice, basis, nodes.astype(np.float32), device)

    @property
    def continuous(self) -> bool:
        """Whether there are templates between the nodes."""
        return self._axes is not None

    def at(self, labels: Tensor) -> Tensor:
        """Coefficients of the flux at labels (n, 5) and of its derivatives by each label, (n, 6, r) float32."""
        assert self._axes is not None
        n = len(labels)
        place = torch.zeros(n, 1, dtype=torch.int64, device=self.device)
        weight = torch.ones(n, 6, 1, device=self.device)
        for column, axis in enumerate(self._axes):
            first, value, slope = axis(labels[:, column])
            here = first[:, None] + torch.arange(value.shape[1], device=self.device)
            place = (place[:, :, None] * axis.size + here[:, None, :]).flatten(1)
            along = value[:, None].repeat(1, 6, 1)
            along[:, column + 1] = slope
            weight = (weight[..., None] * along.float()[:, :, None]).flatten(2)
        sums = embedding_bag(
            place[:, None].expand_as(weight).flatten(),
            self._coefficients,
            torch.arange(0, weight.numel(), weight.shape[2], device=self.device),
            mode="sum",
            per_sample_weights=weight.flatten(),
        )
        return sums.reshape(n, 6, -1)


class _Axis:
    """B-splines of one axis as polynomials in each of their intervals; on the ends the first and last are used."""

    def __init__(self, spline: BSplines, ends: tuple[float, float], device: torch.device) -> None:
        self.size, degree = spline.size, spline.degree
        knots = spline.knots[degree : spline.size + 1] if degree else np.array(ends)
        powers = np.ones((1, 1, 1))
        if degree:
            powers = np.empty((len(knots) - 1, degree + 1, degree + 1))  # interval, spline, power
            for number, unit in enumerate(np.eye(spline.size)):
                pieces = PPoly.from_spline((spline.knots, unit, degree)).c[::-1, degree : spline.size]
                for interval in range(max(0, number - degree), min(number + 1, len(powers))):
                    powers[interval, number - interval] = pieces[:, interval]
        self._powers = torch.from_numpy(powers).to(device)
        self._knots = torch.from_numpy(np.ascontiguousarray(knots)).to(device)

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of points (n,): the first B-spline that is not 0, (n,), and value and slope of the k + 1, (n, k + 1)."""
        interval = torch.searchsorted(self._knots[1:-1].contiguous(), points.contiguous(), right=True)
        powers = self._powers[interval]
        x = (points - self._knots[interval])[:, None]
        value, slope = torch.zeros_like(powers[..., 0]), torch.zeros_like(powers[..., 0])
        for power in reversed(range(powers.shape[2])):
            slope = slope * x + value
            value = value * x + powers[..., power]
        return interval, value, slope


def _unit_median(flux: NDArray[np.float32]) -> NDArray[np.float64]:
    return flux / np.median(flux, axis=1, keepdims=True).astype(np.float64)
