"""Evaluation of polynomials."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor


class _Horner(torch.autograd.Function):
    """Sum of coefficients[k] x^k; its own derivative is several times faster than that of the steps one by one."""

    @staticmethod
    def forward(x: Tensor, *coefficients: Tensor) -> Tensor:
        return _sum(coefficients, x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_forward(*inputs)

    @staticmethod
    def jvp(ctx: Any, change: Tensor | None, *changes: Tensor | None) -> Tensor:
        x, *coefficients = ctx.saved_tensors
        total = torch.zeros_like(x)
        if change is not None:
            total = change * _sum([k * coefficient for k, coefficient in enumerate(coefficients)][1:], x)
        if any(part is not None for part in changes):
            pairs = zip(coefficients, changes, strict=True)
            total = total + _sum([torch.zeros_like(value) if part is None else part for value, part in pairs], x)
        return total


def _sum(coefficients: Sequence[Tensor], x: Tensor) -> Tensor:
    total = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = torch.addcmul(coefficient, total, x)
    return total


@cache
def _constants(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    return torch.tensor(values, dtype=dtype, device=device).unbind()


def horner(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """Sum of coefficients[k] x^k, same shape as x (real or complex), at least two coefficients."""
    return _Horner.apply(x, *_constants(tuple(coefficients), x.dtype, x.device))


def horner_tensors(coefficients: Sequence[Tensor], x: Tensor) -> Tensor:
    """Sum of coefficients[k] x^k with coefficients that are broadcast against x."""
    return _Horner.apply(x, *coefficients)
