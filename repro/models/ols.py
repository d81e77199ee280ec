"""Least squares from spectra to one label, of the least norm, with the rank cut stated.

Directions of the flux whose singular value is below `cut` times the largest are left out. What the cut is decides the
result where the flux has little noise, and programs differ in it:

* 0: only what the normal equations cannot resolve in float64, max(n, p) eps of the largest eigenvalue, which is about
  1e-6 of the largest singular value for 8000 spectra;
* `FLOAT32`: max(n, p) eps(float32) = 1e-3 for 8000 spectra, 3.8e-3 for 32 000. LinearRegression of scikit-learn 1.7
  hands that to LAPACK where the flux is float32 (`cond` of `scipy.linalg.lstsq`);
* 1e-6: the default of scikit-learn 1.9 (its `tol`).
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import torch

from repro.errors import ParameterError
from repro.models.linear import LinearModel, LinearPath, linear_path
from repro.models.moments import Moments

FLOAT32: Final = "float32"

Cut = float | Literal["float32"]


def ols_path(source: Moments, cuts: Sequence[Cut]) -> LinearPath:
    """Solutions for all cuts, in the order given, from one factorisation; facts: `cut`, `rank`.

    Args:
        cuts: smallest singular value that is kept, in units of the largest, or `FLOAT32`.

    Raises:
        ParameterError: no cut, or one outside 0 ... 1.
        DataError: LAPACK refuses the normal equations.
    """
    limits = np.array([_limit(cut, source) for cut in cuts])
    if not len(limits) or not ((limits >= 0) & (limits < 1)).all():
        raise ParameterError(f"ols: cuts must lie in 0 ... 1 and be below 1, or be '{FLOAT32}', not {list(cuts)}")
    values = source.eigen.values
    resolved = _longest(source) * np.finfo(np.float64).eps
    ranks = [int(np.count_nonzero(values > max(limit**2, resolved) * values[0])) for limit in limits]
    coordinates = source.eigen.coordinates(source.right)
    columns = np.zeros((len(values), len(limits)))
    for column, rank in enumerate(ranks):
        columns[:rank, column] = coordinates[:rank] / values[:rank]
    return linear_path(source, source.eigen.back(columns, source.right), {"cut": limits, "rank": ranks})


def _limit(cut: Cut, source: Moments) -> float:
    return _longest(source) * float(np.finfo(np.float32).eps) if cut == FLOAT32 else float(cut)


def _longest(source: Moments) -> int:
    return max(source.count, len(source.pixels))


class Ols(LinearModel):
    """Least squares of the least norm.

    Args:
        cut: smallest singular value that is kept, in units of the largest, or `FLOAT32`.
        device: where X'X is summed up; the factorisation is done by LAPACK on the processor.

    Raises:
        ParameterError: a cut outside 0 ... 1.
    """

    name = "ols"

    def __init__(self, cut: Cut = 0.0, device: str | torch.device = "cpu") -> None:
        super().__init__(device=device)
        if cut != FLOAT32 and not 0 <= float(cut) < 1:
            raise ParameterError(f"ols: the cut must lie in 0 ... 1 and be below 1, or be '{FLOAT32}', not {cut}")
        self.cut = cut

    @property
    def candidates(self) -> int:
        return 1

    @property
    def rank(self) -> int:
        """Number of directions that were kept."""
        return int(self.chosen.get("rank", 0))

    def path(self, source: Moments) -> LinearPath:
        return ols_path(source, (self.cut,))
