"""Arms of networks: direct against residual perceptrons, the convolutional network, the size of the validation set.

Networks of one run see the same noise, presentation by presentation, whatever the noise level, size and model. All are
trained by one recipe. At every size there are as many updates: the batch is in proportion to the size.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import ParameterError
from repro.experiments.data import Data
from repro.experiments.jobs import Job
from repro.experiments.plan import PUBLISHED, setting
from repro.experiments.table import Arm
from repro.models.cnn import Cnn, Pool
from repro.models.mlp import Mlp
from repro.models.network import NetworkModel
from repro.models.residual import ResidualMlp, shortcut
from repro.training.deviates import Deviates, SharedNoise
from repro.training.loop import Recipe
from repro.training.spectra import Validation

Float64 = NDArray[np.float64]

# presentations of the noise that are kept in memory: ten of 8000 spectra; those of larger sets are drawn anew, on a GPU
REMEMBERED: Final = 1_400_000_000

SWEPT: Final = 0.1  # noise level at which kernels and rates are varied: that of the published sweep
KERNEL: Final = 9  # what the sweep recommends, and every level has
RATE: Final = 3e-3
BATCH: Final = 128  # of the largest size
SMALLEST: Final = 16


class NetworkPlan(Protocol):
    """The part of a scale's matrix that networks use."""

    @property
    def seeds(self) -> int:
        """Number of runs."""
        ...

    @property
    def network_sizes(self) -> Sequence[int]:
        """Training set sizes of the perceptrons, increasing."""
        ...

    @property
    def network_levels(self) -> Sequence[float]:
        """Noise levels of all networks."""
        ...

    @property
    def epochs(self) -> int:
        """Presentations of the training spectra to a perceptron."""
        ...

    @property
    def cnn_size(self) -> int:
        """Training set size of the convolutional networks."""
        ...

    @property
    def cnn_batch(self) -> int:
        """Spectra of each of their updates."""
        ...

    @property
    def cnn_kernels(self) -> Sequence[int]:
        """Pixels of their kernels."""
        ...

    @property
    def cnn_rates(self) -> Sequence[float]:
        """Their learning rates."""
        ...

    @property
    def cnn_steps(self) -> Sequence[int]:
        """Their numbers of updates."""
        ...

    @property
    def validation_sizes(self) -> Sequence[int]:
        """Numbers of validation spectra, increasing, taken from the end of the training set."""
        ...


def network_jobs(
    data: Data, plan: NetworkPlan, _levels: Sequence[float] = (), *, checkpoints: Path | None = None
) -> list[Job]:
    """All jobs of the networks, on the device of the data.

    Args:
        plan: how much of the matrix is wanted, its noise levels among it.
        checkpoints: folder from which an interrupted training continues; without it, an interrupted job begins anew.

    Raises:
        ParameterError: the validation sets leave no spectra to learn from.
    """
    if plan.validation_sizes[-1] >= len(data.y):
        raise ParameterError(
            f"networks: {plan.validation_sizes[-1]} validation spectra from {len(data.y)} leave none to learn from"
        )
    bench = _Bench(data, plan, checkpoints)
    jobs = []
    for run in range(plan.seeds):
        for level in plan.network_levels:
            for n in plan.network_sizes:
                jobs.append(Job(f"mlp-{level:g}-{n}-{run}", partial(bench.perceptrons, level, n, run)))
            for cnn in _convolutions(plan, level):
                jobs.append(Job(f"{cnn.name}-{level:g}-{run}", partial(bench.convolution, cnn, level, run)))
        jobs.append(Job(f"validation-{run}", partial(bench.validation, run)))
    return jobs


@dataclass(frozen=True)
class _Convolution:
    kernel: int
    rate: float
    steps: int
    pool: Pool

    @property
    def name(self) -> str:
        return setting(kernel=self.kernel, rate=self.rate, steps=self.steps, pool=self.pool)


def _convolutions(plan: NetworkPlan, level: float) -> Iterator[_Convolution]:
    """What is recommended and its control that keeps wavelengths; at the level of the sweep, the whole sweep."""
    for steps in plan.cnn_steps:
        yield _Convolution(KERNEL, RATE, steps, "average")
        yield _Convolution(KERNEL, RATE, steps, "flatten")
        for kernel, rate in product(plan.cnn_kernels, plan.cnn_rates) if level == SWEPT else ():
            if (kernel, rate) != (KERNEL, RATE):
                yield _Convolution(kernel, rate, steps, "average")


