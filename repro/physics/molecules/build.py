"""Making the expanded cross-sections ahead of their use, with a measure of how well they interpolate."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.physics.molecules import cache
from repro.physics.molecules.cross_section import LineSum
from repro.physics.molecules.opacity import Report, coefficients, file_name, temperature_basis

TESTED_AT: Final = (2000.0, 2700.0, 3400.0, 4300.0, 5500.0, 7000.0)  # K
_MATTERS: Final = 0.01  # of the mean cross-section, above which the error counts


@dataclass(frozen=True)
class Built:
    """One expanded cross-section."""

    molecule: str
    lines: int
    bands: int
    largest_error: float  # relative, of the interpolation, where the cross-section is above 1 % of its mean
    seconds: float
    path: Path

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self) | {"path": str(self.path)}


def build_cross_section(
    molecule: str, wave: NDArray[np.float64], microturbulence: float, report: Report | None = None
) -> Built:
    """Put the series of a molecule at wavelengths (W,) [A] into the cache if it is not there, and test it."""
    started = time.monotonic()
    series = coefficients(molecule, wave, microturbulence, report)
    seconds = time.monotonic() - started
    line_sum = LineSum(molecule, wave)
    return Built(
        molecule=molecule,
        lines=len(line_sum),
        bands=line_sum.bands,
        largest_error=interpolation_error(series, line_sum, microturbulence),
        seconds=seconds,
        path=cache.folder() / file_name(molecule, wave, microturbulence),
    )


def interpolation_error(series: NDArray[np.float32], line_sum: LineSum, microturbulence: float) -> float:
    """Largest relative error of the series against sums over all lines at TESTED_AT."""
    basis = temperature_basis(torch.tensor(TESTED_AT, dtype=torch.float64)).numpy()
    worst = 0.0
    for row, temperature in zip(basis, TESTED_AT, strict=True):
        exact = line_sum(temperature, microturbulence)
        counts = exact > _MATTERS * exact.mean()
        worst = max(worst, float(np.abs(row @ series[:, counts] / exact[counts] - 1.0).max()))
    return worst
