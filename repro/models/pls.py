"""Partial least squares from spectra to one label (PLS1), all numbers of components from one pass over the spectra.

The coefficients of k components minimise |y - Xc| among the vectors X'y, (X'X)X'y, ..., (X'X)^(k-1) X'y (Helland
1988, Commun. Stat. Simul. Comput. 17, 581), so that X'X and X'y are enough (de Jong & ter Braak 1994, J. Chemometrics
8, 169). An orthonormal basis of that space, in which X'X is tridiagonal, is made by Lanczos' recursion, with every
vector made orthogonal to all before it twice ("twice is enough", Parlett 1998, The Symmetric Eigenvalue Problem,
6.9): without that rounding would repeat components.
"""

from collections.abc import Sequence

import numpy as np
import torch

from repro.models.linear import LinearModel, LinearPath, linear_path
from repro.models.moments import Float64, Moments
from repro.models.pca import whole


def pls_path(source: Moments, components: Sequence[int]) -> LinearPath:
    """Solutions for all numbers of components, in the order given; facts: `components`.

    Where the label needs fewer components than asked for, the others add nothing.

    Raises:
        ParameterError: no number of components, or one that is impossible.
    """
    counts = whole("pls", components, len(source.right))
    start = source.band.turned(source.right)
    basis, tridiagonal = _lanczos(source, start, int(counts.max()))
    columns = np.zeros((len(start), len(counts)))
    for column, count in enumerate(np.minimum(counts, basis.shape[1])):
        # X'X c = X'y within the space; of XX' and y, whose space is mapped on that one by X', the least squares
        height = count if source.rows is None else min(count + 1, len(tridiagonal))
        right = np.zeros(height)
        right[0] = np.linalg.norm(start)
        inside = np.linalg.lstsq(tridiagonal[:height, :count], right)[0]
        columns[:, column] = basis[:, :count] @ inside
    return linear_path(source, source.band.back(columns, source.right), {"components": counts})


def _lanczos(source: Moments, start: Float64, count: int) -> tuple[Float64, Float64]:
    """Orthonormal basis (m, k) of the Krylov space of `start`, k <= count, and the matrix in it with one row more."""
    basis = np.zeros((len(start), count + 1), order="F")
    inside = np.zeros((count + 1, count))
    length = float(np.linalg.norm(start))
    rounding = len(start) * np.finfo(np.float64).eps
    if length == 0:  # nothing in the flux goes with the label: the coefficients are zero
        return basis[:, :1], inside[:1, :1]
    basis[:, 0] = start / length
    for k in range(count):
        image = source.band.times(basis[:, k])
        before = basis[:, : k + 1]
        for _ in range(2):
            part = before.T @ image
            image -= before @ part
            inside[: k + 1, k] += part
        beyond = float(np.linalg.norm(image))
        if beyond <= rounding * np.abs(inside).max():
            return basis[:, : k + 1], inside[: k + 1, : k + 1]
        inside[k + 1, k] = beyond
        basis[:, k + 1] = image / beyond
    return basis[:, :count], inside


class Pls(LinearModel):
    """Partial least squares, the number of components chosen by validation R2.

    Args:
        components: numbers of components to choose among.
        standardised: of pixels that are divided by their standard deviation.
        device: where X'X is summed up and reduced.

    Raises:
        ParameterError: no number of components, or one that is impossible.
    """

    name = "pls"

    def __init__(
        self,
        components: Sequence[int] = (1, 2, 5, 10, 20, 50),
        standardised: bool = False,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(standardised, device)
        self.components = tuple(whole(self.name, components).tolist())

    @property
    def candidates(self) -> int:
        return len(self.components)

    def path(self, source: Moments) -> LinearPath:
        return pls_path(source, self.components)
