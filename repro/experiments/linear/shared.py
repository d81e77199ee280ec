"""Moments of the training spectra that all linear models of a run share, whatever the noise level."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.experiments.data import Data
from repro.experiments.linear.paths import LinearPlan, best
from repro.experiments.plan import ALPHAS, RAISED, levels_at
from repro.models.moments import Moments, at_level, moments
from repro.models.ridge import ridge_path

_MIXED_FROM: Final = 3  # levels: moments are quadratic in the noise level


class SharedMoments:
    """Moments by (level, size, run); those of the last (size, run) are kept.

    Spectra at all levels of a run have the same deviates, so that three passes over them give the moments at every
    level.
    """

    def __init__(self, data: Data, plan: LinearPlan, levels: Sequence[float]) -> None:
        self.data = data
        self.plan = plan
        self.levels = tuple(levels)
        self._cell: tuple[int, int] | None = None
        self._kept: dict[float, Moments] = {}
        self._orders: dict[float, NDArray[np.intp]] = {}

    def trained(self, n: int, run: int) -> tuple[float, ...]:
        """Noise levels at which models of this size and run are trained: with all published ones, a raised one too."""
        if self.complete(n, run):
            return tuple(sorted({*self.levels, RAISED}))
        return levels_at(self.plan, self.levels, n, run)

    def complete(self, n: int, run: int) -> bool:
        """Whether this run of this size has all published levels."""
        return levels_at(self.plan, self.levels, n, run) == self.levels

    def at(self, level: float, n: int, run: int) -> Moments:
        """Moments of the first n training spectra at a noise level."""
        self._turn_to(n, run)
        levels = self.trained(n, run)
        if len(levels) <= _MIXED_FROM or level not in levels:
            return self._passed(level, n, run)
        nodes = (levels[0], min(levels, key=lambda value: abs(2 * value - levels[0] - levels[-1])), levels[-1])
        if level in nodes:
            return self._passed(level, n, run)
        return at_level({node: self._passed(node, n, run) for node in nodes}, level)

    def order(self, level: float, n: int, run: int) -> NDArray[np.intp]:
        """Pixels (P,) by falling size of the coefficients of Ridge at a level, its penalty chosen by validation."""
        self._turn_to(n, run)
        if level not in self._orders:
            path = best(ridge_path(self.at(level, n, run), ALPHAS), self.data.validation(level))
            self._orders[level] = np.argsort(-np.abs(path.coefficients[:, 0]), kind="stable")
        return self._orders[level]

    def _passed(self, level: float, n: int, run: int) -> Moments:
        if level not in self._kept:
            source = self.data.shown(level, n, run)
            self._kept[level] = moments(source, self.data.y[:n], device=self.data.device)
        return self._kept[level]

    def _turn_to(self, n: int, run: int) -> None:
        if self._cell != (n, run):
            self._cell = (n, run)
            self._kept.clear()
            self._orders.clear()
