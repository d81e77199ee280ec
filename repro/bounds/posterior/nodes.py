"""What the scatter of a star says of the nodes, magnitude and observing conditions being unknown."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.posterior.conditions import ConditionRule, Points
from repro.bounds.posterior.screen import Start
from repro.progress import Report, silent
from repro.spectra.lattice import Lattice

_BLOCK: Final = 512  # nodes at a time
_STEP: Final = 0.01  # of the squared residuals; the data fix the noise level to about this


@dataclass(frozen=True)
class NodeFits:
    """What the scatter of each star says of the nodes, with magnitude and conditions unknown.

    Attributes:
        scatter: ln p of the star's residuals from its starting template in the noise of each node, (n, N) float32,
            relative to a number for each star; -inf where it was not asked for.
        weights: 1 / variance of the starting template at its best conditions, (n, P): a function of the flux alone.
        slope: change of ln p with the logarithm of the squared residuals, (n,) float64: -P/2 where the magnitude can
            follow the noise level, less steep where the limits of its law hold it.
    """

    scatter: Tensor
    weights: Tensor
    slope: Tensor


def blocks_of(lattice: Lattice) -> NDArray[np.intp]:
    """Number of the block of each node, (N,): the nodes of a block share T_eff and [M/H], their spectra are alike."""
    return lattice.positions[:, 0] * lattice.shape[2] + lattice.positions[:, 2]


def scaled_misfits(x: Tensor, flux: Tensor, zero_point: Tensor, points: Points, noise: float) -> tuple[Tensor, Tensor]:
    """q of stars (n, P) for templates (b, P), each with its own noise, at J conditions, (n, b, J), and u, (b, J).

    Two matrix products for each condition; see `conditions`. What `scatter` and the lines stand for, node by node.
    """
    mean = flux.mean(dim=0)
    star, template = x - mean, flux - mean
    both = torch.cat([star * star, star], dim=1)
    q = torch.empty((len(points.magnitudes), len(x), len(flux)), dtype=torch.float32, device=x.device)
    u = torch.empty((len(points.magnitudes), len(flux)), dtype=torch.float64, device=x.device)
    for number in range(len(points.magnitudes)):
        for first in range(0, len(flux), _BLOCK):
            part = slice(first, first + _BLOCK)
            variance = points.variance(flux[part], zero_point[part], number, noise)
            u[number, part] = torch.log(variance).mean(dim=1, dtype=torch.float64)
            weights = torch.exp(u[number, part]).to(flux.dtype)[:, None] / (x.shape[1] * variance)
            shifted = weights * template[part]
            factors = torch.cat([weights, shifted.mul(-2.0)], dim=1)
            q[number, :, part] = torch.addmm((shifted * template[part]).sum(dim=1), both, factors.T)
    return q.permute(1, 2, 0), u.T


def scatter(residual: Tensor, flux: Tensor, zero_point: Tensor, points: Points, noise: float) -> tuple[Tensor, Tensor]:
    """q of squared residuals (n, P) in the noise of templates (b, P) at J conditions, (n, b, J), and u, (b, J).

    One matrix product for each condition; see `conditions`.
    """
    count = len(points.magnitudes)
    q = torch.empty((count, len(residual), len(flux)), dtype=torch.float32, device=residual.device)
    u = torch.empty((count, len(flux)), dtype=torch.float64, device=residual.device)
    for number in range(count):
        variance = points.variance(flux, zero_point, number, noise)
        u[number] = torch.log(variance).mean(dim=1, dtype=torch.float64)
        weights = torch.exp(u[number]).to(flux.dtype)[:, None] / (residual.shape[1] * variance)
        torch.matmul(residual, weights.T, out=q[number])
    return q.permute(1, 2, 0), u.T


def fit_nodes(
    x: Tensor,
    start: Start,
    flux: Tensor,
    zero_point: Tensor,
    block: NDArray[np.intp],
    wanted: Tensor,
    rule: ConditionRule,
    noise: float,
    report: Report = silent,
) -> NodeFits:
    """How well the scatter of each star about its starting template suits the noise of each node.

    Args:
        x: (n, P) float32.
        start: a template near each star.
        flux: nodes of median 0.5, (N, P) float32.
        zero_point: theirs, (N,) float64.
        block: number of the block of each node, (N,).
        wanted: (n, blocks) bool; that of `start` among them.
        rule: the conditions.
    """
    n, pixels = x.shape
    squares = (x - start.template) ** 2
    found = torch.full((n, len(flux)), -torch.inf, dtype=torch.float32, device=x.device)
    base = torch.full((n,), torch.nan, dtype=torch.float64, device=x.device)
    places = torch.zeros((n, 1 + rule.others.shape[1]), dtype=torch.float64, device=x.device)
    slope = torch.zeros(n, dtype=torch.float64, device=x.device)
    others = torch.tensor(rule.others, device=x.device)
    at_home = torch.tensor(block, device=x.device)[start.node]
    for number in range(wanted.shape[1]):
        stars = wanted[:, number].nonzero()[:, 0]
        nodes = torch.tensor(np.flatnonzero(block == number), device=x.device)
        if len(stars) and len(nodes):
            q, u = scatter(squares[stars], flux[nodes], zero_point[nodes], rule.fit, noise)
            log_p, other, magnitude = rule.integral(q, u, pixels)
            base[stars] = torch.where(base[stars].isnan(), log_p.max(dim=1).values, base[stars])
            found[stars[:, None], nodes] = (log_p - base[stars, None]).float()
            home = at_home[stars] == number
            column = torch.searchsorted(nodes, start.node[stars[home]])
            places[stars[home], 0] = magnitude[home, column]
            places[stars[home], 1:] = others[other[home, column]]
            near, level = q[home, column], u[column]
            more, less = (rule.integral(near * factor, level, pixels)[0] for factor in (1 + _STEP, 1 - _STEP))
            slope[stars[home]] = (more - less) / (2.0 * _STEP)
        report(number + 1, wanted.shape[1])
    points = rule.at(places.cpu().numpy())
    rows = (slice(star, star + 1) for star in range(n))
    variances = [points.variance(start.template[row], start.zero_point[row], row.start, noise) for row in rows]
    return NodeFits(found, 1.0 / torch.cat(variances), slope)
