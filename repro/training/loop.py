"""The one training loop of every torch model: AdamW, cosine, clipped gradients, best epoch by validation, exact resume.

An epoch depends on its number, the seed and the state before it alone: its order, its noise and whatever the network
draws are seeded anew. A run that was killed therefore continues from its last checkpoint to the same bits, on one
machine with one number of threads. `strict` mode: deterministic algorithms, float32.
"""

import csv
import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from repro.errors import DataError, ParameterError
from repro.files import atomic_path
from repro.progress import Report, silent
from repro.training.spectra import ROWS, Source, Validation
from repro.training.state import State, read_state, write_state

KIND = "checkpoint"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the defaults are those of the MLP on 8000 spectra, judged on validation alone."""

    epochs: int = 5
    batch: int = 128  # as good as 64 at one learning rate, and a quarter faster
    learning_rate: float = 1e-3  # at the start; a cosine takes it to 0
    weight_decay: float = 1e-2
    clip: float = 1.0  # largest norm of the gradient

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0 and (value > 0 or name == "weight_decay")):
                raise ParameterError(f"training: {name} = {value} must be a finite number > 0")

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of step 0 ... steps - 1."""
        return 0.5 * self.learning_rate * (1.0 + math.cos(math.pi * step / steps))


@dataclass(frozen=True)
class Epoch:
    """One row of a history: numbered from 1, learning rate at its end, mean training loss, validation R2."""

    epoch: int
    learning_rate: float
    loss: float
    validation_r2: float


@dataclass
class _Progress:
    """What a checkpoint holds beside the network and the optimizer."""

    history: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_r2(self) -> float:
        return max((row.validation_r2 for row in self.history), default=-math.inf)


def train(
    network: nn.Module,
    source: Source,
    target: NDArray[np.floating[Any]],
    validation: Validation,
    recipe: Recipe,
    *,
    seed: int,
    sample_weight: NDArray[np.floating[Any]] | None = None,
    checkpoint: Path | None = None,
    report: Report = silent,
) -> list[Epoch]:
    """Minimise the weighted mean squared error; `network` ends in the state of the epoch of best validation R2.

    Args:
        network: noisy flux (b, P) -> estimates (b,), on the device of the spectra.
        source: n noisy spectra; epoch e (from 0) sees their presentation e.
        target: (n,), of unit variance or so.
        validation: noisy flux and its target, on the scale of `target`.
        seed: of the order of the spectra and of what the network itself draws.
        sample_weight: (n,) weights of the squared errors.
        checkpoint: file that holds the state after every epoch and from which an interrupted run of exactly this
            training continues; it is left to the caller to remove.
        report: called with the number of presentations done and in all.

    Returns:
        The history, one row an epoch.

    Raises:
        DataError: shapes that do not fit, or a loss that is no longer finite.
    """
    device = next(network.parameters()).device
    count = source.shape[0]
    goal = _column(target, count, "target").to(device)
    weight = _column(np.ones(count) if sample_weight is None else sample_weight, count, "sample_weight").to(device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    with _strict(device):
        key = _key(network, source, (goal, weight), validation, recipe, seed)
        progress = _resume(checkpoint, key, network, optimizer)
        for epoch in range(len(progress.history), recipe.epochs):
            report(epoch * count, recipe.epochs * count)
            loss = _epoch(network, optimizer, source, (goal, weight), recipe, epoch, seed)
            if not math.isfinite(loss):
                raise DataError(f"training: the loss of epoch {epoch + 1} is {loss}; lower the learning rate")
            score = _validation_r2(network, validation)
            if score > progress.best_r2:
                progress.best = {name: value.clone() for name, value in network.state_dict().items()}
            progress.history.append(Epoch(epoch + 1, optimizer.param_groups[0]["lr"], loss, score))
            if checkpoint is not None:
                _save(checkpoint, key, network, optimizer, progress)
        report(recipe.epochs * count, recipe.epochs * count)
    network.load_state_dict(progress.best)
    return progress.history


def write_history(history: list[Epoch], path: str | Path) -> None:
    """Write a history as CSV, atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, list(Epoch.__dataclass_fields__), lineterminator="\n")
        rows.writeheader()
        rows.writerows(asdict(row) for row in history)


def estimates(network: nn.Module, flux: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """What a network gives for noisy flux (n, P), (n,), a block at a time."""
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        parts = [
            network(torch.as_tensor(flux[first : first + ROWS], dtype=torch.float32, device=device)).cpu()
            for first in range(0, len(flux), ROWS)
        ]
    return torch.cat(parts).double().numpy()


def _epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    source: Source,
    labelled: tuple[Tensor, Tensor],
    recipe: Recipe,
    epoch: int,
    seed: int,
) -> float:
    """One pass over all spectra in random order; the mean weighted squared error that it saw."""
    goal, weight = labelled
    count = len(goal)
    _seed(seed, epoch)
    order = torch.randperm(count)
    batches = order.split(recipe.batch)
    network.train()
    total = torch.zeros((), dtype=torch.float64, device=goal.device)
    for number, rows in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(epoch * len(batches) + number, recipe.epochs * len(batches))
        here = rows.to(goal.device)
        squared = weight[here] * (network(source.block(rows, epoch)) - goal[here]) ** 2
        optimizer.zero_grad()
        squared.mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        total += squared.detach().double().sum()
    return float(total) / count


def _validation_r2(network: nn.Module, validation: Validation) -> float:
    truth = np.asarray(validation.y, dtype=np.float64)
    return float(1.0 - np.mean((estimates(network, validation.flux) - truth) ** 2) / np.var(truth))


def _column(values: NDArray[np.floating[Any]], count: int, name: str) -> Tensor:
    column = torch.as_tensor(np.asarray(values), dtype=torch.float32)
    if column.shape != (count,) or not bool(torch.isfinite(column).all()):
        raise DataError(f"training: {name} must hold {count} finite numbers; it has shape {tuple(column.shape)}")
    return column


@contextmanager
def _strict(device: torch.device) -> Iterator[None]:
    """Deterministic algorithms, and random numbers that leave those of the caller alone."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.use_deterministic_algorithms(before)


def _seed(seed: int, epoch: int) -> None:
    torch.manual_seed(int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> 1))


