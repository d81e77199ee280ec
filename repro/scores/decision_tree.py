"""Which model to take at which noise and with how many spectra: recommendations, and the smallest tree that gives them.

At each place of the matrix the simplest model that is not resolvably worse than the best one is recommended, among the
models that were measured at all places: otherwise the tree would show where the matrix has holes. The tree asks for the
noise level or the number of training spectra, and gives back every recommendation with as few leaves as can be.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from repro.scores.board import Entry, Recommendation
from repro.scores.comparisons import Comparisons
from repro.scores.names import simplicity
from repro.scores.tree import Leaf, Place, Split, Tree


def everywhere(entries: Sequence[Entry]) -> tuple[list[Place], list[str]]:
    """The places of the matrix, and the models that were measured at all of them, the simplest first.

    Places are those of the simplest model of those measured at most; one with a size of its own adds none.
    """
    found: dict[str, set[Place]] = {}
    for entry in entries:
        found.setdefault(entry.model, set()).add((entry.level, entry.size))
    learnt = sorted({entry.model for entry in entries if entry.n_train}, key=simplicity)
    matrix = found[max(learnt, key=lambda model: len(found[model]))] if learnt else set()
    complete = [model for model, at in found.items() if matrix <= at]
    return sorted(matrix), sorted(complete, key=simplicity)


def recommendations(entries: Sequence[Entry], compared: Comparisons) -> tuple[Recommendation, ...]:
    """One for each place of the matrix, in order of noise level and size."""
    matrix, models = everywhere(entries)
    return tuple(_recommended(place, models, entries, compared) for place in matrix)


def decision_tree(found: Sequence[Recommendation], entries: Sequence[Entry]) -> Tree | None:
    """The smallest tree that gives every recommendation; of several, one of least depth that asks for noise first.

    Exact: dynamic programming over all rectangles of places, which trees of single questions cut the matrix into.
    None without recommendations.
    """
    answers = {(r.level, r.size): r.model for r in found}
    if not answers:
        return None
    levels, sizes = (sorted({place[axis] for place in answers}) for axis in (0, 1))
    r2 = {(e.model, e.level, e.size): e.r2 for e in entries}

    @cache
    def best(low: int, high: int, left: int, right: int) -> tuple[int, int, Tree | None]:
        """Leaves, depth and tree of the places in a rectangle; no tree where it holds none."""
        inside = [(x, int(n)) for x in levels[low:high] for n in sizes[left:right] if (x, int(n)) in answers]
        models = {answers[place] for place in inside}
        if len(models) <= 1:
            return 1, 0, _leaf(models.pop(), inside, r2) if models else None
        cuts = [("level", levels, k, (low, k, left, right), (k, high, left, right)) for k in range(low + 1, high)]
        cuts += [("size", sizes, k, (low, high, left, k), (low, high, k, right)) for k in range(left + 1, right)]
        trees = []
        for axis, values, k, one, other in cuts:
            (a, deep, first), (b, deeper, second) = best(*one), best(*other)
            if first and second:
                split = Split(axis, float(values[k - 1]), float(values[k]), first, second)
                trees.append((a + b, 1 + max(deep, deeper), split))
        return min(trees, key=lambda tree: tree[:2])

    return best(0, len(levels), 0, len(sizes))[2]


def _recommended(
    place: Place, models: Sequence[str], entries: Sequence[Entry], compared: Comparisons
) -> Recommendation:
    here = {e.model: e for e in entries if (e.level, e.size) == place}
    best = max(models, key=lambda model: here[model].r2)
    equal = tuple(model for model in models if model == best or not compared.is_worse(model, best, place))
    others = (model for model in sorted(here, key=simplicity) if model not in models)
    better = tuple(model for model in others if compared.is_worse(equal[0], model, place))
    return Recommendation(*place, equal[0], best, equal, better)


def _leaf(model: str, inside: Sequence[Place], r2: Mapping[tuple[str, float, int], float]) -> Leaf:
    values = [r2[model, *place] for place in inside]
    return Leaf(model, tuple(inside), (min(values), max(values)))
