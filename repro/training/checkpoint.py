"""The state of a training on disk, from which one of exactly the same inputs continues to the same bits."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from repro.training.state import State, read_state, write_state

KIND: Final = "checkpoint"


@dataclass
class Training:
    """What changes while a network learns.

    Attributes:
        network: with its weights and buffers.
        optimizer: with its moments.
        average: whose `module` holds the averaged weights, where they are averaged.
        history: one row an epoch, as fields of `loop.Epoch`.
        best: state of the epoch of best validation.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: torch.optim.swa_utils.AveragedModel | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


def digest(settings: Any, tensors: Iterable[Tensor], arrays: Iterable[NDArray[Any]]) -> str:
    """Digest of what a training depends on; `settings` as JSON."""
    found = hashlib.sha256(json.dumps(settings).encode())
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def save(path: Path, key: str, training: Training) -> None:
    """Write the state under the digest of its inputs, atomically. Raises DataError on a full disk."""
    arrays = _named("network/", training.network.state_dict()) | _named("best/", training.best)
    if training.average is not None:
        arrays |= _named("average/", training.average.state_dict())
    for number, moments in training.optimizer.state_dict()["state"].items():
        arrays |= _named(f"optimizer/{number}/", moments)
    write_state(path, arrays, {"kind": KIND, "key": key, "history": training.history})


def resume(path: Path | None, key: str, training: Training) -> None:
    """Put the state of a checkpoint in place, where there is one of exactly this training.

    Raises:
        DataError: the file is torn or none.
    """
    if path is None or not path.exists():
        return
    arrays, about = read_state(path, KIND)
    if about["key"] != key:
        return
    training.network.load_state_dict(_part(arrays, "network/"))
    if training.average is not None:
        training.average.load_state_dict(_part(arrays, "average/"))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(arrays, "optimizer/").items():
        number, _, moment = name.partition("/")
        moments.setdefault(int(number), {})[moment] = value
    groups: Sequence[Any] = training.optimizer.state_dict()["param_groups"]
    training.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    training.history = about["history"]
    training.best = _part(arrays, "best/")


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> State:
    return {f"{prefix}{name}": value.cpu().numpy() for name, value in tensors.items()}


def _part(arrays: State, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(value) for name, value in arrays.items() if name.startswith(prefix)
    }
