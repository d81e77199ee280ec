"""Expanded cross-sections on disk: they take seconds to compute, and depend on code and tables alone."""

import os
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import EnvironmentProblem
from repro.files import atomic_path
from repro.physics import composition, constants, data, lines

FOLDER: Final = "data/cache"  # below the working folder, unless REPRO_CACHE_DIR names another
_TABLES: Final = ("cn_spectroscopy", "tio_spectroscopy", "molecules", "atomic_partition")
_READ_BY: Final = (composition, constants, data, lines)  # modules outside of this folder that enter


def folder() -> Path:
    """Where cross-sections are kept. Raises EnvironmentProblem where that is not a folder."""
    path = Path(os.environ.get("REPRO_CACHE_DIR") or FOLDER)
    if path.is_file():
        raise EnvironmentProblem(f"REPRO_CACHE_DIR={path} is a file: name a folder, or unset it to use {FOLDER}")
    return path


def key(*settings: object) -> str:
    """Hash (hex) of settings, of the code and the tables behind the cross-sections, and of the version of numpy."""
    modules = [*Path(__file__).parent.glob("*.py"), *(Path(str(module.__file__)) for module in _READ_BY)]
    tables = [data.TABLES / f"{name}.json" for name in _TABLES]
    digest = sha256(repr((settings, np.__version__)).encode())
    for path in sorted(modules) + tables:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def stored(name: str, shape: tuple[int, ...], build: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """The array of that name and shape, from disk if it is there and whole, else built and written.

    A folder that cannot be written to costs the time of building, not the result. Raises DataError on a full disk.
    """
    path = folder() / name
    found = _read(path, shape)
    if found is None:
        found = build()
        try:
            with atomic_path(path) as temporary, open(temporary, "wb") as file:
                np.savez(file, values=found)
        except OSError:
            return found
    return found


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """The array, or None where the file is absent or damaged (zip archives carry a checksum)."""
    try:
        with open(path, "rb") as file:
            values: NDArray[np.float32] = np.load(file, allow_pickle=False)["values"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        return None
    return values if values.shape == shape and values.dtype == np.float32 else None
