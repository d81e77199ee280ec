"""Ridge at all penalties and noise levels, and least squares, PCA and PLS beside it: all from the same moments.

alpha: penalties in raw flux units. alpha_edge: smaller ones without noise, where the published grid ends at its best.
alpha_standardised: penalties of standardised pixels, as the published studies of larger sets count them; the fact
`pixel_variance` is the median over the pixels of the variance of the noisy flux, which translates one into the other
(a few per cent of the pixels, under sky lines, have a hundred times as much and rule the mean).
ols, ols_cut: least squares, with and without the rank cut of scikit-learn 1.6-1.7 for float32. pca, pls: components,
the penalty after PCA chosen by validation; pca_fixed: standardised pixels and the published penalty. cross_noise:
models tested at every level.

Runs of the largest size that have some of the levels alone leave out what needs a factorisation of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from repro.experiments.jobs import Job
from repro.experiments.linear.paths import Cell, Seen, best
from repro.experiments.linear.shared import SharedMoments
from repro.experiments.plan import ALPHAS, CLEAN, PUBLISHED, setting
from repro.experiments.table import Arm
from repro.models.linear import LinearPath
from repro.models.moments import Moments
from repro.models.ols import FLOAT32, ols_path
from repro.models.pca import pca_path
from repro.models.pls import pls_path
from repro.models.ridge import Ridge, ridge_path

# per squared standard deviation of a pixel: the published half decades of 1e2 to 1e8, and less for little noise
STANDARDISED_ALPHAS: Final = tuple(float(a) for a in 10.0 ** np.array([-3, -2, -1, 0, 1, *np.arange(2.0, 8.1, 0.5)]))
PUBLISHED_ALPHA: Final = 1e5  # of the published PCA, in these units
STUDY_ALPHA: Final = 100.0  # of the published studies across noise levels, in raw units
_COMPONENT_LEVELS: Final = (CLEAN, PUBLISHED)
# below the smallest published penalty, above what rounding allows for any number of spectra
EDGE_ALPHAS: Final = (1e-6, 1e-5, 1e-4)
_OLS_LEVELS: Final = (CLEAN, 0.1, PUBLISHED)


def level_jobs(shared: SharedMoments, n: int, run: int) -> list[Job]:
    """One job for each noise level that models of a size and run are trained at."""
    return [
        Job(f"level{level:g}_n{n}_run{run}", partial(_level, shared, Cell(level, n, run)))
        for level in shared.trained(n, run)
    ]


def _level(shared: SharedMoments, cell: Cell) -> list[Arm]:
    known = shared.at(cell.train_noise, cell.n_train, cell.seed)
    level, data = cell.train_noise, shared.data
    path = ridge_path(known, ALPHAS)
    arms = _crossed(shared, cell, path)
    if level not in shared.levels:
        return arms
    seen = Seen(data.validation(level), data.test_flux(level))
    penalties = cell.arms("alpha", "ridge", path, [setting(alpha=alpha) for alpha in ALPHAS], seen)
    arms += _with_best_kept(penalties, path) if cell == Cell(PUBLISHED, shared.plan.sizes[-1], 0) else penalties
    if level == CLEAN:
        names = [setting(alpha=alpha) for alpha in EDGE_ALPHAS]
        arms += cell.arms("alpha_edge", "ridge", ridge_path(known, EDGE_ALPHAS), names, seen)
    complete, counts = shared.complete(cell.n_train, cell.seed), _possible(known, shared.plan.components)
    if level in _COMPONENT_LEVELS:
        arms += _components(known, cell, seen, counts)
    if level in _COMPONENT_LEVELS or (level in _OLS_LEVELS and complete):  # components share the eigenvalues
        arms += _least_squares(known, cell, seen)
    return arms + _standardised(known, cell, seen, counts if level == PUBLISHED and complete else [])


def _with_best_kept(arms: Sequence[Arm], path: LinearPath) -> list[Arm]:
    """The arms of a path, of which the one that validation chooses keeps its model."""
    best = int(np.argmax([arm.validation_r2 for arm in arms]))
    return [replace(arm, kept=Ridge().take(path, best) if k == best else None) for k, arm in enumerate(arms)]


def _crossed(shared: SharedMoments, cell: Cell, path: LinearPath) -> list[Arm]:
    data = shared.data
    validation = data.validation(cell.train_noise)
    chosen = int(np.argmax(path.r2(validation)))
    two = path[[chosen, ALPHAS.index(STUDY_ALPHA)]]
    names = [setting(choice="validation"), setting(choice=STUDY_ALPHA)]
    arms = []
    for level in shared.levels:
        tested = Cell(cell.train_noise, cell.n_train, cell.seed, level)
        arms += tested.arms("cross_noise", "ridge", two, names, Seen(validation, data.test_flux(level)))
    return arms


def _least_squares(known: Moments, cell: Cell, seen: Seen) -> list[Arm]:
    path = ols_path(known, (0.0, FLOAT32))
    names = [setting(cut=0), setting(cut="float32")]
    return cell.arms("ols", "ols", path[[0]], names[:1], seen) + cell.arms("ols_cut", "ols", path, names, seen)


def _components(known: Moments, cell: Cell, seen: Seen, counts: Sequence[int]) -> list[Arm]:
    names = [setting(k=k) for k in counts]
    arms = cell.arms("pls", "pls", pls_path(known, counts), names, seen)
    path = pca_path(known, counts, ALPHAS)
    for place, name in enumerate(names):
        tuned = best(path[place * len(ALPHAS) : (place + 1) * len(ALPHAS)], seen.validation)
        arms += cell.arms("pca", "pca_ridge", tuned, [name], seen)
    return arms


def _standardised(known: Moments, cell: Cell, seen: Seen, counts: Sequence[int]) -> list[Arm]:
    scaled = known.standardised()
    facts = {"pixel_variance": float(np.median(known.deviation**2))}
    names = [setting(alpha=alpha) for alpha in STANDARDISED_ALPHAS]
    arms = cell.arms("alpha_standardised", "ridge", ridge_path(scaled, STANDARDISED_ALPHAS), names, seen, facts)
    if not counts:
        return arms
    path = pca_path(scaled, counts, (PUBLISHED_ALPHA,))
    return arms + cell.arms("pca_fixed", "pca_ridge", path, [setting(k=k) for k in counts], seen)


def _possible(known: Moments, components: Sequence[int]) -> list[int]:
    """Numbers of components that so many spectra and pixels have."""
    return [k for k in components if k < min(known.count, len(known.mean))]
