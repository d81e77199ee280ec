"""Evaluation of polynomials."""

from collections.abc import Sequence

import torch
from torch import Tensor


def horner(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """Sum of coefficients[k] x^k, same shape as x (real or complex)."""
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total
