"""The posterior of one star by plain sums over given templates, in float64: the reference of the fast computation.

The likelihood is an argument, so that any law of the noise can be put in.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

from repro.bounds.posterior.law import Intervals, Law, intervals
from repro.bounds.scaling import MEDIAN
from repro.instrument.noise import Conditions, NoiseModel
from repro.labels import LABELS
from repro.spectra.interpolate import spline_along_axis
from repro.spectra.nodes import NodeGrid

# (x (P,), templates (T, P), sigma (T, P) or (P,)) -> ln p (T,)
LogLikelihood = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]

_POINTS: Final = 12  # of the Gauss-Legendre rule in each condition but the magnitude


@dataclass(frozen=True)
class TemplateSet:
    """Templates of the prior.

    Attributes:
        labels: (T, 5).
        axis: name of the label that runs on each one's line, (T,).
        log_prior: ln of the prior probability that each stands for, (T,).
        flux: of median 0.5, (T, P).
        zero_point: of that flux, (T,).
    """

    labels: NDArray[np.float64]
    axis: NDArray[np.str_]
    log_prior: NDArray[np.float64]
    flux: NDArray[np.float64]
    zero_point: NDArray[np.float64]


def gaussian(x: NDArray[np.float64], flux: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln p of independent Gaussian noise, (T,), up to -P/2 ln(2 pi)."""
    z = (x - flux) / sigma
    result: NDArray[np.float64] = -0.5 * (z * z).sum(axis=1) - np.broadcast_to(np.log(sigma), z.shape).sum(axis=1)
    return result


def all_templates(grid: NodeGrid, refinement: int) -> TemplateSet:
    """Templates at `refinement` steps of every interval of the lattice, with the weights of the trapezoid rule.

    Meant for small lattices: all spectra are held at once. Raises DataError if no line has two models.
    """
    some = intervals(grid.lattice)
    places = np.tile(np.arange(refinement + 1) / refinement, (len(some.axis), 1))
    return make_templates(grid, some, np.repeat(np.arange(len(some.axis)), refinement + 1), places.ravel(), refinement)


def make_templates(
    grid: NodeGrid, some: Intervals, members: NDArray[np.intp], places: NDArray[np.float64], refinement: int
) -> TemplateSet:
    """Templates at places (T,) in 0 to 1 of the intervals `members` (T,), each one of `refinement` steps wide.

    Those at an end of an interval stand for half a step.
    """
    labels = line_labels(grid, some, members, places)
    axis = np.array(LABELS)[some.axis[members]]
    flux, zero_point = spline_along_axis(grid, axis, labels)
    scale = MEDIAN / np.median(flux, axis=1)
    share = np.where((places == 0.0) | (places == 1.0), 0.5, 1.0) / refinement
    log_prior = some.log_prior[members] + np.log(share)
    return TemplateSet(labels, axis, log_prior, flux * scale[:, None], zero_point - 2.5 * np.log10(scale))


def line_labels(
    grid: NodeGrid, some: Intervals, members: NDArray[np.intp], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Labels (T, 5) at places (T,) in 0 to 1 of the intervals `members` (T,)."""
    first, last = (grid.lattice.labels[some.ends[members, side]] for side in (0, 1))
    # the end itself, not a number beside it that rounding has made
    return np.where(places[:, None] == 1.0, last, first + (last - first) * places[:, None])


def with_weights(
    x: NDArray[np.float64],
    sigma: NDArray[np.float64],
    templates: TemplateSet,
    log_likelihood: LogLikelihood = gaussian,
) -> NDArray[np.float64]:
    """ln of the posterior probability of each template, (T,), for a star (P,) whose errors (P,) are known."""
    log_p = templates.log_prior + log_likelihood(x, templates.flux, sigma)
    result: NDArray[np.float64] = log_p - logsumexp(log_p)
    return result


def with_unknown_conditions(
    x: NDArray[np.float64],
    templates: TemplateSet,
    noise_model: NoiseModel,
    noise: float,
    law: Law,
    *,
    magnitudes: int = 400,
    points: int = _POINTS,
    log_likelihood: LogLikelihood = gaussian,
) -> NDArray[np.float64]:
    """ln of the posterior probability of each template, (T,), of a star of which the flux (P,) alone is known.

    Magnitude and conditions are summed over `magnitudes` and `points` Gauss-Legendre points each: about a tenth of a
    second of 100 templates for each thousand of them.
    """
    limits = law.limits(noise_model)
    counts = [magnitudes] + [points] * (len(limits) - 1)
    rules = [np.polynomial.legendre.leggauss(count) for count in counts]
    flux, zero_point = torch.from_numpy(templates.flux), torch.from_numpy(templates.zero_point)
    total = np.full(len(templates.flux), -np.inf)
    for choice in itertools.product(*(range(count) for count in counts)):
        place = np.array([rule[0][k] for rule, k in zip(rules, choice, strict=True)])
        share = np.prod([0.5 * rule[1][k] for rule, k in zip(rules, choice, strict=True)])
        values = limits.mean(axis=1) + 0.5 * np.diff(limits, axis=1)[:, 0] * place
        conditions = Conditions(values[0], values[1], values[2], values[3] if len(values) > 3 else 1.0)
        sigma = noise * noise_model(flux, zero_point, conditions).numpy()
        total = np.logaddexp(total, np.log(share) + log_likelihood(x, templates.flux, sigma))
    log_p = templates.log_prior + total
    result: NDArray[np.float64] = log_p - logsumexp(log_p)
    return result


def mean_and_sd(log_probability: NDArray[np.float64], templates: TemplateSet) -> tuple[float, float]:
    """Posterior mean and standard deviation of log g [dex]."""
    g, p = templates.labels[:, LABELS.index("log_g")], np.exp(log_probability)
    mean = float(p @ g)
    return mean, float(np.sqrt(p @ (g - mean) ** 2))
