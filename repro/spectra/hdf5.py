"""HDF5 files that are whole or absent, with errors that name the file and the rule."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.files import atomic_path, is_disk_full


@contextmanager
def create(path: str | Path, expected_bytes: int = 0) -> Iterator[h5py.File]:
    """Yield a new HDF5 file that takes its final name only when it is complete.

    The bytes depend on the content alone: no times are stored and the format version is fixed.

    Args:
        expected_bytes: size of the data to come; refused at once where the disk has less.

    Raises:
        DataError: the disk is full (also where HDF5 reports it as RuntimeError when it closes the file).
    """
    # without a chunk cache every failed write surfaces at once; with one, HDF5 2.0 crashes at exit instead
    with (
        new_file(path, expected_bytes) as temporary,
        h5py.File(temporary, "w", libver=("v110", "v110"), rdcc_nbytes=0) as file,
    ):
        yield file


@contextmanager
def new_file(path: str | Path, expected_bytes: int = 0) -> Iterator[Path]:
    """Yield the temporary name under which an HDF5 file is written until it is complete; see `create`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):  # of a process that was killed
        leftover.unlink()
    _require_space(path, expected_bytes)
    with atomic_path(path) as temporary:
        try:
            yield temporary
        except (OSError, RuntimeError) as error:
            if is_disk_full(OSError(str(error))) or (isinstance(error, OSError) and is_disk_full(error)):
                raise OSError(errno.ENOSPC, "No space left on device") from error
            raise


def write_array(
    file: h5py.File, name: str, values: NDArray[Any], *, chunk_rows: int | None = None, compressed: bool = False
) -> None:
    """Write one dataset with a checksum where it is chunked; chunks span whole rows."""
    filters: dict[str, Any] = {}
    if chunk_rows is not None:
        filters = {"chunks": (min(chunk_rows, len(values)), *values.shape[1:]), "fletcher32": True}
    if compressed:
        filters |= {"compression": "gzip", "compression_opts": 9, "shuffle": True}
    file.create_dataset(name, data=values, track_times=False, **filters)


@contextmanager
def open_file(path: str | Path, what: str) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises:
        DataError: the file is absent, cut short, not HDF5, or a block fails its checksum.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file ({what})")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read as {what}; the file is cut short or is not HDF5 ({_first_line(error)}). "
            "Delete it and run the command that makes it again."
        ) from error
    with file:
        yield file


def read_array(file: h5py.File, name: str, rows: slice = slice(None)) -> NDArray[Any]:
    """Rows of a dataset.

    Raises:
        DataError: the dataset is missing or fails its checksum.
    """
    dataset = require_dataset(file, name)
    try:
        return np.asarray(dataset[rows])
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{file.filename}: dataset {name} is damaged ({_first_line(error)}). Delete the file and make it again."
        ) from error


def require_dataset(file: h5py.File, name: str, shape: tuple[int | None, ...] | None = None) -> h5py.Dataset:
    """The dataset `name`; None in `shape` accepts any length. Raises DataError if it is missing or misshapen."""
    if not isinstance(file.get(name), h5py.Dataset):
        raise DataError(f"{file.filename}: dataset {name} is missing")
    dataset = file[name]
    if shape is not None and not _fits(dataset.shape, shape):
        expected = " x ".join("any" if n is None else str(n) for n in shape)
        raise DataError(f"{file.filename}: dataset {name} has shape {dataset.shape}, the layout asks for {expected}")
    return dataset


def require_attribute(file: h5py.File, name: str) -> Any:
    """The attribute `name` of the file. Raises DataError if it is missing."""
    if name not in file.attrs:
        raise DataError(f"{file.filename}: attribute {name} is missing")
    return file.attrs[name]


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(want in (None, have) for want, have in zip(expected, shape, strict=True))


def _require_space(path: Path, expected_bytes: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < expected_bytes:
        raise DataError(
            f"{path}: needs {expected_bytes / 1e6:.0f} MB, the disk has {free / 1e6:.0f} MB free. Nothing was written; "
            "free some space and run the same command again."
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
