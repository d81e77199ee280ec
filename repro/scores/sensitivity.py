"""Evidence of the matrix of experiments: every cell, the chosen settings, and paired gains over what they answer to.

Addresses; <place> is `noise<L>[/test<T> where T != L]/n<N>`:

<experiment>/<model>[/<setting>]/<place>/r2      every cell; of `error_only` also rmse and mae [dex]
<the same>/<fact>                                what the fits found, such as trees or variance
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
from repro.scores.arms import ArmScores, Cell, Metric, Rows, place
from repro.scores.bootstrap import Scored
from repro.scores.choice import TUNED, Choice, candidates, choices, chosen

Conditions = Mapping[str, Any]
Item = tuple[str, float | Scored, Conditions]  # address, value, and how its conditions differ from those of the file

_RANGES = ("trees", "cnn")
_OWN_PIXELS = ("pca", "pca_fixed", "pls", "alpha_standardised")  # linear models that answer to Ridge on all pixels


def conditions(scores: ArmScores, rows: Rows) -> Conditions:
    """Of the score of some arms that differ in their seeds and settings alone."""
    cell = scores.cell(rows[0])
    found = {"n_train": cell.n_train, "level": cell.train_noise, "seeds": len(rows)}
    return found if cell.test_noise == cell.train_noise else found | {"test_level": cell.test_noise}


def cell_items(scores: ArmScores) -> Iterator[Item]:
    """Values of all cells of a table."""
    tuned = candidates(scores)
    for cell in scores.cells():
        rows = scores.rows(cell)
        where = conditions(scores, rows)
        for metric in _metrics(cell.experiment):
            yield f"{cell.address}/{metric}", scores.measured(rows, metric).scored(), where
        for fact, runs in scores.facts(rows).items():
            yield f"{cell.address}/{fact}", _plain(runs), where
        for reference, other in references(scores, cell, tuned).items():
            yield f"{cell.address}/gain_over_{reference}", scores.difference(rows, other).scored(), where


def choice_items(scores: ArmScores) -> Iterator[Item]:
    """Values of all chosen settings of a table."""
    tuned = candidates(scores)
    whole = {(c.experiment, c.model, c.controls, c.place): c for c in choices(scores)}
    for choice in whole.values():
        where = conditions(scores, choice.rows)
        for metric in _metrics(choice.experiment):
            yield f"{choice.address()}/{metric}", scores.measured(choice.rows, metric).scored(), where
        yield from _chosen_parts(scores, choice, "best", choice.rows, where)
        by_test = choice.address("test_chosen")
        yield f"{by_test}/r2", scores.measured(choice.by_test).scored(), where
        yield f"{by_test}/r2_gain", scores.difference(choice.by_test, choice.rows).scored(), where
        yield from _chosen_parts(scores, choice, "test_chosen", choice.by_test, where)
        for reference, rows in _choice_references(choice, whole, tuned).items():
            yield f"{choice.address()}/gain_over_{reference}", scores.difference(choice.rows, rows).scored(), where


def range_items(scores: ArmScores) -> Iterator[Item]:
    """How much the tuned parts of a model's settings matter, one at a time."""
    for choice in choices(scores):
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


