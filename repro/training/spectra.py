"""Where training draws noisy spectra from: fixed ones, or noise-free ones with fresh noise at every presentation."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.errors import DataError
from repro.instrument.pixels import N_PIXELS
from repro.spectra.noise import inject, standard_normal
from repro.spectra.store import open_set

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
        return noisy(self.flux[rows], self.error[rows], rows, self.noise, (self.seed, self.split, epoch))


@dataclass(frozen=True)
class StoredSpectra:
    """As `NoisySpectra`, of the first n spectra of a set that stays in its file: for sums over sets of any size.

    Attributes:
        path: the set.
        n: how many of its spectra.
        noise: noise level.
        seed: root of the deviates.
        device: where a block is handed over.
        split: the set that the spectra are the first n of.
    """

    path: Path
    n: int
    noise: float
    seed: int
    device: str | torch.device = "cpu"
    split: str = "train"

    @property
    def shape(self) -> tuple[int, int]:
        return self.n, N_PIXELS

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        first, last = int(rows.min()), int(rows.max())
        with open_set(self.path) as stars:
            flux, error = stars.read(slice(first, last + 1))
        at = (rows.cpu() - first).numpy()
        here = [torch.from_numpy(array[at]).to(self.device) for array in (flux, error)]
        return noisy(here[0], here[1], rows.to(self.device), self.noise, (self.seed, self.split, epoch))


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


def noisy(flux: Tensor, error: Tensor, rows: Tensor, noise: float, key: tuple[int, str, int]) -> Tensor:
    """Presentation of spectra (b, P) that stand at `rows` (b,) of their set; key: (seed, split, epoch)."""
    if noise == 0:
        return flux
    return inject(flux, error, standard_normal(*key, rows, flux.shape[1], flux.device), noise)


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
