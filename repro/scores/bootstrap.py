"""Paired bootstrap over test stars: the same resamples for every number, so that differences keep their pairing.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIZE: Final = 200  # resamples: the standard error of a standard error is then 5 %

Statistic = Callable[[NDArray[np.intp]], float]  # rows of the stars, with repetitions -> a number


@dataclass(frozen=True)
class Scored:
    """A number measured on test stars, and the same number on each resample of them (nan where it is not defined).

    Where an experiment was run with several seeds, `runs` holds the number of each and `value` is their mean.
    """

    value: float
    replicates: tuple[float, ...]
    runs: tuple[float, ...] = ()

    @property
    def error(self) -> float:
        """Bootstrap standard error; nan without two finite replicates."""
        values = np.array(self.replicates, dtype=float)
        finite = values[np.isfinite(values)]
        return float(np.std(finite, ddof=1)) if len(finite) > 1 else float("nan")


@dataclass(frozen=True)
class Undefined:
    """A number that these data do not give, and why."""

    reason: str


def resamples(n: int, *, seed: int = 0, size: int = SIZE) -> NDArray[np.intp]:
    """Rows of n stars drawn with repetition, (size, n); the same for every caller."""
    return np.random.default_rng((seed, n)).integers(0, n, size=(size, n))


def counts(n: int) -> NDArray[np.float64]:
    """How often each of n stars counts, (1 + SIZE, n): once in the measured value, then as drawn in each resample.

    Its products with columns of stars are the sums that R2 and the like are made of, for all resamples at once.
    """
    return np.vstack((np.ones(n), *(np.bincount(rows, minlength=n) for rows in resamples(n))))


def scored(statistic: Statistic, n: int, chosen: NDArray[np.bool_] | None = None) -> Scored:
    """`statistic` on n stars, or those `chosen` (n,), and on the common resamples of the n.

    A resample is drawn from all stars before the choice, so that numbers of different choices stay paired.
    """
    use = np.ones(n, dtype=bool) if chosen is None else chosen
    value = float(statistic(np.flatnonzero(use)))
    replicates = (rows[use[rows]] for rows in resamples(n))
    return Scored(value, tuple(float(statistic(rows)) for rows in replicates))
