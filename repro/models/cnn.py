"""Convolutional network from a spectrum to one label, as in the published kernel sweep.

Two convolutions, 1 -> 32 -> 64 channels, each with batch normalisation and ReLU, then a pool and 64 -> 128 -> 1.
The published parameter counts, 23 105 to 139 585 for kernels of 7 to 63, are those of this network without the 192
scales and shifts of batch normalisation; its receptive field, 3 k - 2 pixels, asks for a stride of 2 between the
convolutions that has no window of its own (a max pool of 2 would give 3 k - 1): the first convolution takes it.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal

import torch
from torch import Tensor, nn

from repro.errors import ParameterError
from repro.models.network import NetworkModel, Standardised
from repro.training.loop import Recipe

CHANNELS: Final = (32, 64)
HEAD: Final = 128
CELLS: Final = 64  # positions that `flatten` keeps: 27 A each, so that the lines of the calcium triplet stay apart
STRIDE: Final = 2  # of the first convolution

_TOGETHER: Final = 32  # spectra that are estimated together: a spectrum takes 1.3 MB between the layers

Pool = Literal["average", "flatten"]


class CnnNetwork(Standardised):
    """Standardised flux -> standardised label."""

    def __init__(
        self, mean: Tensor, scale: Tensor, kernel: int, dilation: int, pool: Pool, channels: Sequence[int], norm: bool
    ) -> None:
        super().__init__(mean, scale)
        layers: list[nn.Module] = []
        for number, (a, b) in enumerate(zip((1, *channels), channels, strict=False)):
            stride = STRIDE if number == 0 else 1
            layers.append(nn.Conv1d(a, b, kernel, stride, dilation * (kernel // 2), dilation))
            layers += [nn.BatchNorm1d(b)] if norm else []
            layers.append(nn.ReLU(inplace=True))
        self.features = nn.Sequential(*layers)
        positions = -(-len(mean) // STRIDE)
        window = positions if pool == "average" else max(positions // CELLS, 1)
        self.pool = nn.AvgPool1d(window)
        self.head = nn.Sequential(nn.Linear(channels[-1] * (positions // window), HEAD), nn.ReLU(), nn.Linear(HEAD, 1))

    def forward(self, flux: Tensor) -> Tensor:  #                                     (b, P)
        x = (flux - self.mean) / self.scale
        if self.training:
            return self._estimate(x)
        return torch.cat([self._estimate(part) for part in x.split(_TOGETHER)])

    def _estimate(self, x: Tensor) -> Tensor:
        seen = self.features(x[:, None])  #                                           (b, 64, P / 2)
        result: Tensor = self.head(self.pool(seen).flatten(1))[:, 0]  #               (b,)
        return result


class Cnn(NetworkModel):
    """A convolutional network on the pixels.

    Args:
        recipe: how it is trained.
        kernel: pixels of each convolution, odd.
        dilation: pixels between the taps of a kernel.
        pool: what becomes of the positions: `average` over all of them, as published, after which the network knows
            no wavelengths; or `flatten`, which keeps them in cells of 64 pixels.
        channels: of the convolutions.
        norm: whether they are followed by batch normalisation.
        others: of `NetworkModel`.

    Raises:
        ParameterError: a kernel or dilation that cannot be, or an unknown pool.
    """

    kind: ClassVar[str] = "cnn model"

    def __init__(
        self,
        recipe: Recipe | None = None,
        *,
        kernel: int = 9,
        dilation: int = 1,
        pool: Pool = "average",
        channels: Sequence[int] = CHANNELS,
        norm: bool = True,
        **others: Any,
    ) -> None:
        super().__init__(recipe, **others)
        if kernel < 1 or kernel % 2 == 0 or dilation < 1:
            raise ParameterError(f"cnn: kernel = {kernel} must be odd and dilation = {dilation} at least 1")
        if pool not in ("average", "flatten"):
            raise ParameterError(f"cnn: pool {pool!r} is not one of average, flatten")
        self.kernel, self.dilation, self.norm = kernel, dilation, norm
        self.pool: Pool = pool
        self.channels = tuple(channels)

    @property
    def receptive_field(self) -> int:
        """Pixels that one position before the pool depends on: 3 k - 2 for two convolutions without dilation."""
        reach = self.dilation * (self.kernel - 1)
        return 1 + reach * (1 + STRIDE * (len(self.channels) - 1))

    def _settings(self) -> dict[str, Any]:
        names = ("kernel", "dilation", "pool", "channels", "norm")
        return {name: getattr(self, name) for name in names}

    def _made(self, mean: Tensor, scale: Tensor) -> nn.Module:
        return CnnNetwork(mean, scale, **self._settings())
