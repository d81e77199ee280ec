"""Muon: momentum of matrices, made orthogonal before it is added (K. Jordan et al. 2024, kellerjordan.github.io).

As `torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`, but that one multiplies in bfloat16 on a processor too,
which is slow there.
"""

from collections.abc import Iterable
from typing import Any, Final

import torch
from torch import Tensor

# quintic iteration of K. Jordan: its singular values end in 0.7 to 1.2, in five steps
_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
_STEPS: Final = 5
_RMS: Final = 0.2  # root mean square of AdamW's updates (J. Liu et al. 2025, arXiv:2502.16982, section 2.2)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal and scaled to the root mean square of AdamW's updates; decoupled decay.

    Args:
        weights: matrices.
        lr: learning rate, that AdamW would have.
        weight_decay: share of the weights, times the rate, that each update takes away.
        momentum: decay of the sum of gradients.
    """

    def __init__(self, weights: Iterable[Tensor], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update; matrices of one shape are made orthogonal together. `closure` is not used."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for weights in group["params"]:
                if weights.grad is not None:
                    shapes.setdefault(weights.shape, []).append(weights)
            for shape, members in shapes.items():
                steps = orthogonal(torch.stack([self._momentum(weights, group["momentum"]) for weights in members]))
                size = group["lr"] * _RMS * max(shape) ** 0.5
                for weights, step in zip(members, steps, strict=True):
                    weights.mul_(1.0 - group["lr"] * group["weight_decay"]).sub_(step.to(weights.dtype), alpha=size)

    def _momentum(self, weights: Tensor, decay: float) -> Tensor:
        gradient = weights.grad
        assert gradient is not None
        kept: Tensor = self.state[weights].setdefault("momentum", torch.zeros_like(gradient))
        kept.lerp_(gradient, 1.0 - decay)
        return gradient.lerp(kept, decay)


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly U V' of matrices U S V' (m, a, b): by Newton-Schulz steps, in bfloat16 on a GPU and float32 elsewhere."""
    x = matrices.bfloat16() if matrices.device.type == "cuda" else matrices.float()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    first, third, fifth = _COEFFICIENTS
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=third, alpha=fifth), x, beta=first)
    return x.mT if tall else x
