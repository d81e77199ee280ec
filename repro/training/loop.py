"""The one training loop of every torch model.

An epoch depends on its number, the seed and the state before it alone: its order, its noise and whatever the network
draws are seeded anew. A training that was killed, at any moment, continues from its last checkpoint to the same bits,
on one machine with one number of threads, in mode `strict`: deterministic algorithms, float32. Mode `fast` compiles the
network and multiplies in bfloat16 where there is a GPU; on a processor it is `strict`. Under torchrun each process
takes its share of every batch, see `parallel`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from repro.errors import DataError
from repro.progress import Report, silent
from repro.training import optimizers, parallel
from repro.training.average import Average
from repro.training.checkpoint import Keeper, Training, Within, digest
from repro.training.history import Epoch, write_history
from repro.training.live import Live
from repro.training.recipe import Recipe
from repro.training.spectra import Source, Validation
from repro.training.work import Paced, Work, copied, estimates

# cuBLAS repeats itself only so, and PyTorch asks for it once, at the first product of a process
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

__all__ = ["Epoch", "Recipe", "Trained", "estimates", "train", "write_history"]

Weights = dict[str, Tensor]


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
        checkpoint: file that holds the state now and then and at the end, from which an interrupted run of exactly this
            training continues; it is left to the caller to remove.
        every: least seconds between checkpoints before the last; 0: one after every update.
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
        learner = _compiled(network, recipe) if recipe.fast_on(device) else network
        work = Work(training, learner, source, goal, weight, recipe, seed, keeper, Paced(report, total))
        page = Live(live, total, work.shown(len(training.history))) if live and parallel.main_process() else None
        for epoch in range(len(training.history), epochs):
            if recipe.stops(training.history):
                break
            work.report(work.shown(epoch), always=True)
            work.learn(epoch)
            work.judge(epoch, validation)
            keeper.between(last=epoch + 1 == epochs or recipe.stops(training.history))
            if page is not None:
                page.show(training.history, work.shown(epoch + 1))
            if watch is not None:
                watch()
        if page is not None:
            page.show(training.history, work.shown(len(training.history)), ended=True)
        work.report(total, always=True)
    weights = {"best": training.best, "last": copied(network)}
    if training.average is not None:
        weights["average"] = copied(training.judged)
    network.load_state_dict(training.best)
    return Trained(training.history, weights)


def _begun(network: nn.Module, recipe: Recipe) -> Training:
    device = next(network.parameters()).device
    average = Average(network, recipe.average) if recipe.average else None
    within = Within(0, torch.zeros((), dtype=torch.float64, device=device))
    return Training(network, optimizers.begun(network, recipe), within, average)


def _compiled(network: nn.Module, recipe: Recipe) -> Callable[[Tensor], Tensor]:
    # of all networks of a process the compiler takes a few shapes, then leaves the rest uncompiled without a word, and
    # a second size of batch makes it general and slow: it forgets what came before, and every size is one of its own
    torch.compiler.reset()
    learner: Callable[[Tensor], Tensor] = torch.compile(network, mode=recipe.compile, dynamic=False)
    return learner


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
    torch.use_deterministic_algorithms(not fast)
    torch.set_float32_matmul_precision("high" if fast else "highest")
    try:
        with (
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            # convolutions have a precision of their own, which is TF32 unless told otherwise
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=not fast, allow_tf32=fast),
        ):
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_float32_matmul_precision(products)


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
