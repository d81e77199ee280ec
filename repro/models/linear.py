"""What all linear models share: a path of solutions, the choice among them by validation, prediction and storage."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.models.moments import Float64, Moments, moments
from repro.models.protocol import Array
from repro.training.spectra import Source, Validation
from repro.training.state import read_state, write_state

_ROWS = 1024  # spectra whose flux is widened to float64 at once


@dataclass(frozen=True)
class LinearPath:
    """Linear models of one data set, one a column: y = flux @ coefficients + intercepts.

    Attributes:
        coefficients: (P, A), label units per unit of flux, whatever the units they were penalised in.
        intercepts: (A,), label units.
        facts: what tells the columns apart, (A,) each: penalty, number of components, rank, ...
    """

    coefficients: Float64
    intercepts: Float64
    facts: Mapping[str, Float64]

    def __len__(self) -> int:
        return len(self.intercepts)

    def __getitem__(self, which: Any) -> "LinearPath":
        """The columns that a number, a slice, a mask or an array of numbers names."""
        columns = np.atleast_1d(np.arange(len(self))[which])
        facts = {name: values[columns] for name, values in self.facts.items()}
        return LinearPath(self.coefficients[:, columns], self.intercepts[columns], facts)

    def predict(self, flux: Array) -> Float64:
        """Estimates (n, A) from noisy flux (n, P). Raises DataError where the number of pixels is another."""
        pixels = len(self.coefficients)
        if flux.ndim != 2 or flux.shape[1] != pixels:
            raise DataError(f"linear model: fitted to {pixels} pixels, asked about flux of shape {flux.shape}")
        parts = (np.asarray(flux[first : first + _ROWS], dtype=np.float64) for first in range(0, len(flux), _ROWS))
        return np.concatenate([part @ self.coefficients for part in parts]) + self.intercepts

    def r2(self, validation: Validation) -> Float64:
        """R2 (A,) on spectra with known labels."""
        truth = np.asarray(validation.y, dtype=np.float64)[:, None]
        found: Float64 = 1.0 - np.mean((self.predict(validation.flux) - truth) ** 2, axis=0) / np.var(truth)
        return found


def linear_path(source: Moments, columns: torch.Tensor, facts: Mapping[str, Any]) -> LinearPath:
    """Path of solutions (m, A) of the normal equations that `source` holds, with their facts."""
    coefficients = source.lifted(columns)
    facts = {name: np.asarray(values, dtype=np.float64) for name, values in facts.items()}
    return LinearPath(coefficients, source.offset - source.mean @ coefficients, facts)


class LinearModel(ABC):
    """A linear model chosen by validation R2 among a path of them.

    Attributes:
        coefficients: (P,), label units per unit of flux.
        intercept: in label units.
        scores: (A,) validation R2 of the path; empty where there was one model and no validation.
        chosen: the facts of the model that was chosen, such as its penalty.
    """

    uses_error = False
    suffix: Final = ".npz"
    name: ClassVar[str]

    def __init__(self, standardised: bool = False, device: str | torch.device = "cpu") -> None:
        self.standardised, self.device = standardised, torch.device(device)
        self.coefficients: Float64 = np.zeros(0)
        self.intercept = float("nan")
        self.scores: Float64 = np.zeros(0)
        self.chosen: dict[str, float] = {}

    @property
    @abstractmethod
    def candidates(self) -> int:
        """Number of models on the path."""

    @abstractmethod
    def path(self, source: Moments) -> LinearPath:
        """All models that are chosen among."""

    def fit(
        self,
        flux: Array | Source,
        y: Array,
        *,
        error: Array | None = None,
        validation: Validation | None = None,
        sample_weight: Array | None = None,
    ) -> Self:
        """Learn y (n,) from noisy flux (n, P), or from presentation 0 of a source of noisy flux.

        Args:
            error: not used.
            validation: spectra by which the model is chosen; needed where there are several.
            sample_weight: (n,) weights of the squared errors, not negative.

        Raises:
            DataError: shapes that do not fit, or values that are not finite.
            ParameterError: several models and no validation.
        """
        if validation is None and self.candidates > 1:
            raise ParameterError(f"{self.name}: {self.candidates} candidates need validation data to choose by")
        found = moments(flux, y, weight=sample_weight, device=self.device)
        path = self.path(found.standardised() if self.standardised else found)
        best = 0
        if validation is not None:
            self.scores = path.r2(validation)
            best = int(np.argmax(self.scores))
        return self.take(path, best)

    def take(self, path: LinearPath, column: int) -> Self:
        """Be one column of a path that was made elsewhere."""
        self.coefficients = np.ascontiguousarray(path.coefficients[:, column])
        self.intercept = float(path.intercepts[column])
        self.chosen = {name: float(values[column]) for name, values in path.facts.items()}
        return self

    def predict(self, flux: Array, *, error: Array | None = None) -> Float64:
        """Estimates (n,) from noisy flux (n, P); `error` is not used.

        Raises:
            DataError: the model was not fitted, or to another number of pixels.
        """
        if flux.shape[1] != len(self.coefficients):
            raise DataError(f"{self.name}: fitted to {len(self.coefficients)} pixels, asked about {flux.shape[1]}")
        return LinearPath(self.coefficients[:, None], np.array([self.intercept]), {}).predict(flux)[:, 0]

    def save(self, path: str | Path) -> None:
        """Write coefficients, intercept and what was chosen as npz; the same model gives the same bytes.

        Raises:
            DataError: the model was not fitted.
        """
        if not len(self.coefficients):
            raise DataError(f"{self.name}: not fitted, there is nothing to save")
        about = {"kind": f"{self.name} model", "intercept": self.intercept, **self.chosen}
        write_state(path, {"coefficients": self.coefficients}, about)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model for prediction. Raises DataError where the file is none."""
        arrays, about = read_state(path, f"{cls.name} model")
        model = cls()
        model.coefficients, model.intercept = arrays["coefficients"], about["intercept"]
        model.chosen = {name: value for name, value in about.items() if name not in ("kind", "intercept")}
        return model


def positive(name: str, what: str, values: Any) -> NDArray[np.float64]:
    """Values (A,) as float64. Raises ParameterError where there is none, or one is not positive and finite."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not len(found) or not (np.isfinite(found) & (found > 0)).all():
        raise ParameterError(f"{name}: {what} must be positive and finite, not {list(np.atleast_1d(values))}")
    return found
