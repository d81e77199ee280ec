"""Source `lte`: the embedded LTE synthesizer."""

from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.physics.synthesize import Spectrum, Synthesizer
from repro.sources.fingerprint import code_fingerprint

_PACKAGE: Final = Path(__file__).parents[1]
_ROOMS: Final = ("physics", "instrument")
_NOT_SHAPING: Final = ("noise.py",)  # noise is added to nodes, it does not shape them


class LteSource:
    """Synthetic spectra in local thermodynamic equilibrium.

    Args:
        device: where torch computes, `cpu` or `cuda`.
        microturbulence: [km/s].
    """

    name: Final = "lte"

    def __init__(self, device: str = "cpu", microturbulence: float = 2.0) -> None:
        self.device = device
        self.microturbulence = microturbulence
        self._synthesizer = Synthesizer(device=device, microturbulence=microturbulence)

    def __reduce__(self) -> tuple[Any, ...]:
        return _source, (self.device, self.microturbulence)

    def spectra(self, labels: NDArray[np.float64] | Tensor) -> Spectrum:
        """High-resolution spectra at labels (b, 5)."""
        return self._synthesizer(torch.as_tensor(labels, dtype=torch.float64, device=self.device))

    def fingerprint(self) -> str:
        """SHA-256 of the physics and instrument code that shapes a node, and of their tables."""
        return _fingerprint()


@cache
def _source(device: str, microturbulence: float) -> LteSource:
    """One source a process: unpickling it with each task must not read the tables again."""
    return LteSource(device, microturbulence)


@cache
def _fingerprint() -> str:
    modules = [path for room in _ROOMS for path in (_PACKAGE / room).rglob("*.py") if path.name not in _NOT_SHAPING]
    tables = [
        path
        for room in _ROOMS
        for path in (_PACKAGE / room / "tables").iterdir()
        if path.is_file() and path.suffix not in (".md", ".py")
    ]
    return code_fingerprint(_PACKAGE, modules, tables)
