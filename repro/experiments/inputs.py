"""Spectra that a model sees in another form than they are stored in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.training.spectra import Source

_ROWS = 1024

# of the noisy flux x, the stored errors of that noise level, and the mean and deviation of each training pixel
FORMS: Final[dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]]] = {
    "raw": lambda x, _e, _m, _s: x,
    "standardised": lambda x, _e, m, s: (x - m) / s,
    "centred": lambda x, _e, m, _s: x - m,
    "scaled": lambda x, _e, _m, s: x / s,
    "snr": lambda x, e, _m, _s: x / e,
    "snr_centred": lambda x, e, m, _s: (x - m) / e,
}

Form = Callable[..., Tensor]  # of one block (b, P) of each source, or of arrays that belong together


@dataclass(frozen=True)
class Formed:
    """A source of `form(block, ...)` of the same rows of one or several sources; (n, width)."""

    form: Form
    width: int
    sources: tuple[Source, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return self.sources[0].shape[0], self.width

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        """Rows (b,) in their form, (b, width)."""
        return self.form(*(source.block(rows, epoch) for source in self.sources))


def formed(form: Form, device: str, *arrays: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """`form` of arrays (n, P), a block of rows at a time."""
    blocks = []
    for first in range(0, len(arrays[0]), _ROWS):
        parts = (torch.as_tensor(array[first : first + _ROWS], device=device) for array in arrays)
        blocks.append(form(*parts).cpu().numpy())
    return np.concatenate(blocks)
