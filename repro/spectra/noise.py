"""Counter-based normal noise: the same numbers for the same presentation of a spectrum, in any order, on any device.

Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, SC'11) turns (seed, split, epoch, spectrum, pixel) into 32 random bits
without any state; Box-Muller turns pairs of them into normal deviates.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from repro.errors import ParameterError
from repro.spectra.sampling import SPLITS

_WORD: Final = 0xFFFFFFFF
_MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_ROUNDS: Final = 10


def standard_normal(
    seed: int,
    split: str,
    epoch: int,
    index: Tensor | Sequence[int],
    n_pixels: int = 4096,
    device: str | torch.device = "cpu",
) -> Tensor:
    """Independent N(0, 1) numbers for presentations of spectra, (b, n_pixels) float32.

    The deviates are computed in float64 and rounded, so that devices agree to the last float32 digit.

    Args:
        seed: 0 to 2^64 - 1.
        split: one of `sampling.SPLITS`.
        epoch: presentation of the spectrum, 0 to 2^32 - 1; validation and test have the one presentation 0.
        index: rows of the spectra in their set, (b,), 0 to 2^32 - 1.
        n_pixels: at most 2^34.

    Raises:
        ParameterError: an argument is out of range.
    """
    if split not in SPLITS:
        raise ParameterError(f"noise: split {split!r} is not one of {', '.join(SPLITS)}")
    _require_range("seed", seed, 2**64)
    _require_range("epoch", epoch, 2**32)
    rows = torch.as_tensor(index, dtype=torch.int64, device=device)
    if rows.numel():
        _require_range("index", int(rows.min()), 2**32)
        _require_range("index", int(rows.max()), 2**32)
    quads = torch.arange(math.ceil(n_pixels / 4), dtype=torch.int64, device=device)  # four pixels a counter
    counter = (
        quads.expand(rows.shape[0], -1),
        rows[:, None].expand(-1, quads.shape[0]),
        torch.full((1, 1), epoch, dtype=torch.int64, device=device),
        torch.full((1, 1), SPLITS.index(split), dtype=torch.int64, device=device),
    )
    words = philox4x32(counter, (seed & _WORD, seed >> 32))
    normal = torch.stack((*_box_muller(words[0], words[1]), *_box_muller(words[2], words[3])), dim=2)
    return normal.flatten(start_dim=1)[:, :n_pixels]


def inject(flux: Tensor, error: Tensor, normal: Tensor, noise: float) -> Tensor:
    """flux + noise * error * normal, all (b, 4096)."""
    return flux + noise * error * normal


def philox4x32(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> tuple[Tensor, ...]:
    """Philox4x32-10: four int64 tensors of 32-bit words each, for four counter words and two key words.

    Tensors are broadcast against each other; signed 64-bit products wrap, which leaves their bits right.
    """
    a, b, c, d = counter
    low, high = key
    for _ in range(_ROUNDS):
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            ((second >> 32) & _WORD) ^ b ^ low,
            second & _WORD,
            ((first >> 32) & _WORD) ^ d ^ high,
            first & _WORD,
        )
        low, high = (low + _WEYL[0]) & _WORD, (high + _WEYL[1]) & _WORD
    return a, b, c, d


def _box_muller(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two independent normal deviates, float32, from two 32-bit words."""
    radius = torch.sqrt(-2.0 * torch.log((first.to(torch.float64) + 0.5) * 2.0**-32))  # the logarithm never sees 0
    angle = (second.to(torch.float64) + 0.5) * (2.0 * math.pi * 2.0**-32)
    return (radius * torch.cos(angle)).to(torch.float32), (radius * torch.sin(angle)).to(torch.float32)


def _require_range(name: str, value: int, limit: int) -> None:
    if not 0 <= value < limit:
        raise ParameterError(f"noise: {name} = {value} must lie in 0 to {limit - 1}")
