"""Differences of models at every place of the matrix, paired over test stars and seeds, and which are resolved."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from repro.scores.arms import ArmScores, Rows
from repro.scores.interval import Measured, Place, borrow, resolved
from repro.scores.names import simplicity

Tuned = Mapping[tuple[str, float, int], Rows]  # (model, noise level, training spectra) -> arms, one a run
Pair = tuple[str, str]  # the simpler one last


@dataclass(frozen=True)
class Comparisons:
    """R2 of the first model of a pair minus that of the second, and whether that is resolved at its place."""

    gains: Mapping[Pair, Mapping[Place, Measured]]
    resolved: Mapping[Pair, Mapping[Place, bool]]

    def is_worse(self, model: str, other: str, place: Place) -> bool:
        """Whether a model is resolvably worse than another at a place."""
        first, second = _ordered(model, other)
        sign = 1.0 if first == model else -1.0
        pair = (first, second)
        return self.resolved[pair][place] and sign * self.gains[pair][place].value < 0


def places(tuned: Tuned) -> dict[Place, dict[str, Rows]]:
    """Noise level and size -> arms of each model there; models that learn from no spectra stand at every size."""
    sizes = sorted({(level, n) for _, level, n in tuned if n})
    return {
        (level, size): {model: rows for (model, at, n), rows in tuned.items() if at == level and n in (0, size)}
        for level, size in sizes
    }


def comparisons(scores: ArmScores, tuned: Tuned) -> Comparisons:
    """All pairs at every place. Whether one is resolved is decided among all pairs of its place, see `resolved`."""
    gains: dict[Pair, dict[Place, Measured]] = {}
    for place, models in places(tuned).items():
        for one, other in combinations(models, 2):
            first, second = _ordered(one, other)
            gains.setdefault((first, second), {})[place] = scores.difference(models[first], models[second])
    lent = {pair: borrow(measured) for pair, measured in gains.items()}
    found: dict[Pair, dict[Place, bool]] = {pair: {} for pair in lent}
    for place in places(tuned):
        here = [pair for pair, measured in lent.items() if place in measured]
        for pair, answer in zip(here, resolved([lent[pair][place] for pair in here]), strict=True):
            found[pair][place] = answer
    return Comparisons(lent, found)


def _ordered(one: str, other: str) -> Pair:
    """Two models with the simpler one last."""
    second, first = sorted((one, other), key=simplicity)
    return first, second
