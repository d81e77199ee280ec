"""The one training loop of every torch model.

An epoch depends on its number, the seed and the state before it alone: its order, its noise and whatever the network
draws are seeded anew. A training that was killed, at any moment, continues from its last checkpoint to the same bits,
on one machine with one number of threads, in mode `strict`: deterministic algorithms, float32. Mode `fast` compiles the
network and multiplies in bfloat16 where there is a GPU; on a processor it is `strict`. Under torchrun each process
takes its share of every batch, see `parallel`.
"""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from repro.errors import DataError
from repro.progress import Report, silent
from repro.training import optimizers, parallel
from repro.training.checkpoint import Keeper, Training, Within, digest
from repro.training.history import Epoch, write_history
from repro.training.live import Live
from repro.training.recipe import Recipe
from repro.training.spectra import ROWS, Source, Validation

__all__ = ["Epoch", "Recipe", "Trained", "estimates", "train", "write_history"]

Weights = dict[str, Tensor]

_SECONDS_BETWEEN_REPORTS: Final = 1.0


class Trained(NamedTuple):
    """What a training leaves beside the network in its best state.

    Attributes:
        history: one row an epoch.
        weights: states of the network by name: `best`, as chosen by validation; `last`, after the last update; and
            `average`, the average after the last update, where weights are averaged.
    """

    history: list[Epoch]
    weights: dict[str, Weights]


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
    every: float = 60.0,
    report: Report = silent,
    watch: Callable[[], None] | None = None,
    live: Path | None = None,
) -> Trained:
    """Minimise the weighted mean loss; `network` ends in the state of the epoch of best validation.

    Args:
        network: noisy flux (b, P) -> estimates (b,), on the device of the spectra.
        source: n noisy spectra; epoch e (from 0) sees their presentation e.
        target: (n,), of unit variance or so.
        validation: noisy flux and its target, on the scale of `target`.
        seed: of the order of the spectra and of what the network itself draws.
        sample_weight: (n,) weights of the losses.
        checkpoint: file that holds the state after every epoch and at times within, from which an interrupted run of
            exactly this training continues; it is left to the caller to remove.
        every: seconds between checkpoints within an epoch.
        report: called with the number of presentations done and in all.
        watch: called after every epoch that this call trains, with `network` in its state.
        live: folder in which a page of curves, rewritten after every epoch, may be watched, see `live.Live`.

    Raises:
        DataError: shapes that do not fit, a loss that is no longer finite, or a checkpoint that cannot be read.
    """
    device = next(network.parameters()).device
    count = source.shape[0]
    goal = _column(target, count, "target").to(device)
    weight = _column(np.ones(count) if sample_weight is None else sample_weight, count, "sample_weight").to(device)
    epochs, steps = recipe.plan(count)
    total = recipe.presentations(count, steps)
    with _mode(recipe, device):
        parallel.align(network)
        training = _begun(network, recipe)
        key = _key(network, source, (goal, weight), validation, recipe, seed)
        keeper = Keeper(checkpoint, key, training, every)
        keeper.resume()
        learner = torch.compile(network, mode=recipe.compile) if recipe.fast_on(device) else network
        work = _Work(training, learner, source, goal, weight, recipe, seed, keeper, _Paced(report, total))
        page = Live(live, total) if live is not None and parallel.main_process() else None
        for epoch in range(len(training.history), epochs):
            if recipe.stops(training.history):
                break
            work.report(epoch * count, always=True)
            work.learn(epoch)
            row = work.judge(epoch, validation)
            training.history.append(row)
            if recipe.best(training.history) == epoch:
                training.best = _copied(training.judged)
            keeper.write()
            if page is not None:
                page.show(training.history, recipe.presentations(count, min((epoch + 1) * work.batches, steps)))
            if watch is not None:
                watch()
        work.report(total, always=True)
    weights = {"best": training.best, "last": _copied(network)}
    if training.average is not None:
        weights["average"] = _copied(training.judged)
    network.load_state_dict(training.best)
    return Trained(training.history, weights)


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


