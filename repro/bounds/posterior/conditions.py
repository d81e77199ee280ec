"""The likelihood of a star with magnitude and observing conditions unknown, for many templates at once.

At conditions c a template of flux mu has the variance v = noise^2 alpha (mu A(c) + alpha B(c)), alpha = 10^(0.4 (mag -
zero point)) (`instrument.noise`). Write u = mean over pixels of ln v, and q = mean of (x - mu)^2 e^u / v, the squared
residual in units of the noise, of which the level is taken out. Then

    ln p(x | c) = -P/2 (u + q e^-u) + constant.

The data fix the noise level, and so the magnitude at given other conditions, to about one per cent; all else that the
conditions do is to change the shape of v over the pixels, by some per cent and smoothly. q and u are therefore
polynomials in the conditions, known from a few points; the integral over the magnitude is that of a Gaussian cut at
the limits of the law, and that over the other conditions a Gauss-Legendre sum.
"""

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import qr
from torch import Tensor

from repro.bounds.posterior.law import Law
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import N_PIXELS

DEGREE: Final = 2  # of the polynomials, all conditions together; that in the magnitude alone goes one higher
POINTS: Final = 3  # of the Gauss-Legendre sum over each condition but the magnitude

_MAGNITUDE: Final = 0.4 * np.log(10.0)
_FLUX: Final = 0.5  # at which the part of the variance that goes with the flux is measured
_NEWTON: Final = 3


@dataclass(frozen=True)
class Points:
    """Some conditions: variance factors A and B at each, (c, P) float64, and their places on the unit box, (c, d)."""

    places: NDArray[np.float64]
    magnitudes: NDArray[np.float64]
    per_flux: Tensor
    background: Tensor

    def variance(self, flux: Tensor, zero_point: Tensor, number: int, noise: float) -> Tensor:
        """Variance of templates (b, P) of these zero points (b,) at one of the conditions, (b, P) as `flux`."""
        alpha = torch.exp(_MAGNITUDE * (float(self.magnitudes[number]) - zero_point.double()))[:, None]
        per_flux = (noise**2 * alpha * self.per_flux[number]).to(flux.dtype)
        background = (noise**2 * alpha**2 * self.background[number]).to(flux.dtype)
        return torch.addcmul(background, flux, per_flux)


