"""Named arrays in one npz file without pickle: trained models and checkpoints."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.files import atomic_path

_ABOUT: Final = "about"

State = dict[str, NDArray[Any]]


def write_state(path: str | Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """Write arrays, and what they are as JSON, atomically; the same content gives the same bytes.

    Raises:
        DataError: the disk is full.
    """
    content: dict[str, Any] = {_ABOUT: np.array(json.dumps(about, sort_keys=True)), **arrays}
    # not np.savez: releases of Python differ in the headers that a zip entry of unknown size gets
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, values in content.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asanyarray(values), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), entry.getbuffer())


def read_state(path: str | Path, kind: str) -> tuple[State, dict[str, Any]]:
    """What `write_state` wrote of a `kind` (its entry in `about`).

    Raises:
        DataError: the file is absent, torn or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        about: dict[str, Any] = json.loads(str(arrays.pop(_ABOUT)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a stored {kind} ({error}); remove it and run again") from None
    if about.get("kind") != kind:
        raise DataError(f"{path}: holds a {about.get('kind')}, not a {kind}")
    return arrays, about
