"""Emergent flux of a plane-parallel atmosphere in LTE."""

from typing import Final

import torch
from torch import Tensor

from repro.physics.constants import PLANCK, SECOND_RADIATION, SPEED_OF_LIGHT
from repro.physics.polynomial import horner

_SERIES_LIMIT: Final = 1.0
_TINY: Final = 1e-30

# (1/3 - E4(x)) / x + x^2 ln(x) / 6: polynomial in x, interpolating at Chebyshev points of 0 <= x <= 1, error 4e-10.
_SERIES: Final = (0.5000000004309247, -0.500000042531806, 0.20935363175185162, 0.04166248908732044) + (
    -0.004154487834797376,
    0.0004444892746966254,
    -3.523858114788103e-05,
)

# x exp(x) E4(x) -> 1: ratio of polynomials in x, least squares on 1 <= x <= 120, relative error 5e-9.
_TAIL_NUMERATOR: Final = (70.56139664175133, 163.46025146643993, 96.05416543624585, 18.178572998420407, 1.0)
_TAIL_DENOMINATOR: Final = (211.88767175275825, 594.1599651159923, 498.9140383819669) + (
    164.76923653109654,
    22.17856836107352,
    1.0,
)


def missing_e4(x: Tensor) -> Tensor:
    """1/3 - E4(x) for x >= 0, with E4 the exponential integral.

    The form is accurate relative to itself as x -> 0, where the flux needs differences of it. Relative error 2e-9 in
    float64 and 3e-7 in float32.
    """
    small = x.clamp(_TINY, _SERIES_LIMIT)
    series = small * torch.addcmul(horner(_SERIES, small), small * small, torch.log(small), value=-1.0 / 6.0)
    large = x.clamp(min=_SERIES_LIMIT)
    tail = 1.0 / 3.0 - torch.exp(-large) * horner(_TAIL_NUMERATOR, large) / horner(_TAIL_DENOMINATOR, large)
    return torch.where(x < _SERIES_LIMIT, series, tail)


def emergent_flux(ratio: Tensor, log_tau: Tensor, temperature: Tensor, wave: Tensor) -> Tensor:
    """Surface flux F_lambda (B, W) [erg s^-1 cm^-2 A^-1].

    ratio (B, D, W): opacity over the reference opacity in which log_tau (D,) counts; temperature (B, D) [K]; wave (W,)
    [A]. F = 2 pi times the integral of B E2(tau) dtau with B linear in tau between depths, tau = 0 at the first depth
    and the ratio linear in the reference depth:
    F = 2 pi [B_0 / 2 + sum_i b_i (E4(tau_i) - E4(tau_(i+1))) + b_last E4(tau_last)], b_i the slope of B in layer i.
    """
    thickness = torch.diff(10.0**log_tau).tolist()
    # Planck's function is scale / (exp(exponent / T) - 1).
    scale = (2.0e32 * PLANCK * SPEED_OF_LIGHT**2 / wave**5).to(ratio.dtype)
    exponent = (SECOND_RADIATION / wave).to(ratio.dtype)
    inverse_temperature = (1.0 / temperature).to(ratio.dtype)[..., None].unbind(dim=1)
    ratios = ratio.unbind(dim=1)
    source = scale / torch.expm1(exponent * inverse_temperature[0])
    flux = 0.5 * source
    slope = missing = tau = torch.zeros_like(source)
    for depth, step in enumerate(thickness):
        layer = (0.5 * step) * (ratios[depth] + ratios[depth + 1])
        tau = tau + layer
        next_source = scale / torch.expm1(exponent * inverse_temperature[depth + 1])
        next_missing = missing_e4(tau)
        slope = (next_source - source) / layer
        flux = torch.addcmul(flux, slope, next_missing - missing)
        source, missing = next_source, next_missing
    flux = flux + slope * (1.0 / 3.0 - missing)
    return (2.0 * torch.pi) * flux
