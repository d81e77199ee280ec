"""Posteriors of log g under noise of other shapes, with the right likelihood and with the usual one.

The prior is that of the sampling mode `paper`: one free label uniform, the others on nodes. The observer is handed the
error array, and for the laws of the sky its floor, but reads no labels out of them (observer `weights`): an estimator,
whose loss is no ceiling. That keeps magnitude and angles out of a comparison of noise laws.

Each posterior is a sum over templates drawn from the prior's lines by importance sampling (`law_proposal`): a first
proposal from all laws and observers together, with their log-likelihoods also multiplied by `temper` < 1 to cover what
it misses; a second one about what the first draws found; then exact likelihoods of the templates drawn from that,
weighted by prior over proposal. The posterior mean has a standard error of about sd / sqrt(effective number of
templates); both are returned. They are poorest where a naive observer of a mistaken sky looks far from any template.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from repro.bounds.law_proposal import (
    Drawn,
    Seen,
    axis_names,
    draw_templates,
    first_proposal,
    second_proposal,
    sky_vectors,
    surfaces,
)
from repro.bounds.noise_law_table import OBSERVERS
from repro.bounds.posterior.law import Intervals, intervals
from repro.bounds.scaling import MEDIAN, unit_median
from repro.errors import DataError
from repro.labels import LABELS
from repro.progress import Report, silent
from repro.spectra.interpolate import line_weights
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise_laws import STRETCHES, STUDENT_FREEDOM, Correlation, Law

DRAWS: Final = 768  # templates of a star, after half as many that say where to draw them
TEMPER: Final = 0.5

_STARS: Final = 128  # at a time in the products with all nodes
_PRODUCT: Final = 8  # factors 1 + r^2 / 2 multiplied before their logarithm: they stay below 1e38

Float32 = NDArray[np.float32]
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
    bad = np.argwhere(~(seen.sigma > 0))
    if bad.size:
        star, pixel = bad[0]
        raise DataError(
            f"star {star}, pixel {pixel}: its error is {seen.sigma[star, pixel]:g}; it must be positive."
            " Make the spectrum set again"
        )
    work = _Work(grid, intervals(grid.lattice), laws, LABELS.index(target), draws, temper, seed)
    scaled = unit_median(grid).flux
    found = np.empty((5, len(OBSERVERS), len(laws), len(rows)))
    for first in range(0, len(rows), _STARS):
        part = slice(first, min(first + _STARS, len(rows)))
        block = seen.part(part)
        likely = surfaces(scaled, work.intervals, block, laws, device)
        stars = [block.part(slice(place, place + 1)) for place in range(len(block.sigma))]
        near = (likely.nodes.swapaxes(0, 1), likely.apart.swapaxes(0, 1))
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # numpy lets go of the interpreter lock
            for place, moments in enumerate(pool.map(work, stars, *near, truth[part], rows[part])):
                found[..., first + place] = moments
                report(first + place + 1, len(rows))
    return LawPosteriors(*found)


@dataclass(frozen=True)
class _Work:
    """What one star takes."""

    grid: NodeGrid
    intervals: Intervals
    laws: Sequence[Law]
    column: int
    draws: int
    temper: float
    seed: int

    def __call__(self, star: Seen, nodes: Float32, apart: Float32, truth: float, row: int) -> Float64:
        """The arrays of `LawPosteriors` for one star, (5, O, L), from its surfaces (S, N) and (S, I)."""
        first, second, inside = _uniform(self.seed, row)
        proposal = first_proposal(self.intervals, nodes, apart, self.temper)
        tried = draw_templates(self.grid.lattice, self.intervals, proposal, max(self.draws // 2, 1), first)
        proposal = second_proposal(proposal, tried, self._log_posterior(tried, star), self.temper)
        drawn = draw_templates(self.grid.lattice, self.intervals, proposal, self.draws, second)
        return _moments(self._log_posterior(drawn, star), drawn.labels[:, self.column], truth, inside)

    def _log_posterior(self, drawn: Drawn, star: Seen) -> Float64:
        templates = _templates(self.grid, drawn.labels, drawn.column)
        return law_likelihoods(templates, star, self.laws) + drawn.log_weight


def law_likelihoods(templates: Float32, seen: Seen, laws: Sequence[Law]) -> Float64:
    """Log-likelihoods (O, L, T), up to a constant of each law, of templates (T, P) for one star."""
    scale = (1.0 / seen.sigma[0]).astype(np.float32)
    middle = templates[0]  # stars and templates as seen from one of them: single precision then suffices
    mu, y = (templates - middle) * scale, (seen.x[:, 0] - middle) * scale
    distances = np.einsum("tp,tp->t", mu, mu) - 2.0 * y @ mu.T
    optimal = -0.5 * distances.astype(np.float64)
    for number, law in enumerate(laws):
        if law == "student":
            optimal[number] = _student(y[number] - mu)
        elif law == "correlated":
            optimal[number] = -0.5 * _correlated(y[number], mu)
        elif law in STRETCHES:
            optimal[number] = -0.5 * _sky(law, y[number], mu, seen.share)
    return np.stack([optimal, -0.5 * distances])


def _correlated(y: Float32, mu: Float32) -> Float32:
    """(y - mu) R^-1 (y - mu)^T, (T,), up to a constant."""
    solved = Correlation("correlated", len(y)).solve(mu[None])[0]
    far: Float32 = np.einsum("tp,tp->t", solved, mu) - 2.0 * solved @ y
    return far


def _sky(law: Law, y: Float32, mu: Float32, share: Float64) -> Float32:
    """The same for a law of the sky whose floor makes `share` (1, P) of the errors."""
    root = np.sqrt(1.0 - share[0] ** 2).astype(np.float32)
    vectors = sky_vectors(law, np.ones_like(share), share)[0].astype(np.float32)
    onto = (vectors @ y)[:, None] - vectors @ mu.T
    rest = mu / root
    far: Float32 = np.einsum("tp,tp->t", rest, rest) - 2.0 * rest @ (y / root) - (onto**2).sum(axis=0)
    return far


def _student(residual: Float32) -> Float64:
    """Log-likelihoods (T,) of residuals (T, P) of unit variance."""
    terms = residual
    terms *= residual
    terms *= 1.0 / (STUDENT_FREEDOM - 2.0)
    terms += 1.0
    whole = terms.shape[1] // _PRODUCT
    products = terms[:, :whole].copy()
    for first in range(whole, whole * _PRODUCT, whole):
        products *= terms[:, first : first + whole]
    logs = np.log(products).sum(axis=1, dtype=np.float64) + np.log(terms[:, whole * _PRODUCT :]).sum(axis=1)
    return -0.5 * (STUDENT_FREEDOM + 1.0) * logs


def _templates(grid: NodeGrid, labels: Float64, column: NDArray[np.intp]) -> Float32:
    """Spectra (T, P) of median 0.5, between the nodes of a grid along one label each."""
    weights = line_weights(grid.lattice, axis_names(column), labels)
    rows, compact = np.unique(weights.indices, return_inverse=True)
    local = csr_array((weights.data.astype(np.float32), compact, weights.indptr), shape=(len(labels), len(rows)))
    flux = local @ grid.flux[rows]
    half = flux.shape[1] // 2
    middle = np.partition(flux, (half - 1, half), axis=1)[:, half - 1 : half + 1].mean(axis=1, keepdims=True)
    templates: Float32 = flux * (MEDIAN / middle)
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
    """Three numbers of one star: where each of two draws begins, and the place within an atom of its posterior."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, int(row))))).random(3)
