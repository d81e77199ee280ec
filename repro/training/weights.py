"""Trained networks as safetensors: tensors by name, and what they are as JSON in the one entry of the header."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from repro.errors import DataError
from repro.files import atomic_path

SUFFIX: Final = ".safetensors"

_ABOUT: Final = "about"  # one entry, since safetensors writes several in an order of chance


def write_weights(path: str | Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors, and what they are, atomically; the same content gives the same bytes.

    Raises:
        DataError: the disk is full.
    """
    content = save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        metadata={_ABOUT: json.dumps(about, sort_keys=True)},
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_about(path: str | Path, kind: str = "network") -> dict[str, Any]:
    """What the tensors of a file are, as `write_weights` was told; no tensor is read.

    Raises:
        DataError: the file is absent, torn or no safetensors file of this kit.
    """
    return _read(path, kind, tensors=False)[1]


def read_weights(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_weights` wrote of a `kind` (its entry in `about`).

    Raises:
        DataError: the file is absent, torn, no safetensors file of this kit, or of another kind.
    """
    tensors, about = _read(path, kind, tensors=True)
    if about.get("kind") != kind:
        raise DataError(f"{path}: holds a {about.get('kind')}, not a {kind}")
    return tensors, about


def _read(path: str | Path, kind: str, *, tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as stored:
            about: dict[str, Any] = json.loads((stored.metadata() or {})[_ABOUT])
            names = stored.keys() if tensors else ()
            return {name: stored.get_tensor(name) for name in names}, about
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a stored {kind} ({error}); it must be a {SUFFIX} file of this kit") from None
