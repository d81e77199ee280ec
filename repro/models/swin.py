"""One-dimensional Swin transformer from a spectrum to one label: attention within windows that shift and widen.

After Liu et al. 2021 (arXiv:2103.14030, sections 3.1 and 3.2) in one dimension. Stages of blocks work on windows of
tokens, every other block on windows shifted by half; between stages neighbouring tokens merge, half as many of twice
the width. `TINY` is the published design of Track A's other architecture, which was never trained: patches and windows
of 8, two blocks each on 512, 256 and 128 tokens of width 64, 128 and 256, no dropout, mean of all tokens. `MATCHED` has
blocks up to the size of the published vision transformer: 4 766 525 parameters to the 4 809 729 that it uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal

import torch
from torch import Tensor, nn

from repro.errors import ParameterError
from repro.models.encoder import EPS, Attention, Block, start
from repro.models.network import NetworkModel, Standardised
from repro.training.recipe import Recipe
from repro.training.spectra import Source

_TOGETHER: Final = 64  # spectra estimated together on a processor


@dataclass(frozen=True)
class SwinShape:
    """What the network is made of; the defaults are the published design.

    Attributes:
        patch: pixels of a token.
        window: tokens that attend to one another.
        width: of the tokens of the first stage; it doubles from stage to stage.
        depths: blocks of each stage.
        head: width of a head.
        ratio: hidden width of the perceptrons in widths.
        positions: `learned` vectors on the first tokens, or `none`: windows know places within themselves alone, and
            after the mean over tokens no wavelength would be told from another.
        dropout: share left out of embeddings, attention and what a block adds.
        inputs: flux as it is, or standardised pixel by pixel.

    Raises:
        ParameterError: a choice that there is not, or numbers that do not fit.
    """

    patch: int = 8
    window: int = 8
    width: int = 64
    depths: Sequence[int] = (2, 2, 2)
    head: int = 32
    ratio: int = 4
    positions: Literal["learned", "none"] = "learned"
    dropout: float = 0.0
    inputs: Literal["raw", "standardised"] = "raw"

    def __post_init__(self) -> None:
        object.__setattr__(self, "depths", tuple(self.depths))  # a list where it was read from a file
        if self.positions not in ("learned", "none") or self.inputs not in ("raw", "standardised"):
            raise ParameterError(f"swin: positions = {self.positions!r} or inputs = {self.inputs!r} is no choice")
        if min(self.patch, self.window, self.width, self.head, self.ratio, *self.depths, len(self.depths)) < 1:
            raise ParameterError(f"swin: {self} has a number below 1")
        if self.width % self.head:
            raise ParameterError(f"swin: width = {self.width} is not a multiple of a head of {self.head}")
        if not 0.0 <= self.dropout < 1.0:
            raise ParameterError(f"swin: dropout = {self.dropout} must be a share below 1")

    def tokens(self, pixels: int) -> list[int]:
        """Tokens of each stage. Raises ParameterError where they do not fall into windows."""
        halved = self.patch * 2 ** (len(self.depths) - 1)
        counts = [pixels // self.patch // 2**stage for stage in range(len(self.depths))]
        if pixels % halved or any(count == 0 or count % min(self.window, count) for count in counts):
            raise ParameterError(
                f"swin: {pixels} pixels in patches of {self.patch} do not give windows of {self.window} tokens in each "
                f"of {len(self.depths)} stages"
            )
        return counts


TINY: Final = SwinShape()
MATCHED: Final = SwinShape(depths=(6, 6, 4))


class WindowAttention(nn.Module):
    """Attention of tokens (b, T, D) within windows, shifted or not, by what tokens hold and how far apart they stand.

    Args:
        width, heads, dropout: as of `Attention`.
        tokens: T.
        window: tokens of a window, which divides T.
        shift: tokens by which the windows are moved. The window that then wraps around the ends is split there.
    """

    def __init__(self, width: int, heads: int, dropout: float, *, tokens: int, window: int, shift: int) -> None:
        super().__init__()
        self.inside = Attention(width, heads, dropout)
        self.window, self.shift = window, shift
        self.table = nn.Parameter(nn.init.trunc_normal_(torch.empty(heads, 2 * window - 1), std=0.02))
        place = torch.arange(window)
        self.apart: Tensor
        self.register_buffer("apart", place[:, None] - place + window - 1, persistent=False)  #  (w, w)
        self.barred: Tensor
        self.register_buffer("barred", _barred(tokens, window, shift), persistent=False)  #      (T / w, 1, w, w)

    def forward(self, x: Tensor, _first: bool = False) -> Tensor:
        windows = x.roll(-self.shift, dims=1).unflatten(1, (-1, self.window))  #      (b, T / w, w, D)
        bias = self.table[:, self.apart].masked_fill(self.barred, -torch.inf)  #      (T / w, h, w, w)
        seen: Tensor = self.inside(windows, bias=bias.to(windows.dtype))
        return seen.flatten(1, 2).roll(self.shift, dims=1)


class Merge(nn.Module):
    """Pairs of neighbours (b, T, D) -> (b, T / 2, 2 D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2 * width, EPS)
        self.map = nn.Linear(2 * width, 2 * width, bias=False)
        nn.init.trunc_normal_(self.map.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        pairs = x.unflatten(1, (-1, 2)).flatten(2)
        result: Tensor = self.map(self.norm(pairs))
        return result


class SwinNetwork(Standardised):
    """Flux (b, P) -> label (b,) in the units of the training; arguments as of `VitNetwork`."""

    def __init__(self, shape: SwinShape, pixels: int, moments: tuple[Tensor, Tensor] | None = None) -> None:
        super().__init__(*(moments or (torch.zeros(pixels), torch.ones(pixels))))
        self.shape = shape
        counts = shape.tokens(pixels)
        self.embed = nn.Conv1d(1, shape.width, shape.patch, shape.patch)
        self.norm_0 = nn.LayerNorm(shape.width, EPS)
        learned = shape.positions == "learned"
        self.positions = nn.Parameter(0.02 * torch.randn(counts[0], shape.width)) if learned else None
        self.dropout = nn.Dropout(shape.dropout)
        layers: list[nn.Module] = []
        for stage, (count, depth) in enumerate(zip(counts, shape.depths, strict=True)):
            width = shape.width * 2**stage
            layers += [Merge(width // 2)] if stage else []
            layers += [_block(shape, width, count, shifted=number % 2 == 1) for number in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(width, EPS)
        self.head = nn.Linear(width, 1)
        start(self.head)

    def forward(self, flux: Tensor) -> Tensor:
        if self.training or flux.device.type != "cpu":
            return self._estimate(flux)
        return torch.cat([self._estimate(part) for part in flux.split(_TOGETHER)])

    def _estimate(self, flux: Tensor) -> Tensor:
        x = self.norm_0(self.embed(((flux - self.mean) / self.scale)[:, None]).transpose(1, 2))
        if self.positions is not None:
            x = x + self.positions
        x = self.layers(self.dropout(x))
        result: Tensor = self.head(self.norm(x).mean(dim=1))[:, 0]
        return result


class Swin(NetworkModel):
    """A Swin transformer on the pixels.

    Args:
        recipe: how it is trained.
        shape: of the network, or its fields as a file keeps them.
        others: of `NetworkModel`.
    """

    kind: ClassVar[str] = "swin model"

    def __init__(
        self, recipe: Recipe | None = None, *, shape: SwinShape | Mapping[str, Any] = MATCHED, **others: Any
    ) -> None:
        super().__init__(recipe, **others)
        self.shape = shape if isinstance(shape, SwinShape) else SwinShape(**shape)

    def _settings(self) -> dict[str, Any]:
        return {"shape": asdict(self.shape)}

    def _moments(self, source: Source) -> tuple[Tensor, Tensor]:
        if self.shape.inputs == "standardised":
            return super()._moments(source)
        pixels = source.shape[1]
        return torch.zeros(pixels), torch.ones(pixels)

    def _made(self, mean: Tensor, scale: Tensor) -> nn.Module:
        return SwinNetwork(self.shape, len(mean), (mean, scale))


def _block(shape: SwinShape, width: int, tokens: int, *, shifted: bool) -> Block:
    window = min(shape.window, tokens)
    shift = window // 2 if shifted and window < tokens else 0  # one window that covers all has nothing to shift to
    heads = width // shape.head
    attention = WindowAttention(width, heads, shape.dropout, tokens=tokens, window=window, shift=shift)
    return Block(width, attention, shape.ratio, shape.dropout)


def _barred(tokens: int, window: int, shift: int) -> Tensor:
    """Pairs of a shifted window (T / w, 1, w, w) that the two ends of the spectrum lie between."""
    wrapped = (torch.arange(tokens) >= tokens - shift).view(-1, window)  # of the tokens in shifted order
    return (wrapped[:, :, None] != wrapped[:, None])[:, None]
