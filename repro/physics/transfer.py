"""Emergent flux of a plane-parallel atmosphere in LTE."""

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from repro.physics.constants import PLANCK, SECOND_RADIATION, SPEED_OF_LIGHT
from repro.physics.polynomial import horner

_OPAQUE: Final = 18.0  # optical depth from where E4 is nothing: exp(-18) / 22

# (1/3 - E4(x)) / x: ratio of polynomials, minimax on 0 <= x <= 18, relative error 4e-6.
_NUMERATOR: Final = (0.49999854298975743, 9.599889764017023, 21.42637215661522, 4.676246096863702) + (
    1.2294921277273236,
    0.16966846579239875,
    5.6380685931444035e-05,
)
_DENOMINATOR: Final = (1.0, 20.1962738458585, 61.2036006503077, 48.973642783265845) + (
    16.719621653077724,
    3.4550888332380816,
    0.5190139674262992,
)


def missing_e4(x: Tensor) -> Tensor:
    """1/3 - E4(x) for x >= 0, with E4 the exponential integral.

    The form is accurate relative to itself as x -> 0, where the flux needs differences of it. Relative error 4e-6.
    """
    x = x.clamp(max=_OPAQUE)
    return x * horner(_NUMERATOR, x) / horner(_DENOMINATOR, x)


def between(ratio: Tensor) -> Iterator[Tensor]:
    """The depths (B, W) of `ratio` (B, D, W) and those halfway between, 2 D - 1 in all, from the top.

    Cubic interpolation of the logarithm through four depths, at the ends through three.
    """
    depths = ratio.unbind(dim=1)
    here, next_one = torch.log(depths[0]), torch.log(depths[1])
    before = 2.0 * here - next_one
    for index, value in enumerate(depths[:-1]):
        after = torch.log(depths[index + 2]) if index + 2 < len(depths) else 2.0 * next_one - here
        yield value
        yield torch.exp(0.5625 * (here + next_one) - 0.0625 * (before + after))
        before, here, next_one = here, next_one, after
    yield depths[-1]


def emergent_flux(ratio: Tensor, log_tau: Tensor, temperature: Tensor, wave: Tensor) -> Tensor:
    """Surface flux F_lambda (B, W) [erg s^-1 cm^-2 A^-1].

    ratio (B, D, W): opacity over the reference opacity in which log_tau (D,) counts, or (B, (D + 1) / 2, W) at every
    second depth; temperature (B, D) [K]; wave (W,) [A]. F = 2 pi times the integral of B E2(tau) dtau with B linear in
    tau between depths, tau = 0 at the first depth and the ratio linear in the reference depth:
    F = 2 pi [B_0 / 2 + sum_i b_i (E4(tau_i) - E4(tau_(i+1))) + b_last E4(tau_last)], b_i the slope of B in layer i.
    """
    thickness = torch.diff(10.0**log_tau).tolist()
    # Planck's function is scale / (exp(exponent / T) - 1).
    scale = (2.0e32 * PLANCK * SPEED_OF_LIGHT**2 / wave**5).to(ratio.dtype)
    exponent = (SECOND_RADIATION / wave).to(ratio.dtype)
    inverse_temperature = (1.0 / temperature).to(ratio.dtype)[..., None].unbind(dim=1)
    ratios = iter(ratio.unbind(dim=1)) if ratio.shape[1] == len(log_tau) else between(ratio)
    upper = next(ratios)
    source = scale / torch.expm1(exponent * inverse_temperature[0])
    flux = 0.5 * source
    slope = missing = tau = torch.zeros_like(source)
    for depth, (step, lower) in enumerate(zip(thickness, ratios, strict=True)):
        layer = (0.5 * step) * (upper + lower)
        tau = tau + layer
        next_source = scale / torch.expm1(exponent * inverse_temperature[depth + 1])
        next_missing = missing_e4(tau)
        slope = (next_source - source) / layer
        flux = torch.addcmul(flux, slope, next_missing - missing)
        source, missing, upper = next_source, next_missing, lower
    flux = flux + slope * (1.0 / 3.0 - missing)
    return (2.0 * torch.pi) * flux
