"""Evaluation of polynomials."""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor


@cache
def _constants(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    return torch.tensor(values, dtype=dtype, device=device).unbind()


def horner(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """Sum of coefficients[k] x^k, same shape as x (real or complex)."""
    constants = _constants(tuple(coefficients), x.dtype, x.device)
    total = constants[-1]
    for constant in reversed(constants[:-1]):
        total = torch.addcmul(constant, total, x)
    return total.expand_as(x)
