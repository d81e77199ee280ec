"""Posterior of log g for spectrum sets of the sampling mode `continuous`, by importance sampling.

The prior is uniform on the box of the lattice, in the magnitude and in the observing conditions. The likelihood is the
simulator's own: independent normal pixels about the spline's spectrum, with the noise model's errors. Two observers
share the same draws:

flux: sees the spectrum alone. Conditions are drawn with the labels: a point of the quadrature over angles (and seeing)
    by its share, the magnitude from the normal distribution that one scoring step finds, a few hundredths wide, since
    the scatter of the pixels fixes the noise level. The weights divide all proposals out.
weights: is handed the star's own errors and uses them as weights without reading labels out of them: the natural
    template fit. An estimator, not a ceiling.

A star's proposal starts as normal distributions about the modes that Gauss-Newton steps find from the best nodes. It is
fitted to the weighted draws of one round after the other, until enough of them count: normal distributions about some
of the draws, which follow a bent posterior, and about their mean, the widest nearly uniform, all of them on the box
(`box_normal`). This is population Monte Carlo (Cappe et al. 2004, Journal of Computational and Graphical Statistics 13,
907). Only a last round enters the estimate, so that the fitting biases nothing. Draws are Sobol points, shifted at
random for every star.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import qmc
from torch import Tensor

from repro.bounds.posterior.box_normal import BoxNormal, Mixture
from repro.bounds.posterior.emulator import MAGNITUDE, POINTS, RANK, Emulator, noise_rule
from repro.bounds.posterior.law import Law
from repro.bounds.posterior.star_likelihood import StarLikelihood
from repro.bounds.posterior.table import PosteriorTable
from repro.errors import DataError, ParameterError
from repro.instrument.noise import NoiseModel
from repro.labels import LABELS
from repro.progress import Report, silent
from repro.spectra.generate import MEDIAN
from repro.spectra.nodes import NodeGrid
from repro.spectra.presentation import ObservedStars

OBSERVERS: Final = ("flux", "weights")
SAMPLES: Final = 2048  # of the last round, of which a quarter to a half count: the error of a mean is 0.03 sd
_FIRST, _NEXT = 512, 1024  # draws of the rounds that fit the proposal
_MOST_ROUNDS: Final = 8  # of them; at least two
_ENOUGH: Final = 0.1  # share of effective draws with which they end
_STARTS: Final = 4  # nodes that Gauss-Newton steps start from, of different log g
_STARS: Final = 256  # at a time, in the search of start nodes
_NODES: Final = 1024
_FEWEST: Final = 60.0  # effective draws that a proposal is fitted to; weights are tempered until there are as many
_KERNELS: Final = 16  # normal distributions about weighted draws, which follow a bent posterior
_KERNEL_SCALE: Final = 0.5  # of their widths, in fitted standard deviations
_SCALES: Final = (1.15, 2.0, 4.0, 8.0)  # likewise of those about the mean
_SHARES: Final = (0.3, 0.15, 0.1, 0.05)


def continuous_posterior(
    grid: NodeGrid,
    observed: ObservedStars,
    noise_model: NoiseModel,
    law: Law,
    *,
    samples: int = SAMPLES,
    device: str | torch.device = "cpu",
    report: Report = silent,
) -> PosteriorTable:
    """The posterior of log g of stars of a set made from `grid` in the sampling mode `continuous`.

    Args:
        grid: without missing nodes, log g among its free axes.
        observed: the stars, with their noise level; its seed is that of the draws too.
        noise_model: the set's, on `device`.
        law: limits of the uniform laws of magnitude and conditions.
        samples: draws of the last round, a power of two.
        report: called with the number of stars done and in all.

    Raises:
        ParameterError: `samples` is not a power of two of at least 64.
        DataError: nodes are missing, log g has one node only, or the noise of a star is that of no magnitude between
            the limits.
    """
    if samples < 64 or samples & (samples - 1):
        raise ParameterError(f"importance sampling: {samples} draws; they must be a power of two of at least 64")
    sampler = Sampler(grid, noise_model, observed.noise, law, seed=observed.seed, device=device)
    starts = sampler.starts(observed.x)
    results = []
    for number, row in enumerate(observed.rows):
        x, error = (torch.as_tensor(values[number], device=device) for values in (observed.x, observed.error))
        draws = sampler.draws(x, error, starts[number], int(row), samples)
        results.append(draws.summary(float(observed.table["log_g"][number])))
        report(number + 1, len(observed.rows))
    effective = np.array([result["effective"] for result in results])
    return PosteriorTable(
        observers=OBSERVERS,
        stars=observed.rows,
        truth=observed.table["log_g"].astype(np.float64),
        labels=observed.labels,
        mag=observed.table["mag"].astype(np.float64),
        snr=observed.snr,
        **{name: np.stack([result[name] for result in results], axis=1) for name in results[0]},
        conditions={
            "mode": "continuous",
            "method": "importance sampling",
            "source": grid.source,
            "nodes": grid.lattice.size,
            "rank": RANK,
            "noise": observed.noise,
            "noise_model": noise_model.mode,
            "magnitudes": list(law.magnitudes),
            "samples": samples,
            "points_per_condition": POINTS,
            "effective_share_median": float(np.median(effective[0]) / samples),
            "effective_least": float(effective[0].min()),
        },
    )


@dataclass(frozen=True)
class Draws:
    """The last draws for one star: log g (m,) and the natural logarithm of the weights of each observer, (O, m)."""

    log_g: Tensor
    log_weights: Tensor

    def summary(self, truth: float) -> dict[str, NDArray[np.float64]]:
        """Numbers of each observer (O,): see `PosteriorTable`."""
        mean, weights = _moments(self.log_g, self.log_weights)
        half = len(self.log_g) // 2  # of Sobol points the first half is as even as the whole
        coarse, _ = _moments(self.log_g[:half], self.log_weights[:, :half])
        offset = self.log_g - mean[:, None]
        values = {
            "mean": mean,
            "sd": (weights * offset**2).sum(dim=1).sqrt(),
            "pit": (weights * (self.log_g <= truth)).sum(dim=1),
            "coarse_mean": coarse,
            "effective": 1.0 / (weights**2).sum(dim=1),
            "monte_carlo_error": (weights**2 * offset**2).sum(dim=1).sqrt(),
        }
        return {name: value.cpu().numpy() for name, value in values.items()}


class Sampler:
    """Draws from the posteriors of stars; each star's are the same whichever others there are.

    Args:
        grid: node grid without missing nodes, log g among its free axes.
        noise: noise level.
        law: limits of the uniform laws of magnitude and conditions.
        seed: of the draws.
        points: of the quadrature in each observing condition.

    Raises:
        DataError: log g has one node only, or as `TensorSpline`.
    """

    def __init__(
        self,
        grid: NodeGrid,
        noise_model: NoiseModel,
        noise: float,
        law: Law,
        *,
        seed: int = 0,
        points: int = POINTS,
        device: str | torch.device = "cpu",
    ) -> None:
        if "log_g" not in grid.lattice.free:
            raise DataError("the posterior of log g needs a lattice with more than one node of log g")
        self._device = torch.device(device)
        self._grid = grid
        self._emulator = Emulator(grid, device)
        self._rule = noise_rule(noise_model, noise, law, device, points)
        self._magnitudes = law.magnitudes
        self._seed = seed
        self._column = grid.lattice.free.index("log_g")
        self._low, self._extent = grid.lattice.axes["log_g"][0], np.ptp(grid.lattice.axes["log_g"])
        self._free = len(grid.lattice.free)

    def starts(self, x: NDArray[np.float32]) -> Tensor:
        """Where to look first for each star, (n, s, k) fractions of the lattice's extent, from noisy flux (n, P).

        The best nodes of different log g, best first. All stars share one shape of the noise, that of the mean node at
        the middle magnitude; nothing hangs on it, since the likelihood of later steps is the star's own.
        """
        lattice = self._grid.lattice
        mu, weights = self._nodes()
        power = torch.cat([part.square() @ weights for part in mu.split(_NODES)])
        gravity = lattice.positions[:, LABELS.index("log_g")]
        groups = [np.flatnonzero(gravity == value) for value in np.unique(gravity)]
        found = []
        for part in torch.from_numpy(x).split(_STARS):
            weighted = part.to(self._device) * weights
            mismatch = (power - 2.0 * (weighted @ mu.T)).cpu().numpy()  # (b, N), less a constant of each star
            best = np.stack([group[mismatch[:, group].argmin(axis=1)] for group in groups], axis=1)
            order = np.take_along_axis(mismatch, best, axis=1).argsort(axis=1, kind="stable")[:, :_STARTS]
            found.append(np.take_along_axis(best, order, axis=1))
        free = [LABELS.index(name) for name in lattice.free]
        labels = lattice.labels[:, free]
        low, high = labels.min(axis=0), labels.max(axis=0)
        return torch.tensor((labels[np.concatenate(found)] - low) / (high - low), device=self._device)

    def _nodes(self) -> tuple[Tensor, Tensor]:
        """Normalised flux of all nodes (N, P), and inverse variances (P,) of their mean; float32."""
        median = np.median(self._grid.flux, axis=1).astype(np.float64)
        nodes = torch.from_numpy(self._grid.flux * (MEDIAN / median)[:, None].astype(np.float32)).to(self._device)
        band = 10.0 ** (-0.4 * self._grid.zero_point)
        log_alpha = float(np.median(np.log(MEDIAN / median * band))) + MAGNITUDE * 0.5 * sum(self._magnitudes)
        middle = torch.tensor([len(self._rule.shares) // 2], device=self._device)
        level = torch.tensor([log_alpha], dtype=torch.float64, device=self._device)
        return nodes, 1.0 / self._rule.variance(nodes.mean(dim=0, keepdim=True), level, middle)[0][0]

    def draws(self, x: Tensor, error: Tensor, starts: Tensor, row: int, samples: int = SAMPLES) -> Draws:
        """From the posterior of one star.

        Args:
            x: noisy flux, (P,) float32.
            error: 1-sigma errors of the pixels, (P,); only the observer `weights` sees them.
            starts: fractions of the lattice's extent to start from, (s, k) float64.
            row: names the star's draws.
            samples: of the last round, a power of two.

        Raises:
            DataError: the noise of the star is that of no magnitude within the limits.
        """
        like = StarLikelihood(self._emulator, self._rule, self._magnitudes, x, 1.0 / error.to(torch.float32) ** 2)
        proposal = like.modes(starts)
        for round_ in range(_MOST_ROUNDS):
            size = _FIRST if round_ == 0 else _NEXT
            points, condition, log_weights = self._round(like, proposal, size, row, round_)
            weights = torch.softmax(log_weights[0], dim=0)
            proposal = _fitted(points, log_weights[0])
            like.learn(condition, weights)
            if round_ > 0 and float(weights.square().sum()) * _ENOUGH * size < 1.0:
                break
        points, _, log_weights = self._round(like, proposal, samples, row, _MOST_ROUNDS)
        return Draws(self._low + self._extent * points[:, self._column], log_weights)

    def _round(
        self, like: StarLikelihood, proposal: Mixture, size: int, row: int, round_: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Points (m, k), conditions (m,) and log weights of the observers (O, m) of one round."""
        uniform = self._uniform(size, row, round_)
        points = proposal.draw(uniform[:, : self._free + 1])
        condition, log_odds = like.conditions(uniform[:, -2])
        log_weights = like(points, condition, uniform[:, -1]) - proposal.log_density(points)
        log_weights[0] -= log_odds
        if not bool(log_weights.isfinite().any(dim=1).all()):
            low, high = self._magnitudes
            raise DataError(f"star {row}: its noise is that of no magnitude from {low:g} to {high:g}")
        return points, condition, log_weights

    def _uniform(self, size: int, row: int, round_: int) -> Tensor:
        """Sobol points (size, 1 + k + 2) of a round, shifted for the star."""
        dimensions = self._free + 3
        points = qmc.Sobol(dimensions, rng=np.random.default_rng((self._seed, round_))).random(size)
        shift = np.random.Generator(np.random.Philox(key=(self._seed, row * (_MOST_ROUNDS + 1) + round_)))
        shifted = (points + shift.random(dimensions)) % 1.0
        return torch.tensor(shifted.clip(1e-12, 1.0 - 1e-12), device=self._device)


