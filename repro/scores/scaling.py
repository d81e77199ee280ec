"""What more training spectra give a model, its settings chosen by validation at each size.

Evidence addresses; A < B are sizes that follow each other, or the smallest and the largest:

scaling/<model>/noise<L>/n<A>-<B>/r2_gain           R2 with B training spectra minus that with A, run by run
scaling/<model>/noise<L>/n<A>-<B>/r2_relative_gain  R2 with B over that with A, minus 1
scaling/<model>/levels/n<A>-<B>/r2_relative_gain    its mean over the noise levels that have both sizes
scaling/<model>/levels/n<A>-<B>/r2_gain_min         the smallest gain in R2 over those levels
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from repro.scores.arms import ArmScores, Array, Rows, place
from repro.scores.bootstrap import Scored
from repro.scores.comparisons import Tuned
from repro.scores.sensitivity import Item


def scaling_items(scores: ArmScores, tuned: Tuned) -> Iterator[Item]:
    """Evidence values, see above."""
    for model, step, levels in _steps(tuned):
        name = f"n{step[0]}-{step[1]}"
        for level, pair in levels.items():
            gain = _over_levels(scores, [pair], np.mean, relative=False)
            relative = _over_levels(scores, [pair], np.mean, relative=True)
            where = {"n_train": step[1], "level": level, "seeds": max(len(gain.runs), 1)}
            address = f"scaling/{model}/{place(level, name[1:])}"
            yield f"{address}/r2_gain", gain, where
            yield f"{address}/r2_relative_gain", relative, where
        if len(levels) > 1:
            pairs = list(levels.values())
            relative = _over_levels(scores, pairs, np.mean, relative=True)
            least = _over_levels(scores, pairs, np.min, relative=False)
            where = {"n_train": step[1], "levels": len(levels), "seeds": max(len(least.runs), 1)}
            yield f"scaling/{model}/levels/{name}/r2_relative_gain", relative, where
            yield f"scaling/{model}/levels/{name}/r2_gain_min", least, where


def _steps(tuned: Tuned) -> Iterator[tuple[str, tuple[int, int], dict[float, tuple[Rows, Rows]]]]:
    """Model, sizes, and its arms with the smaller and the larger at each noise level that has both."""
    for model in dict.fromkeys(model for model, _, n in tuned if n):
        found: dict[tuple[int, int], dict[float, tuple[Rows, Rows]]] = {}
        for level in dict.fromkeys(level for m, level, _ in tuned if m == model):
            sizes = sorted(n for m, lv, n in tuned if (m, lv) == (model, level))
            for small, large in dict.fromkeys([*zip(sizes, sizes[1:], strict=False), (sizes[0], sizes[-1])]):
                if small < large:
                    pair = (tuned[model, level, small], tuned[model, level, large])
                    found.setdefault((small, large), {})[level] = pair
        for step, levels in found.items():
            yield model, step, levels


def _over_levels(
    scores: ArmScores, pairs: Sequence[tuple[Rows, Rows]], statistic: Callable[..., Any], relative: bool
) -> Scored:
    """A statistic of the gains from the first to the second of each pair of arms."""

    def function(*r2: Array) -> Array:
        small, large = np.stack(r2[::2]), np.stack(r2[1::2])
        gains: Array = statistic(large / small - 1.0 if relative else large - small, axis=0)
        return gains

    return scores.combined(function, *(rows for pair in pairs for rows in pair)).scored()
