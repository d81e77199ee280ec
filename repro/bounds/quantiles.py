"""Quantiles of more numbers than fit in memory."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BINS_PER_DECADE: Final = 10_000
_LOWEST, _HIGHEST = -10, 10  # decades


class LogHistogram:
    """Counts of positive numbers in bins of 1e-4 dex between 1e-10 and 1e10; quantiles come out to 1e-4 relative."""

    def __init__(self) -> None:
        self._counts = np.zeros((_HIGHEST - _LOWEST) * _BINS_PER_DECADE, dtype=np.int64)

    def add(self, values: NDArray[np.floating]) -> None:
        """Count `values` (any shape); what lies outside the range goes to the outermost bins, nan to the lowest."""
        inside = np.fmax(values, 10.0**_LOWEST).ravel()
        place = (np.log10(inside, dtype=np.float32) - _LOWEST) * _BINS_PER_DECADE
        bins = np.minimum(place, len(self._counts) - 1).astype(np.int64)
        self._counts += np.bincount(bins, minlength=len(self._counts))

    def percentile(self, q: float) -> float:
        """The value below which `q` percent of the counted numbers lie (nan if there are none)."""
        total = np.cumsum(self._counts)
        if total[-1] == 0:
            return float("nan")
        rank = q / 100.0 * total[-1]
        place = int(np.searchsorted(total, rank, side="left"))
        place = max(place, int(np.argmax(self._counts > 0)))
        below = total[place] - self._counts[place]
        inside = (rank - below) / self._counts[place]
        return float(10.0 ** ((place + inside) / _BINS_PER_DECADE + _LOWEST))
