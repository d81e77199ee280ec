"""Settings chosen by validation, run by run, against brute force."""

import numpy as np
import pytest

from repro.scores import settings
from repro.scores.arms import ArmScores
from repro.scores.choice import candidates, choices, chosen, shown
from tests.scores.arm_tables import Maker, small


@pytest.fixture(scope="module")
def scores():
    return ArmScores(small())


def test_the_leaderboard_takes_the_setting_that_validates_best(scores):
    table = scores.table
    found = candidates(scores)
    for level in (0.1, 1.0):
        rows = found["ridge", level, 8000]
        assert table.seeds[rows].tolist() == [0, 1, 2]
        for row in rows:
            offered = table.rows(experiment="alpha", train_noise=level, n_train=8000, seed=int(table.seeds[row]))
            assert table.validation_r2[row] == max(table.validation_r2[offered])
    assert {table.settings[row] for row in found["ridge", 1.0, 8000]} == {"alpha=100"}
    assert {table.settings[row] for row in found["ridge", 0.1, 8000]} == {"alpha=1"}


def test_controls_and_foreign_noise_stay_out_of_the_leaderboard(scores):
    found = candidates(scores)
    kept = {scores.table.settings[row] for rows in found.values() for row in rows}
    assert "ridge=out_of_fold" in kept and "ridge=in_sample" not in kept
    taken = {scores.table.experiments[row] for rows in found.values() for row in rows}
    assert taken == {"alpha", "ols", "pca", "pls", "trees", "networks", "cnn", "template"}
    assert {n for model, _, n in found if model == "template"} == {0}
    # the same fit with each star's own errors as weights is another model: it is shown more
    assert {scores.table.settings[row] for row in found["template_error", 1.0, 0]} == {"weights=error"}
    assert {scores.table.settings[row] for row in found["template", 1.0, 0]} == {"weights=mean"}


def test_validation_and_test_set_may_choose_differently():
    maker = Maker(sizes=(10,))
    for alpha, r2 in ((1, 0.3), (10, 0.5), (100, 0.7)):
        maker.add("alpha", "ridge", f"alpha={alpha}", 1.0, 10, r2)
    table = maker.table()
    flat = table.validation_r2.copy()
    flat[:] = [0.5, 0.1, 0.3, 0.2, 0.6, 0.3, 0.1, 0.2, np.nan]
    scores = ArmScores(type(table)(**{**vars(table), "validation_r2": flat}))
    every = np.arange(9)
    assert [table.settings[row] for row in chosen(scores, every)] == ["alpha=1", "alpha=10", "alpha=1"]
    (choice,) = choices(scores)
    assert [table.settings[row] for row in choice.by_test] == ["alpha=100"] * 3
    assert choice.address() == "alpha/ridge/best/noise1/n10"
    assert choice.address("test_chosen") == "alpha/ridge/test_chosen/noise1/n10"


def test_ridge_may_be_standardised_where_that_validates_better():
    """Penalties of the two have other units, so the setting says which it is."""
    maker = Maker(sizes=(10,))
    maker.add("alpha", "ridge", "alpha=100", 1.0, 10, 0.4)
    maker.add("alpha_standardised", "ridge", "alpha=10000", 1.0, 10, 0.5)
    scores = ArmScores(maker.table())
    rows = candidates(scores)["ridge", 1.0, 10]
    assert {shown(scores.cell(row)) for row in rows} == {"alpha=10000+input=standardised"}
    assert shown(scores.cell(0)) == "alpha=100"


def test_choices_are_made_over_tuned_parts_given_the_others(scores):
    found = {choice.address(): choice for choice in choices(scores)}
    choice = found["error_only/ridge/input=shuffled/best/noise0/n1000"]
    assert {settings.part(scores.table.settings[row], "input") for row in choice.offered} == {"shuffled"}
    assert {scores.table.settings[row] for row in choice.rows} == {"input=shuffled+alpha=0.001"}
    everything = found["error_only/ridge/best/noise0/n1000"]
    assert {settings.part(scores.table.settings[row], "input") for row in everything.rows} < {"error", "standardised"}
    assert "trees_fixed/lightgbm/best/noise1/n8000" not in found
    assert "trees_fixed/lightgbm/trees=50/best/noise1/n8000" in found
    assert not any(address.startswith(("ols/", "networks/", "scaler/", "cross_noise/")) for address in found)


def test_a_grid_that_one_run_alone_searched():
    """The leaderboard needs one procedure for all runs; the choice of the best of the grid is that of the run."""
    maker = Maker(sizes=(10,))
    maker.add("trees", "lightgbm", "rate=0.05+leaves=31", 1.0, 10, 0.5)
    maker.add("trees", "lightgbm", "rate=0.1+leaves=31", 1.0, 10, 0.6, seeds=(0,))
    scores = ArmScores(maker.table())
    rows = candidates(scores)["lightgbm", 1.0, 10]
    assert [scores.table.settings[row] for row in rows] == ["rate=0.05+leaves=31"] * 3
    (choice,) = choices(scores)
    assert [scores.table.settings[row] for row in choice.rows] == ["rate=0.1+leaves=31"]
