"""Spectrum sets: one HDF5 file a split, written in blocks and read in blocks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.instrument.pixels import N_PIXELS, pixel_centres
from repro.spectra import hdf5
from repro.spectra.sampling import COLUMNS, Table

CHUNK_ROWS: Final = 16
READ_ROWS: Final = 1024  # 2 x 16 MB of float32

Attributes = Mapping[str, str | int | float]
Block = tuple[int, NDArray[np.float32], NDArray[np.float32]]  # first row, flux (b, 4096), error (b, 4096)


class SpectrumWriter:
    """Takes the blocks of a set in order; use through `create_set`."""

    def __init__(self, file: h5py.File, n: int) -> None:
        self._file = file
        self._written = 0
        self._n = n
        for name in ("flux", "error"):
            file.create_dataset(
                name, (n, N_PIXELS), "<f4", chunks=(min(CHUNK_ROWS, n), N_PIXELS), fillvalue=np.nan, track_times=False
            )

    def write(self, flux: NDArray[np.float32], error: NDArray[np.float32]) -> None:
        """Append flux and error, (b, 4096) each; b is a multiple of 16 but for the last block."""
        # one chunk of each in turn: their order in the file then depends on the set alone, not on b
        for first in range(0, len(flux), CHUNK_ROWS):
            part = slice(first, first + CHUNK_ROWS)
            rows = slice(self._written, self._written + len(flux[part]))
            self._file["flux"][rows] = flux[part]
            self._file["error"][rows] = error[part]
            self._written = rows.stop

    def finish(self, table: Table) -> None:
        """Write the label table, (n,) records, which completes the set."""
        if not self._written == len(table) == self._n:
            raise DataError(f"{self._n} spectra expected, {self._written} and {len(table)} records of labels written")
        hdf5.write_array(self._file, "labels", table)


@contextmanager
def create_set(path: str | Path, n: int, attributes: Attributes) -> Iterator[SpectrumWriter]:
    """Yield the writer of a new set of n spectra; the file takes its name when the block ends without error.

    Args:
        attributes: how the set was made, stored with it.

    Raises:
        DataError: the disk has no room.
    """
    with hdf5.create(path, expected_bytes=n * (2 * 4 * N_PIXELS + COLUMNS.itemsize)) as file:
        for name, value in sorted(attributes.items()):
            file.attrs[name] = value
        hdf5.write_array(file, "wave", pixel_centres())
        yield SpectrumWriter(file, n)


@dataclass(frozen=True)
class SpectrumSet:
    """An open spectrum set; use through `open_set`. Arrays are read when asked for."""

    path: Path
    file: h5py.File

    @property
    def size(self) -> int:
        """Number of spectra N."""
        return int(self.file["flux"].shape[0])

    @property
    def wave(self) -> NDArray[np.float64]:
        """Pixel centres, (4096,) [A, vacuum]."""
        return hdf5.read_array(self.file, "wave")

    @property
    def labels(self) -> Table:
        """Label table, (N,) records of `sampling.COLUMNS`."""
        return hdf5.read_array(self.file, "labels")

    @property
    def attributes(self) -> dict[str, Any]:
        """How the set was made."""
        return dict(self.file.attrs)

    @property
    def mode(self) -> str:
        """Sampling mode of the labels: `continuous` where all lie between the nodes, otherwise `paper`."""
        return "continuous" if bool((self.labels["interp_param"] == b"all").all()) else "paper"

    @property
    def own(self) -> bool:
        """Whether the kit made the set; one that came from elsewhere does not say from which node grid."""
        return "mode" in self.file.attrs

    def read(self, rows: slice = slice(None)) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Flux and error of rows, (b, 4096) float32 each."""
        return hdf5.read_array(self.file, "flux", rows), hdf5.read_array(self.file, "error", rows)

    def blocks(self, rows: int = READ_ROWS) -> Iterator[Block]:
        """All spectra in order, `rows` at a time."""
        for start in range(0, self.size, rows):
            yield start, *self.read(slice(start, start + rows))


@contextmanager
def open_set(path: str | Path) -> Iterator[SpectrumSet]:
    """Open a spectrum set for reading.

    Raises:
        DataError: the file is absent, cut short or not HDF5, or a dataset or column is missing or misshapen.
    """
    with hdf5.open_file(path, "a spectrum set") as file:
        hdf5.require_dataset(file, "wave", (N_PIXELS,))
        flux = hdf5.require_dataset(file, "flux", (None, N_PIXELS))
        hdf5.require_dataset(file, "error", flux.shape)
        labels = hdf5.require_dataset(file, "labels", flux.shape[:1])
        missing = [name for name in COLUMNS.names or () if name not in (labels.dtype.names or ())]
        if missing:
            raise DataError(f"{path}: the label table lacks the column {', '.join(missing)}")
        yield SpectrumSet(Path(path), file)
