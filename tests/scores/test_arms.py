"""Scores of arms and cells against the same numbers one by one."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from repro.errors import ParameterError
from repro.scores import arms
from repro.scores.arms import ArmScores, Cell
from repro.scores.bins import mae, r2, rmse
from repro.scores.bootstrap import resamples
from tests.scores.arm_tables import Maker, small


@pytest.fixture(scope="module")
def scores():
    return ArmScores(small())


def test_scores_are_those_of_each_arm_on_each_resample(scores):
    table = scores.table
    for row in (0, 17, len(table.models) - 1):
        prediction = table.predictions[row].astype(float)
        assert scores.r2[row, 0] == pytest.approx(r2_score(table.truth, prediction))
        assert scores.mae[row, 0] == pytest.approx(mean_absolute_error(table.truth, prediction))
        for k in (0, 120):
            drawn = resamples(len(table.truth))[k]
            for metric, function in (("r2", r2), ("rmse", rmse), ("mae", mae)):
                expected = function(table.truth[drawn], prediction[drawn])
                assert getattr(scores, metric)[row, 1 + k] == pytest.approx(expected, rel=1e-6)


def test_blocks_of_arms_do_not_change_scores(scores, monkeypatch):
    monkeypatch.setattr(arms, "_BLOCK", 8 * len(scores.table.truth) * 7)
    np.testing.assert_allclose(ArmScores(scores.table).r2, scores.r2, atol=1e-12)


def test_cells_gather_seeds_and_have_addresses(scores):
    cell = Cell("alpha", "ridge", "alpha=100", 0.1, 0.1, 8000)
    assert cell.address == "alpha/ridge/alpha=100/noise0.1/n8000"
    assert Cell("networks", "mlp", "", 1.0, 0.5, 1000).address == "networks/mlp/noise1/test0.5/n1000"
    rows = scores.rows(cell)
    assert sorted(scores.table.seeds[rows]) == [0, 1, 2]
    one = scores.measured(cell)
    assert one.runs == pytest.approx(scores.r2[rows, 0]) and one.value == pytest.approx(np.mean(one.runs))
    assert one.samples == pytest.approx(scores.r2[rows].mean(axis=0))
    assert scores.cells(experiment="alpha", train_noise=1.0, n_train=8000, setting="alpha=100") == [
        cell._replace(train_noise=1.0, test_noise=1.0)
    ]
    assert sum(len(scores.rows(cell)) for cell in scores.cells()) == len(scores.table.models)
    with pytest.raises(ParameterError, match="nothing was run at alpha/ridge/alpha=7/"):
        scores.rows(cell._replace(setting="alpha=7"))


def test_differences_are_paired_by_seed_and_by_resample(scores):
    a, b = Cell("networks", "mlp", "", 1.0, 1.0, 8000), Cell("alpha", "ridge", "alpha=100", 1.0, 1.0, 8000)
    gain = scores.difference(a, b)
    seeds = scores.table.seeds
    expected = [
        scores.r2[row] - scores.r2[next(other for other in scores.rows(b) if seeds[other] == seeds[row])]
        for row in scores.rows(a)
    ]
    assert gain.runs == pytest.approx([each[0] for each in expected])
    assert gain.samples == pytest.approx(np.mean(expected, axis=0))
    shuffled = scores.combined(np.subtract, scores.rows(a)[::-1], scores.rows(b))
    assert shuffled.samples == pytest.approx(gain.samples)
    assert gain.error < scores.measured(a).error  # most of the error is shared


def test_a_fit_that_no_seed_enters_is_paired_with_every_run(scores):
    template, mlp = (
        Cell("template", "template", "weights=mean", 1.0, 1.0, 0),
        Cell("networks", "mlp", "", 1.0, 1.0, 8000),
    )
    gain = scores.difference(template, mlp)
    ours = scores.r2[scores.rows(template)[0], 0]
    assert gain.runs == pytest.approx([ours - run for run in scores.measured(mlp).runs])
    assert scores.difference(mlp, template).value == pytest.approx(-gain.value)


@pytest.mark.parametrize(
    ("experiment", "model", "setting", "level", "n", "seeded"),
    [
        ("template", "template", "weights=mean", 1.0, 0, False),
        ("alpha", "ridge", "alpha=1", 0.0, 10, False),
        ("alpha", "ridge", "alpha=1", 0.1, 10, True),
        ("error_only", "ridge", "input=shuffled+alpha=1", 0.0, 10, True),
        ("topk", "ridge", "k=5+selector=random", 0.0, 10, True),
        ("networks", "mlp", "", 0.0, 10, True),
    ],
)
def test_what_seeds_enter(experiment, model, setting, level, n, seeded):
    """One run of what they enter says so in the evidence; closed forms without noise are one number."""
    maker = Maker(levels=(level,), sizes=(n or 10,))
    maker.add(experiment, model, setting, level, n, 0.5, seeds=(0,))
    scores = ArmScores(maker.table())
    one = scores.measured(scores.cells()[0])
    assert one.seeded is seeded and one.scored().runs == ((one.value,) if seeded else ())


def test_runs_that_differ_are_runs_whatever_the_fit_is_called():
    maker = Maker(sizes=(10,))
    maker.add("alpha", "ridge", "alpha=1", 0.0, 10, 0.5)
    maker.add("alpha", "ridge", "alpha=2", 0.0, 10, 0.5, seeds=(0, 1))
    table = maker.table()
    table.predictions[4] += 0.1
    scores = ArmScores(table)
    same, other = (scores.measured(cell) for cell in scores.cells())
    assert len(same.runs) == 1 and not same.seeded
    assert len(other.runs) == 2 and other.seeded


def test_cells_without_a_common_seed_and_doubled_arms_are_refused():
    maker = Maker(sizes=(10,))
    maker.add("networks", "mlp", "", 1.0, 10, 0.5, seeds=(0,))
    maker.add("alpha", "ridge", "alpha=1", 1.0, 10, 0.5, seeds=(1, 1))
    scores = ArmScores(maker.table())
    with pytest.raises(ParameterError, match="networks/mlp/noise1/n10 and alpha/.* have no seed in common"):
        scores.difference(scores.rows(scores.cells()[0]), np.array([1]))
    with pytest.raises(ParameterError, match="alpha/ridge/alpha=1/noise1/n10 has two arms of one seed"):
        scores.rows(scores.cells()[1])


def test_facts_are_those_that_every_run_has():
    maker = Maker(sizes=(10,))
    maker.add("trees", "lightgbm", "", 1.0, 10, 0.5, seeds=(0, 1), trees=100)
    maker.rows[0][-1]["rank"] = 5
    scores = ArmScores(maker.table())
    assert scores.facts(scores.cells()[0]) == {"trees": (100.0, 101.0)}
