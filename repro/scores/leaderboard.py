"""Every model at every noise level and size on the same test stars: scores, intervals, ranks and ties.

Evidence addresses; N is 0 for a model that learns from no spectra, but in `rank` and `compare`, which belong to a size:

leaderboard/<model>/noise<L>/n<N>/r2, rmse, mae  the setting of each run chosen by validation
leaderboard/<model>/noise<L>/n<N>/rank           by R2, 1 the best
leaderboard/<model>/noise<L>/n<N>/best           1 where it is not resolved from the best, else 0
compare/<a>-<b>/noise<L>/n<N>/r2_gain            R2(a) - R2(b), b the simpler one in the order of `names.DISPLAY`
compare/n_pairs, n_resolved                      of all these differences
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from repro.scores.arms import ArmScores, Rows, place
from repro.scores.board import Comparison, Entry, Leaderboard, Optimum
from repro.scores.choice import candidates, shown, uses_error
from repro.scores.comparisons import Comparisons, Tuned, comparisons, places
from repro.scores.decision_tree import decision_tree, recommendations
from repro.scores.interval import Measured, Place, borrow
from repro.scores.sensitivity import Item, conditions


def leaderboard(scores: ArmScores, facts: Mapping[str, Any], optimum: Optimum | None = None) -> Leaderboard:
    """The leaderboard of a table.

    Args:
        scores: of all arms.
        facts: what holds for all of it: scale, source, noise, stars, ...
        optimum: the exact Bayes optimum, where it is known.
    """
    tuned = candidates(scores)
    compared = comparisons(scores, tuned)
    entries = tuple(_entries(scores, tuned, compared))
    found = recommendations(entries, compared)
    return Leaderboard(
        conditions=dict(facts),
        entries=entries,
        comparisons=tuple(
            Comparison(*pair, *at, one.value, _finite(one.half_width), compared.resolved[pair][at])
            for pair, measured in compared.gains.items()
            for at, one in measured.items()
        ),
        recommendations=found,
        tree=decision_tree(found, entries),
        optimum=optimum,
    )


def leaderboard_items(scores: ArmScores) -> Iterator[Item]:
    """Evidence values, see above."""
    tuned = candidates(scores)
    compared = comparisons(scores, tuned)
    for (model, level, n), rows in tuned.items():
        for metric in ("r2", "rmse", "mae"):
            value = scores.measured(rows, metric).scored()
            yield f"leaderboard/{model}/{place(level, n)}/{metric}", value, conditions(scores, rows)
    for entry in _entries(scores, tuned, compared):
        address = f"leaderboard/{entry.model}/{place(entry.level, entry.size)}"
        where = {"n_train": entry.size, "level": entry.level, "seeds": len(entry.runs)}
        yield f"{address}/rank", float(entry.rank), where
        yield f"{address}/best", float(entry.best), where
    yield from _comparison_items(compared)


def _comparison_items(compared: Comparisons) -> Iterator[Item]:
    for (first, second), measured in compared.gains.items():
        for (level, size), one in measured.items():
            where = {"n_train": size, "level": level, "seeds": len(one.runs)}
            yield f"compare/{first}-{second}/{place(level, size)}/r2_gain", one.scored(), where
    answers = [answer for by_place in compared.resolved.values() for answer in by_place.values()]
    yield "compare/n_pairs", float(len(answers)), {}
    yield "compare/n_resolved", float(sum(answers)), {}


def _entries(scores: ArmScores, tuned: Tuned, compared: Comparisons) -> Iterator[Entry]:
    measured = _measured(scores, tuned)
    for (level, size), models in places(tuned).items():
        where = {model: (level, int(scores.table.n_train[rows[0]])) for model, rows in models.items()}
        r2 = {model: measured["r2"][model][where[model]] for model in models}
        order = sorted(models, key=lambda model: (-r2[model].value, model))
        for rank, model in enumerate(order, start=1):
            scored = {metric: measured[metric][model][where[model]] for metric in measured}
            tied = rank == 1 or not compared.is_worse(model, order[0], (level, size))
            yield _entry(scores, model, (level, size), models[model], scored, rank, tied)


def _measured(scores: ArmScores, tuned: Tuned) -> dict[str, dict[str, dict[Place, Measured]]]:
    """Metric -> model -> place -> number, with borrowed spreads."""
    models = dict.fromkeys(model for model, _, _ in tuned)
    return {
        metric: {
            model: borrow({(lv, n): scores.measured(rows, metric) for (m, lv, n), rows in tuned.items() if m == model})
            for model in models
        }
        for metric in ("r2", "rmse", "mae")
    }


def _entry(
    scores: ArmScores, model: str, at: Place, rows: Rows, scored: Mapping[str, Measured], rank: int, best: bool
) -> Entry:
    r2 = scored["r2"]
    return Entry(
        model=model,
        level=at[0],
        size=at[1],
        n_train=int(scores.table.n_train[rows[0]]),
        r2=r2.value,
        r2_half=_finite(r2.half_width),
        rmse=scored["rmse"].value,
        rmse_half=_finite(scored["rmse"].half_width),
        mae=scored["mae"].value,
        mae_half=_finite(scored["mae"].half_width),
        runs=r2.runs,
        borrowed=r2.borrowed is not None,
        rank=rank,
        best=best,
        settings=tuple(shown(scores.cell(row)) for row in rows[: len(r2.runs)]),
        uses_error=uses_error(model),
    )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
