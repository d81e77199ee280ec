"""First and second moments of spectra and a label, summed up in one pass: all that a linear model needs.

With X the flux about its mean, rows times the root of their weight, and y alike, every linear model here is a function
of X'X and X'y, or, where there are fewer spectra than pixels, of the smaller XX' and y. Memory does not depend on the
number of spectra, and one pass serves penalties, rank cuts, components, units and choices of pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import blas
from torch import Tensor

from repro.errors import DataError, ParameterError
from repro.models.factors import Band, Eigen, banded, eigen
from repro.models.protocol import Array
from repro.training.spectra import Source, as_source, blocks

_ROWS: Final = 1024  # spectra summed up together: 34 MB of float64
_TILE: Final = 512

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Normal equations of spectra (n, P), in units of their pixels, float64.

    Attributes:
        count: number of spectra n.
        total: sum of their weights.
        center: mean flux of all pixels, (P,).
        offset: mean of y.
        pixels: those that the equations are about, (p,).
        unit: flux units that a coefficient is about, (p,): 1, or the standard deviation of each pixel.
        matrix: X'X (p, p), or XX' (n, n) where n < p.
        right: X'y (p,), or y (n,).
        rows: X (n, p) where `matrix` is XX'; otherwise None.
    """

    count: int
    total: float
    center: Tensor
    offset: float
    pixels: Tensor
    unit: Tensor
    matrix: Tensor
    right: Tensor
    rows: Tensor | None

    @property
    def mean(self) -> Float64:
        """Mean flux, (P,)."""
        return self._host(self.center)

    @property
    def deviation(self) -> Float64:
        """Standard deviation of the flux of each of `pixels` over the spectra, (p,)."""
        return self._host(torch.sqrt(self._variance()) * self.unit)

    @cached_property
    def band(self) -> Band:
        """`matrix` as a band matrix: for penalties and Krylov spaces. Computed once."""
        return banded(self.matrix)

    @cached_property
    def eigen(self) -> Eigen:
        """Eigenvalues and eigenvectors of `matrix`: for cuts by rank. Computed once."""
        return eigen(self.matrix)

    def standardised(self) -> "Moments":
        """The same spectra in units of the standard deviation of each pixel (1 where a pixel is constant)."""
        variance = self._variance()
        # a variance that rounding alone could have made: scikit-learn's `_is_constant_feature`
        eps = np.finfo(np.float64).eps
        rounding = self.count * eps * variance + (self.count * eps * self.center[self.pixels] / self.unit) ** 2
        scale = torch.where(variance > rounding, torch.sqrt(variance), 1.0)
        return self._of(self.pixels, self.unit * scale, scale)

    def subset(self, pixels: NDArray[np.integer[Any]]) -> "Moments":
        """The normal equations of some of the pixels; the coefficients of the others are zero.

        Raises:
            ParameterError: a number that is no pixel, or twice the same.
        """
        wanted = torch.as_tensor(np.asarray(pixels, dtype=np.int64), device=self.pixels.device)
        place = torch.full((len(self.center),), -1, dtype=torch.int64, device=wanted.device)
        place[self.pixels] = torch.arange(len(self.pixels), device=wanted.device)
        legal = wanted.numel() > 0 and int(wanted.min()) >= 0 and int(wanted.max()) < len(place)
        if not legal or len(torch.unique(wanted)) < len(wanted) or int(place[wanted].min()) < 0:
            raise ParameterError(f"linear model: {len(wanted)} pixels must be different ones of {len(self.pixels)}")
        return self._of(wanted, self.unit[place[wanted]], None, place[wanted])

    def lifted(self, columns: Tensor) -> Float64:
        """Coefficients (P, A) in label units per unit of flux, of solutions (m, A) of the normal equations."""
        found = (self.rows.T @ columns if self.rows is not None else columns) / self.unit[:, None]
        every = torch.zeros(len(self.center), found.shape[1], dtype=torch.float64, device=found.device)
        every[self.pixels] = found
        return self._host(every)

    def _of(self, pixels: Tensor, unit: Tensor, scale: Tensor | None, place: Tensor | None = None) -> "Moments":
        """Moments of the pixels at `place`, divided by `scale`."""
        if self.rows is None:
            matrix, right = self.matrix, self.right
            if place is not None:
                matrix, right = matrix[place][:, place], right[place]
            if scale is not None:
                matrix, right = matrix / scale / scale[:, None], right / scale
            return replace(self, pixels=pixels, unit=unit, matrix=matrix, right=right)
        rows = self.rows if place is None else self.rows[:, place]
        rows = rows if scale is None else rows / scale
        return replace(self, pixels=pixels, unit=unit, **_of_rows(rows, self.right))

    def _variance(self) -> Tensor:
        """Variance of each of `pixels` in its unit, (p,)."""
        square = self.matrix.diagonal() if self.rows is None else (self.rows**2).sum(dim=0)
        return square.clamp(min=0.0) / self.total

    @staticmethod
    def _host(values: Tensor) -> Float64:
        found: Float64 = values.cpu().numpy()
        return found


