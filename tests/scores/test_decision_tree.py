"""Recommendations by hand, and trees against exhaustive search."""

from itertools import product

import numpy as np
import pytest

from repro.scores.board import Entry, Recommendation
from repro.scores.comparisons import Comparisons
from repro.scores.decision_tree import decision_tree, everywhere, recommendations
from repro.scores.interval import Measured
from repro.scores.names import simplicity
from repro.scores.tree import Leaf, Split, ask, lines

LEVELS, SIZES = (0.0, 0.5, 1.0), (10, 20, 40)


def entry(model, level, size, r2=0.5, n_train=None):
    scores = (r2, 0.01, 0.1, 0.01, 0.1, 0.01)
    return Entry(
        model, level, size, size if n_train is None else n_train, *scores, (r2,), False, 1, False, ("",), False
    )


def compared(worse):
    """Comparisons in which `worse`, {(model, better one, place)}, are resolved, and no others."""
    gains, resolved = {}, {}
    for model, other, place in worse:
        second, first = sorted((model, other), key=simplicity)
        sign = -1.0 if first == model else 1.0
        gains.setdefault((first, second), {})[place] = Measured((sign * 0.1,), np.array([sign * 0.1]))
        resolved.setdefault((first, second), {})[place] = True
    return _Default(gains, resolved)


class _Default(Comparisons):
    def is_worse(self, model, other, place):
        second, first = sorted((model, other), key=simplicity)
        return place in self.resolved.get((first, second), {}) and super().is_worse(model, other, place)


def answers(grid):
    """Recommendations of a grid of models, one row a level."""
    return [
        Recommendation(level, size, grid[i][j], grid[i][j], (grid[i][j],), ())
        for (i, level), (j, size) in product(enumerate(LEVELS[: len(grid)]), enumerate(SIZES[: len(grid[0])]))
    ]


def entries_of(found):
    return [entry(one.model, one.level, one.size) for one in found]


def leaves(tree):
    return 1 if isinstance(tree, Leaf) else leaves(tree.low) + leaves(tree.high)


def fewest(places):
    """Leaves of the smallest tree, by trying every cut of every part."""
    models = {model for _, _, model in places}
    if len(models) == 1:
        return 1
    best = len(places)
    for axis in (0, 1):
        for value in sorted({place[axis] for place in places})[1:]:
            low = [place for place in places if place[axis] < value]
            high = [place for place in places if place[axis] >= value]
            best = min(best, fewest(low) + fewest(high))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_trees_give_back_every_recommendation_with_the_fewest_leaves(seed):
    rng = np.random.default_rng(seed)
    found = answers([[f"m{k}" for k in row] for row in rng.integers(0, 2 + seed % 3, (3, 3))])
    if seed % 4 == 3:
        found = [one for one in found if (one.level, one.size) != (0.5, 20)]  # a place that was not measured
    tree = decision_tree(found, entries_of(found))
    assert all(ask(tree, one.level, one.size) == one.model for one in found)
    assert leaves(tree) == fewest([(one.level, one.size, one.model) for one in found])


def test_a_split_between_noise_levels_says_both_sides():
    found = answers([["a", "a", "a"], ["a", "a", "a"], ["b", "b", "b"]])
    tree = decision_tree(found, entries_of(found))
    assert isinstance(tree, Split) and (tree.axis, tree.below, tree.above) == ("level", 0.5, 1.0)
    assert tree.low == Leaf("a", tuple((level, size) for level in LEVELS[:2] for size in SIZES), (0.5, 0.5))
    assert list(lines(tree)) == [
        "├─ noise level ≤ 0.5: a (R2 0.500, 6 places of the matrix)",
        "└─ noise level ≥ 1: b (R2 0.500, 3 places of the matrix)",
    ]
    by_size = answers([["a", "b", "b"]])
    assert next(iter(lines(decision_tree(by_size, entries_of(by_size))))).startswith("├─ training spectra ≤ 10: a")
    assert decision_tree([], []) is None


def test_the_simplest_model_that_is_not_resolvably_worse_is_recommended():
    places = [(1.0, 10), (1.0, 20)]
    entries = [entry(m, *p, r2) for p in places for m, r2 in (("ridge", 0.4), ("lightgbm", 0.5), ("mlp", 0.45))]
    first, second = recommendations(entries, compared({("ridge", "lightgbm", places[1])}))
    assert (first.model, first.best, first.equal) == ("ridge", "lightgbm", ("ridge", "lightgbm", "mlp"))
    assert (second.model, second.best, second.equal) == ("lightgbm", "lightgbm", ("lightgbm", "mlp"))


def test_models_of_a_part_of_the_matrix_are_named_where_they_do_better_but_not_recommended():
    places = [(1.0, 10), (1.0, 20)]
    entries = [entry(m, *p) for p in places for m in ("ridge", "lightgbm")] + [entry("mlp", 1.0, 20, 0.9)]
    assert everywhere(entries) == (places, ["ridge", "lightgbm"])
    _, second = recommendations(entries, compared({("ridge", "mlp", places[1])}))
    assert second.model == "ridge" and second.better == ("mlp",)


def test_a_model_with_a_size_of_its_own_adds_no_place():
    entries = [entry("ridge", 1.0, n) for n in (10, 20)] + [entry("cnn", 1.0, 16)]
    entries += [entry("template", 1.0, n, n_train=0) for n in (10, 16, 20)]
    assert everywhere(entries) == ([(1.0, 10), (1.0, 20)], ["ridge", "template"])
    assert recommendations([], compared(set())) == ()


def test_of_models_measured_at_as_many_places_the_simplest_says_which_they_are():
    entries = [entry("ridge", level, 10) for level in (0.0, 1.0)] + [entry("mlp", level, 10) for level in (0.5, 1.0)]
    assert everywhere(entries) == ([(0.0, 10), (1.0, 10)], ["ridge"])
