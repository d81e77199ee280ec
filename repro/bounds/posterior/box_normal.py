"""Normal distributions cut to the unit box, drawn and evaluated coordinate after coordinate.

With the lower Cholesky root L of the covariance, coordinate j of mean + L z lies in the box when z_j lies between
limits that z_1 ... z_(j-1) fix; each z_j is drawn from the standard normal between its limits. All draws then lie in
the box, a point comes smoothly from uniform numbers (low-discrepancy ones too), and its density is known exactly: the
importance sampler of Geweke (1991, Computing Science and Statistics 23, 571), Hajivassiliou & McFadden and Keane (GHK).
It is not the normal distribution restricted to the box, which has no such density.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_LOG_ROOT_2PI: Final = 0.5 * math.log(2.0 * math.pi)
_TAIL: Final = -30.0


@dataclass(frozen=True)
class BoxNormal:
    """One such distribution on k coordinates.

    mean: (k,) inside the unit box.
    root: (k, k) lower Cholesky root of the covariance before the cut.
    """

    mean: Tensor
    root: Tensor

    def draw(self, uniform: Tensor) -> Tensor:
        """Points (n, k) strictly inside the box from uniform numbers (n, k)."""
        points = torch.empty_like(uniform)
        normal = torch.zeros_like(uniform)
        for j in range(uniform.shape[1]):
            centre, low, high = self._limits(normal, j)
            z = _between(low, high, uniform[:, j])
            points[:, j] = (centre + self.root[j, j] * z).clamp(1e-12, 1.0 - 1e-12)
            normal[:, j] = (points[:, j] - centre) / self.root[j, j]
        return points

    def log_density(self, points: Tensor) -> Tensor:
        """Natural logarithm of the density, (n,), at points (n, k) of the box."""
        normal = torch.linalg.solve_triangular(self.root, (points - self.mean).T, upper=False).T
        result = -torch.log(self.root.diagonal()).sum() - _LOG_ROOT_2PI * points.shape[1] - 0.5 * (normal**2).sum(dim=1)
        for j in range(points.shape[1]):
            _, low, high = self._limits(normal, j)
            result = result - _log_mass(low, high)
        return result

    def _limits(self, normal: Tensor, j: int) -> tuple[Tensor, Tensor, Tensor]:
        """Conditional mean of coordinate j and the standard normal limits of z_j, (n,) each."""
        centre = self.mean[j] + normal[:, :j] @ self.root[j, :j]
        return centre, -centre / self.root[j, j], (1.0 - centre) / self.root[j, j]


@dataclass(frozen=True)
class Mixture:
    """A mixture of distributions on the unit box with shares that add up to 1."""

    parts: Sequence[BoxNormal]
    shares: Sequence[float]

    def draw(self, uniform: Tensor) -> Tensor:
        """Points (n, k) from uniform numbers (n, 1 + k), the first of which chooses the part."""
        points = torch.empty_like(uniform[:, 1:])
        edges = torch.tensor(self.shares, dtype=uniform.dtype, device=uniform.device).cumsum(0)
        chosen = torch.searchsorted(edges[:-1].contiguous(), uniform[:, 0].contiguous(), right=True)
        for number, part in enumerate(self.parts):
            rows = chosen == number
            points[rows] = part.draw(uniform[rows, 1:])
        return points

    def log_density(self, points: Tensor) -> Tensor:
        """Natural logarithm of the density, (n,), at points (n, k) of the box."""
        parts = [
            math.log(share) + part.log_density(points) for part, share in zip(self.parts, self.shares, strict=True)
        ]
        return torch.logsumexp(torch.stack(parts), dim=0)


def _lower_half(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whether limits lie in the upper half, and they mirrored into the lower one, where no digits are lost."""
    upper = low + high > 0.0
    return upper, torch.where(upper, -high, low), torch.where(upper, -low, high)


def _between(low: Tensor, high: Tensor, uniform: Tensor) -> Tensor:
    """Standard normal numbers between limits, by the inverse distribution function of uniform numbers, (n,) all."""
    upper, left, right = _lower_half(low, high)
    below, above = torch.special.ndtr(left), torch.special.ndtr(right)
    share = torch.where(upper, 1.0 - uniform, uniform)
    z = torch.special.ndtri(below + share * (above - below))
    # beyond `_TAIL` probabilities are not numbers any more; there ln P(< z) = -z^2 / 2 to a thousandth
    z = torch.where(right < _TAIL, -torch.sqrt(right**2 - 2.0 * torch.log(share)), z)
    z = torch.minimum(torch.maximum(z, left), right)
    return torch.where(upper, -z, z)


def _log_mass(low: Tensor, high: Tensor) -> Tensor:
    """ln of the standard normal probability between limits, (n,)."""
    _, left, right = _lower_half(low, high)
    below, above = torch.special.log_ndtr(left), torch.special.log_ndtr(right)
    return above + torch.log1p(-torch.exp(below - above))
