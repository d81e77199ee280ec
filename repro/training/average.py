"""The exponential average of the weights of a network."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn


class Average(nn.Module):
    """A copy of a network whose weights are decay * average + (1 - decay) * weights after each update.

    After the first update they are the weights themselves. Buffers are those of the network.

    The numbers and the state of `torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn`. That one carries its
    count to the device at every update, for which a GPU's queue must run empty.

    Args:
        network: stays where it is, with the same parameters and buffers: their values are read at each update.
        decay: of the average, per update.
    """

    n_averaged: Tensor

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.module = deepcopy(network)
        self.register_buffer("n_averaged", torch.tensor(0))  # stays on the processor, where asking for it is free
        self._share = 1.0 - decay
        self._averaged = _values(network.parameters()), _values(self.module.parameters())
        self._followed = _values(network.buffers()), _values(self.module.buffers())

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights of the network."""
        weights, averages = self._averaged
        if self.n_averaged == 0:
            _copy(weights, averages)
        else:
            torch._foreach_lerp_(averages, weights, self._share)
        _copy(*self._followed)
        self.n_averaged += 1


def _values(tensors: Iterator[Tensor]) -> list[Tensor]:
    return [tensor.detach() for tensor in tensors]


def _copy(values: list[Tensor], places: list[Tensor]) -> None:
    if values:
        torch._foreach_copy_(places, values)