class ConditionRule:
    """Polynomials in the conditions through a few points, and the integral over the law of them.

    Args:
        degree: of the polynomials.
        points: of the sum over each condition but the magnitude.

    Attributes:
        fit: the J conditions at which q and u are to be known.
    """

    def __init__(
        self,
        noise_model: NoiseModel,
        law: Law,
        device: torch.device,
        degree: int = DEGREE,
        points: int = POINTS,
        pixels: int = N_PIXELS,
    ) -> None:
        self.degree, self.points = degree, points
        self._limits = law.limits(noise_model)
        self._noise_model, self._pixels = noise_model, pixels
        self._device = device
        n = len(self._limits)
        exponents = [e for e in itertools.product(range(degree + 1), repeat=n) if sum(e) <= degree]
        self._exponents = np.array([*exponents, (degree + 1, *[0] * (n - 1))])
        levels = -np.cos(np.pi * np.arange(degree + 2) / (degree + 1))
        candidates = np.array(list(itertools.product(levels, repeat=n)))
        design = self._design(candidates)
        chosen = np.sort(qr(design.T, pivoting=True, mode="r")[1][: len(self._exponents)])
        self.fit = self.at(candidates[chosen])
        nodes, weights = np.polynomial.legendre.leggauss(points)
        others = np.array(list(itertools.product(nodes, repeat=n - 1)))
        share = np.prod(list(itertools.product(0.5 * weights, repeat=n - 1)), axis=1)
        self._log_share = torch.tensor(np.log(share), device=device)
        self.others = others
        # coefficients in t of the polynomial at each of the other conditions, from the values at the fit points
        powers = np.zeros((len(self._exponents), len(others), degree + 2))
        for term, (power, *rest) in enumerate(self._exponents):
            powers[term, :, power] = np.prod(others ** np.array(rest), axis=1)
        inverse = np.linalg.inv(design[chosen])
        self._to_powers = torch.tensor(np.einsum("tj,tqp->jqp", inverse, powers), device=device)

    def at(self, places: NDArray[np.float64]) -> Points:
        """The conditions at places (c, d) of the box [-1, 1]^d."""
        middle, half = self._limits.mean(axis=1), 0.5 * np.diff(self._limits, axis=1)[:, 0]
        values = middle + half * places
        seeing = values[:, 3] if values.shape[1] > 3 else np.ones(len(values))
        columns = [torch.tensor(column, device=self._device) for column in (values[:, 1], values[:, 2], seeing)]
        conditions = Conditions(float(middle[0]), *columns)
        zero = torch.zeros((len(values), self._pixels), dtype=torch.float64, device=self._device)
        # at the zero point `mag` alpha is 1; a flux that gives about as many electrons as the sky keeps all digits
        level = torch.tensor([middle[0] - _log_alpha(middle[0])], dtype=torch.float64, device=self._device)
        alpha = 10.0 ** (0.4 * _log_alpha(middle[0]))
        background = self._noise_model(zero, level, conditions) ** 2
        both = self._noise_model(zero + _FLUX, level, conditions) ** 2
        return Points(places, values[:, 0], (both - background) / (_FLUX * alpha), background / alpha**2)

    def integral(self, q: Tensor, u: Tensor, pixels: int) -> tuple[Tensor, Tensor, Tensor]:
        """ln of the mean likelihood over the law.

        Args:
            q: (..., J) at the fit points.
            u: (..., J), broadcast against `q`.

        Returns:
            ln p (...), up to -P/2 ln(2 pi); the number of the likeliest `others`, and the magnitude (-1 to 1) there.
        """
        q_powers = torch.einsum("...j,jqp->p...q", q.double(), self._to_powers)
        u_powers = torch.einsum("...j,jqp->p...q", u.double(), self._to_powers)
        if self._limits[0, 0] == self._limits[0, 1]:
            t = torch.zeros_like(q_powers[0])
            log_p = -0.5 * pixels * (u_powers[0] + q_powers[0] * torch.exp(-u_powers[0]))
        else:
            log_p, t = _over_magnitude(q_powers, u_powers, pixels)
        log_p = log_p + self._log_share
        best = log_p.max(dim=-1).indices
        return torch.logsumexp(log_p, dim=-1), best, t.gather(-1, best[..., None])[..., 0]

    def _design(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        design: NDArray[np.float64] = np.prod(places[:, None, :] ** self._exponents, axis=2)
        return design


def _over_magnitude(q: Tensor, u: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
    """ln of the mean over t in [-1, 1] of the likelihood, and its best t, from powers of t of q and u, (p, ...)."""
    half = 0.5 * pixels
    t = torch.zeros_like(q[0])
    for _ in range(_NEWTON):  # the level u(t) = ln q(t)
        (q0, q1, _), (u0, u1, _) = _derivatives(q, t), _derivatives(u, t)
        t = (t - (u0 - torch.log(q0)) / (u1 - q1 / q0)).clamp(-1.0, 1.0)
    for _ in range(2):  # the peak of the likelihood, which the slope of q moves off that level a little
        (q0, q1, q2), (u0, u1, u2) = _derivatives(q, t), _derivatives(u, t)
        relative = torch.exp(-u0)
        value = -half * (u0 + q0 * relative)
        slope = -half * (u1 + relative * (q1 - q0 * u1))
        precision = half * (u2 + relative * (q2 - 2.0 * q1 * u1 - q0 * u2 + q0 * u1**2))
        peak, start = t + slope / precision, t
        t = peak.clamp(-1.0, 1.0)
    width = precision.rsqrt()
    low, high = (-1.0 - peak) / width, (1.0 - peak) / width
    swap = low > 0  # in the far tail of the other side differences of cumulative probabilities keep their digits
    low, high = torch.where(swap, -high, low), torch.where(swap, -low, high)
    inside = torch.special.log_ndtr(high)
    inside = inside + torch.log1p(-torch.exp(torch.special.log_ndtr(low) - inside))
    log_p = value + 0.5 * (peak - start) ** 2 * precision + torch.log(width) + inside
    return log_p + 0.5 * np.log(0.5 * np.pi), t


def _derivatives(powers: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, slope and second derivative at t (...) of polynomials whose coefficients are `powers` (p, ...)."""
    value, slope, second = powers[-1], torch.zeros_like(t), torch.zeros_like(t)
    for coefficient in reversed(powers[:-1]):
        second = second * t + 2.0 * slope
        slope = slope * t + value
        value = value * t + coefficient
    return value, slope, second


def _log_alpha(magnitude: float) -> float:
    """Magnitudes above the zero point of a spectrum of median 0.5, about, so that A flux and B are of one size."""
    return magnitude + 21.0
