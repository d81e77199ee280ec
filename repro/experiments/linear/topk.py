"""Ridge on a few pixels instead of all.

topk: the pixels of the largest coefficients of Ridge at noise level 0 or 1, or random ones as the control; trained and
tested at one noise level, the penalty chosen by validation. topk_clean: the published comparison, which trains without
noise at a penalty of 100 and tests with noise.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from repro.experiments.jobs import Job
from repro.experiments.linear.levels import STUDY_ALPHA
from repro.experiments.linear.paths import Cell, Seen, best
from repro.experiments.linear.shared import SharedMoments
from repro.experiments.plan import ALPHAS, CLEAN, PUBLISHED, setting
from repro.experiments.table import Arm
from repro.models.ridge import ridge_path


def topk_jobs(shared: SharedMoments, n: int, run: int) -> list[Job]:
    """One job where a size and run has both noise levels; none otherwise."""
    if not {CLEAN, PUBLISHED} <= set(shared.trained(n, run)):
        return []
    return [Job(f"topk_n{n}_run{run}", partial(_topk, shared, n, run))]


def _topk(shared: SharedMoments, n: int, run: int) -> list[Arm]:
    orders = {f"{level:g}": shared.order(level, n, run) for level in (CLEAN, PUBLISHED)}
    clean, pixels = orders[f"{CLEAN:g}"], len(orders[f"{CLEAN:g}"])
    orders["random"] = np.random.default_rng(shared.data.seed + run).permutation(pixels)
    counts = [k for k in shared.plan.pixels if k < pixels]
    arms = [arm for k in (*counts, pixels) for arm in _as_published(shared, n, run, k, clean[:k])]
    for level in (CLEAN, PUBLISHED):
        known, cell = shared.at(level, n, run), Cell(level, n, run)
        seen = Seen(shared.data.validation(level), shared.data.test_flux(level))
        for selector, order in orders.items():
            for k in counts:
                tuned = best(ridge_path(known.subset(np.sort(order[:k])), ALPHAS), seen.validation)
                arms += cell.arms("topk", "ridge", tuned, [setting(k=k, selector=selector)], seen)
    return arms


def _as_published(shared: SharedMoments, n: int, run: int, k: int, chosen: NDArray[np.intp]) -> list[Arm]:
    path = ridge_path(shared.at(CLEAN, n, run).subset(np.sort(chosen)), (STUDY_ALPHA,))
    seen = Seen(shared.data.validation(CLEAN), shared.data.test_flux(PUBLISHED))
    return Cell(CLEAN, n, run, PUBLISHED).arms("topk_clean", "ridge", path, [setting(k=k)], seen)
