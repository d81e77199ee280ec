"""What every model offers, in scikit-learn's words.

A model is handed the error array only if it declares `uses_error`: the errors of a simulated star are a noise-free
function of its labels, so that they alone give log g away.
"""

from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from repro.training.spectra import Validation

Array = NDArray[np.floating[Any]]
Missing = Literal["refuse", "mask"]  # what becomes of observed spectra that lack pixels


class Predictor(Protocol):
    """Whatever gives one number per spectrum."""

    @property
    def uses_error(self) -> bool:
        """Whether `predict` needs the error array."""
        ...

    def predict(self, flux: Array, *, error: Array | None = None) -> NDArray[np.float64]:
        """Estimates (n,) of the label from noisy flux (n, P), and its 1-sigma error where the model uses it."""
        ...


class Model(Predictor, Protocol):
    """A predictor that learns from spectra."""

    def fit(self, flux: Array, y: Array, *, error: Array | None = None, validation: Validation | None = None) -> Self:
        """Learn y (n,) from noisy flux (n, P)."""
        ...


def predict(model: Predictor, flux: Array, error: Array) -> NDArray[np.float64]:
    """Estimates (n,) of a model, which is shown the error (n, P) only if it declares that it uses it."""
    return model.predict(flux, error=error if model.uses_error else None)
