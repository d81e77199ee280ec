"""Evidence of cells and choices: what is given, and gains against the same numbers by hand."""

import numpy as np
import pytest

from repro.scores.arms import ArmScores, Cell
from repro.scores.bootstrap import Scored, resamples
from repro.scores.choice import candidates
from repro.scores.references import References
from repro.scores.scaling import scaling_items
from repro.scores.sensitivity import cell_items, choice_items, range_items
from tests.scores.arm_tables import Maker, alpha_penalty, small


@pytest.fixture(scope="module")
def scores():
    return ArmScores(small())


@pytest.fixture(scope="module")
def values(scores):
    known = References(scores)
    found = [*cell_items(scores, known), *choice_items(scores, known), *range_items(scores, known)]
    found += scaling_items(scores, candidates(scores))
    assert len({address for address, _, _ in found}) == len(found)
    return {address: (value, where) for address, value, where in found}


def number(values, address):
    value = values[address][0]
    return value.value if isinstance(value, Scored) else value


def runs(scores, experiment, model, setting, level, n, test=None):
    cell = Cell(experiment, model, setting, level, level if test is None else test, n)
    return np.array(scores.measured(cell).runs)


def test_cells_say_their_score_facts_and_conditions(scores, values):
    value, where = values["alpha/ridge/alpha=100/noise1/n8000/r2"]
    assert value.runs == pytest.approx(runs(scores, "alpha", "ridge", "alpha=100", 1.0, 8000))
    assert where == {"n_train": 8000, "level": 1.0, "seeds": 3}
    assert values["cross_noise/ridge/choice=100/noise0/test1/n8000/r2"][1]["test_level"] == 1.0
    assert values["trees/lightgbm/rate=0.05+leaves=31/noise1/n8000/trees"][0].runs == (250.0, 251.0, 252.0)
    assert "error_only/ols/input=error+cut=0/noise0/n1000/mae" in values
    assert "alpha/ridge/alpha=100/noise1/n8000/mae" not in values