@dataclass(frozen=True)
class _Bench:
    """Where networks are trained: data, plan, and the noise of the run at work."""

    data: Data
    plan: NetworkPlan
    checkpoints: Path | None
    _noise: dict[int, Deviates] = field(default_factory=dict)

    def perceptrons(self, level: float, n: int, run: int) -> list[Arm]:
        """The direct network and the residual ones; the published in-sample residuals at the published level alone."""
        source, y, validation = self._source(level, n, run), self.data.y[:n], self.data.validation(level)
        linear = shortcut(source, y, validation, device=self.data.device)
        makers: dict[str, Callable[..., Mlp]] = {
            "": Mlp,
            setting(ridge="out_of_fold"): partial(ResidualMlp, linear=linear),
        }
        if level == PUBLISHED:
            makers[setting(ridge="in_sample")] = partial(ResidualMlp, linear=linear.in_sample())
        arms = []
        with self._kept(f"mlp-{level:g}-{n}-{run}") as checkpoint:
            for name, make in makers.items():
                model = make(self._recipe(n), **self._place(run), checkpoint=checkpoint(name))
                model.fit(source, y, validation=validation)
                arms.append(self._arm("networks", model, name, (level, n, run)))
        return arms

    def convolution(self, cnn: _Convolution, level: float, run: int) -> list[Arm]:
        """One convolutional network."""
        n = self.plan.cnn_size
        recipe = Recipe(steps=cnn.steps, batch=self.plan.cnn_batch, learning_rate=cnn.rate)
        with self._kept(f"{cnn.name}-{level:g}-{run}") as checkpoint:
            model = Cnn(recipe, kernel=cnn.kernel, pool=cnn.pool, **self._place(run), checkpoint=checkpoint(""))
            model.fit(self._source(level, n, run), self.data.y[:n], validation=self.data.validation(level))
        return [self._arm("cnn", model, cnn.name, (level, n, run))]

    def validation(self, run: int) -> list[Arm]:
        """One training, of which validation sets of several sizes choose the epoch: they have no other part in it."""
        everything = len(self.data.y)
        n = everything - self.plan.validation_sizes[-1]
        held_out = self._source(PUBLISHED, everything, run).block(torch.arange(n, everything), 0).cpu().numpy()
        truth, test = self.data.y[n:], self.data.test_flux(PUBLISHED)
        seen: list[tuple[Float64, Float64]] = []
        model = Mlp(
            self._recipe(n),
            **self._place(run),
            watch=lambda now: seen.append((now.predict(held_out), now.predict(test))),
        )
        model.fit(self._source(PUBLISHED, n, run), self.data.y[:n], validation=Validation(held_out, truth))
        arms = []
        for size in self.plan.validation_sizes:
            scores = [_r2(chosen[:size], truth[:size]) for chosen, _ in seen]
            best = int(np.argmax(scores))
            facts = {"parameters": model.parameters, "epochs": best + 1}
            cell = (setting(validation=size), PUBLISHED, PUBLISHED, n, run)
            arms.append(Arm("validation_size", "mlp", *cell, seen[best][1], scores[best], facts))
        return arms

    def _arm(self, experiment: str, model: NetworkModel, name: str, place: tuple[float, int, int]) -> Arm:
        level, n, run = place
        best = max(model.history, key=lambda row: row.validation_r2)
        most = self.plan.cnn_size if experiment == "cnn" else self.plan.network_sizes[-1]
        return Arm(
            experiment=experiment,
            model=model.name.replace(" ", "_"),
            setting=name,
            train_noise=level,
            test_noise=level,
            n_train=n,
            seed=run,
            prediction=model.predict(self.data.test_flux(level)),
            validation_r2=best.validation_r2,
            facts={"parameters": model.parameters, "epochs": best.epoch, "steps": model.recipe.plan(n)[1]},
            kept=model if (level, run) == (PUBLISHED, 0) and n == most else None,
        )

    def _source(self, level: float, n: int, run: int) -> SharedNoise:
        clean = self.data.train
        if run not in self._noise:
            self._noise.clear()  # one run is at work at a time
            self._noise[run] = Deviates(clean.flux.shape, self.data.seed + run, REMEMBERED, self.data.device)
        flux, error = (torch.as_tensor(values[:n], device=self.data.device) for values in (clean.flux, clean.error))
        return SharedNoise(flux, error, level * self.data.noise, self._noise[run])

    def _recipe(self, n: int) -> Recipe:
        """As many updates at every size."""
        return Recipe(epochs=self.plan.epochs, batch=max(SMALLEST, round(BATCH * n / self.plan.network_sizes[-1])))

    def _place(self, run: int) -> dict[str, Any]:
        return {"seed": self.data.seed + run, "device": self.data.device}

    @contextmanager
    def _kept(self, job: str) -> Iterator[Callable[[str], Path | None]]:
        """Files by name where the trainings of a job leave their state; they are removed when all are done."""
        if self.checkpoints is None:
            yield lambda _name: None
        else:
            folder = self.checkpoints / job
            folder.mkdir(parents=True, exist_ok=True)
            yield lambda name: folder / f"{name or 'direct'}.npz"
            shutil.rmtree(folder)


def _r2(estimates: Float64, truth: NDArray[np.floating[Any]]) -> float:
    return float(1.0 - np.mean((estimates - truth) ** 2) / np.var(truth))
