"""Spectra and noise of the simulator at any labels of a lattice, as fast as importance sampling needs them.

Both are what `spectra.generate` makes in the sampling mode `continuous`: the tensor-product spline of the node spectra,
divided to a median of 0.5, and the noise model, here in single precision. Of the spline's directions the leading ones
are kept (`RANK`).

At fixed zenith angle, field angle and seeing the noise model is affine in the flux. With F' = s F the normalised flux,
alpha = s 10^(0.4 (mag - zero point)), A = 1 / sensitivity and B = background variance / sensitivity^2,

    sigma'^2 = noise^2 alpha (F' A + alpha B).
"""

import math
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import torch
from scipy.interpolate import BSpline
from torch import Tensor

from repro.bounds.posterior.law import Law
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import N_PIXELS
from repro.spectra.generate import MEDIAN
from repro.spectra.interpolate import BSplines, TensorSpline
from repro.spectra.nodes import NodeGrid

RANK: Final = 256  # directions kept. At SNR 7 the rest of a spectrum has an error-weighted norm of 0.01 (median), 0.18
MAGNITUDE: Final = 0.4 * math.log(10.0)
POINTS: Final = 6  # of the Gauss-Legendre rule in each condition: ln p to 0.007 (4: 0.07, 3: 0.2; against 20 points)


class Emulator:
    """Normalised spectra at any labels, given as fractions of the lattice's extent along its k free axes.

    Args:
        grid: without missing nodes.
        device: where spectra are made.

    Raises:
        DataError: as `TensorSpline`.
    """

    def __init__(self, grid: NodeGrid, device: str | torch.device = "cpu", rank: int = RANK) -> None:
        spline = TensorSpline(grid)
        rank = min(rank, len(spline.basis))
        band = spline.coefficients[:, -1:]
        self._band_scale = float(band.max())
        columns = np.concatenate([spline.coefficients[:, :rank], band / self._band_scale], axis=1)
        self._coefficients = torch.tensor(columns, dtype=torch.float32, device=device)
        self._basis = torch.tensor(spline.basis[:rank], dtype=torch.float32, device=device)
        self._axes = [
            _Axis(axis, nodes, device) for axis, nodes in zip(spline.splines, grid.lattice.axes.values(), strict=True)
        ]

    def __call__(self, fractions: Tensor) -> tuple[Tensor, Tensor]:
        """Flux (b, P) float32 of median 0.5 and ln alpha at magnitude 0 (b,) float64, at fractions (b, k) in 0 to 1."""
        places = torch.zeros((len(fractions), 1), dtype=torch.int64, device=fractions.device)
        weights = torch.ones((len(fractions), 1), dtype=torch.float32, device=fractions.device)
        columns = iter(fractions.T)
        for axis in self._axes:
            first, along = axis(next(columns)) if axis.free else axis.fixed(len(fractions))
            here = first[:, None] + torch.arange(along.shape[1], device=first.device)
            places = (places[:, :, None] * axis.size + here[:, None, :]).flatten(1)
            weights = (weights[:, :, None] * along.to(torch.float32)[:, None, :]).flatten(1)
        values = torch.nn.functional.embedding_bag(places, self._coefficients, mode="sum", per_sample_weights=weights)
        flux = values[:, :-1] @ self._basis
        scale = MEDIAN / _median(flux)
        band = values[:, -1].to(torch.float64) * self._band_scale
        return flux * scale[:, None], torch.log(scale.to(torch.float64) * band)