def references(scores: ArmScores, cell: Cell, tuned: Mapping[tuple[str, float, int], Rows]) -> dict[str, Rows]:
    """What a cell is measured against, by name, as far as it was run:

    full        topk: all pixels, tuned, the same model
    matched     topk_clean: Ridge on all pixels, tuned, trained at the noise of the test
                cross_noise: the same choice, trained at the noise of the test
    ridge       pca, pca_fixed, pls, networks, cnn: Ridge on all pixels, tuned
    uncut       ols_cut, error_only: least squares with all singular values
    raw         scaler: flux as it is (with transformed validation spectra)
    direct      networks, Ridge + MLP: the MLP alone
    out_of_fold networks: Ridge + MLP on residuals of spectra that Ridge did not learn from
    average     cnn: the same with average pooling
    largest     validation_size: the largest validation set
    stopped     trees_fixed: the same boosters, stopped early
    """
    found: dict[str, Cell | Rows | None] = dict(_among_cells(scores, cell))
    spot = (cell.test_noise, cell.n_train)
    if cell.experiment == "topk":
        found["full"] = tuned.get((cell.model, *spot))
    elif cell.experiment == "topk_clean":
        found["matched"] = tuned.get(("ridge", *spot))
    elif cell.experiment in (*_OWN_PIXELS, "networks", "cnn"):
        found["ridge"] = tuned.get(("ridge", *spot))
    rows = {name: _rows(scores, of) for name, of in found.items()}
    return {name: of for name, of in rows.items() if of is not None}


def _with(every: Mapping[int, Mapping[str, str]], part: str, value: str) -> Rows:
    return np.array([row for row, own in every.items() if own.get(part) == value], dtype=np.intp)


def _metrics(experiment: str) -> tuple[Metric, ...]:
    return ("r2", "rmse", "mae") if experiment == "error_only" else ("r2",)


def _among_cells(scores: ArmScores, cell: Cell) -> dict[str, Cell]:
    """Other cells that a cell is measured against."""
    own = settings.parts(cell.setting)
    if cell.experiment == "cross_noise" and cell.train_noise != cell.test_noise:
        return {"matched": cell._replace(train_noise=cell.test_noise)}
    if cell.experiment == "scaler" and own.get("input") != "raw":
        changed = own | {"input": "raw"} | ({"validation": "transformed"} if "validation" in own else {})
        return {"raw": cell._replace(setting=settings.joined(changed))}
    if cell.experiment == "scaler" and own.get("validation") == "raw":
        return {"raw": cell._replace(setting=settings.joined(own | {"validation": "transformed"}))}
    if cell.experiment in ("ols_cut", "error_only") and own.get("cut", "0") != "0":
        return {"uncut": cell._replace(setting=settings.joined(own | {"cut": "0"}))}
    if cell.experiment == "cnn" and own.get("pool") == "flatten":
        return {"average": cell._replace(setting=settings.joined(own | {"pool": "average"}))}
    if cell.experiment == "trees_fixed":
        stopped = settings.without(cell.setting, ("trees",))
        return {"stopped": cell._replace(experiment="trees", setting=stopped)}
    if cell.experiment == "networks" and cell.model == "residual_mlp":
        other = {"direct": cell._replace(model="mlp", setting="")}
        fold = {"out_of_fold": cell._replace(setting="ridge=out_of_fold")}
        return other | (fold if cell.setting == "ridge=in_sample" else {})
    if cell.experiment == "validation_size":
        same = {name: value for name, value in cell._asdict().items() if name != "setting"}
        others = scores.cells(**same)
        largest = max(others, key=lambda other: settings.number(other.setting, "validation"))
        return {} if largest == cell else {"largest": largest}
    return {}


def _choice_references(
    choice: Choice,
    whole: Mapping[tuple[str, str, str, tuple[float, int]], Choice],
    tuned: Mapping[tuple[str, float, int], Rows],
) -> dict[str, Rows]:
    found = {}
    if choice.experiment == "error_only" and choice.controls not in ("", "input=error"):
        other = whole.get((choice.experiment, choice.model, "input=error", choice.place))
        found["error"] = other.rows if other else None
    if choice.experiment in (*_OWN_PIXELS, "cnn"):
        found["ridge"] = tuned.get(("ridge", *choice.place))
    if choice.experiment == "topk":
        found["full"] = tuned.get((choice.model, *choice.place))
    return {name: rows for name, rows in found.items() if rows is not None}


def _rows(scores: ArmScores, of: Cell | Rows | None) -> Rows | None:
    if isinstance(of, Cell):
        return scores.rows(of) if scores.has(of) else None
    return of


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