def moments(
    flux: Array | Source, y: Array, *, weight: Array | None = None, device: str | torch.device = "cpu"
) -> Moments:
    """Moments of noisy flux (n, P), or of presentation 0 of a source of it, with labels y (n,), in one pass.

    Args:
        weight: (n,) of the spectra, not negative.
        device: where they are summed up.

    Raises:
        DataError: shapes that do not fit, or values that are not finite.
    """
    source = as_source(flux, device)
    target, weights = _checked(source, y, weight)
    total = float(weights.sum())
    offset = float(weights @ target / total)
    summed = _summed if source.shape[0] >= source.shape[1] else _kept
    center, equations = summed(source, target - offset, weights, total)
    if not torch.isfinite(center).all():
        raise DataError("linear model: the flux to be learnt from is not finite")
    pixels = torch.arange(source.shape[1], device=center.device)
    unit = torch.ones_like(center)
    return Moments(source.shape[0], total, center, offset, pixels, unit, **equations)


def at_level(known: Mapping[float, Moments], level: float) -> Moments:
    """Moments at another noise level of the same spectra and deviates, without going through them again.

    Flux is F + level E, so that its moments are polynomials of second degree in the level and follow from those at
    three levels (Lagrange). They differ from summed ones by the rounding of flux and level to float32 alone.

    Args:
        known: moments of unscaled pixels at three levels.

    Raises:
        ParameterError: not three levels, or moments that do not belong together.
    """
    first, *others = known.values()
    if len(known) != 3 or any(o.count != first.count or o.matrix.shape != first.matrix.shape for o in others):
        raise ParameterError("linear model: a noise level follows from moments of the same spectra at three levels")
    share = {a: float(np.prod([(level - b) / (a - b) for b in known if b != a])) for a in known}

    def blend(name: str) -> Any:
        if getattr(first, name) is None:
            return None
        return sum(share[at] * getattr(found, name) for at, found in known.items())

    return replace(first, **{name: blend(name) for name in ("center", "matrix", "right", "rows")})


def _checked(source: Source, y: Array, weight: Array | None) -> tuple[Float64, Float64]:
    count = source.shape[0]
    target = np.asarray(y, dtype=np.float64)
    weights = np.ones(count) if weight is None else np.asarray(weight, dtype=np.float64)
    for name, values in (("y", target), ("sample_weight", weights)):
        if values.shape != (count,) or not np.isfinite(values).all():
            raise DataError(f"linear model: {name} must hold {count} finite numbers; it has shape {values.shape}")
    if not ((weights >= 0).all() and weights.sum() > 0):
        raise DataError("linear model: sample weights must not be negative, and not all zero")
    return target, weights


def _summed(source: Source, y: Float64, weight: Float64, total: float) -> tuple[Tensor, dict[str, Any]]:
    """Mean flux, and X'X with X'y, summed over blocks of spectra."""
    gram: Gram | None = None
    for rows, flux in blocks(source, 0, _ROWS):
        if gram is None:  # about the mean of the first block, so that the step to the mean of all loses no digits
            pivot = flux.double().mean(dim=0)
            gram = Gram(source.shape[1], flux.device)
            shift, right = torch.zeros_like(pivot), torch.zeros_like(pivot)
        x, w = flux.double() - pivot, _on(weight[rows], flux)
        shift += w @ x
        right += (_on(y[rows], flux) * w) @ x
        gram.add(x * torch.sqrt(w)[:, None])
    assert gram is not None  # `_checked` refuses an empty set
    shift /= total
    step = shift * total**0.5
    return pivot + shift, {"matrix": gram.symmetric().addr_(step, step, alpha=-1.0), "right": right, "rows": None}


def _kept(source: Source, y: Float64, weight: Float64, total: float) -> tuple[Tensor, dict[str, Any]]:
    """Mean flux, and XX' with y, of spectra that are fewer than pixels."""
    flux = torch.cat([block for _, block in blocks(source, 0)]).double()
    w = _on(weight, flux)
    center = w @ flux / total
    return center, _of_rows((flux - center) * torch.sqrt(w)[:, None], _on(y, flux) * torch.sqrt(w))


def _of_rows(rows: Tensor, y: Tensor) -> dict[str, Any]:
    """The smaller of X'X and XX' from X (n, p), with what belongs to it."""
    if rows.shape[0] >= rows.shape[1]:
        gram = Gram(rows.shape[1], rows.device)
        gram.add(rows)
        return {"matrix": gram.symmetric(), "right": rows.T @ y, "rows": None}
    gram = Gram(rows.shape[0], rows.device)
    gram.add(rows.T.contiguous())
    return {"matrix": gram.symmetric(), "right": y, "rows": rows}


class Gram:
    """Sum of x'x over blocks x (b, k), float64; on a processor the symmetric product of BLAS takes half the work."""

    def __init__(self, size: int, device: torch.device) -> None:
        self._sum = torch.zeros(size, size, dtype=torch.float64, device=device)

    def add(self, x: Tensor) -> None:
        """Add the products of one block."""
        if x.is_cuda:
            self._sum.addmm_(x.T, x)
        else:  # in place: the order of BLAS is that of the transpose here, so that the upper triangle is summed up
            blas.dsyrk(1.0, x.contiguous().numpy().T, beta=1.0, c=self._sum.numpy().T, lower=1, overwrite_c=1)

    def symmetric(self) -> Tensor:
        """The sum, both triangles of it."""
        found = self._sum
        for first in range(0, len(found) if not found.is_cuda else 0, _TILE):
            last = first + _TILE
            found[last:, first:last] = found[first:last, last:].T
            corner = found[first:last, first:last]
            corner.copy_(corner.triu() + corner.triu(1).T)
        return found


def _on(values: NDArray[Any], other: Tensor) -> Tensor:
    """float64 values on the device of another tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64)).to(other.device)
