"""First pass: how well each node of the lattice fits each star, and where the refined lines need a closer look."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.posterior.conditions import ConditionRule, Points
from repro.progress import Report, silent
from repro.spectra.lattice import Lattice

_BLOCK: Final = 512  # nodes at a time in the first look


@dataclass(frozen=True)
class NodeFits:
    """ln p(x | node) with conditions unknown, of the nodes that matter to each star.

    Attributes:
        log_likelihood: (n, N) float32, relative to a number for each star; -inf where it was not asked for.
        weights: 1 / variance of the best node at its best conditions, (n, P): a function of the star's flux alone.
    """

    log_likelihood: Tensor
    weights: Tensor


def blocks_of(lattice: Lattice) -> NDArray[np.intp]:
    """Number of the block of each node, (N,): the nodes of a block share T_eff and [M/H], their spectra are alike."""
    return lattice.positions[:, 0] * lattice.shape[2] + lattice.positions[:, 2]


def misfits(x: Tensor, flux: Tensor, weights: Tensor) -> Tensor:
    """Sum over pixels of weights (P,) times (x (n, P) - flux (N, P))^2, the same weights for all: (n, N) float32."""
    mean = flux.mean(dim=0)
    weighted = (x - mean) * weights
    result = (weighted * (x - mean)).sum(dim=1, keepdim=True).repeat(1, len(flux))
    for first in range(0, len(flux), _BLOCK):
        part = flux[first : first + _BLOCK] - mean
        result[:, first : first + _BLOCK] += (part * part) @ weights
        result[:, first : first + _BLOCK].addmm_(weighted, part.T, alpha=-2.0)
    return result


def scaled_misfits(x: Tensor, flux: Tensor, zero_point: Tensor, points: Points, noise: float) -> tuple[Tensor, Tensor]:
    """q of stars (n, P) for templates (b, P) at J conditions, (n, b, J) float32, and u, (b, J) float64.

    Two matrix products for each condition; see `conditions`.
    """
    mean = flux.mean(dim=0)
    star, template = x - mean, flux - mean
    both = torch.cat([star * star, star], dim=1)
    q = torch.empty((len(points.magnitudes), len(x), len(flux)), dtype=torch.float32, device=x.device)
    u = torch.empty((len(points.magnitudes), len(flux)), dtype=torch.float64, device=x.device)
    for number in range(len(points.magnitudes)):
        variance = points.variance(flux, zero_point, number, noise)
        u[number] = torch.log(variance).mean(dim=1, dtype=torch.float64)
        weights = torch.exp(u[number]).to(flux.dtype)[:, None] / (x.shape[1] * variance)
        shifted = weights * template
        torch.addmm((shifted * template).sum(dim=1), both, torch.cat([weights, -2.0 * shifted], dim=1).T, out=q[number])
    return q.permute(1, 2, 0), u.T


def fit_nodes(
    x: Tensor,
    flux: Tensor,
    zero_point: Tensor,
    block: NDArray[np.intp],
    wanted: Tensor,
    rule: ConditionRule,
    noise: float,
    report: Report = silent,
) -> NodeFits:
    """ln p(x | node), with magnitude and conditions integrated out.

    Args:
        x: (n, P) float32.
        flux: nodes of median 0.5, (N, P) float32.
        zero_point: theirs, (N,) float64.
        block: number of the block of each node, (N,).
        wanted: (n, blocks) bool; at least one for each star.
        rule: the conditions.
    """
    n, pixels = x.shape
    found = torch.full((n, len(flux)), -torch.inf, dtype=torch.float32, device=x.device)
    base = torch.full((n,), torch.nan, dtype=torch.float64, device=x.device)
    best = torch.full((n,), -torch.inf, dtype=torch.float64, device=x.device)
    places = torch.zeros((n, 1 + rule.others.shape[1]), dtype=torch.float64, device=x.device)
    best_node = torch.zeros(n, dtype=torch.int64, device=x.device)
    others = torch.tensor(rule.others, device=x.device)
    for number in range(wanted.shape[1]):
        stars = wanted[:, number].nonzero()[:, 0]
        nodes = torch.tensor(np.flatnonzero(block == number), device=x.device)
        if len(stars) and len(nodes):
            q, u = scaled_misfits(x[stars], flux[nodes], zero_point[nodes], rule.fit, noise)
            log_p, other, magnitude = rule.integral(q, u, pixels)
            base[stars] = torch.where(base[stars].isnan(), log_p.max(dim=1).values, base[stars])
            found[stars[:, None], nodes] = (log_p - base[stars, None]).float()
            here, column = log_p.max(dim=1)
            better = here > best[stars]
            chosen, column = stars[better], column[better]
            best[chosen], best_node[chosen] = here[better], nodes[column]
            places[chosen, 0] = magnitude[better, column]
            places[chosen, 1:] = others[other[better, column]]
        report(number + 1, wanted.shape[1])
    points = rule.at(places.cpu().numpy())
    weights = torch.empty_like(x)
    for star in range(n):
        node = best_node[star : star + 1]
        weights[star] = 1.0 / points.variance(flux[node], zero_point[node], star, noise)[0]
    return NodeFits(found, weights)
