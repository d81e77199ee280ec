"""Likelihood of one star's spectrum at any labels, magnitudes and conditions, and where it is largest."""

import math
from typing import Final

import torch
from torch import Tensor

from repro.bounds.posterior.box_normal import BoxNormal, Mixture
from repro.bounds.posterior.emulator import MAGNITUDE, Emulator, NoiseRule

_STEPS: Final = 12  # of every iteration
_CONVERGED: Final = 1e-3  # [mag] a tenth of the width to which the scatter of the pixels fixes a magnitude
_SIDE: Final = 1e-3  # how near to a side of the box a mode is looked for
_NARROWEST: Final = 12.0  # information of the uniform law on a unit interval: no proposal is wider to begin with
_WIDER: Final = 1.5  # standard deviations of the first proposals, in those that the information gives
_ROWS: Final = {"cpu": 64, "cuda": 4096}  # spectra at a time: on a CPU they stay in its cache


class StarLikelihood:
    """Likelihood of one star's spectrum."""

    def __init__(
        self, emulator: Emulator, rule: NoiseRule, magnitudes: tuple[float, float], x: Tensor, weights: Tensor
    ) -> None:
        self._emulator, self._rule, self._magnitudes, self._x, self._weights = emulator, rule, magnitudes, x, weights
        self._levels = torch.full_like(rule.shares, 0.5 * sum(magnitudes))  # best magnitude at each quadrature point
        self._odds = rule.shares  # of drawing each quadrature point

    def modes(self, starts: Tensor) -> Mixture:
        """Normal distributions about the maxima of the likelihood near starts (s, k), found by Gauss-Newton steps.

        The noise level is left free; the shape of the noise is that of the first start. Fits the levels on the way.
        """
        middle = len(self._rule.shares) // 2
        self._fit_levels(starts[:1])
        mu, log_alpha = self._emulator(starts[:1])
        weight = 1.0 / self._rule.variance(mu, log_alpha + MAGNITUDE * self._levels[middle], self._point(middle))[0]
        place = starts.clamp(_SIDE, 1.0 - _SIDE)
        mismatch, gradient, information = self._normal_equations(place, weight)
        unit = torch.eye(starts.shape[1], dtype=starts.dtype, device=starts.device)
        damping = torch.ones_like(mismatch)
        for _ in range(_STEPS):
            # a label that the gradient presses against a side of the box stays there in this step
            held = ((place <= _SIDE) & (gradient < 0)) | ((place >= 1.0 - _SIDE) & (gradient > 0))
            moving = ~held
            matrix = information * (moving[:, :, None] & moving[:, None, :]) + damping[:, None, None] * unit
            trial = (place + torch.linalg.solve(matrix, gradient * moving)).clamp(_SIDE, 1.0 - _SIDE)
            found = self._normal_equations(trial, weight)
            better = found[0] < mismatch
            damping = torch.where(better, 0.2 * damping, 10.0 * damping)
            place = torch.where(better[:, None], trial, place)
            mismatch = torch.where(better, found[0], mismatch)
            gradient = torch.where(better[:, None], found[1], gradient)
            information = torch.where(better[:, None, None], found[2], information)
        best = int(mismatch.argmin())
        self._fit_levels(place[best : best + 1])
        covariance = torch.linalg.inv(information + _NARROWEST * unit)
        log_odds = -0.5 * len(self._x) * (mismatch.log() - mismatch.min().log())
        shares = torch.softmax(0.5 * log_odds.clamp(min=-8.0), dim=0)
        roots = torch.linalg.cholesky(_WIDER**2 * covariance)
        return Mixture([BoxNormal(*part) for part in zip(place, roots, strict=True)], shares.tolist())

    def conditions(self, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Quadrature points (m,) drawn by uniform numbers (m,), and ln of their odds over their shares (m,)."""
        drawn = torch.searchsorted(self._odds.cumsum(0)[:-1].contiguous(), uniform.contiguous(), right=True)
        return drawn, torch.log(self._odds / self._rule.shares)[drawn]

    def learn(self, condition: Tensor, weights: Tensor) -> None:
        """Draw quadrature points from now on as the weights (m,) of those drawn (m,) suggest."""
        found = torch.zeros_like(self._odds).index_add_(0, condition, weights)
        self._odds = 0.6 * found + 0.3 * self._odds + 0.1 * self._rule.shares

    def __call__(self, points: Tensor, condition: Tensor, uniform: Tensor) -> Tensor:
        """Log likelihood of each observer, (2, m), at points (m, k) under conditions (m,).

        For `flux` divided by the density of the magnitude, which uniform numbers (m,) draw; minus infinity where the
        magnitude is outside the limits.
        """
        deviate = torch.special.ndtri(uniform)
        rows = torch.arange(len(points), device=points.device).split(_ROWS[points.device.type])
        parts = [self._block(points[block], condition[block], deviate[block]) for block in rows]
        return torch.cat(parts, dim=1)

    def _block(self, points: Tensor, condition: Tensor, deviate: Tensor) -> Tensor:
        mu, log_alpha = self._emulator(points)
        squares = (self._x - mu) ** 2
        start = self._levels[condition]
        _, slope, information = self._level(mu, squares, log_alpha + MAGNITUDE * start, condition)
        width = 1.1 / information.sqrt()
        magnitude = start + (slope / information).clamp(-0.5, 0.5) + width * deviate
        value, _, _ = self._level(mu, squares, log_alpha + MAGNITUDE * magnitude, condition)
        value = value + 0.5 * deviate**2 + width.log()
        inside = (magnitude >= self._magnitudes[0]) & (magnitude <= self._magnitudes[1])
        flux = torch.where(inside, value, -math.inf)
        return torch.stack([flux, -0.5 * (squares * self._weights).sum(dim=1).to(torch.float64)])

    def _level(self, mu: Tensor, squares: Tensor, log_alpha: Tensor, point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log likelihood, its slope in magnitude and the expected information on the magnitude, (b,) float64 each."""
        variance, background = self._rule.variance(mu, log_alpha, point)
        ratio = squares / variance
        slope = 1.0 + background / variance  # d ln variance / d magnitude, in units of `MAGNITUDE`
        value = -0.5 * (ratio + torch.log(variance)).sum(dim=1).to(torch.float64)
        gradient = -0.5 * MAGNITUDE * (slope * (1.0 - ratio)).sum(dim=1).to(torch.float64)
        return value, gradient, 0.5 * MAGNITUDE**2 * (slope**2).sum(dim=1).to(torch.float64)

    def _fit_levels(self, place: Tensor) -> None:
        """The likeliest magnitude at each quadrature point for the spectrum at (1, k), by scoring."""
        mu, log_alpha = self._emulator(place)
        squares = (self._x - mu) ** 2
        points = torch.arange(len(self._levels), device=place.device)
        for _ in range(_STEPS):
            value, slope, information = self._level(mu, squares, log_alpha + MAGNITUDE * self._levels, points)
            step = (slope / information).clamp(-0.5, 0.5)
            self._levels = self._levels + step
            if float(step.abs().max()) < _CONVERGED:
                break
        inside = (self._levels >= self._magnitudes[0]) & (self._levels <= self._magnitudes[1])
        likely = self._rule.shares * torch.exp(0.5 * torch.where(inside, value - value.max(), value - value.max() - 8))
        self._odds = 0.9 * likely / likely.sum() + 0.1 * self._rule.shares

    def _normal_equations(self, place: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted squares (s,) left at places (s, k), and for noise of their level: gradient (s, k), information."""
        s, k = place.shape
        step = torch.where(place < 0.5, 0.01, -0.01)
        moved = place[:, None, :] + torch.diag_embed(step)
        mu, _ = self._emulator(torch.cat([place, moved.reshape(s * k, k)]))
        slopes = (mu[s:].reshape(s, k, -1) - mu[:s, None]) / step[:, :, None]
        rest = self._x - mu[:s]
        mismatch = (rest**2 * weight).sum(dim=1).to(torch.float64)
        scale = len(self._x) / mismatch
        weighted = slopes * weight
        gradient = torch.einsum("skp,sp->sk", weighted, rest).to(torch.float64) * scale[:, None]
        information = (weighted @ slopes.transpose(1, 2)).to(torch.float64) * scale[:, None, None]
        return mismatch, gradient, information

    def _point(self, number: int) -> Tensor:
        return torch.tensor([number], device=self._levels.device)
