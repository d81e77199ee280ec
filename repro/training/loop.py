"""The one training loop of every torch model: AdamW, cosine, clipped gradients, best epoch by validation, exact resume.

An epoch depends on its number, the seed and the state before it alone: its order, its noise and whatever the network
draws are seeded anew. A run that was killed therefore continues from its last checkpoint to the same bits, on one
machine with one number of threads, in mode `strict`: deterministic algorithms, float32. Mode `fast` compiles the
network and multiplies in bfloat16 where there is a GPU; on a processor it is `strict`.
"""

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from repro.errors import DataError, ParameterError
from repro.files import atomic_path
from repro.progress import Report, silent
from repro.training.checkpoint import Training, digest, resume, save
from repro.training.spectra import ROWS, Source, Validation

_MAY_BE_ZERO = ("weight_decay", "steps", "patience", "average")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the defaults are those of the MLP on 8000 spectra, judged on validation alone."""

    epochs: int = 5
    batch: int = 128  # as good as 64 at one learning rate, and a quarter faster
    learning_rate: float = 1e-3  # at the start; a cosine takes it to 0
    weight_decay: float = 1e-2
    clip: float = 1.0  # largest norm of the gradient
    steps: int = 0  # updates in all, in place of `epochs`, of which the last may be cut short
    patience: int = 0  # epochs without a better validation R2 after which it stops; 0: it never does
    average: float = 0.0  # decay per update of the average of weights that is judged and kept; 0: the weights are
    mode: Literal["strict", "fast"] = "strict"

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name != "mode" and not (math.isfinite(value) and value >= 0 and (value > 0 or name in _MAY_BE_ZERO)):
                raise ParameterError(f"training: {name} = {value} must be a finite number > 0")
        if self.average >= 1:
            raise ParameterError(f"training: average = {self.average} must be a decay below 1")
        if self.mode not in ("strict", "fast"):
            raise ParameterError(f"training: mode = {self.mode!r} must be strict or fast")

    def plan(self, count: int) -> tuple[int, int]:
        """Epochs and updates that so many spectra are trained for, unless `patience` ends it."""
        batches = math.ceil(count / self.batch)
        steps = self.steps or self.epochs * batches
        return math.ceil(steps / batches), steps

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of step 0 ... steps - 1."""
        return 0.5 * self.learning_rate * (1.0 + math.cos(math.pi * step / steps))

    def stops(self, scores: Sequence[float]) -> bool:
        """Whether no epoch follows those of these validation R2."""
        return bool(self.patience and scores and len(scores) - 1 - int(np.argmax(scores)) >= self.patience)


@dataclass(frozen=True)
class Epoch:
    """One row of a history: numbered from 1, learning rate at its end, mean training loss, validation R2."""

    epoch: int
    learning_rate: float
    loss: float
    validation_r2: float


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
    watch: Callable[[], None] | None = None,
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
        watch: called after every epoch that this call trains, with `network` in its state.

    Returns:
        The history, one row an epoch.

    Raises:
        DataError: shapes that do not fit, or a loss that is no longer finite.
    """
    device = next(network.parameters()).device
    count = source.shape[0]
    goal = _column(target, count, "target").to(device)
    weight = _column(np.ones(count) if sample_weight is None else sample_weight, count, "sample_weight").to(device)
    training = _begun(network, recipe)
    learner: Callable[[Tensor], Tensor] = torch.compile(network) if _fast(recipe, device) else network
    judged = network if training.average is None else training.average.module
    epochs, _ = recipe.plan(count)
    with _mode(recipe, device):
        key = _key(network, source, (goal, weight), validation, recipe, seed)
        resume(checkpoint, key, training)
        scores = [row["validation_r2"] for row in training.history]
        for epoch in range(len(scores), epochs):
            if recipe.stops(scores):
                break
            report(epoch * count, epochs * count)
            loss = _epoch(learner, training, source, (goal, weight), recipe, epoch, seed)
            if not math.isfinite(loss):
                raise DataError(f"training: the loss of epoch {epoch + 1} is {loss}; lower the learning rate")
            score = _validation_r2(judged, validation)
            if score > max(scores, default=-math.inf):
                training.best = {name: value.clone() for name, value in judged.state_dict().items()}
            scores.append(score)
            rate = training.optimizer.param_groups[0]["lr"]
            training.history.append(asdict(Epoch(epoch + 1, rate, loss, score)))
            if checkpoint is not None:
                save(checkpoint, key, training)
            if watch is not None:
                watch()
        report(epochs * count, epochs * count)
    network.load_state_dict(training.best)
    return [Epoch(**row) for row in training.history]


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


def _begun(network: nn.Module, recipe: Recipe) -> Training:
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    if not recipe.average:
        return Training(network, optimizer)
    return Training(network, optimizer, AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average)))


def _epoch(
    learner: Callable[[Tensor], Tensor],
    training: Training,
    source: Source,
    labelled: tuple[Tensor, Tensor],
    recipe: Recipe,
    epoch: int,
    seed: int,
) -> float:
    """One pass over the spectra in random order; the mean weighted squared error that it saw."""
    goal, weight = labelled
    _seed(seed, epoch)
    batches = torch.randperm(len(goal)).split(recipe.batch)
    before, (_, steps) = epoch * len(batches), recipe.plan(len(goal))
    training.network.train()
    total = torch.zeros((), dtype=torch.float64, device=goal.device)
    seen = 0
    for number, rows in enumerate(batches[: steps - before]):
        for group in training.optimizer.param_groups:
            group["lr"] = recipe.rate(before + number, steps)
        here = rows.to(goal.device)
        with torch.autocast(goal.device.type, torch.bfloat16, enabled=_fast(recipe, goal.device)):
            given = learner(source.block(rows, epoch))
        squared = weight[here] * (given.float() - goal[here]) ** 2
        training.optimizer.zero_grad()
        squared.mean().backward()
        nn.utils.clip_grad_norm_(training.network.parameters(), recipe.clip)
        training.optimizer.step()
        if training.average is not None:
            training.average.update_parameters(training.network)
        total += squared.detach().double().sum()
        seen += len(rows)
    return float(total) / seen


def _validation_r2(network: nn.Module, validation: Validation) -> float:
    truth = np.asarray(validation.y, dtype=np.float64)
    return float(1.0 - np.mean((estimates(network, validation.flux) - truth) ** 2) / np.var(truth))


def _column(values: NDArray[np.floating[Any]], count: int, name: str) -> Tensor:
    column = torch.as_tensor(np.asarray(values), dtype=torch.float32)
    if column.shape != (count,) or not bool(torch.isfinite(column).all()):
        raise DataError(f"training: {name} must hold {count} finite numbers; it has shape {tuple(column.shape)}")
    return column


@contextmanager
def _mode(recipe: Recipe, device: torch.device) -> Iterator[None]:
    """Deterministic algorithms but in mode `fast`, and random numbers that leave those of the caller alone."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(not _fast(recipe, device))
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.use_deterministic_algorithms(before)


def _fast(recipe: Recipe, device: torch.device) -> bool:
    return recipe.mode == "fast" and device.type == "cuda"


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
    some = source.block(torch.arange(0, source.shape[0], max(source.shape[0] // 16, 1)), 0)
    tensors = (*network.state_dict().values(), *labelled, some)
    return digest([asdict(recipe), seed, *source.shape], tensors, (validation.flux, validation.y))
