"""How much of the linear models' matrix is wanted, and the arms of a path of linear models."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from repro.experiments.table import Arm
from repro.models.linear import LinearPath
from repro.training.spectra import Validation

CLEAN: Final = 0.0  # noise levels at which the published studies stand
PUBLISHED: Final = 1.0

# 20 penalties in squared flux units (median 0.5), every published one among them
ALPHAS: Final = (1e-3, 1e-2, 0.1, 1, 3, 10, 20, 50, 75, 100, 150, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 1e5, 1e6)


class RunPlan(Protocol):
    """The part of a scale's matrix that says where a family of models is trained."""

    @property
    def sizes(self) -> Sequence[int]:
        """Training set sizes, increasing."""
        ...

    @property
    def seeds(self) -> int:
        """Number of runs."""
        ...

    @property
    def repeated(self) -> Sequence[float]:
        """Noise levels at which the largest size has all runs; others have run 0 alone."""
        ...


class LinearPlan(RunPlan, Protocol):
    """The part that linear models use."""

    @property
    def components(self) -> Sequence[int]:
        """Numbers of components of PCA and PLS."""
        ...

    @property
    def pixels(self) -> Sequence[int]:
        """Numbers of chosen pixels."""
        ...


def runs_and_sizes(plan: RunPlan) -> Iterator[tuple[int, int]]:
    """Every (run, size), a run's sizes after each other, so that its noise is drawn once."""
    for run in range(plan.seeds):
        for n in plan.sizes:
            yield run, n


def levels_at(plan: RunPlan, levels: Sequence[float], n: int, run: int) -> tuple[float, ...]:
    """Noise levels that a run at a size has."""
    once = n == plan.sizes[-1] and run > 0
    return tuple(level for level in levels if not once or level in plan.repeated)


@dataclass(frozen=True)
class Seen:
    """What a model chooses by and what it is asked about: validation spectra, and test flux (n, P)."""

    validation: Validation
    test: NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Cell:
    """Where a model learnt, and at which noise level it is tested (the same by default)."""

    train_noise: float
    n_train: int
    seed: int
    test_noise: float | None = None

    def arms(
        self,
        experiment: str,
        model: str,
        path: LinearPath,
        settings: Sequence[str],
        seen: Seen,
        facts: Mapping[str, float] | None = None,
    ) -> list[Arm]:
        """One arm for each column of a path, with its facts and those that all have."""
        predictions, scores = path.predict(seen.test), path.r2(seen.validation)
        tested = self.train_noise if self.test_noise is None else self.test_noise
        return [
            Arm(
                experiment=experiment,
                model=model,
                setting=setting,
                train_noise=self.train_noise,
                test_noise=tested,
                n_train=self.n_train,
                seed=self.seed,
                prediction=predictions[:, column],
                validation_r2=float(scores[column]),
                facts={name: float(values[column]) for name, values in path.facts.items()} | dict(facts or {}),
            )
            for column, setting in enumerate(settings)
        ]


def best(path: LinearPath, validation: Validation) -> LinearPath:
    """The column of a path with the highest validation R2."""
    return path[[int(np.argmax(path.r2(validation)))]]


def setting(**parts: float | str) -> str:
    """`name=value` joined by `+`, numbers with six digits at most."""
    return "+".join(f"{name}={value if isinstance(value, str) else f'{value:g}'}" for name, value in parts.items())
