"""Principal components of the noisy flux, then ridge regression on the first k of them.

The components are eigenvectors of X'X, so that every number of components and every penalty follow from one
factorisation: with eigenvalues l_j and components v_j, the coefficients are sum_{j <= k} v_j (v_j'X'y) / (l_j + alpha)
(Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, 3.5.1). With all components it is `Ridge`.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import ParameterError
from repro.models.linear import LinearModel, LinearPath, linear_path, positive
from repro.models.moments import Moments
from repro.models.ridge import ALPHAS


def pca_path(source: Moments, components: Sequence[int], alphas: Sequence[float]) -> LinearPath:
    """Solutions for all numbers of components, each with all penalties in turn.

    Facts: `components`, `alpha`, and `variance`: share of the variance of the flux, in the units of `source`, that the
    components explain.

    Raises:
        ParameterError: no penalty or no number of components, or one that is impossible.
        DataError: LAPACK refuses the normal equations.
    """
    penalties = positive("pca_ridge", "penalties", alphas)
    values = np.clip(source.eigen.values, 0.0, None)
    counts = whole("pca_ridge", components, len(values))
    coordinates = source.eigen.coordinates(source.right)[: counts.max(), None]
    shrunk = coordinates / (values[: counts.max(), None] + penalties)
    inside = np.arange(counts.max())[:, None] < counts  # (most, K)
    columns = (inside[:, :, None] * shrunk[:, None, :]).reshape(counts.max(), -1)
    facts = {
        "components": np.repeat(counts, len(penalties)),
        "alpha": np.tile(penalties, len(counts)),
        "variance": np.repeat((np.cumsum(values) / values.sum())[counts - 1], len(penalties)),
    }
    return linear_path(source, source.eigen.back(columns, source.right), facts)


def whole(name: str, components: Sequence[int], most: int | None = None) -> NDArray[np.int64]:
    """Numbers of components (K,). Raises ParameterError where there is none, or one is not in 1 ... `most`."""
    counts = np.asarray(components)
    legal = counts.ndim == 1 and len(counts) and np.issubdtype(counts.dtype, np.integer) and counts.min() >= 1
    if not legal or (most is not None and counts.max() > most):
        limit = "at least 1" if most is None else f"1 to {most}, the smaller number of spectra and pixels"
        raise ParameterError(f"{name}: numbers of components must be {limit}, not {list(components)}")
    return counts.astype(np.int64)


class PcaRidge(LinearModel):
    """Ridge regression on principal components, their number and the penalty chosen by validation R2.

    Args:
        components: numbers of components to choose among.
        alphas: penalties to choose among; one for a fixed penalty. Units as those of `Ridge`.
        standardised: components of pixels that are divided by their standard deviation.
        device: where X'X is summed up; the factorisation is done by LAPACK on the processor.

    Raises:
        ParameterError: no penalty or no number of components, or one that is impossible.
    """

    name = "pca_ridge"

    def __init__(
        self,
        components: Sequence[int] = (10, 20, 50, 100),
        alphas: Sequence[float] = ALPHAS,
        standardised: bool = False,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(standardised, device)
        self.components = tuple(whole(self.name, components).tolist())
        self.alphas = tuple(positive(self.name, "penalties", alphas).tolist())

    @property
    def candidates(self) -> int:
        return len(self.components) * len(self.alphas)

    def path(self, source: Moments) -> LinearPath:
        return pca_path(source, self.components, self.alphas)