class _Paced:
    """A report that is called now and then."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total = report, total
        self._last = -math.inf

    def __call__(self, done: int, always: bool = False) -> None:
        now = time.monotonic()
        if parallel.main_process() and (always or now - self._last >= _SECONDS_BETWEEN_REPORTS):
            self._last = now
            self._report(done, self._total)


@dataclass(frozen=True)
class _Work:
    """What an epoch works with."""

    training: Training
    learner: Callable[[Tensor], Tensor]
    source: Source
    goal: Tensor  # (n,) float32
    weight: Tensor  # (n,) float32
    recipe: Recipe
    seed: int
    keeper: Keeper
    report: _Paced

    @property
    def batches(self) -> int:
        """Updates of a whole epoch."""
        return math.ceil(len(self.goal) / self.recipe.batch)

    def learn(self, epoch: int) -> None:
        """One pass over the spectra in random order, or what is left of it."""
        training, recipe = self.training, self.recipe
        _seed(self.seed, epoch)
        order = torch.randperm(len(self.goal)).to(self.goal.device)
        _restore_generators(training)
        _, steps = recipe.plan(len(self.goal))
        before = epoch * self.batches
        training.network.train()
        batches = order.split(recipe.batch)[: steps - before]
        for number in range(training.within.updates, len(batches)):
            rate = recipe.rate(before + number, steps, self.batches)
            for optimizer in training.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
            if parallel.processes() > 1:  # each draws numbers of its own, which no checkpoint of the first one holds
                _seed(self.seed, epoch, number, parallel.process())
            self._update(batches[number], epoch)
            training.within.updates = number + 1
            if number + 1 < len(batches):
                self.keeper.within()
                self.report(epoch * len(self.goal) + (number + 1) * recipe.batch)

    def judge(self, epoch: int, validation: Validation) -> Epoch:
        """The row of an epoch that ends, with its mean loss and the validation of what is judged."""
        training, within = self.training, self.training.within
        loss = float(parallel.summed(within.loss))
        loss /= min(within.updates * self.recipe.batch, len(self.goal))
        if not math.isfinite(loss):
            raise DataError(f"training: the loss of epoch {epoch + 1} is {loss}; lower the learning rate")
        training.within = Within(0, torch.zeros_like(within.loss))
        parallel.align(training.network, weights=False)
        parallel.align(training.judged, weights=False)
        rate = training.optimizers[0].param_groups[0]["lr"]
        return Epoch(epoch + 1, rate, loss, *parallel.same(_validation_scores(training.judged, validation)))

    def _update(self, rows: Tensor, epoch: int) -> None:
        """One step of the optimizers by the mean weighted loss of a batch."""
        training, device = self.training, self.goal.device
        part = parallel.share(rows)
        # each process counts as one in the mean of the gradients; where all have all rows, they agree
        parts = parallel.processes() if len(part) < len(rows) else 1
        fast = self.recipe.fast_on(device)
        here, weight = self._filled(part) if fast else (part, self.weight[part])
        if fast:
            torch.compiler.cudagraph_mark_step_begin()
        with torch.autocast(device.type, torch.bfloat16, enabled=fast):
            given = self.learner(self.source.block(here, epoch))
        losses = weight * self.recipe.losses(given.float(), self.goal[here])
        for optimizer in training.optimizers:
            optimizer.zero_grad()
        (losses.mean() if len(losses) == len(rows) else losses.sum() * parts / len(rows)).backward()
        parallel.average_gradients(training.network)
        nn.utils.clip_grad_norm_(training.network.parameters(), self.recipe.clip)
        for optimizer in training.optimizers:
            optimizer.step()
        if training.average is not None:
            training.average.update_parameters(training.network)
        total = losses.detach().double().sum()
        training.within.loss += total if parts > 1 or parallel.main_process() else 0.0 * total

    def _filled(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of as many spectra as every batch has, the last ones of weight 0: one compiled network for all."""
        size = math.ceil(self.recipe.batch / parallel.processes())
        missing = size - len(rows)
        if missing <= 0:
            return rows, self.weight[rows]
        weight = torch.cat((self.weight[rows], self.weight.new_zeros(missing)))
        return torch.cat((rows, rows.new_zeros(missing))), weight


def _begun(network: nn.Module, recipe: Recipe) -> Training:
    device = next(network.parameters()).device
    average = None
    if recipe.average:
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))
    within = Within(0, torch.zeros((), dtype=torch.float64, device=device))
    return Training(network, optimizers.begun(network, recipe), within, average)


def _validation_scores(network: nn.Module, validation: Validation) -> tuple[float, float]:
    """R2 and mean absolute error."""
    truth = np.asarray(validation.y, dtype=np.float64)
    missed = estimates(network, validation.flux) - truth
    return float(1.0 - np.mean(missed**2) / np.var(truth)), float(np.mean(np.abs(missed)))


def _copied(network: nn.Module) -> Weights:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _column(values: NDArray[np.floating[Any]], count: int, name: str) -> Tensor:
    column = torch.as_tensor(np.asarray(values), dtype=torch.float32)
    if column.shape != (count,) or not bool(torch.isfinite(column).all()):
        raise DataError(f"training: {name} must hold {count} finite numbers; it has shape {tuple(column.shape)}")
    return column


@contextmanager
def _mode(recipe: Recipe, device: torch.device) -> Iterator[None]:
    """Deterministic algorithms but in mode `fast`, and random numbers that leave those of the caller alone."""
    fast = recipe.fast_on(device)
    deterministic, products = torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS does not repeat itself
    torch.use_deterministic_algorithms(not fast)
    torch.set_float32_matmul_precision("high" if fast else "highest")
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_float32_matmul_precision(products)


def _seed(*key: int) -> None:
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1))


def _restore_generators(training: Training) -> None:
    """Go on with the random numbers of the checkpoint, amid an epoch."""
    states, training.within.generators = training.within.generators, []
    if states:
        torch.set_rng_state(states[0])
        if training.device.type == "cuda":
            torch.cuda.set_rng_state(states[1], training.device)


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
    settings = [asdict(recipe), seed, *source.shape, parallel.processes()]
    return digest(settings, tensors, (validation.flux, validation.y))
