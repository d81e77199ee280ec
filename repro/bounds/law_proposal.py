"""Templates that carry the posteriors of a star under several laws of the noise, drawn from the lines of the prior.

The log-likelihood of a template between two nodes follows from the nodes' own and their distance, as if spectra were
linear between them: with Q_0, Q_1 the squared distances of a star from the nodes and S that of the nodes from each
other, Q = (1 - t) Q_0 + t Q_1 - t (1 - t) S. That is no more than a proposal: its errors are weighed away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.posterior.law import Intervals
from repro.labels import LABELS
from repro.spectra.lattice import Lattice
from repro.spectra.noise_laws import STRETCHES, Law, stretch_of

MOST_PARTS: Final = 64  # of an interval between two nodes, on which proposals are constant

_TEMPLATES: Final = 2048  # at a time in matrix products
_EVEN: Final = 0.3  # part of a proposal that is spread evenly over each interval
_FLAT: Final = 0.1  # lowest power of the likelihood in a first proposal
_KEPT: Final = 0.25  # of a first proposal in the second
_BESIDE: Final = 2  # parts on either side of a template that a second proposal takes in
_NEGLIGIBLE: Final = 120.0  # in log-likelihood, below the best by the straight line

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """Stars as they are seen under L laws.

    x: (L, n, P) noisy flux; sigma: (n, P) known errors; share: (n, P) of the sky's floor in them.
    """

    x: Float32
    sigma: Float64
    share: Float64

    def part(self, stars: NDArray[np.intp] | slice) -> "Seen":
        """Some of the stars."""
        return Seen(self.x[:, stars], self.sigma[stars], self.share[stars])


@dataclass(frozen=True)
class Surfaces:
    """Log-likelihoods of n stars for S observers, up to a constant of each.

    nodes: (S, n, N) of the nodes; apart: (S, n, I) half the squared distance S between the ends of the intervals.
    """

    nodes: Float32
    apart: Float32


@dataclass(frozen=True)
class Proposal:
    """A law on parts of intervals, even on each.

    interval, place, width: (C,) number of the interval, start and width of the part as shares of it.
    prior, share: (C,) probability of the part in the prior and in the proposal.
    """

    interval: NDArray[np.intp]
    place: Float64
    width: Float64
    prior: Float64
    share: Float64


@dataclass(frozen=True)
class Drawn:
    """Templates drawn from a proposal.

    labels: (T, 5); column: (T,) of the label that lies between nodes; part: (T,) of the proposal.
    log_weight: (T,) log of prior over proposal.
    """

    labels: Float64
    column: NDArray[np.intp]
    part: NDArray[np.intp]
    log_weight: Float64


def surfaces(
    flux: Float32, intervals: Intervals, seen: Seen, laws: Sequence[Law], device: str | torch.device = "cpu"
) -> Surfaces:
    """Log-likelihoods of node spectra (N, P) for the naive observer under each law, then the optimal ones of the sky.

    The other optimal observers have no surface of their own: their posteriors lie within the naive ones, which take
    the same pixels with about the same weights.
    """
    middle = flux.mean(axis=0, dtype=np.float64)  # of templates and stars alike: single precision then suffices
    weight = 1.0 / seen.sigma**2
    x = seen.x - middle
    linear, square, common = [row * weight for row in x], [weight] * len(laws), {}
    for number, law in enumerate(laws):
        if law in STRETCHES:
            common[len(linear)] = sky_vectors(law, seen.sigma, seen.share)
            square.append(weight / (1.0 - seen.share**2))
            linear.append(x[number] * square[-1])
    left, right = (_single(np.stack(values), device) for values in (linear, square))
    offsets = {row: _single(np.einsum("nrp,np->nr", v, x[_law_of(row, laws)]), device) for row, v in common.items()}
    vectors = {row: _single(v, device) for row, v in common.items()}
    of_nodes = torch.empty((len(linear), x.shape[1], len(flux)), device=device)
    for part in _slices(len(flux)):
        mu = _single(flux[part] - middle, device)
        of_nodes[..., part] = left @ mu.T - 0.5 * (right @ mu.square().T)
        for row in common:
            onto = offsets[row][..., None] - vectors[row] @ mu.T
            of_nodes[row][:, part] += 0.5 * onto.square().sum(dim=1)
    return Surfaces(of_nodes.cpu().numpy(), _apart(flux, intervals, right, vectors, len(laws), device))


def _apart(
    flux: Float32,
    intervals: Intervals,
    right: Tensor,
    vectors: dict[int, Tensor],
    n_laws: int,
    device: str | torch.device,
) -> Float32:
    """Half the squared distances (S, n, I) of the ends of intervals; naive observers share theirs."""
    first, distinct = n_laws - 1, right[n_laws - 1 :]
    result = torch.empty((*distinct.shape[:2], len(intervals.ends)), device=device)
    for part in _slices(len(intervals.ends)):
        low, high = intervals.ends[part].T
        step = _single(flux[high] - flux[low], device)
        result[..., part] = 0.5 * (distinct @ step.square().T)
        for row, along in vectors.items():
            result[row - first][:, part] -= 0.5 * (along @ step.T).square().sum(dim=1)
    values: Float32 = result.cpu().numpy()
    return np.concatenate([np.repeat(values[:1], n_laws, axis=0), values[1:]])


def first_proposal(intervals: Intervals, nodes: Float32, apart: Float32, temper: float) -> Proposal:
    """Proposal for one star, the mean over its observers, from `nodes` (S, N) and `apart` (S, I) of `Surfaces`.

    temper: power of the likelihoods, 0 to 1; every observer has its posterior there with it, without it and with a
        lower one: between nodes of bright cool stars the straight line is wrong by tens in the log-likelihood.
    """
    low, high = nodes[:, intervals.ends[:, 0]], nodes[:, intervals.ends[:, 1]]
    best = _between(low, high, apart, (0.5 + 0.5 * (high - low) / np.maximum(apart, 1e-9)).clip(0.0, 1.0))
    use = np.flatnonzero((best - best.max(axis=1, keepdims=True) > -_NEGLIGIBLE).any(axis=0))
    parts = np.ceil(np.sqrt(2.0 * apart[:, use].max(axis=0))).clip(1, MOST_PARTS).astype(np.intp)
    interval, first = np.repeat(use, parts), np.cumsum(parts) - parts
    width = np.repeat(1.0 / parts, parts)
    place = (np.arange(len(interval)) - np.repeat(first, parts)) * width
    height = _between(low[:, interval], high[:, interval], apart[:, interval], place + 0.5 * width)
    prior = np.exp(intervals.log_prior[interval]) * width
    share = _mixture(prior, height, (1.0, temper, _FLAT))
    # spectra that are far from linear have their peaks elsewhere in the interval
    share = (1.0 - _EVEN) * share + _EVEN * np.repeat(np.add.reduceat(share, first) / parts, parts)
    return Proposal(interval, place, width, prior, share)


def second_proposal(first: Proposal, drawn: Drawn, log_posterior: Float64, temper: float) -> Proposal:
    """Proposal about templates drawn from a first one, as their exact posteriors (..., T) have it.

    Each gives its weight to its part and those beside it; the first proposal keeps a share.
    """
    weight = _mixture(np.ones(len(drawn.part)), log_posterior.reshape(-1, len(drawn.part)), (1.0, temper))
    mass = np.zeros(len(first.share))
    for offset in range(-_BESIDE, _BESIDE + 1):
        part = (drawn.part + offset).clip(0, len(mass) - 1)
        part = np.where(first.interval[part] == first.interval[drawn.part], part, drawn.part)
        mass += np.bincount(part, weights=weight, minlength=len(mass))
    return replace(first, share=_KEPT * first.share / first.share.sum() + (1.0 - _KEPT) * mass / mass.sum())


def draw_templates(lattice: Lattice, intervals: Intervals, proposal: Proposal, draws: int, uniform: float) -> Drawn:
    """Templates drawn systematically; `uniform`, 0 to 1, is where the draws begin."""
    edges = np.cumsum(proposal.share)
    points = (np.arange(draws) + uniform) / draws * edges[-1]
    part = np.searchsorted(edges, points, side="right").clip(max=len(edges) - 1)
    # the rest of a point lies evenly in its part, so that draws from one part are spread over it
    inside = ((points - (edges[part] - proposal.share[part])) / proposal.share[part]).clip(0.0, 1.0)
    at = proposal.place[part] + inside * proposal.width[part]
    interval = proposal.interval[part]
    ends, column = intervals.ends[interval], intervals.axis[interval]
    rows, labels = np.arange(draws), lattice.labels[ends[:, 0]].copy()
    labels[rows, column] += at * (lattice.labels[ends[:, 1], column] - labels[rows, column])
    log_weight = np.log(proposal.prior[part] / proposal.share[part] * edges[-1])
    return Drawn(labels, column, part, log_weight)


def _mixture(prior: Float64, height: Float64, powers: Sequence[float]) -> Float64:
    """Mean over observers and powers of their likelihood of the posteriors, from log-likelihoods (S, T)."""
    height = height - height.max(axis=1, keepdims=True)
    posteriors = prior * np.exp(np.concatenate([power * height for power in powers]))
    mean: Float64 = (posteriors / posteriors.sum(axis=1, keepdims=True)).mean(axis=0)
    return mean


def _between(low: Float32, high: Float32, apart: Float32, place: NDArray[np.floating]) -> Float64:
    """Log-likelihoods at places 0 to 1 of intervals whose ends have `low` and `high`; a parabola."""
    values: Float64 = (1.0 - place) * low + place * high + place * (1.0 - place) * apart
    return values


def sky_vectors(law: Law, sigma: Float64, share: Float64) -> Float64:
    """V (n, r, P) with Sigma^-1 = D^-1 - V^T V by Woodbury's identity, for a law of the sky."""
    members = stretch_of(law, sigma.shape[-1]) == np.arange(STRETCHES[law])[:, None]
    rest = 1.0 - share**2
    inner = 1.0 + (share**2 / rest) @ members.T  # diagonal, for stretches do not overlap
    vectors: Float64 = (share / rest / sigma)[:, None, :] * members / np.sqrt(inner)[:, :, None]
    return vectors


def axis_names(column: NDArray[np.intp]) -> NDArray[np.str_]:
    """Names of the labels in columns (T,)."""
    return np.array(LABELS)[column]


def _law_of(row: int, laws: Sequence[Law]) -> int:
    return [number for number, law in enumerate(laws) if law in STRETCHES][row - len(laws)]


def _slices(count: int) -> list[slice]:
    return [slice(start, min(start + _TEMPLATES, count)) for start in range(0, count, _TEMPLATES)]


def _single(values: NDArray[np.floating], device: str | torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)
