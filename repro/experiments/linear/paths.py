"""The arms of a path of linear models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from repro.experiments.plan import RunPlan
from repro.experiments.table import Arm
from repro.models.linear import LinearPath
from repro.training.spectra import Validation


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
