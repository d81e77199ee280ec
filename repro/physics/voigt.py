"""The Voigt function H(a, v): the profile of a line that is both Doppler and damping broadened."""

from math import pi
from typing import Final

import torch
from torch import Tensor

from repro.physics.polynomial import horner, horner_tensors

# Damping below which the profile is the Gaussian core, exact, and a ratio of polynomials for the rest.
WEAK_DAMPING: Final = 0.5

# H(a, v) = exp(a^2 - v^2) cos(2 a v) + a N(X) / D(X), X = v^2 / 4: the first term is all that is even in a. Rows of
# _NUMERATOR are powers of a^2, columns powers of X. Weighted least squares on H (scipy.special.wofz) for
# 1e-4 <= a <= 0.5 and all v, with the limit a / (sqrt(pi) v^2) built in; largest relative error 1.1e-5.
_NUMERATOR: Final = (
    (-1.128292188976115, 5.103278903968245, 0.5519064825797381, 1.3112952364676598)
    + (0.10591784132163416, 1.1618647433932874, -0.4869673728126163, 0.2681734933468136),
    (-0.7535771227492442, 9.448165147341559, -10.880789309931357, 2.247450390231898)
    + (-0.3303969863285976, 0.033589063369720944, -0.06542060125926626, 0.0),
    (-0.29339275079121907, 6.032624015435282, -14.820661449819033, 9.666158631970527)
    + (-2.047648899467152, 0.12539609789662537, 0.005738384122322358, 0.0),
    (-0.1045039367699739, 2.886721673008071, -10.837603879742517, 12.587269169004841)
    + (-5.729493672829386, 1.0709104423458704, -0.06872792996022226, 0.0),
)
_DENOMINATOR: Final = (
    (1.0, 3.4734839118223535, 6.053403452178914, 6.095707737414357, 8.271317164153237)
    + (-2.26386848348752, 9.35498572053386, -4.164964300087991, 1.9013005639733782)
)  # fmt: skip

# w(z) = P(i z) / Q(i z), Hui, Armstrong & Wray (1978, JQSRT 19, 509), p = 6; relative error 1.1e-5 at a = 0.5 and less
# beyond.
_HUI_P: Final = (122.607931777104326, 214.382388694706425, 181.928533092181549, 93.155580458138441) + (
    30.180142196210589,
    5.912626209773153,
    0.564189583562615,
)
_HUI_Q: Final = (122.607931773875350, 352.730625110963558, 457.334478783897737, 348.703917719495792) + (
    170.354001821091472,
    53.992906912940207,
    10.479857114260399,
    1.0,
)

_FAR: Final = 9.0e4  # v^2 beyond which the profile falls as 1 / v^2: keeps the powers within single precision

_NOTHING: Final = -80.0  # exponent below which the core is nothing, and would only be slow to compute


def voigt_weak(damping: Tensor, distance: Tensor) -> Tensor:
    """H(a, v) for 0 <= a <= WEAK_DAMPING, relative error 1.2e-5 (3e-5 beyond v = 300).

    `damping` a and `distance` v (in Doppler widths) are broadcast against each other; float32 or float64.
    """
    square = distance * distance
    near = square.clamp(max=_FAR)
    x = 0.25 * near
    damping_square = damping * damping
    powers = torch.stack([damping_square**power for power in range(len(_NUMERATOR))])
    columns = torch.tensor(_NUMERATOR, dtype=x.dtype, device=x.device).T
    coefficients = (columns @ powers.reshape(len(_NUMERATOR), -1)).reshape(-1, *damping.shape).unbind()
    numerator = horner_tensors(coefficients, x)
    fall = (near + 1.0) / (square + 1.0)
    wing = damping * numerator / horner(_DENOMINATOR, x) * fall
    core = torch.exp((damping_square - square).clamp(min=_NOTHING)) * torch.cos(2.0 * damping * distance)
    return core + wing


def voigt_strong(damping: Tensor, distance: Tensor) -> Tensor:
    """H(a, v) for a >= WEAK_DAMPING, relative error 1.2e-5 (3e-5 beyond v = 300)."""
    near = distance.abs().clamp(max=_FAR**0.5)
    z = torch.complex(*torch.broadcast_tensors(damping, -near))
    ratio = (horner(_HUI_P, z) / horner(_HUI_Q, z)).real
    offset = damping * damping + 1.0
    return ratio * (near * near + offset) / (distance * distance + offset)


def voigt_wing(damping: Tensor, distance: Tensor) -> Tensor:
    """H(a, v) where the Doppler core is nothing: a / sqrt(pi) (s + 1/2) / (s^2 + ...), the real part of
    i z / (sqrt(pi) (z^2 - 1/2)) (Humlicek 1982, JQSRT 27, 437, region 1), relative error 3 / |z|^4."""
    square = distance * distance
    damping_square = damping * damping
    constant = damping_square + 0.5
    lower = torch.addcmul(constant * constant, square, square + (2.0 * damping_square - 1.0))
    return (damping * pi**-0.5) * (square + constant) / lower


def voigt(damping: Tensor, distance: Tensor) -> Tensor:
    """H(a, v) for a >= 0 and any v, relative error below 3e-5; differentiable.

    `damping` a = gamma / (4 pi Doppler width) and `distance` v in Doppler widths are broadcast against each other.
    """
    weak = voigt_weak(damping.clamp(max=WEAK_DAMPING), distance)
    strong = voigt_strong(damping.clamp(min=WEAK_DAMPING), distance)
    return torch.where(damping < WEAK_DAMPING, weak, strong)
