"""Slices on disk: one .npz for each file of the archive, whole or absent, with its own checksum."""

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.files import atomic_path
from repro.sources.bosz.release import Grid, Sliced

_LAYOUT: Final = 1  # to be raised when a slice of the same file changes: older ones are then downloaded again


@dataclass(frozen=True)
class Stored:
    """A slice that was read back.

    Attributes:
        arrays: what it holds of `wave`, `flux`, `continuum` (as `Sliced`) or `wave`, `rows`, `start` (as `Grid`).
        origin: the manifest's entry of the file that it was cut from.
        checksum: SHA-256 of the arrays.
    """

    arrays: dict[str, NDArray[Any]]
    origin: dict[str, Any]
    checksum: str


def slice_path(folder: Path, name: str) -> Path:
    """Where the slice of the archive's file `name` is stored."""
    return folder / f"{name}.npz"


def checksum(arrays: dict[str, NDArray[Any]]) -> str:
    """SHA-256 (hex) of names, types, shapes and values, and of the layout version."""
    digest = hashlib.sha256(f"layout {_LAYOUT}\n".encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        values = values.astype(values.dtype.newbyteorder("<"))
        digest.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def arrays_of(content: Sliced | Grid) -> dict[str, NDArray[Any]]:
    """The arrays that stand for a slice or a wavelength grid."""
    if isinstance(content, Grid):
        return {"wave": content.wave, "rows": np.array(content.rows), "start": np.array(content.start)}
    arrays = {"flux": content.flux, "continuum": content.continuum}
    return arrays if content.wave is None else arrays | {"wave": content.wave}


def write_slice(path: Path, arrays: dict[str, NDArray[Any]], origin: dict[str, Any]) -> None:
    """Write a slice atomically. Raises DataError on a full disk."""
    everything: dict[str, Any] = {"origin": np.array(json.dumps(origin, sort_keys=True)), **arrays}
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, **everything)


def read_slice(path: Path) -> Stored | None:
    """The slice; None where it is absent, damaged or not what its checksum says."""
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name != "origin"}
            origin = json.loads(str(file["origin"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    found = checksum(arrays)
    return Stored(arrays, origin, found) if origin.get("slice_sha256") == found else None


def grid_of(stored: Stored) -> Grid:
    """A stored wavelength grid."""
    return Grid(int(stored.arrays["rows"]), int(stored.arrays["start"]), stored.arrays["wave"])


def require_slice(folder: Path, name: str, expected: str) -> Stored:
    """The slice of file `name`, which must have the checksum `expected`.

    Raises:
        DataError: it is absent, damaged or another.
    """
    path = slice_path(folder, name)
    stored = read_slice(path)
    if stored is None or stored.checksum != expected:
        what = "is absent" if not path.exists() else "is damaged" if stored is None else "is not that of the manifest"
        raise DataError(f"{path}: the slice {what}. Run `repro fetch bosz` again: it downloads what is not sound")
    return stored