def _fitted(points: Tensor, log_weights: Tensor) -> Mixture:
    """The mixture for the next round, from points (m, k) and their weights (m,), tempered where few of them count."""
    power = 1.0
    while (weights := torch.softmax(power * log_weights, dim=0)).square().sum() > 1.0 / _FEWEST:
        power *= 0.5
    mean = weights @ points
    offset = points - mean
    covariance = (weights[:, None] * offset).T @ offset
    root = torch.linalg.cholesky(covariance + 1e-8 * torch.eye(len(mean), dtype=points.dtype, device=points.device))
    levels = (torch.arange(_KERNELS, dtype=points.dtype, device=points.device) + 0.5) / _KERNELS
    chosen = torch.searchsorted(weights.cumsum(0), levels).clamp(max=len(weights) - 1)
    kernels = [BoxNormal(points[row], _KERNEL_SCALE * root) for row in chosen]
    wide = [BoxNormal(mean, scale * root) for scale in _SCALES]
    return Mixture(kernels + wide, [(1.0 - sum(_SHARES)) / _KERNELS] * _KERNELS + list(_SHARES))


def _moments(values: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (O,) of values (m,) and weights (O, m) that add up to 1."""
    weights = torch.softmax(log_weights, dim=1)
    return weights @ values, weights
