"""The one data set, noise draw and test set that all arms share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.instrument.pixels import N_PIXELS
from repro.labels import LABELS
from repro.spectra.noise import standard_normal
from repro.spectra.presentation import ObservedStars, present_arrays
from repro.spectra.sampling import Table, labels_of
from repro.spectra.store import open_set
from repro.training.spectra import FixedSpectra, NoisySpectra, Source, StoredSpectra, Validation

Flux = NDArray[np.float32]

_REMEMBERED: Final = 2_000_000_000  # bytes of a split's spectra up to which they and their deviates stay in memory
_ROWS: Final = 256


@dataclass(frozen=True)
class Clean:
    """Noise-free flux and stored error (n, P) float32, and the label table (n,)."""

    flux: Flux
    error: Flux
    table: Table

    @property
    def y(self) -> NDArray[np.float64]:
        """log g [dex], (n,)."""
        return labels_of(self.table)[:, LABELS.index("log_g")]


@dataclass(frozen=True)
class StoredErrors:
    """The errors of the first n spectra of a set that stays in its file: a source without noise of its own."""

    path: Path
    n: int
    device: str = "cpu"

    @property
    def shape(self) -> tuple[int, int]:
        return self.n, N_PIXELS

    def block(self, rows: Tensor, _epoch: int) -> Tensor:
        """Errors of rows (b,), (b, P) float32."""
        first, last = int(rows.min()), int(rows.max())
        with open_set(self.path) as stars:
            error = stars.read(slice(first, last + 1))[1]
        return torch.from_numpy(error[(rows.cpu() - first).numpy()]).to(self.device)


@dataclass(frozen=True)
class Data:
    """Spectrum sets, and the noise under which every arm sees them.

    Row i of a split has one deviate per pixel in each run, whatever the noise level: levels differ in its size alone.
    Run r of an experiment has the root seed + r in training; validation and test stars have that of run 0 always.

    Attributes:
        folder: of train.h5, val.h5 and test.h5.
        seed: root of the deviates.
        noise: multiplies every published noise level.
        device: where sources hold their spectra.
    """

    folder: Path
    seed: int
    noise: float
    device: str = "cpu"
    _deviates: dict[str, tuple[int, Flux]] = field(default_factory=dict)  # by split: the last run and its deviates

    def path(self, split: str) -> Path:
        """File of a split."""
        return self.folder / f"{split}.h5"

    @cached_property
    def train(self) -> Clean:
        """All training spectra, in memory."""
        return self._read("train")

    @cached_property
    def val(self) -> Clean:
        return self._read("val")

    @cached_property
    def test(self) -> Clean:
        return self._read("test")

    @cached_property
    def table(self) -> Table:
        """Label table (N,) of all training spectra, without reading the spectra."""
        with open_set(self.path("train")) as stars:
            return stars.labels

    @cached_property
    def y(self) -> NDArray[np.float64]:
        """log g [dex] of all training spectra, (N,)."""
        return labels_of(self.table)[:, LABELS.index("log_g")]

    @cached_property
    def stars(self) -> ObservedStars:
        """The test stars at noise level 1."""
        rows = np.arange(len(self.test.flux))
        return present_arrays(self.test.flux, self.test.error, self.test.table, "test", self.seed, self.noise, rows)

    @cached_property
    def digest(self) -> str:
        """Digest of the sets by their labels and some spectra, of the seed and of the noise."""
        found = hashlib.sha256(repr((self.seed, self.noise)).encode())
        for split in ("train", "val", "test"):
            with open_set(self.path(split)) as stars:
                found.update(stars.labels.tobytes())
                for values in stars.read(slice(0, 4)):
                    found.update(values.tobytes())
        return found.hexdigest()

    def source(self, level: float, n: int, run: int = 0) -> StoredSpectra:
        """The first n training spectra, read and made noisy block by block, for any n."""
        return StoredSpectra(self.path("train"), n, level * self.noise, self.seed + run, self.device)

    def resident(self, level: float, n: int, run: int = 0) -> NoisySpectra:
        """The same spectra held on the device, with other noise at every presentation: for networks."""
        flux, error = (torch.as_tensor(a[:n], device=self.device) for a in (self.train.flux, self.train.error))
        return NoisySpectra(flux, error, level * self.noise, self.seed + run)

    def shown(self, level: float, n: int, run: int = 0) -> Source:
        """Presentation 0 of the first n training spectra: from memory where the set fits, otherwise from its file."""
        if self._large:
            return self.source(level, n, run)
        if self.device != "cpu":  # draws its deviates faster than they are carried there
            return self.resident(level, n, run)
        return FixedSpectra(torch.as_tensor(self.noisy(level, n, run), device=self.device))

    def errors(self, n: int) -> Source:
        """Stored 1-sigma errors of the first n training spectra, as a source of its own: those of noise level 1."""
        if self._large:
            return StoredErrors(self.path("train"), n, self.device)
        return FixedSpectra(torch.as_tensor(self.train.error[:n], device=self.device))

    def noisy(self, level: float, n: int, run: int = 0) -> Flux:
        """Presentation 0 of the first n training spectra, (n, P)."""
        return self._shown("train", self.train, level, np.arange(n), run)

    def held_out(self, level: float, n: int, run: int = 0) -> Validation:
        """The last n training spectra, for experiments on the size of a validation set."""
        rows = np.arange(len(self.y) - n, len(self.y))
        return Validation(self._shown("train", self.train, level, rows, run), self.train.y[rows])

    def validation(self, level: float) -> Validation:
        """The validation stars at a noise level."""
        rows = np.arange(len(self.val.flux))
        error = np.float32(level * self.noise) * self.val.error
        return Validation(self._shown("val", self.val, level, rows, 0), self.val.y, error)

    def test_flux(self, level: float) -> Flux:
        """Noisy flux of the test stars at a noise level, (n, P)."""
        return self._shown("test", self.test, level, np.arange(len(self.test.flux)), 0)

    def test_error(self, level: float) -> Flux:
        """Its 1-sigma error, (n, P)."""
        return np.float32(level * self.noise) * self.test.error

    @property
    def _large(self) -> bool:
        return len(self.y) * N_PIXELS * 4 > _REMEMBERED

    def _read(self, split: str) -> Clean:
        with open_set(self.path(split)) as stars:
            return Clean(*stars.read(), stars.labels)

    def _shown(self, split: str, clean: Clean, level: float, rows: NDArray[np.intp], run: int) -> Flux:
        flux, error = clean.flux[rows], clean.error[rows]
        if level == 0:
            return flux
        size = np.float32(level * self.noise)
        kept = self._kept(split, clean, run)
        for first in range(0, len(rows), _ROWS):
            part = slice(first, first + _ROWS)
            normal = self._draw(split, rows[part], run, flux.shape[1]) if kept is None else kept[rows[part]]
            flux[part] += size * error[part] * normal
        return flux

    def _kept(self, split: str, clean: Clean, run: int) -> Flux | None:
        """Deviates (N, P) of a whole split in a run, which all noise levels share; None where they would not fit."""
        if clean.flux.nbytes > _REMEMBERED:
            return None
        last, deviates = self._deviates.get(split, (None, None))
        if deviates is None or last != run:
            self._deviates.pop(split, None)  # two runs are not held at once
            deviates = np.empty_like(clean.flux)
            for first in range(0, len(deviates), _ROWS):
                rows = np.arange(first, min(first + _ROWS, len(deviates)))
                deviates[rows] = self._draw(split, rows, run, deviates.shape[1])
            self._deviates[split] = run, deviates
        return deviates

    def _draw(self, split: str, rows: NDArray[np.intp], run: int, pixels: int) -> Flux:
        return standard_normal(self.seed + run, split, 0, rows.tolist(), pixels).numpy()
