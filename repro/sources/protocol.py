"""What every source offers to the rooms on its right."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# (wave, flux, continuum, ... of b spectra) -> flux on the 4096 pixels (b, 4096) and zero points (b,)
Observe = Callable[[Any], tuple[Tensor, Tensor]]


class Source(Protocol):
    """Noise-free spectra at any labels."""

    @property
    def name(self) -> str:
        """Short name, as in params.yaml."""

    @property
    def microturbulence(self) -> float:
        """[km/s]."""

    def spectra(self, labels: NDArray[np.float64]) -> Any:
        """Spectra at labels (b, 5), in the form the instrument observes (attributes wave, flux, continuum, ...)."""

    def fingerprint(self) -> str:
        """Hash of the code and tables that shape the spectra."""
