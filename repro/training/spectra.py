"""Where training draws noisy spectra from: fixed ones, or noise-free ones with fresh noise at every presentation."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.errors import DataError
from repro.spectra.noise import inject, standard_normal

ROWS: Final = 512  # spectra of a block: 17 MB in float64


class Validation(NamedTuple):
    """Spectra with known labels that a model may choose its settings by: flux and error (n, P), y (n,)."""

    flux: NDArray[np.floating[Any]]
    y: NDArray[np.floating[Any]]
    error: NDArray[np.floating[Any]] | None = None


class Source(Protocol):
    """Spectra of which each presentation may show other noise."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of spectra and of pixels."""
        ...

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        """Noisy flux of rows (b,) in presentation `epoch`, (b, P) float32."""
        ...


@dataclass(frozen=True)
class FixedSpectra:
    """The same noisy flux (n, P) float32 at every presentation."""

    flux: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        return self.flux.shape[0], self.flux.shape[1]

    def block(self, rows: Tensor, _epoch: int) -> Tensor:
        return self.flux[rows.to(self.flux.device)]


@dataclass(frozen=True)
class NoisySpectra:
    """flux + noise * error * eps, where eps is that of (seed, split, epoch, row of the set) on every device.

    Attributes:
        flux, error: noise-free flux and 1-sigma error, (n, P) float32 on the device of the training.
        noise: noise level.
        seed: root of the deviates.
        split: the set that the spectra are the first n of.
    """

    flux: Tensor
    error: Tensor
    noise: float
    seed: int
    split: str = "train"

    @property
    def shape(self) -> tuple[int, int]:
        return self.flux.shape[0], self.flux.shape[1]

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        rows = rows.to(self.flux.device)
        normal = standard_normal(self.seed, self.split, epoch, rows, self.flux.shape[1], self.flux.device)
        return inject(self.flux[rows], self.error[rows], normal, self.noise)


@dataclass(frozen=True)
class RememberedSpectra:
    """The presentations of another source, kept once they are drawn: for several trainings on the same noise.

    On a CPU drawing a presentation takes longer than learning from it. Presentations beyond `most_bytes` are drawn
    anew every time.
    """

    source: NoisySpectra
    most_bytes: int
    _kept: dict[int, Tensor] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        return self.source.shape

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        kept = self._kept.get(epoch)
        if kept is None:
            size = self.source.flux.nbytes
            if (len(self._kept) + 1) * size > self.most_bytes:
                return self.source.block(rows, epoch)
            kept = self._kept[epoch] = torch.cat([block for _, block in blocks(self.source, epoch, 64)])
        return kept[rows.to(kept.device)]


def as_source(flux: NDArray[np.floating[Any]] | Source, device: str | torch.device = "cpu") -> Source:
    """A source as it is; an array (n, P) as a source of the same spectra at every presentation.

    Raises:
        DataError: an array that is not of two dimensions or not finite.
    """
    if not isinstance(flux, np.ndarray):
        return flux
    if flux.ndim != 2 or not np.isfinite(flux).all():
        raise DataError(f"training: flux must be finite and of shape (n, P); it has shape {flux.shape}")
    return FixedSpectra(torch.as_tensor(flux, dtype=torch.float32, device=device))


def blocks(source: Source, epoch: int, rows: int = ROWS) -> Iterator[tuple[slice, Tensor]]:
    """All spectra of one presentation in order: rows, flux (b, P)."""
    size = source.shape[0]
    for start in range(0, size, rows):
        part = slice(start, min(start + rows, size))
        yield part, source.block(torch.arange(part.start, part.stop), epoch)
