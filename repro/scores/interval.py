"""A number over runs and resampled test stars, its interval, and which of a family of differences are resolved.

The interval is the one that claims are judged by: of n runs with mean m and standard deviation s, and the standard
error b of the paired bootstrap over test stars, m +- h with h = t(0.95, n-1) sqrt(s^2/n + b^2), 90 % two-sided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from repro.scores.bootstrap import SIZE, Scored

LEVEL: Final = 0.95  # of one side of the interval
FAMILY: Final = 2.0 * (1.0 - LEVEL)  # probability that any difference of a family is called resolved and is none

Array = NDArray[np.float64]
Place = tuple[float, int]  # noise level and number of training spectra


@dataclass(frozen=True)
class Measured:
    """One number of an experiment.

    Attributes:
        runs: the number in each run (R,); their mean is the value.
        samples: (1 + B,) mean over the runs for all test stars, then for each resample of them.
        seeded: whether a run with another seed would differ.
        borrowed: (s, its n) of the nearest experiment with several runs, for one that was run once.
    """

    runs: tuple[float, ...]
    samples: Array
    seeded: bool = True
    borrowed: tuple[float, int] | None = None

    @property
    def value(self) -> float:
        return float(self.samples[0])

    @property
    def error(self) -> float:
        """b, the bootstrap standard error over test stars; nan without two finite resamples."""
        finite = self.samples[1:][np.isfinite(self.samples[1:])]
        return float(np.std(finite, ddof=1)) if len(finite) > 1 else float("nan")

    @property
    def spread(self) -> float:
        """s, between runs; borrowed if there is one, infinite if unknown, 0 where seeds do not enter."""
        if not self.seeded:
            return 0.0
        if len(self.runs) > 1:
            return float(np.std(self.runs, ddof=1))
        return self.borrowed[0] if self.borrowed else math.inf

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the spread; infinite where there is none to estimate."""
        if not self.seeded:
            return math.inf
        if len(self.runs) > 1:
            return len(self.runs) - 1
        return self.borrowed[1] - 1 if self.borrowed else 1

    @property
    def half_width(self) -> float:
        """h; infinite for one run of an experiment whose spread is not known."""
        error = math.hypot(self.spread / math.sqrt(len(self.runs)), self.error)
        return t_quantile(LEVEL, self.freedom) * error if error else 0.0

    @property
    def tail(self) -> float:
        """Two-sided probability of a value this far from 0 if the true one is 0.

        Student's t with the degrees of freedom of Welch (1947, Biometrika 34, 28) and Satterthwaite for the sum of the
        two variances, since the bootstrap's is known to SIZE - 1 of them and the runs' to n - 1.
        """
        of_runs, of_stars = self.spread**2 / len(self.runs), self.error**2
        total = of_runs + of_stars
        if not total > 0:
            return 1.0 if self.value == 0 else 0.0
        if not math.isfinite(total):
            return 1.0
        freedom = total**2 / (of_runs**2 / self.freedom + of_stars**2 / (SIZE - 1))
        return float(2.0 * stdtr(freedom, -abs(self.value) / math.sqrt(total)))

    def scored(self) -> Scored:
        """The same as a value of evidence, which has runs where seeds enter, be it one."""
        return Scored(self.value, tuple(map(float, self.samples[1:])), self.runs if self.seeded else ())


def t_quantile(p: float, freedom: float) -> float:
    """Quantile of Student's t; `freedom` may be infinite (normal distribution)."""
    return float(stdtrit(min(freedom, 1e10), p))


def borrow(measured: Mapping[Place, Measured]) -> dict[Place, Measured]:
    """The same numbers, each seeded one that was run once with the spread of the nearest with several runs.

    The nearest in size at the same noise level; without one, the nearest in noise level (then in size).
    """
    lenders = [place for place, one in measured.items() if one.seeded and len(one.runs) > 1]

    def lent(place: Place, one: Measured) -> Measured:
        if not lenders or not one.seeded or len(one.runs) > 1:
            return one
        level, n = place
        near = min(lenders, key=lambda p: (abs(p[0] - level), abs(math.log((p[1] or 1) / (n or 1))), p))
        return replace(one, borrowed=(measured[near].spread, len(measured[near].runs)))

    return {place: lent(place, one) for place, one in measured.items()}


def resolved(differences: Sequence[Measured]) -> list[bool]:
    """Which differences of a family are resolved: |m| > h for each by itself, and all of them together.

    Together: Holm (1979, Scand. J. Stat. 6, 65) at FAMILY, so that a family of one is judged by its interval alone.
    """
    tails = [one.tail for one in differences]
    order = sorted(range(len(tails)), key=lambda k: tails[k])
    found = [False] * len(tails)
    for rank, k in enumerate(order):
        if tails[k] >= FAMILY / (len(order) - rank):
            break
        found[k] = abs(differences[k].value) > differences[k].half_width
    return found