@pytest.mark.parametrize(
    ("address", "reference"),
    [
        ("topk/ridge/k=50+selector=1/noise1/n8000/gain_over_full", ("alpha", "ridge", "alpha=100", 1.0)),
        ("pca_fixed/pca_ridge/k=50/noise1/n8000/gain_over_ridge", ("alpha", "ridge", "alpha=100", 1.0)),
        ("networks/residual_mlp/ridge=in_sample/noise1/n8000/gain_over_direct", ("networks", "mlp", "", 1.0)),
        (
            "networks/residual_mlp/ridge=in_sample/noise1/n8000/gain_over_out_of_fold",
            ("networks", "residual_mlp", "ridge=out_of_fold", 1.0),
        ),
        ("scaler/ridge/input=snr/noise1/n8000/gain_over_raw", ("scaler", "ridge", "input=raw", 1.0)),
        (
            "scaler/ridge/input=snr+restandardised=yes/noise1/n8000/gain_over_raw",
            ("scaler", "ridge", "input=raw+restandardised=yes", 1.0),
        ),
        (
            "scaler/lightgbm/input=snr+validation=raw/noise1/n8000/gain_over_raw",
            ("scaler", "lightgbm", "input=raw+validation=transformed", 1.0),
        ),
        ("ols_cut/ols/cut=float32/noise1/n8000/gain_over_uncut", ("ols_cut", "ols", "cut=0", 1.0)),
        (
            "validation_size/mlp/validation=128/noise1/n8000/gain_over_largest",
            ("validation_size", "mlp", "validation=4000", 1.0),
        ),
        (
            "trees_fixed/lightgbm/rate=0.1+leaves=31+trees=50/noise1/n8000/gain_over_stopped",
            ("trees", "lightgbm", "rate=0.1+leaves=31", 1.0),
        ),
        ("alpha/ridge/alpha=1000/noise1/n8000/gain_over_best", ("alpha", "ridge", "alpha=100", 1.0)),
        ("pls/pls/k=200/noise1/n8000/gain_over_pca_fixed", ("pca_fixed", "pca_ridge", "k=200", 1.0)),
        ("pls/pls/k=200/noise1/n8000/gain_over_pca", ("pca", "pca_ridge", "k=200", 1.0)),
        ("pca/pca_ridge/k=200/noise1/n8000/gain_over_k=50", ("pca", "pca_ridge", "k=50", 1.0)),
        ("topk/ridge/k=50+selector=1/noise1/n8000/gain_over_random", ("topk", "ridge", "k=50+selector=random", 1.0)),
        ("topk/lightgbm/k=50+selector=gain/noise1/n8000/gain_over_ridge", ("topk", "ridge", "k=50+selector=1", 1.0)),
        (
            "trees/lightgbm/rate=0.1+leaves=31/noise1/n8000/gain_over_rate=0.05",
            ("trees", "lightgbm", "rate=0.05+leaves=31", 1.0),
        ),
        (
            "cnn/cnn/kernel=21+rate=0.003+steps=200+pool=average/noise1/n8000/gain_over_kernel=9",
            ("cnn", "cnn", "kernel=9+rate=0.003+steps=200+pool=average", 1.0),
        ),
        (
            "cnn/cnn/kernel=9+rate=0.003+steps=200+pool=flatten/noise1/n8000/gain_over_average",
            ("cnn", "cnn", "kernel=9+rate=0.003+steps=200+pool=average", 1.0),
        ),
    ],
)  # fmt: skip
def test_gains_over_what_a_cell_answers_to(scores, values, address, reference):
    experiment, model, setting, *_ = address.split("/")
    own, other = runs(scores, experiment, model, setting, 1.0, 8000), runs(scores, *reference, 8000)
    gain = values[address][0]
    assert gain.runs == pytest.approx(own - other)
    cells = [Cell(experiment, model, setting, 1.0, 1.0, 8000), Cell(*reference, 1.0, 8000)]
    drawn = resamples(len(scores.table.truth))[3]
    truth = scores.table.truth[drawn]
    errors = [np.mean((scores.table.predictions[scores.rows(c)][:, drawn] - truth) ** 2) for c in cells]
    assert gain.replicates[3] == pytest.approx((errors[1] - errors[0]) / np.var(truth), rel=1e-4)


def test_noise_that_does_not_match_is_held_against_noise_that_does(scores, values):
    clean = scores.measured(Cell("cross_noise", "ridge", "choice=100", 0.0, 1.0, 8000))
    matched = scores.measured(Cell("cross_noise", "ridge", "choice=100", 1.0, 1.0, 8000))
    gain = number(values, "cross_noise/ridge/choice=100/noise0/test1/n8000/gain_over_matched")
    assert gain == pytest.approx(clean.value - matched.value)
    assert "cross_noise/ridge/choice=100/noise1/n8000/gain_over_matched" not in values
    full = number(values, "topk_clean/ridge/k=1000/noise0/test1/n8000/gain_over_matched")
    tuned = runs(scores, "alpha", "ridge", "alpha=100", 1.0, 8000)  # Ridge on clean spectra is one fit for all seeds
    assert full == pytest.approx(runs(scores, "topk_clean", "ridge", "k=1000", 0.0, 8000, 1.0)[0] - tuned.mean())


def test_a_cell_is_not_held_against_itself_nor_against_what_was_not_run(values):
    names = {address.rpartition("/")[2] for address in values if "/gain_over_" in address}
    assert "gain_over_steps" not in names  # one number of updates
    for address in (
        "trees/lightgbm/rate=0.05+leaves=31/noise1/n8000/gain_over_rate=0.05",
        "topk/ridge/k=200+selector=random/noise1/n8000/gain_over_random",
        "networks/mlp/noise1/n8000/gain_over_direct",
        "validation_size/mlp/validation=4000/noise1/n8000/gain_over_largest",
        "topk_clean/ridge/k=4096/noise0/test1/n8000/gain_over_all",
        "pls/pls/k=200/noise0/n8000/gain_over_pca_fixed",
    ):
        assert address not in values
    assert number(values, "topk_clean/ridge/k=1000/noise0/test1/n8000/gain_over_all") > 0.3


