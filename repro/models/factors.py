"""Two factorisations of a symmetric matrix that serve many linear models each.

`Band`: Q'AQ = B of few diagonals, by block reflectors (Bischof, Lang & Sun 2000, ACM TOMS 26, 581). All of its work is
in matrix products, so that it takes half the time of a reduction to tridiagonal form and less on several cores. Every
penalty is then the solution of a band system, and a Krylov space costs no product with A.

`Eigen`: eigenvalues, and what functions of A do to a vector. The eigenvectors S of the tridiagonal T = Q'AQ are all
that this needs: QS itself, which takes as long again, is never formed (Golub & Van Loan 2013, Matrix Computations,
8.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, blas, eigh_tridiagonal, lapack, solveh_banded
from torch import Tensor

from repro.errors import DataError

WIDTH: Final = 96  # diagonals below the main one: of 32, 64, 96 the fastest for 4096 pixels

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """A symmetric matrix A = Q B Q' (m, m).

    Attributes:
        diagonals: of B, the main one first, then those below it, (w + 1, m), as LAPACK stores them.
        turns: first row, V (r, k) and T (k, k) of each factor 1 - V T V' of Q.
    """

    diagonals: Float64
    turns: Sequence[tuple[int, Tensor, Tensor]]

    def turned(self, right: Tensor) -> Float64:
        """Q' times a vector (m,)."""
        found = right.clone()
        for first, v, t in self.turns:
            found[first:] -= v @ (t.T @ (v.T @ found[first:]))
        result: Float64 = found.cpu().numpy()
        return result

    def back(self, columns: Float64, like: Tensor) -> Tensor:
        """Q times columns (m, A), on the device of `like`."""
        found = torch.from_numpy(np.array(columns)).to(like.device)
        for first, v, t in reversed(self.turns):
            found[first:] -= v @ (t @ (v.T @ found[first:]))
        return found

    def times(self, vector: Float64) -> Float64:
        """B times a vector (m,)."""
        found: Float64 = blas.dsbmv(len(self.diagonals) - 1, 1.0, self.diagonals, vector, lower=1)
        return found

    def solutions(self, right: Tensor, shifts: Sequence[float] | Float64) -> Tensor:
        """Solutions (m, A) of (A + shift) x = right (m,) for every shift.

        Raises:
            DataError: a shift so small that the sum is not positive definite in float64.
        """
        turned, shifted = self.turned(right), self.diagonals.copy()
        columns = np.empty((len(turned), len(shifts)))
        for column, shift in enumerate(shifts):
            shifted[0] = self.diagonals[0] + shift
            try:
                columns[:, column] = solveh_banded(shifted, turned, lower=True)
            except (LinAlgError, ValueError) as error:
                raise DataError(
                    f"linear model: the normal equations of {len(turned)} unknowns with penalty {shift:g} cannot be "
                    f"solved in float64 ({error}); raise the penalty"
                ) from None
        return self.back(columns, right)


def banded(matrix: Tensor, width: int = WIDTH) -> Band:
    """Reduce a symmetric matrix (m, m), float64 on any device, to `width` diagonals on either side."""
    size = len(matrix)
    work = matrix.clone()
    turns = []
    for start in range(0, size - width - 1, width):
        first = start + width
        panel = work[first:, start:first]
        v, t, upper = _reflectors(panel)
        panel.zero_()
        panel[: len(upper)] = upper
        rest = work[first:, first:]
        y = rest @ v @ t
        w = y - 0.5 * v @ (t.T @ (v.T @ y))
        rest.addmm_(v, w.T, alpha=-1.0).addmm_(w, v.T, alpha=-1.0)
        turns.append((first, v, t))
    diagonals = np.zeros((min(width, size - 1) + 1, size))
    for below in range(len(diagonals)):
        diagonals[below, : size - below] = work.diagonal(-below).cpu().numpy()
    return Band(diagonals, turns)


def _reflectors(panel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """V, T and R of panel = (1 - V T V') R (Schreiber & Van Loan 1989, SIAM J. Sci. Stat. Comput. 10, 53)."""
    packed, tau = torch.geqrf(panel)
    count = len(tau)
    v = packed[:, :count].tril(-1)
    v.diagonal().fill_(1.0)
    # T^-1 is the upper triangle of V'V with 1/tau on its diagonal; multiplied by tau, which may vanish
    inverse = (v.T @ v).triu(1) * tau + torch.eye(count, dtype=tau.dtype, device=tau.device)
    t = tau[:, None] * torch.linalg.solve_triangular(
        inverse, torch.eye(count, dtype=tau.dtype, device=tau.device), upper=True
    )
    return v, t, packed[:count].triu()


@dataclass(frozen=True)
class Eigen:
    """A symmetric matrix A = Q S diag(values) S' Q' (m, m).

    Attributes:
        values: eigenvalues, the largest first, (m,).
        vectors: S, their eigenvectors in the basis Q, that of the largest last, (m, m).
    """

    values: Float64
    vectors: Float64
    _reflectors: Float64
    _tau: Float64

    def coordinates(self, right: Tensor) -> Float64:
        """Components (m,) of a vector along the eigenvectors."""
        turned = _reflect(self._reflectors, self._tau, right.cpu().numpy()[:, None], "T")[:, 0]
        found: Float64 = (self.vectors.T @ turned)[::-1]
        return found

    def back(self, columns: Float64, like: Tensor) -> Tensor:
        """Vectors (m, A) with these components along the first eigenvectors, (k, A), on the device of `like`."""
        inside = self.vectors[:, len(self.vectors) - len(columns) :] @ columns[::-1]
        return torch.from_numpy(_reflect(self._reflectors, self._tau, inside, "N")).to(like.device)


def eigen(matrix: Tensor) -> Eigen:
    """Eigenvalues and eigenvectors of a symmetric matrix (m, m), by LAPACK on the processor.

    Raises:
        DataError: LAPACK refuses the matrix.
    """
    size = len(matrix)
    work = int(lapack.dsytrd_lwork(size, lower=1)[0].real)
    factor, diagonal, beside, tau, info = lapack.dsytrd(
        np.array(matrix.cpu().numpy().T, order="F"), lower=1, lwork=work, overwrite_a=1
    )
    if info or not np.isfinite(diagonal).all():
        raise DataError(f"linear model: the {size} x {size} normal equations cannot be factorised (dsytrd: {info})")
    values, vectors = eigh_tridiagonal(diagonal, beside, lapack_driver="stevd") if size > 1 else (diagonal, np.eye(1))
    return Eigen(values[::-1].copy(), vectors, np.asfortranarray(factor[1:, :-1]), tau)


def _reflect(reflectors: Float64, tau: Float64, columns: Float64, transpose: str) -> Float64:
    """Q (or Q') times columns (m, A), where Q leaves the first coordinate alone."""
    below = np.asfortranarray(columns[1:])
    work = int(lapack.dormqr("L", transpose, reflectors, tau, below, -1)[1][0].real) if len(below) else 1
    turned = lapack.dormqr("L", transpose, reflectors, tau, below, work)[0] if len(below) else below
    return np.concatenate((columns[:1], turned))
