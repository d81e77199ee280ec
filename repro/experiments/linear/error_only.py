"""log g from the error array of a star alone, and what is left of it under controls.

The simulator computes the errors from the noise-free flux, so that they are a noise-free image of it. Inputs:

error         the stored errors (noise level 1), in their own units.
standardised  the same, the penalty counted in units of each pixel's standard deviation.
shuffled      the pixels of every star in an order of their own: their values without their wavelengths.
permuted      the errors of other stars: what the procedure finds where there is nothing.
statistics    ten numbers of the array: mean, standard deviation, smallest, largest, and six quantiles.
smoothed      errors as a pipeline would know them, which sees noisy flux alone. The flux at noise level 1 is smoothed
              by a running mean over 31 pixels (13 A), F; its pixel-to-pixel scatter gives an amplitude a. Per pixel,
              a line error = a (c + d F) is fitted to the training stars, and its values replace the errors: they
              can say no more of a star than its noisy flux does.

No noise is added to the input: noise level 0. The stored errors are those of level 1 whatever the parameter `noise`.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor

from repro.experiments.data import Data, Flux
from repro.experiments.inputs import Formed, formed
from repro.experiments.jobs import Job
from repro.experiments.linear.paths import Cell, LinearPlan, Seen
from repro.experiments.plan import CLEAN, PUBLISHED, setting
from repro.experiments.table import Arm
from repro.models.moments import Moments, moments
from repro.models.ols import FLOAT32, ols_path
from repro.models.ridge import ridge_path
from repro.training.spectra import Source, Validation, as_source, blocks

ALPHAS: Final = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100)  # squared units of the input; published 1e-3 to 100
KERNEL: Final = 31  # pixels of the running mean
_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95)
_SCATTER: Final = 0.6745 * 6.0**0.5  # median of |x - 2y + z| of unit normal deviates


def error_jobs(data: Data, plan: LinearPlan) -> list[Job]:
    """The errors at every size; their controls at all but the largest, with all runs where they draw numbers."""
    jobs = [Job(f"error_n{n}", partial(_errors, data, n)) for n in plan.sizes]
    for n in plan.sizes[: max(1, len(plan.sizes) - 1)]:
        jobs.append(Job(f"error_fixed_n{n}", partial(_without_chance, data, n)))
        jobs += [Job(f"error_drawn_n{n}_run{run}", partial(_with_chance, data, n, run)) for run in range(plan.seeds)]
    return jobs


def _errors(data: Data, n: int) -> list[Arm]:
    known, seen, cell = _plain(data, n)
    arms = _ridge("error", known, seen, cell)
    names = [setting(input="error", cut=0), setting(input="error", cut="float32")]
    return arms + cell.arms("error_only", "ols", ols_path(known, (0.0, FLOAT32)), names, seen)


def _without_chance(data: Data, n: int) -> list[Arm]:
    known, seen, cell = _plain(data, n)
    arms = _ridge("standardised", known.standardised(), seen, cell)
    source = Formed(statistics, 4 + len(_QUANTILES), (data.errors(n),))
    val, test = (formed(statistics, data.device, error) for error in (data.val.error, data.test.error))
    return arms + _ridge("statistics", _moments(data, source, n), _seen(data, val, test), cell)


def _with_chance(data: Data, n: int, run: int) -> list[Arm]:
    cell, seed = Cell(CLEAN, n, run), data.seed + run
    held = _array(data.errors(n))
    train, val, test = (shuffled(a, seed, split) for split, a in enumerate((held, data.val.error, data.test.error)))
    arms = _ridge("shuffled", _moments(data, as_source(train, data.device), n), _seen(data, val, test), cell)

    rng = np.random.default_rng(seed)
    train, val, test = (a[rng.permutation(len(a))] for a in (held, data.val.error, data.test.error))
    arms += _ridge("permuted", _moments(data, as_source(train, data.device), n), _seen(data, val, test), cell)

    noisy = data.shown(PUBLISHED, n, run)
    law = error_law(noisy, data.errors(n))
    val, test = (formed(law, data.device, a) for a in (data.validation(PUBLISHED).flux, data.test_flux(PUBLISHED)))
    source = Formed(law, noisy.shape[1], (noisy,))
    return arms + _ridge("smoothed", _moments(data, source, n), _seen(data, val, test), cell)


def _plain(data: Data, n: int) -> tuple[Moments, Seen, Cell]:
    seen = _seen(data, data.val.error, data.test.error)
    return _moments(data, data.errors(n), n), seen, Cell(CLEAN, n, 0)


def _moments(data: Data, source: Source, n: int) -> Moments:
    return moments(source, data.y[:n], device=data.device)


def _seen(data: Data, val: Flux, test: Flux) -> Seen:
    return Seen(Validation(val, data.val.y), test)


def _ridge(name: str, known: Moments, seen: Seen, cell: Cell) -> list[Arm]:
    names = [setting(input=name, alpha=alpha) for alpha in ALPHAS]
    return cell.arms("error_only", "ridge", ridge_path(known, ALPHAS), names, seen)


def _array(source: Source) -> Flux:
    found: Flux = torch.cat([block for _, block in blocks(source, 0)]).cpu().numpy()
    return found


def statistics(error: Tensor) -> Tensor:
    """Ten numbers (b, 10) of each array (b, P): mean, standard deviation, extremes and quantiles."""
    quantiles = torch.quantile(error, torch.tensor(_QUANTILES, dtype=error.dtype, device=error.device), dim=1).T
    simple = (error.mean(dim=1), error.std(dim=1), error.amin(dim=1), error.amax(dim=1))
    return torch.cat((torch.stack(simple, dim=1), quantiles), dim=1)


def shuffled(error: Flux, seed: int, split: int) -> Flux:
    """The pixels of every row (n, P) in an order that belongs to (seed, split, row)."""
    return np.stack([np.random.default_rng((seed, split, row)).permutation(a) for row, a in enumerate(error)])


def error_law(noisy: Source, errors: Source) -> Callable[[Tensor], Tensor]:
    """Errors (b, P) from noisy flux (b, P) alone: a (c + d F), with c and d of each pixel from training stars.

    Args:
        noisy, errors: noisy flux and stored errors of the same stars, (n, P).
    """
    sums = []
    for (_, flux), (_, error) in zip(blocks(noisy, 0), blocks(errors, 0), strict=True):
        smooth = smoothed(flux).double()
        relative = error.double() / scatter(flux).double()
        sums.append(torch.stack([part.sum(dim=0) for part in (smooth, relative, smooth**2, smooth * relative)]))
    mean, offset, square, product = torch.stack(sums).sum(dim=0) / noisy.shape[0]
    slope = (product - mean * offset) / (square - mean**2)
    slope, constant = slope.float(), (offset - slope * mean).float()
    return lambda flux: scatter(flux) * (constant + slope * smoothed(flux))


def smoothed(flux: Tensor) -> Tensor:
    """Running mean of flux (b, P) over `KERNEL` pixels, of fewer at the ends."""
    return torch.nn.functional.avg_pool1d(
        flux[:, None], KERNEL, stride=1, padding=KERNEL // 2, count_include_pad=False
    )[:, 0]


def scatter(flux: Tensor) -> Tensor:
    """Standard deviation of the noise of flux (b, P) as its second differences show it, (b, 1)."""
    curvature = flux[:, 2:] - 2.0 * flux[:, 1:-1] + flux[:, :-2]
    return curvature.abs().median(dim=1, keepdim=True).values / _SCATTER
