"""The Cramer-Rao bound of every star of a spectrum set, and nothing else: fast enough for a training set."""

import numpy as np
from numpy.typing import NDArray

from repro.bounds.fisher import fisher_information, marginal_bound
from repro.bounds.stars import differentiator
from repro.errors import ParameterError
from repro.progress import Report, silent
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import labels_of
from repro.spectra.store import SpectrumSet

_BLOCK = 64

Array = NDArray[np.float64]


def star_crlb(
    grid: NodeGrid, stars: SpectrumSet, noise_level: float = 1.0, *, target: str = "log_g", report: Report = silent
) -> Array:
    """Marginal bounds (n,) on `target` of all stars of a set made from `grid`, as `StarBounds.crlb` has them.

    nan where the target is not identifiable. report: called with (stars done, stars in all) after each block.

    Raises:
        ParameterError: a noise level that is not positive, or a target that is not a free axis.
        DataError: an error is not positive and finite, or a label does not belong to the grid.
    """
    if not noise_level > 0 or target not in grid.lattice.free:
        raise ParameterError(f"there is no bound on '{target}' at noise level {noise_level} from this grid")
    differentiate = differentiator(grid, stars.mode)
    table, bounds = stars.labels, []
    for start, _, error in stars.blocks(_BLOCK):
        here = table[start : start + len(error)]
        slopes = differentiate(labels_of(here), here["interp_param"].astype(str))
        information = fisher_information(slopes.jacobian, noise_level * error.astype(np.float64))
        bounds.append(marginal_bound(information, grid.lattice.free.index(target)))
        report(start + len(error), stars.size)
    return np.concatenate(bounds)


def loss_weights(crlb: Array, variance: float) -> dict[str, Array | None]:
    """Weights (n,) of squared errors by the name that a model trained with them ends in, of mean 1 each.

    "": none. "_weighted": 1 / C, as the papers planned it. "_weighted_prior": 1 / (C + V) with V the variance of the
    label [unit^2], which stays bounded where a spectrum says everything. A star without a bound has weight 0.

    Under squared loss the best that a network can learn is E[w g | x] / E[w | x]. That is the posterior mean E[g | x]
    only if w is known from x: a weight that depends on the unknown label pulls every estimate towards labels of high
    weight. In a linear model with too few spectra weights may still help, as they do in weighted least squares.
    """
    known = np.where(np.isfinite(crlb), crlb, np.inf)
    weights = {"_weighted": 1.0 / known, "_weighted_prior": 1.0 / (known + variance)}
    return {"": None, **{name: weight / weight.mean() for name, weight in weights.items()}}
