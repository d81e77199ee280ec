"""Noisy stars of a spectrum set, as every estimator of the kit is shown them: x = flux + noise * error * eps.

The deviates come from counters (`noise.standard_normal`), so that row i of a split has one presentation whoever asks
for it, in whatever order. Validation and test sets have presentation 0 alone.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from repro.spectra.noise import inject, standard_normal
from repro.spectra.sampling import Table, labels_of
from repro.spectra.store import SpectrumSet, open_set

_ROWS = 256  # at a time: the deviates are computed in float64


@dataclass(frozen=True)
class ObservedStars:
    """Noisy spectra of n stars on P pixels, with what is known of them.

    Attributes:
        x: noisy flux, (n, P) float32; the noise-free flux has a median of 0.5.
        error: noise level times stored error, the 1-sigma error of each pixel of `x`, (n, P) float32.
        table: labels and conditions, (n,) records of `sampling.COLUMNS`.
        rows: row of each star in its set, (n,).
        snr: median over the pixels of noise-free flux / `error`, (n,): the definition of the Fisher grids.
        noise: the noise level that `error` contains.
        seed: root of the deviates.
    """

    x: NDArray[np.float32]
    error: NDArray[np.float32]
    table: Table
    rows: NDArray[np.intp]
    snr: NDArray[np.float64]
    noise: float
    seed: int

    @property
    def labels(self) -> NDArray[np.float64]:
        """The five labels, (n, 5)."""
        return labels_of(self.table)

    def part(self, chosen: NDArray[np.intp] | slice) -> "ObservedStars":
        """Some of the stars."""
        return replace(
            self,
            x=self.x[chosen],
            error=self.error[chosen],
            table=self.table[chosen],
            rows=self.rows[chosen],
            snr=self.snr[chosen],
        )


def observed_stars(path: str | Path, seed: int, noise: float, n: int | None = None) -> ObservedStars:
    """The first n test stars of the set at `path`, all of them by default.

    Raises:
        DataError: as `store.open_set`.
    """
    with open_set(path) as stars:
        return present(stars, "test", seed, noise, slice(0, stars.size if n is None else min(n, stars.size)))


def present(stars: SpectrumSet, split: str, seed: int, noise: float, rows: slice, epoch: int = 0) -> ObservedStars:
    """Presentation `epoch` of consecutive rows of an open set of that split.

    Raises:
        ParameterError: an unknown split, or a seed or epoch out of range.
        DataError: the file is damaged.
    """
    flux, error = stars.read(rows)
    return present_arrays(flux, error, stars.labels[rows], split, seed, noise, np.arange(stars.size)[rows], epoch)


def present_arrays(
    flux: NDArray[np.float32],
    error: NDArray[np.float32],
    table: Table,
    split: str,
    seed: int,
    noise: float,
    rows: NDArray[np.intp],
    epoch: int = 0,
) -> ObservedStars:
    """As `present`, of noise-free flux and stored error (n, P) at hand. Raises ParameterError likewise."""
    scaled = np.float32(noise) * error
    x, snr = np.empty_like(flux), np.empty(len(flux))
    for first in range(0, len(flux), _ROWS):
        part = slice(first, first + _ROWS)
        normal = standard_normal(seed, split, epoch, rows[part].tolist(), flux.shape[1])
        x[part] = inject(torch.from_numpy(flux[part]), torch.from_numpy(error[part]), normal, noise).numpy()
        snr[part] = np.median(flux[part] / scaled[part], axis=1)
    return ObservedStars(x, scaled, table, rows, snr, noise, seed)
