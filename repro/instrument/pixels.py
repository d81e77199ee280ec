"""The 4096 pixels of the PFS medium-resolution red arm (vacuum wavelengths in Angstrom)."""

from typing import Final

import numpy as np

N_PIXELS: Final = 4096
FIRST_EDGE: Final = 7100.0
LAST_EDGE: Final = 8850.0
STEP: Final = (LAST_EDGE - FIRST_EDGE) / N_PIXELS  # 0.42724609375, exact in binary


def pixel_edges() -> np.ndarray:
    """Edges of the pixels, (4097,) float64 [A]."""
    return FIRST_EDGE + STEP * np.arange(N_PIXELS + 1)


def pixel_centres() -> np.ndarray:
    """Centres of the pixels, (4096,) float64 [A]."""
    return FIRST_EDGE + STEP * (np.arange(N_PIXELS) + 0.5)