def _key(
    network: nn.Module,
    source: Source,
    labelled: tuple[Tensor, ...],
    validation: Validation,
    recipe: Recipe,
    seed: int,
) -> str:
    """Digest of all that a training depends on; of the spectra, some rows of the first presentation."""
    digest = hashlib.sha256(json.dumps([asdict(recipe), seed, *source.shape]).encode())
    some = source.block(torch.arange(0, source.shape[0], max(source.shape[0] // 16, 1)), 0)
    for value in (*network.state_dict().values(), *labelled, some):
        digest.update(value.cpu().contiguous().numpy().tobytes())
    for array in (validation.flux, validation.y):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _save(path: Path, key: str, network: nn.Module, optimizer: torch.optim.Optimizer, progress: _Progress) -> None:
    arrays: State = {f"network/{name}": value.cpu().numpy() for name, value in network.state_dict().items()}
    arrays |= {f"best/{name}": value.cpu().numpy() for name, value in progress.best.items()}
    for number, moments in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer/{number}/{name}": value.cpu().numpy() for name, value in moments.items()}
    write_state(path, arrays, {"kind": KIND, "key": key, "history": [asdict(row) for row in progress.history]})


def _resume(path: Path | None, key: str, network: nn.Module, optimizer: torch.optim.Optimizer) -> _Progress:
    """The state of a checkpoint put in place, where there is one of exactly this training."""
    if path is None or not path.exists():
        return _Progress()
    arrays, about = read_state(path, KIND)
    if about["key"] != key:
        return _Progress()
    network.load_state_dict(_part(arrays, "network/"))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(arrays, "optimizer/").items():
        number, _, moment = name.partition("/")
        moments.setdefault(int(number), {})[moment] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return _Progress([Epoch(**row) for row in about["history"]], _part(arrays, "best/"))


def _part(arrays: State, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(value) for name, value in arrays.items() if name.startswith(prefix)
    }