class _Axis:
    """The B-splines of one axis that differ from zero at a fraction of its extent."""

    def __init__(self, splines: BSplines, nodes: tuple[float, ...], device: str | torch.device) -> None:
        self.size = splines.size
        self.free = splines.size > 1
        self._device = device
        if not self.free:
            return
        degree, knots = splines.degree, splines.knots
        starts = np.flatnonzero(np.diff(knots) > 0)
        every = BSpline(knots, np.eye(self.size), degree)
        powers = [every.derivative(power)(knots[starts]) / math.factorial(power) for power in range(degree, 0, -1)]
        pieces = np.stack([*powers, every(knots[starts])], axis=1)  # (intervals, degree + 1, size), highest power first
        local = [piece[:, first : first + degree + 1] for first, piece in enumerate(pieces)]
        self._low, self._extent = nodes[0], nodes[-1] - nodes[0]
        self._starts = torch.tensor(knots[starts], device=device)
        self._pieces = torch.tensor(np.array(local), device=device)  # (intervals, degree + 1, degree + 1)

    def __call__(self, fractions: Tensor) -> tuple[Tensor, Tensor]:
        """Number of the first B-spline (b,), and the values of it and the next (b, degree + 1)."""
        points = self._low + self._extent * fractions
        interval = (torch.searchsorted(self._starts, points, right=True) - 1).clamp(0, len(self._starts) - 1)
        step = (points - self._starts[interval])[:, None]
        pieces = self._pieces[interval]
        values = pieces[:, 0]
        for power in range(1, pieces.shape[1]):
            values = values * step + pieces[:, power]
        return interval, values

    def fixed(self, rows: int) -> tuple[Tensor, Tensor]:
        """The same of an axis with one node."""
        return torch.zeros(rows, dtype=torch.int64, device=self._device), torch.ones((rows, 1), device=self._device)


@dataclass(frozen=True)
class NoiseRule:
    """The noise model at the c points of a quadrature over zenith angle, field angle and (mode `physical`) seeing.

    light: noise^2 A, (c, P) float32, in units of `unit`.
    background: noise^2 B, (c, P) float32, in units of `unit` squared.
    shares: weight of each point under the law, (c,) float64, adding up to 1.
    log_unit: ln `unit`.
    """

    light: Tensor
    background: Tensor
    shares: Tensor
    log_unit: float

    def variance(self, flux: Tensor, log_alpha: Tensor, point: Tensor) -> tuple[Tensor, Tensor]:
        """Variance of normalised flux (b, P), and its part noise^2 alpha^2 B, for ln alpha (b,) and points (b,)."""
        factor = torch.exp(log_alpha + self.log_unit).to(torch.float32)[:, None]
        background = factor * factor * self.background[point]
        return factor * flux.clamp(min=0.0) * self.light[point] + background, background


def noise_rule(
    noise_model: NoiseModel, noise: float, law: Law, device: str | torch.device, points: int = POINTS
) -> NoiseRule:
    """Gauss-Legendre rule of `points` values in each condition but the magnitude; `noise_model` lives on `device`.

    Raises:
        ParameterError: limits of the law out of order.
    """
    limits = law.limits(noise_model)[1:]
    x, w = np.polynomial.legendre.leggauss(points)
    nodes = torch.tensor(np.array(list(product(*(low + 0.5 * (high - low) * (x + 1.0) for low, high in limits)))))
    shares = np.array([math.prod(combination) for combination in product(0.5 * w, repeat=len(limits))])
    seeing = nodes[:, 2] if len(limits) == 3 else 0.8  # any value: it does not act
    conditions = Conditions(mag=0.0, zenith_angle=nodes[:, 0], field_angle=nodes[:, 1], seeing=seeing)
    dark, light = (_variance(noise_model, level, conditions, len(nodes), device) for level in (0.0, 1.0))
    unit = float(dark.mean().sqrt())  # keeps all numbers within the range of float32
    return NoiseRule(
        (noise**2 * (light - dark) / unit).to(device, torch.float32),
        (noise**2 * dark / unit**2).to(device, torch.float32),
        torch.tensor(shares, device=device),
        math.log(unit),
    )


def _variance(
    noise_model: NoiseModel, level: float, conditions: Conditions, rows: int, device: str | torch.device
) -> Tensor:
    flux = torch.full((rows, N_PIXELS), level, dtype=torch.float64, device=device)
    return noise_model(flux, torch.zeros(rows, dtype=torch.float64), conditions) ** 2


def _median(flux: Tensor) -> Tensor:
    """Median of each row, the mean of the two middle values where their number is even, (b,)."""
    lower = flux.median(dim=1).values
    if flux.shape[1] % 2:
        return lower
    below = flux <= lower[:, None]
    above = flux.masked_fill(below, math.inf).amin(dim=1)
    return 0.5 * (lower + torch.where(below.sum(dim=1) > flux.shape[1] // 2, lower, above))
