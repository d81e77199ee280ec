"""The leaderboard of a made-up matrix: order, ties, pairs, and the file that keeps it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from repro.claims.estimate import Estimate
from repro.errors import DataError
from repro.scores.arms import ArmScores
from repro.scores.board import Optimum, read_leaderboard
from repro.scores.choice import candidates
from repro.scores.comparisons import comparisons, places
from repro.scores.leaderboard import leaderboard, leaderboard_items
from tests.scores.arm_tables import Maker, small

FACTS = {"scale": "ci", "source": "lte", "noise": 1.0, "n_test": 60}


@pytest.fixture(scope="module")
def scores():
    return ArmScores(small())


@pytest.fixture(scope="module")
def board(scores):
    return leaderboard(scores, FACTS, Optimum(1.0, 0.8, 0.05, 48))


def test_every_place_ranks_its_models_by_r2(scores, board):
    tuned = candidates(scores)
    for place, models in places(tuned).items():
        entries = board.at(*place)
        assert [e.rank for e in entries] == list(range(1, len(models) + 1))
        assert sorted((e.r2 for e in entries), reverse=True) == [e.r2 for e in entries]
        assert {e.model for e in entries} == set(models) and entries[0].best
        for entry in entries:
            runs = scores.r2[models[entry.model], 0]
            assert entry.r2 == pytest.approx(np.mean(runs[: len(entry.runs)]))
            assert entry.n_train in (0, entry.size) and len(entry.settings) == len(entry.runs)
    templates = [e for e in board.entries if e.model == "template" and e.level == 1.0]
    assert len(templates) == 2 and len({e.r2 for e in templates}) == 1  # one fit, at every size


def test_intervals_are_those_of_the_claims(scores, board):
    entry = next(e for e in board.at(1.0, 8000) if e.model == "ridge")
    rows = candidates(scores)["ridge", 1.0, 8000]
    replicates = tuple(scores.mae[rows, 1:].mean(axis=0))
    same = Estimate(tuple(scores.mae[rows, 0]), True, float(np.std(replicates, ddof=1)), replicates)
    assert entry.mae_half == pytest.approx(same.half_width, rel=1e-6)
    assert not entry.borrowed


def test_one_run_borrows_the_spread_of_its_model_or_has_no_interval():
    maker = Maker(sizes=(10, 20))
    maker.add("alpha", "ridge", "alpha=1", 1.0, 10, 0.5)
    maker.add("alpha", "ridge", "alpha=1", 1.0, 20, 0.5, seeds=(0,))
    maker.add("networks", "mlp", "", 1.0, 20, 0.1, seeds=(0,))
    board = leaderboard(ArmScores(maker.table()), FACTS)
    ridge, mlp = (next(e for e in board.at(1.0, 20) if e.model == m) for m in ("ridge", "mlp"))
    assert ridge.borrowed and ridge.r2_half is not None
    assert not mlp.borrowed and mlp.r2_half is None
    (pair,) = board.comparisons
    assert (pair.first, pair.second, pair.half, pair.resolved) == ("mlp", "ridge", None, False)
    assert mlp.best  # what one run of each says resolves nothing


def test_a_model_shares_the_first_place_unless_it_is_resolved_from_it():
    maker = Maker(stars=400, sizes=(10,))
    maker.add("alpha", "ridge", "alpha=1", 1.0, 10, 0.600)
    maker.add("pls", "pls", "k=5", 1.0, 10, 0.601)
    maker.add("networks", "mlp", "", 1.0, 10, 0.3)
    board = leaderboard(ArmScores(maker.table()), FACTS)
    first, second, third = board.at(1.0, 10)
    assert {first.model, second.model} == {"ridge", "pls"} and third.model == "mlp"
    assert first.best and second.best and not third.best
    resolved = {(c.first, c.second): c.resolved for c in board.comparisons}
    assert resolved == {("pls", "ridge"): False, ("mlp", "ridge"): True, ("mlp", "pls"): True}


def test_pairs_are_every_two_models_of_a_place_with_the_simpler_one_last(scores, board):
    tuned = candidates(scores)
    compared = comparisons(scores, tuned)
    for pair in (("ridge", "ols"), ("lightgbm", "ridge"), ("residual_mlp", "mlp"), ("cnn", "template")):
        assert pair in compared.gains and pair[::-1] not in compared.gains
    count = sum(len(models) * (len(models) - 1) // 2 for models in places(tuned).values())
    assert len(board.comparisons) == count
    gain = next(
        c for c in board.comparisons if (c.first, c.second, c.level, c.size) == ("lightgbm", "ridge", 1.0, 8000)
    )
    rows = [tuned[model, 1.0, 8000] for model in ("lightgbm", "ridge")]
    assert gain.gain == pytest.approx(np.mean(scores.r2[rows[0], 0] - scores.r2[rows[1], 0]))


def test_evidence_holds_every_entry_and_pair(scores, board):
    values = {address: (value, where) for address, value, where in leaderboard_items(scores)}
    assert values["leaderboard/template/noise1/n0/r2"][1] == {"n_train": 0, "level": 1.0, "seeds": 1}
    for entry in board.entries:
        place = f"leaderboard/{entry.model}/noise{entry.level:g}"
        assert values[f"{place}/n{entry.n_train}/r2"][0].value == entry.r2
        assert values[f"{place}/n{entry.n_train}/rmse"][0].value == entry.rmse
        assert values[f"{place}/n{entry.size}/rank"][0] == entry.rank
        assert values[f"{place}/n{entry.size}/best"][0] == entry.best
    for pair in board.comparisons:
        address = f"compare/{pair.first}-{pair.second}/noise{pair.level:g}/n{pair.size}/r2_gain"
        assert values[address][0].value == pair.gain
    assert values["compare/n_pairs"][0] == len(board.comparisons)
    assert values["compare/n_resolved"][0] == sum(pair.resolved for pair in board.comparisons)


def test_the_file_gives_back_the_board(board, tmp_path):
    path = tmp_path / "leaderboard.json"
    for one in (board, replace(board, tree=None, optimum=None)):
        path.write_text(json.dumps(one.as_json()))
        assert read_leaderboard(path) == one


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file; `dvc repro trackF` makes it"),
        ("{", "cannot be read as JSON"),
        ('{"schema": 7}', "schema is 7, this version reads 1"),
        ('{"schema": 1, "conditions": {}}', "is no leaderboard"),
        ("[]", "is no leaderboard"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "leaderboard.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_leaderboard(path)
