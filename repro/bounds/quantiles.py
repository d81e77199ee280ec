"""Quantiles of more numbers than fit in memory."""

from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

# The bits of a positive float32, read as an integer, grow with the number: exponent first, then mantissa. Without their
# last 11 they count 4096 bins an octave, equal steps of the mantissa, at the cost of one shift a number.
_SHIFT: Final = 11


def _place(values: NDArray[np.floating]) -> NDArray[np.int32]:
    return np.asarray(values, dtype=np.float32).view(np.int32) >> _SHIFT


_LOWEST, _HIGHEST = (int(_place(np.array(10.0**power))) for power in (-20, 20))


class LogHistogram:
    """Counts of positive numbers in bins 2.4e-4 wide (relative) between 1e-20 and 1e20; threads may add at a time."""

    def __init__(self) -> None:
        self._counts = np.zeros(_HIGHEST - _LOWEST + 1, dtype=np.int64)
        self._lock = Lock()

    def add(self, values: NDArray[np.floating]) -> None:
        """Count `values` (any shape); what lies outside the range goes to the outermost bins, nan to the highest."""
        places = np.clip(_place(values).ravel(), _LOWEST, _HIGHEST)
        first = int(places.min(initial=_HIGHEST))
        found = np.bincount(places - first)
        with self._lock:
            self._counts[first - _LOWEST : first - _LOWEST + len(found)] += found

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
        low, high = (np.int32(_LOWEST + edge << _SHIFT).view(np.float32) for edge in (place, place + 1))
        return float(low + inside * (high - low))
