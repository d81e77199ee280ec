"""One epoch of a training: its updates, and what is made of them at its end."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from repro.errors import DataError
from repro.progress import Report
from repro.training import parallel
from repro.training.checkpoint import Keeper, Training, Within
from repro.training.history import Epoch
from repro.training.recipe import Recipe
from repro.training.spectra import ROWS, Source, Validation

_SECONDS_BETWEEN_REPORTS: Final = 1.0


@dataclass(frozen=True)
class Work:
    """What an epoch works with."""

    training: Training
    learner: Callable[[Tensor], Tensor]
    source: Source
    goal: Tensor  # (n,) float32
    weight: Tensor  # (n,) float32
    recipe: Recipe
    seed: int
    keeper: Keeper
    report: "Paced"

    @property
    def batches(self) -> int:
        """Updates of a whole epoch."""
        return math.ceil(len(self.goal) / self.recipe.batch)

    def shown(self, epochs: int) -> int:
        """Presentations of the first epochs."""
        count = len(self.goal)
        return self.recipe.presentations(count, min(epochs * self.batches, self.recipe.plan(count)[1]))

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
                self.report(self.shown(epoch) + (number + 1) * recipe.batch)

    def judge(self, epoch: int, validation: Validation) -> None:
        """End an epoch: its row in the history, and its weights where they are the best so far."""
        training, within = self.training, self.training.within
        loss = float(within.loss)
        loss /= min(within.updates * self.recipe.batch, len(self.goal))
        if not math.isfinite(loss):
            raise DataError(f"training: the loss of epoch {epoch + 1} is {loss}; lower the learning rate")
        training.within = Within(0, torch.zeros_like(within.loss))
        parallel.align(training.network, weights=False)
        parallel.align(training.judged, weights=False)
        rate = training.optimizers[0].param_groups[0]["lr"]
        scores = parallel.same(_validation_scores(training.judged, validation))
        training.history.append(Epoch(epoch + 1, rate, loss, *scores))
        if self.recipe.best(training.history) == epoch:
            training.best = copied(training.judged)

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
        (losses.mean() if here is rows else losses.sum() * parts / len(rows)).backward()
        parallel.average_gradients(training.network)
        nn.utils.clip_grad_norm_(training.network.parameters(), self.recipe.clip)
        for optimizer in training.optimizers:
            optimizer.step()
        if training.average is not None:
            training.average.update()
        total = losses.detach().double().sum()
        # of all processes, so that the checkpoint of the first one holds the whole of it
        training.within.loss += parallel.summed(total if parts > 1 or parallel.main_process() else 0.0 * total)

    def _filled(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of as many spectra as every batch has, the last ones of weight 0: one compiled network for all."""
        size = math.ceil(self.recipe.batch / parallel.processes())
        missing = size - len(rows)
        if missing <= 0:
            return rows, self.weight[rows]
        weight = torch.cat((self.weight[rows], self.weight.new_zeros(missing)))
        return torch.cat((rows, rows.new_zeros(missing))), weight


class Paced:
    """A report that is called now and then."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total = report, total
        self._last = -math.inf

    def __call__(self, done: int, always: bool = False) -> None:
        now = time.monotonic()
        if parallel.main_process() and (always or now - self._last >= _SECONDS_BETWEEN_REPORTS):
            self._last = now
            self._report(done, self._total)


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


def copied(network: nn.Module) -> dict[str, Tensor]:
    """A state of its own of a network."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _validation_scores(network: nn.Module, validation: Validation) -> tuple[float, float]:
    """R2 and mean absolute error."""
    truth = np.asarray(validation.y, dtype=np.float64)
    missed = estimates(network, validation.flux) - truth
    return float(1.0 - np.mean(missed**2) / np.var(truth)), float(np.mean(np.abs(missed)))


def _seed(*key: int) -> None:
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1))


def _restore_generators(training: Training) -> None:
    """Go on with the random numbers of the checkpoint, amid an epoch."""
    states, training.within.generators = training.within.generators, []
    if states:
        torch.set_rng_state(states[0])
        if training.device.type == "cuda":
            torch.cuda.set_rng_state(states[1], training.device)
