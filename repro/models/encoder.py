"""Layers of transformers, normalised before each part (pre-LN): those of Hugging Face's ViTModel and options."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS: Final = 1e-12  # of every normalisation, as in ViTModel
WAVES: Final = 10_000.0  # longest wave of the rotary positions, in tokens over 2 pi (Su et al. 2021, arXiv:2104.09864)


class Attention(nn.Module):
    """Attention of tokens (..., T, D) to one another; all of them ask, or the first alone.

    Args:
        width: D.
        heads: among which the width is shared out, d = D / heads.
        dropout: share of the attention that is left out in training.
        rotary: largest T, for positions that turn queries and keys; 0: no positions.
        norm_qk: whether queries and keys are normalised.
        zero_residual: whether what it gives starts at 0.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float,
        *,
        rotary: int = 0,
        norm_qk: bool = False,
        zero_residual: bool = False,
    ) -> None:
        super().__init__()
        self.heads, self.share = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        start(self.qkv)
        start(self.out)
        if zero_residual:
            nn.init.zeros_(self.out.weight)
        self.turns: Tensor | None
        self.register_buffer("turns", _turns(rotary, width // heads) if rotary else None, persistent=False)
        self.normal = nn.RMSNorm(width // heads, elementwise_affine=False) if norm_qk else nn.Identity()

    def forward(self, x: Tensor, first: bool = False, bias: Tensor | None = None) -> Tensor:
        q, k, v = self.asked(x, first)
        share = self.share if self.training else 0.0
        seen = F.scaled_dot_product_attention(q, k, v, bias, share)  #                (..., h, T or 1, d)
        result: Tensor = self.out(seen.transpose(-3, -2).flatten(-2))  #              (..., T or 1, D)
        return result

    def weights(self, x: Tensor) -> Tensor:
        """How much of token j token i takes in, (b, h, T, T); rows sum to 1."""
        q, k, _ = self.asked(x)
        return torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1)

    def asked(self, x: Tensor, first: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (..., h, T, d); one query where only the first token asks."""
        width = x.shape[-1]
        if first:
            q = F.linear(x[..., :1, :], self.qkv.weight[:width], self.qkv.bias[:width])
            k, v = F.linear(x, self.qkv.weight[width:], self.qkv.bias[width:]).chunk(2, dim=-1)
        else:
            q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(-3, -2) for part in (q, k, v))
        q, k = self.normal(q), self.normal(k)
        if self.turns is not None:
            q, k = _turned(q, self.turns), _turned(k, self.turns)
        return q, k, v


class Block(nn.Module):
    """One layer: x + attention(norm(x)), then x + perceptron(norm(x)).

    Args:
        width: of the tokens, D.
        attention: of one token to others, called with the tokens and whether the first alone asks.
        ratio: hidden width of the perceptron in D.
        dropout: share of what each part adds that is left out in training.
        zero_residual: whether what the perceptron adds starts at 0, as `Attention` may.
    """

    def __init__(
        self, width: int, attention: nn.Module, ratio: int, dropout: float, *, zero_residual: bool = False
    ) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, EPS)
        self.attention = attention
        self.norm_2 = nn.LayerNorm(width, EPS)
        self.up = nn.Linear(width, ratio * width)
        self.down = nn.Linear(ratio * width, width)
        self.dropout = nn.Dropout(dropout)
        start(self.up)
        start(self.down)
        if zero_residual:
            nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor, first: bool = False) -> Tensor:
        seen = self.dropout(self.attention(self.norm_1(x), first))
        x = (x[:, :1] if first else x) + seen
        result: Tensor = x + self.dropout(self.down(F.gelu(self.up(self.norm_2(x)))))
        return result


def start(layer: nn.Linear) -> None:
    """Weights as ViTModel starts them: normal of scale 0.02, biases at 0."""
    nn.init.trunc_normal_(layer.weight, std=0.02)
    nn.init.zeros_(layer.bias)


def _turns(length: int, size: int) -> Tensor:
    """Cosines and sines (2, T, d / 2) of the phases of positions 0 ... T - 1."""
    rates = WAVES ** (-torch.arange(0, size, 2) / size)
    phases = torch.arange(length)[:, None] * rates
    return torch.stack([phases.cos(), phases.sin()])


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    """Pairs of components of x (..., T, d) turned by the phases of their positions, the first T."""
    cos, sin = turns[:, : x.shape[-2]].to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
