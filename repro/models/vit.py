"""Vision transformer from a spectrum to one label: the published architecture, its stand-in and a fast variant.

A spectrum is cut into patches, each becomes a token; blocks of attention and perceptron, normalised before each
(pre-LN), work on the tokens; one token or the mean of all gives the label. `PUBLISHED` is the network of the 1M run:
the encoder of Hugging Face's `ViTModel` (Dosovitskiy et al. 2021, arXiv:2010.11929) under one-dimensional embeddings,
with the pooler that `ViTModel` carries and this network never uses: 4 875 521 parameters, 4 809 729 of them used.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal

import torch
from torch import Tensor, nn

from repro.errors import ParameterError
from repro.models.encoder import EPS, Attention, Block, start
from repro.models.network import NetworkModel, Standardised
from repro.training.loop import Recipe
from repro.training.spectra import Source

_TOGETHER: Final = 64  # spectra estimated together on a processor: one takes 3 MB in a block of the published shape

_CHOICES: Final = {
    "tokenizer": ("c1d", "sw"),
    "init": ("published", "conv"),
    "positions": ("learned", "rotary", "none"),
    "pooling": ("cls", "mean"),
    "inputs": ("raw", "standardised"),
}


@dataclass(frozen=True)
class Shape:
    """What a transformer is made of; the defaults are the published one.

    Attributes:
        patch: pixels of a token.
        stride: pixels from one token to the next; None: those of a patch, so that tokens do not overlap.
        width, depth, heads, ratio: of the tokens, number of blocks, heads of each, hidden width of the perceptrons in
            widths.
        tokenizer: `c1d`, a strided convolution, or `sw`, windows and a linear map. They are the same maps of a patch
            and start from other scales: 1/4 uniform (PyTorch's of a convolution) and 0.02 normal.
        init: of the tokenizer `sw`: as `published`, or at the scale of the convolution (`conv`), the control.
        positions: what tells tokens apart: `learned` vectors, `rotary` phases of queries and keys, or `none`.
        pooling: what the head sees: a learned token of class, or the `mean` of all tokens and no such token.
        dropout: share left out of embeddings, attention and what a block adds.
        inputs: flux as it is, or standardised pixel by pixel.
        pooler: whether the unused dense layer of ViTModel is carried along.
        norm_qk: whether queries and keys are normalised (as in Dehghani et al. 2023, arXiv:2302.05442, but without
            gains): no logit grows without limit at a high learning rate in bfloat16.
        zero_residual: whether what blocks add starts at 0, so that gradients reach the tokens at once.

    Raises:
        ParameterError: a choice that there is not, or numbers that do not fit.
    """

    patch: int = 16
    stride: int | None = None
    width: int = 256
    depth: int = 6
    heads: int = 8
    ratio: int = 4
    tokenizer: Literal["c1d", "sw"] = "c1d"
    init: Literal["published", "conv"] = "published"
    positions: Literal["learned", "rotary", "none"] = "learned"
    pooling: Literal["cls", "mean"] = "cls"
    dropout: float = 0.1
    inputs: Literal["raw", "standardised"] = "raw"
    pooler: bool = True
    norm_qk: bool = False
    zero_residual: bool = False

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ParameterError(f"vit: {name} = {getattr(self, name)!r} is not one of {', '.join(known)}")
        for name in ("patch", "width", "depth", "heads", "ratio", "step"):
            if getattr(self, name) < 1:
                raise ParameterError(f"vit: {name} = {getattr(self, name)} must be at least 1")
        if self.width % (2 * self.heads):
            raise ParameterError(f"vit: width = {self.width} must be an even number for each of {self.heads} heads")
        if not 0.0 <= self.dropout < 1.0:
            raise ParameterError(f"vit: dropout = {self.dropout} must be a share below 1")

    @property
    def step(self) -> int:
        """Pixels from one token to the next."""
        return self.patch if self.stride is None else self.stride

    def tokens(self, pixels: int) -> int:
        """Number of patches. Raises ParameterError where they do not cover the pixels exactly."""
        if pixels < self.patch or (pixels - self.patch) % self.step:
            raise ParameterError(f"vit: patches of {self.patch} every {self.step} pixels do not cover {pixels} pixels")
        return (pixels - self.patch) // self.step + 1

    def sequence(self, pixels: int) -> int:
        """Number of tokens that attend to one another: the patches, and the token of class where there is one."""
        return self.tokens(pixels) + (self.pooling == "cls")


PUBLISHED: Final = Shape()
# The stand-in that two cores can train: of raw flux it learns nothing in the few thousand updates that they have.
SMALL: Final = Shape(patch=128, width=64, depth=2, heads=4, dropout=0.0, inputs="standardised", pooler=False)
# Declared, not sought. Four heads of 64 fill the matrix units; no dropout, as the noise is never the same; flux is
# standardised, as its lines are small beside its mean; normalised queries bound the logits, so that a high learning
# rate stays stable in bfloat16; residuals that start at zero let gradients of a deep network reach the tokens at once;
# the token of class takes fewer operations than the mean of all, since it alone asks in the last block.
FAST: Final = Shape(heads=4, dropout=0.0, inputs="standardised", pooler=False, norm_qk=True, zero_residual=True)


class Embedding(nn.Module):
    """Flux (b, P) -> tokens (b, T, D), the token of class first where there is one."""

    def __init__(self, shape: Shape, pixels: int) -> None:
        super().__init__()
        self.patch, self.step = shape.patch, shape.step
        self.map: nn.Conv1d | nn.Linear
        if shape.tokenizer == "c1d":
            self.map = nn.Conv1d(1, shape.width, shape.patch, shape.step)
        else:
            self.map = nn.Linear(shape.patch, shape.width)  # which PyTorch starts at the scale of the convolution
            if shape.init == "published":
                start(self.map)
        length = shape.sequence(pixels)
        self.cls = nn.Parameter(torch.randn(shape.width)) if shape.pooling == "cls" else None
        self.positions = nn.Parameter(torch.randn(length, shape.width)) if shape.positions == "learned" else None
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, flux: Tensor) -> Tensor:
        if isinstance(self.map, nn.Conv1d):
            x: Tensor = self.map(flux[:, None]).transpose(1, 2)  #                    (b, T, D)
        else:
            x = self.map(flux.unfold(1, self.patch, self.step))
        x = x.to(self.map.weight.dtype)  # blocks add up in float32 also where products are in bfloat16
        if self.cls is not None:
            x = torch.cat([self.cls.expand(len(x), 1, -1), x], dim=1)
        if self.positions is not None:
            x = x + self.positions
        result: Tensor = self.dropout(x)
        return result


class VitNetwork(Standardised):
    """Flux (b, P) -> label (b,) in the units of the training.

    Args:
        shape: of the transformer.
        pixels: P.
        moments: mean and scale (P,) by which the flux is standardised; None: 0 and 1, the flux as it is.
    """

    def __init__(self, shape: Shape, pixels: int, moments: tuple[Tensor, Tensor] | None = None) -> None:
        super().__init__(*(moments or (torch.zeros(pixels), torch.ones(pixels))))
        self.shape = shape
        self.embed = Embedding(shape, pixels)
        self.encoder = nn.ModuleList(_block(shape, pixels) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width, EPS)
        self.pooler = nn.Linear(shape.width, shape.width).requires_grad_(False) if shape.pooler else None
        self.head = nn.Linear(shape.width, 1)
        start(self.head)

    def forward(self, flux: Tensor) -> Tensor:
        if self.training or flux.device.type != "cpu":
            return self._estimate(flux)
        return torch.cat([self._estimate(part) for part in flux.split(_TOGETHER)])

    def _estimate(self, flux: Tensor) -> Tensor:
        x = self.embed((flux - self.mean) / self.scale)
        for block in self.encoder[:-1]:
            x = block(x)
        # nobody looks at the other tokens after the last block: there the token of class alone asks
        x = self.encoder[-1](x, first=self.shape.pooling == "cls")
        result: Tensor = self.head(self.norm(x).mean(dim=1))[:, 0]
        return result

    @torch.no_grad()
    def attention(self, flux: Tensor) -> Tensor:
        """Attention of each block and head for flux (b, P): (b, depth, heads, T, T), rows sum to 1, without dropout."""
        was, maps = self.training, []
        x = self.eval().embed((flux - self.mean) / self.scale)
        for block in self.encoder:
            assert isinstance(block, Block) and isinstance(block.attention, Attention)
            maps.append(block.attention.weights(block.norm_1(x)))
            x = block(x)
        self.train(was)
        return torch.stack(maps, dim=1)


class Vit(NetworkModel):
    """A vision transformer on the pixels.

    Args:
        recipe: how it is trained.
        shape: of the network, or its fields as a file keeps them.
        others: of `NetworkModel`.
    """

    kind: ClassVar[str] = "vit model"

    def __init__(
        self, recipe: Recipe | None = None, *, shape: Shape | Mapping[str, Any] = PUBLISHED, **others: Any
    ) -> None:
        super().__init__(recipe, **others)
        self.shape = shape if isinstance(shape, Shape) else Shape(**shape)

    def _settings(self) -> dict[str, Any]:
        return {"shape": asdict(self.shape)}

    def _moments(self, source: Source) -> tuple[Tensor, Tensor]:
        if self.shape.inputs == "standardised":
            return super()._moments(source)
        pixels = source.shape[1]
        return torch.zeros(pixels), torch.ones(pixels)

    def _made(self, mean: Tensor, scale: Tensor) -> nn.Module:
        return VitNetwork(self.shape, len(mean), (mean, scale))


def parameters_by_part(shape: Shape, pixels: int) -> dict[str, int]:
    """Parameters of the network itself: embed, encoder, norm, pooler, head, their total, and those that are used."""
    with torch.random.fork_rng(devices=[]):  # made in earnest: the first use of PyTorch's device `meta` takes seconds
        network = VitNetwork(shape, pixels)
    counts = {"embed": 0, "encoder": 0, "norm": 0, "pooler": 0, "head": 0}
    for name, weights in network.named_parameters():
        counts[name.split(".")[0]] += weights.numel()
    total = sum(counts.values())
    return counts | {"total": total, "used": total - counts["pooler"]}


def flops(shape: Shape, pixels: int) -> int:
    """Floating-point operations of one presentation in training: those of the matrix products of the forward pass, two
    for a multiplication and addition, times three, since the backward pass multiplies with weights and with inputs.
    """
    width, tokens, length = shape.width, shape.tokens(pixels), shape.sequence(pixels)
    asking = [length] * (shape.depth - 1) + [1 if shape.pooling == "cls" else length]
    each = 2 * width * width + 2 * width * length + 2 * shape.ratio * width * width  # of a token that asks
    products = sum(2 * length * width * width + count * each for count in asking)  # keys and values of every token
    return 6 * (tokens * shape.patch * width + products + width)


def _block(shape: Shape, pixels: int) -> Block:
    rotary, zero = shape.sequence(pixels) if shape.positions == "rotary" else 0, shape.zero_residual
    attention = Attention(
        shape.width, shape.heads, shape.dropout, rotary=rotary, norm_qk=shape.norm_qk, zero_residual=zero
    )
    return Block(shape.width, attention, shape.ratio, shape.dropout, zero_residual=zero)
