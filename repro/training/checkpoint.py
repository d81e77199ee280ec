"""The state of a training on disk, from which one of exactly the same inputs continues to the same bits."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from repro.training import parallel
from repro.training.average import Average
from repro.training.history import Epoch
from repro.training.state import State, read_state, write_state

KIND: Final = "checkpoint"


@dataclass
class Within:
    """Where in an epoch a training is.

    Attributes:
        updates: done in this epoch.
        loss: sum of the losses of its presentations, float64 on the device.
        generators: states of the random number generators, from which the network draws; empty between epochs.
    """

    updates: int
    loss: Tensor
    generators: list[Tensor] = field(default_factory=list)


@dataclass
class Training:
    """What changes while a network learns.

    Attributes:
        network: with its weights and buffers.
        optimizers: with their moments.
        within: the place in the epoch that follows those of the history.
        average: whose `module` holds the averaged weights, where they are averaged.
        history: one row an epoch.
        best: state of the epoch of best validation.
    """

    network: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]
    within: Within
    average: Average | None = None
    history: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def judged(self) -> nn.Module:
        """The network that is validated and kept."""
        return self.network if self.average is None else self.average.module


class Keeper:
    """Keeps the state of a training in a file: at most every so many seconds, and after its last epoch.

    What was done since is done again, to the same bits. Of several processes the first writes; all read. The file of
    another training is overwritten.

    Args:
        path: the file; None: nothing is kept.
        key: digest of what the training depends on.
        training: the state.
        every: least seconds between two states, each of which holds the weights four times or more.
    """

    def __init__(self, path: Path | None, key: str, training: Training, every: float) -> None:
        self._path = path
        self._key = parallel.same(key)
        self._training = training
        self._every = every
        self._written = time.monotonic()
        if path is not None and parallel.main_process():
            for leftover in path.parent.glob(f".{path.name}.*.tmp"):  # of a process that was killed
                leftover.unlink(missing_ok=True)

    def resume(self) -> None:
        """Put the state of the file in place, where there is one of exactly this training.

        Raises:
            DataError: the file is torn or none.
        """
        if self._path is not None and parallel.same(self._path.exists()):
            arrays, about = read_state(self._path, KIND)
            if about["key"] == self._key:
                _restore(self._training, arrays, about)
        parallel.wait()  # nobody writes while others read

    def within(self) -> None:
        """Write the state amid an epoch, if it is time."""
        if self._path is None or not parallel.main_process():
            return
        if self._due():
            device = self._training.device
            generators = [torch.get_rng_state()]
            if device.type == "cuda":
                generators.append(torch.cuda.get_rng_state(device))
            self._training.within.generators = generators
            self.write()

    def between(self, *, last: bool) -> None:
        """Write the state between two epochs, if it is time, or after the last one."""
        if last or self._due():
            self.write()

    def _due(self) -> bool:
        return time.monotonic() - self._written >= self._every

    def write(self) -> None:
        """Write the state, atomically. Raises DataError on a full disk."""
        if self._path is None or not parallel.main_process():
            return
        arrays, about = _stored(self._training)
        write_state(self._path, arrays, {"kind": KIND, "key": self._key, **about})
        self._written = time.monotonic()


def digest(settings: Any, tensors: Iterable[Tensor], arrays: Iterable[NDArray[Any]]) -> str:
    """Digest of what a training depends on; `settings` as JSON."""
    found = hashlib.sha256(json.dumps(settings).encode())
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _stored(training: Training) -> tuple[State, dict[str, Any]]:
    arrays = _named("network/", training.network.state_dict()) | _named("best/", training.best)
    if training.average is not None:
        arrays |= _named("average/", training.average.state_dict())
    for place, optimizer in enumerate(training.optimizers):
        for number, moments in optimizer.state_dict()["state"].items():
            arrays |= _named(f"optimizer{place}/{number}/", moments)
    within = training.within
    arrays |= _named("within/", {"loss": within.loss})
    arrays |= _named("generator/", {str(place): state for place, state in enumerate(within.generators)})
    return arrays, {"updates": within.updates, "history": [asdict(row) for row in training.history]}


def _restore(training: Training, arrays: State, about: Mapping[str, Any]) -> None:
    training.network.load_state_dict(_part(arrays, "network/"))
    if training.average is not None:
        training.average.load_state_dict(_part(arrays, "average/"))
    for place, optimizer in enumerate(training.optimizers):
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _part(arrays, f"optimizer{place}/").items():
            number, _, moment = name.partition("/")
            moments.setdefault(int(number), {})[moment] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
    loss = _part(arrays, "within/")["loss"].to(training.device)
    training.within = Within(about["updates"], loss, list(_part(arrays, "generator/").values()))
    training.history = [Epoch(**row) for row in about["history"]]
    training.best = {name: value.to(training.device) for name, value in _part(arrays, "best/").items()}


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> State:
    return {f"{prefix}{name}": value.cpu().numpy() for name, value in tensors.items()}


def _part(arrays: State, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(value) for name, value in arrays.items() if name.startswith(prefix)
    }
