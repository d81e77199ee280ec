"""Evidence of the matrix of experiments: every cell, the chosen settings, and paired gains over what they answer to.

Addresses; <place> is `noise<L>[/test<T> where T != L]/n<N>`:

<experiment>/<model>[/<setting>]/<place>/r2      every cell; of `error_only` also rmse and mae [dex]
<the same>/<fact>                                what the fits found: trees, variance, rank, ...
<the same>/gain_over_<reference>                 R2 of the cell minus that of its reference, see `references`
<experiment>/<model>[/<controls>]/best/<place>/  the setting chosen by validation, run by run, among those that differ
                                                 in tuned parts alone (without <controls>: among all):
    r2, <part>, log10_alpha                      its score, and what was chosen; of `error_only` also rmse and mae
    <part>_at_edge                               share of the runs whose choice lies at an end of what was offered
<...>/test_chosen/<place>/r2, <part>, r2_gain    the same chosen on the test stars, as the papers did; r2_gain is what
                                                 that adds over the choice by validation
sensitivity/<model>/<part>/<place>/r2_range      largest minus smallest R2 over the values of one tuned part of `trees`
                                                 or `cnn`, the other parts chosen by validation for each value
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from repro.scores import settings
from repro.scores.arms import ArmScores, Metric, Rows, place
from repro.scores.bootstrap import Scored, Undefined
from repro.scores.choice import TUNED, Choice, chosen
from repro.scores.references import References

Conditions = Mapping[str, Any]
# address, value, and how its conditions differ from those of the file
Item = tuple[str, float | Scored | Undefined, Conditions]

_RANGES = ("trees", "cnn")
_FACTS = ("alpha", "rank", "variance", "trees", "capped", "parameters", "epochs", "steps")  # that claims may ask for


def conditions(scores: ArmScores, rows: Rows) -> Conditions:
    """Of the score of some arms that differ in their seeds and settings alone."""
    cell = scores.cell(rows[0])
    found = {"n_train": cell.n_train, "level": cell.train_noise, "seeds": len(rows)}
    return found if cell.test_noise == cell.train_noise else found | {"test_level": cell.test_noise}


def cell_items(scores: ArmScores, known: References) -> Iterator[Item]:
    """Values of all cells of a table."""
    for cell in scores.cells():
        rows = scores.rows(cell)
        where = conditions(scores, rows)
        for metric in _metrics(cell.experiment):
            yield f"{cell.address}/{metric}", scores.measured(rows, metric).scored(), where
        for fact, runs in scores.facts(rows).items():
            if fact in _FACTS and settings.part(cell.setting, fact) is None:
                yield f"{cell.address}/{fact}", _plain(runs), where
        for reference, other in known.of_cell(cell).items():
            yield f"{cell.address}/gain_over_{reference}", scores.difference(rows, other).scored(), where


def choice_items(scores: ArmScores, known: References) -> Iterator[Item]:
    """Values of all chosen settings of a table."""
    for choice in known.choices.values():
        where = conditions(scores, choice.rows)
        for metric in _metrics(choice.experiment):
            yield f"{choice.address()}/{metric}", scores.measured(choice.rows, metric).scored(), where
        yield from _chosen_parts(scores, choice, "best", choice.rows, where)
        by_test = choice.address("test_chosen")
        yield f"{by_test}/r2", scores.measured(choice.by_test).scored(), where
        yield f"{by_test}/r2_gain", scores.difference(choice.by_test, choice.rows).scored(), where
        yield from _chosen_parts(scores, choice, "test_chosen", choice.by_test, where)
        for reference, rows in known.of_choice(choice).items():
            yield f"{choice.address()}/gain_over_{reference}", scores.difference(choice.rows, rows).scored(), where


def range_items(scores: ArmScores, known: References) -> Iterator[Item]:
    """How much the tuned parts of a model's settings matter, one at a time."""
    for choice in known.choices.values():
        if choice.experiment not in _RANGES or choice.controls:
            continue
        every = {row: settings.parts(scores.table.settings[row]) for row in choice.offered}
        for part in TUNED:
            values = {own[part] for own in every.values() if part in own}
            best = [chosen(scores, _with(every, part, value)) for value in sorted(values)]
            if len(best) > 1:
                order = sorted(best, key=lambda rows: scores.measured(rows).value)
                address = f"sensitivity/{choice.model}/{part}/{place(*choice.place)}/r2_range"
                yield address, scores.difference(order[-1], order[0]).scored(), conditions(scores, order[0])


def _with(every: Mapping[int, Mapping[str, str]], part: str, value: str) -> Rows:
    return np.array([row for row, own in every.items() if own.get(part) == value], dtype=np.intp)


def _metrics(experiment: str) -> tuple[Metric, ...]:
    return ("r2", "rmse", "mae") if experiment == "error_only" else ("r2",)


def _chosen_parts(scores: ArmScores, choice: Choice, how: str, rows: Rows, where: Conditions) -> Iterator[Item]:
    """Each numeric part of the chosen settings, run by run."""
    every = [scores.table.settings[row] for row in choice.offered]
    for part in settings.parts(every[0]):
        offered = sorted({settings.number(setting, part) for setting in every})
        picked = [settings.number(scores.table.settings[row], part) for row in rows]
        if not np.isfinite([*offered, *picked]).all():
            continue
        address = f"{choice.address(how)}/{part}"
        yield address, _plain(picked), where
        if part == "alpha" and min(picked) > 0:
            yield f"{choice.address(how)}/log10_alpha", _plain([math.log10(value) for value in picked]), where
        if how == "best" and len(offered) > 2:
            yield f"{address}_at_edge", float(np.mean([value in (offered[0], offered[-1]) for value in picked])), where


def _plain(runs: tuple[float, ...] | list[float]) -> float | Scored:
    """A number of each run that no test star enters; one number where the runs agree."""
    if len(set(runs)) == 1:
        return float(runs[0])
    return Scored(float(np.mean(runs)), (), tuple(map(float, runs)))
