"""Spectra in HDF5: the kit's own sets and files in the layout of the original author. Their flux is noise-free.

What a model is to be shown is flux + noise * error * eps: of a set of the kit the very draw that its scores are
measured on, of a file of the author its own draw where it holds one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import torch

from repro.errors import DataError
from repro.instrument.pixels import pixel_centres
from repro.labels import LABELS
from repro.observed.resample import resolution_of_pixels
from repro.observed.spectrum import Observed, checked
from repro.sources.hdf5 import layout
from repro.sources.hdf5.reader import open_file as open_author
from repro.spectra.hdf5 import open_file
from repro.spectra.noise import inject, standard_normal
from repro.spectra.store import open_set

ENDINGS: Final = (".h5", ".hdf5")
_ROWS: Final = 256
_SEED: Final = 42  # of files that do not tell the seed of their noise


def read_hdf5(path: Path, rows: slice, noise: float) -> Iterator[Observed]:
    """Spectra of a set, in order.

    Args:
        rows: which.
        noise: level of the draw that is added to noise-free flux.

    Raises:
        DataError: the file is absent, damaged, or of neither layout.
    """
    with open_file(path, "spectra") as file:
        names = {name for name in ("flux", "wave", layout.FLUX) if isinstance(file.get(name), h5py.Dataset)}
    if layout.FLUX in names:
        return _author(path, rows, noise)
    if {"flux", "wave"} <= names:
        return _own(path, rows, noise)
    raise DataError(
        f"{path}: neither a spectrum set of the kit (datasets flux, error, wave, labels) nor a file of the original "
        f"layout ({layout.FLUX}, {layout.ERROR}, {layout.PARAMS})"
    )


def _own(path: Path, rows: slice, noise: float) -> Iterator[Observed]:
    with open_set(path) as spectra:
        about, labels = spectra.attributes, spectra.labels
        key = (int(about.get("seed", _SEED)), str(about.get("split", "test")), 0)
        for part in _parts(rows, spectra.size):
            flux, error = spectra.read(part)
            seen = _noisy(flux, error, part, noise, key)
            yield from _each(path, part, seen, error, labels[part], noise)


def _author(path: Path, rows: slice, noise: float) -> Iterator[Observed]:
    with open_author(path) as file:
        drawn = layout.NOISY in file.file
        for part in _parts(rows, file.size):
            flux, error = file.spectra(part)
            seen = file.noisy(part) if drawn else _noisy(flux, error, part, noise, (_SEED, "test", 0))
            yield from _each(path, part, seen, error, file.labels(part), None if drawn else noise)


def _parts(rows: slice, size: int) -> Iterator[slice]:
    first, last, _ = rows.indices(size)
    for start in range(first, last, _ROWS):
        yield slice(start, min(start + _ROWS, last))


def _noisy(flux: Any, error: Any, part: slice, noise: float, key: tuple[int, str, int]) -> Any:
    if noise == 0:
        return flux
    normal = standard_normal(*key, range(part.start, part.stop), flux.shape[1])
    return inject(torch.from_numpy(flux), torch.from_numpy(error), normal, noise).numpy()


def _each(path: Path, part: slice, flux: Any, error: Any, table: Any, noise: float | None) -> Iterator[Observed]:
    """`noise` None: the file's own draw."""
    level = 1.0 if noise is None else noise
    for row in range(len(flux)):
        yield checked(
            f"{path}#{part.start + row}",
            pixel_centres(),
            flux[row],
            error[row].astype(np.float64) * (level or 1.0),
            medium="vacuum",
            redshift=0.0,
            resolution=resolution_of_pixels(),
            layout="spectrum set",
            own=True,
            labels={name: float(table[name][row]) for name in LABELS},
            remarks=("without noise, as no observation is",) if noise == 0 else (),
        )
