"""Wavelengths in standard air and in vacuum.

Birch & Downs (1994, Metrologia 31, 315), the dispersion that VALD and the 2024 BOSZ release use; the way back is the
fit of N. Piskunov to its inverse (VALD documentation).
"""

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float64]


def to_air(vacuum: Wave) -> Wave:
    """Air wavelengths [A] of vacuum wavelengths [A]."""
    squared = (1e4 / vacuum) ** 2  # [um^-2]
    index = 1.0 + 8.34254e-5 + 2.406147e-2 / (130.0 - squared) + 1.5998e-4 / (38.9 - squared)
    return vacuum / index


def to_vacuum(air: Wave) -> Wave:
    """Vacuum wavelengths [A] of air wavelengths [A]."""
    squared = (1e4 / air) ** 2
    index = 1.0 + 8.336624212083e-5 + 2.408926869968e-2 / (130.1065924522 - squared)
    index = index + 1.599740894897e-4 / (38.92568793293 - squared)
    return air * index
