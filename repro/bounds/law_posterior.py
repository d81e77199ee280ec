"""Posteriors of log g under noise of other shapes, with the right likelihood and with the usual one.

The prior is that of the sampling mode `paper`: one free label uniform, the others on nodes. The observer is handed the
error array, and for the laws of the sky its floor, but reads no labels out of them (observer `weights`): an estimator,
whose loss is no ceiling. That keeps magnitude and angles out of a comparison of noise laws.

Each posterior is a sum over templates drawn from the prior's lines by importance sampling: proposals from all laws and
observers together (`law_proposal`), each with its log-likelihood multiplied by `temper` < 1, which covers what they
miss; then exact likelihoods of the templates drawn, weighted by prior over proposal. The posterior mean has a standard
error of about sd / sqrt(effective number of templates); both are returned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from repro.bounds.law_proposal import Seen, axis_names, draw_templates, paper_intervals, sky_vectors, surfaces
from repro.bounds.noise_law_table import OBSERVERS
from repro.bounds.scaling import MEDIAN, unit_median
from repro.errors import DataError
from repro.labels import LABELS
from repro.progress import Report, silent
from repro.spectra.interpolate import line_weights
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise_laws import STRETCHES, STUDENT_FREEDOM, Correlation, Law

DRAWS: Final = 1024  # templates of a star
TEMPER: Final = 0.5

_STARS: Final = 32  # at a time in the products with all nodes
_PRODUCT: Final = 16  # factors 1 + r^2 / 2 multiplied before their logarithm: they stay below 1e300

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class LawPosteriors:
    """Posteriors of n stars, each array (O, L, n); see `NoiseLawTable`."""

    mean: Float64
    sd: Float64
    pit: Float64
    monte_carlo_error: Float64
    effective: Float64


def law_posteriors(
    grid: NodeGrid,
    seen: Seen,
    laws: Sequence[Law],
    truth: Float64,
    rows: NDArray[np.intp],
    *,
    seed: int,
    target: str = "log_g",
    draws: int = DRAWS,
    temper: float = TEMPER,
    device: str | torch.device = "cpu",
    report: Report = silent,
) -> LawPosteriors:
    """Posteriors of `target` of n stars under each of L laws, for both `OBSERVERS`.

    Args:
        grid: the node grid that the stars were made from, in mode `paper`.
        truth: (n,) target of the stars, for the probability integral.
        rows: (n,) of the stars in their set; with `seed` they key what is drawn.
        draws: templates of a star.
        temper: power of the likelihood in the law that templates are drawn from, 0 to 1.
        device: where the products with all nodes are formed.

    Raises:
        DataError: errors that are not positive, or a share that the laws of the sky cannot use.
    """
    if not (seen.sigma > 0).all():
        raise DataError("posterior: an error is not positive")
    intervals = paper_intervals(grid.lattice)
    scaled = unit_median(grid).flux
    target_column = LABELS.index(target)
    found = np.empty((5, len(OBSERVERS), len(laws), len(rows)))
    for first in range(0, len(rows), _STARS):
        stars = range(first, min(first + _STARS, len(rows)))
        block = seen.part(slice(stars.start, stars.stop))
        likely = surfaces(scaled, intervals, block, laws, device)
        for place, star in enumerate(stars):
            uniform = _uniform(seed, int(rows[star]))
            labels, column, log_weight = draw_templates(
                grid.lattice, intervals, likely.nodes[:, place], likely.apart[:, place], draws, temper, uniform[0]
            )
            templates = _templates(grid, labels, column)
            log_posterior = law_likelihoods(templates, block.part(slice(place, place + 1)), laws) + log_weight
            found[..., star] = _moments(log_posterior, labels[:, target_column], truth[star], uniform[1])
            report(star + 1, len(rows))
    return LawPosteriors(*found)


def law_likelihoods(templates: Float64, seen: Seen, laws: Sequence[Law]) -> Float64:
    """Log-likelihoods (O, L, T), up to a constant of each law, of templates (T, P) for one star."""
    mu, y = templates / seen.sigma, seen.x[:, 0] / seen.sigma
    distances = _distances(y, mu)
    optimal = -0.5 * distances
    for number, law in enumerate(laws):
        if law == "student":
            optimal[number] = _student(y[number] - mu)
        elif law == "correlated":
            optimal[number] = -0.5 * _correlated(y[number], mu)
        elif law in STRETCHES:
            optimal[number] = -0.5 * _sky(law, y[number], mu, seen.share)
    return np.stack([optimal, -0.5 * distances])


def _correlated(y: Float64, mu: Float64) -> Float64:
    """(y - mu) R^-1 (y - mu)^T, (T,), up to a constant."""
    solve = Correlation("correlated", len(y)).solve
    solved = solve(mu[None])[0]
    return np.einsum("tp,tp->t", solved, mu) - 2.0 * solved @ y


def _sky(law: Law, y: Float64, mu: Float64, share: Float64) -> Float64:
    """The same for a law of the sky whose floor makes `share` (1, P) of the errors."""
    rest = 1.0 - share[0] ** 2
    (vectors,) = sky_vectors(law, np.ones_like(share), share)
    onto = (vectors @ y)[:, None] - vectors @ mu.T
    far: Float64 = (mu**2) @ (1.0 / rest) - 2.0 * mu @ (y / rest) - (onto**2).sum(axis=0)
    return far


def _distances(points: Float64, templates: Float64) -> Float64:
    """Squared distances (m, T) of points (m, P) from templates (T, P)."""
    squares = np.einsum("tp,tp->t", templates, templates)
    result: Float64 = (points**2).sum(axis=1)[:, None] - 2.0 * points @ templates.T + squares
    return result


def _student(residual: Float64) -> Float64:
    """Log-likelihoods (T,) of residuals (T, P) of unit variance."""
    terms = 1.0 + residual**2 / (STUDENT_FREEDOM - 2.0)
    spare = -terms.shape[1] % _PRODUCT
    terms = np.pad(terms, ((0, 0), (0, spare)), constant_values=1.0)
    products = terms.reshape(len(terms), _PRODUCT, -1).prod(axis=1)
    return -0.5 * (STUDENT_FREEDOM + 1.0) * np.log(products).sum(axis=1)


def _templates(grid: NodeGrid, labels: Float64, column: NDArray[np.intp]) -> Float64:
    """Spectra (T, P) of median 0.5, between the nodes of a grid along one label each."""
    weights = line_weights(grid.lattice, axis_names(column), labels)
    rows, compact = np.unique(weights.indices, return_inverse=True)
    local = csr_array((weights.data, compact, weights.indptr), shape=(len(labels), len(rows)))
    flux = local @ grid.flux[rows].astype(np.float64)
    templates: Float64 = MEDIAN * flux / np.median(flux, axis=1, keepdims=True)
    return templates


def _moments(log_posterior: Float64, values: Float64, truth: float, uniform: float) -> NDArray[np.float64]:
    """Mean, sd, probability integral at the truth, error of the mean and effective number, (5, O, L)."""
    weight = np.exp(log_posterior - log_posterior.max(axis=-1, keepdims=True))
    weight /= weight.sum(axis=-1, keepdims=True)
    mean = weight @ values
    apart = values - mean[..., None]
    atom = np.abs(values - truth) < 1e-9
    below = (values < truth) & ~atom
    return np.stack(
        [
            mean,
            np.sqrt((weight * apart**2).sum(axis=-1)),
            weight @ below + uniform * (weight @ atom),
            np.sqrt((weight**2 * apart**2).sum(axis=-1)),
            1.0 / (weight**2).sum(axis=-1),
        ]
    )


def _uniform(seed: int, row: int) -> Float64:
    """Two numbers of one star: where systematic draws begin, and the place within an atom of its posterior."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, row)))).random(2)