def test_chosen_settings_say_what_was_chosen_and_whether_at_an_end(values):
    best = "alpha/ridge/best/noise1/n8000"
    assert number(values, f"{best}/alpha") == 100.0 and number(values, f"{best}/log10_alpha") == 2.0
    assert number(values, f"{best}/alpha_at_edge") == 0.0
    assert number(values, "alpha/ridge/best/noise0/n8000/alpha_at_edge") == 1.0
    assert number(values, "alpha/ridge/test_chosen/noise1/n8000/r2_gain") >= 0.0
    standardised = "alpha_standardised/ridge/best/noise1/n8000/gain_over_ridge"
    assert abs(number(values, standardised)) < 0.05
    shuffled = number(values, "error_only/ridge/input=shuffled/best/noise0/n1000/gain_over_error")
    assert shuffled < -0.5
    assert "error_only/ridge/input=error/best/noise0/n1000/gain_over_error" not in values


def test_the_range_of_a_part_is_between_its_best_settings(scores, values):
    address = "sensitivity/cnn/kernel/noise1/n8000/r2_range"
    best = []
    for kernel in (9, 21):
        rows = [row for row in scores.table.rows(experiment="cnn", train_noise=1.0)
                if f"kernel={kernel}+" in scores.table.settings[row]]  # fmt: skip
        by_seed = [max((r for r in rows if scores.table.seeds[r] == s), key=lambda r: scores.table.validation_r2[r])
                   for s in (0, 1, 2)]  # fmt: skip
        best.append(np.mean(scores.r2[by_seed, 0]))
    assert number(values, address) == pytest.approx(abs(best[0] - best[1]))
    assert "sensitivity/lightgbm/leaves/noise1/n8000/r2_range" not in values  # one number of leaves


def test_gains_with_data(scores, values):
    low, high = (runs(scores, "networks", "mlp", "", 1.0, n) for n in (1000, 8000))
    assert number(values, "scaling/mlp/noise1/n1000-8000/r2_gain") == pytest.approx(np.mean(high - low))
    relative = "r2_relative_gain"
    assert number(values, f"scaling/mlp/noise1/n1000-8000/{relative}") == pytest.approx(np.mean(high / low) - 1.0)
    low, high = (runs(scores, "networks", "mlp", "", 0.1, n) for n in (1000, 8000))
    each = [number(values, f"scaling/mlp/noise{level}/n1000-8000/{relative}") for level in ("0.1", "1")]
    assert number(values, f"scaling/mlp/levels/n1000-8000/{relative}") == pytest.approx(np.mean(each))
    least = values["scaling/mlp/levels/n1000-8000/r2_gain_min"][0]
    by_level = [values[f"scaling/mlp/noise{level}/n1000-8000/r2_gain"][0].runs for level in ("0.1", "1")]
    assert least.runs == pytest.approx(np.min(by_level, axis=0))
    assert "scaling/ols/levels/n1000-8000/r2_gain_min" not in values  # one size


def test_steps_between_sizes_are_those_that_follow_and_the_whole():
    maker = Maker(sizes=(10, 20, 40, 80))
    for n in maker.sizes:
        maker.add("alpha", "ridge", "alpha=1", 1.0, n, 0.5)
    scores = ArmScores(maker.table())
    found = {address for address, _, _ in scaling_items(scores, candidates(scores))}
    assert found == {f"scaling/ridge/noise1/n{step}/{name}" for step in ("10-20", "20-40", "40-80", "10-80")
                     for name in ("r2_gain", "r2_relative_gain")}  # fmt: skip


def test_the_made_up_table_has_the_penalty_that_it_is_given(scores, values):
    """What the tests above rest on: predictions have about the R2 that they were made for."""
    far, near = (number(values, f"alpha/ridge/alpha={alpha}/noise1/n8000/r2") for alpha in ("1e+06", "100"))
    assert near - far == pytest.approx(alpha_penalty(1e6, 1.0), abs=0.06)
