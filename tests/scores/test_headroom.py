"""Models against the exact optimum on the stars that both have."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from repro.scores.arms import ArmScores
from repro.scores.bootstrap import Scored
from repro.scores.choice import candidates
from repro.scores.headroom import Headroom
from tests.scores.arm_tables import Maker, optimum, small


@pytest.fixture(scope="module")
def table():
    return small()


@pytest.fixture(scope="module")
def values(table):
    return {address: (value, where) for address, value, where in Headroom(ArmScores(table), optimum(table)).items()}


def test_headroom_is_the_optimum_minus_the_model_on_common_stars(table, values):
    posterior = optimum(table)
    best = r2_score(posterior.truth, posterior.mean[0])
    assert values["ceiling/mmse/r2"][0].value == pytest.approx(best)
    rows = candidates(ArmScores(table))["ridge", 1.0, 8000]
    runs = [r2_score(posterior.truth, table.predictions[row][posterior.stars]) for row in rows]
    room, where = values["headroom/ridge/r2"]
    assert room.runs == pytest.approx([best - run for run in runs], rel=1e-5)
    assert room.value == pytest.approx(np.mean(room.runs))
    assert where == {"n_test": 48, "level": 1.0, "n_train": 8000, "seeds": 3}
    eta, ratio = (values[f"efficiency/ridge/mmse_flux/{name}"][0] for name in ("eta", "mse_ratio"))
    assert eta.runs == pytest.approx([run / best for run in runs], rel=1e-5)
    assert ratio.runs == pytest.approx([(1 - best) / (1 - run) for run in runs], rel=1e-5)
    assert room.error < values["ceiling/mmse/r2"][0].error * 3  # resamples are there


def test_each_model_stands_at_its_largest_size_and_what_needs_no_seed_is_one_number(table, values):
    assert values["headroom/template/r2"][0].runs == () and values["headroom/template/r2"][1]["n_train"] == 0
    assert values["headroom/cnn/r2"][1]["n_train"] == 8000
    assert values["efficiency/ridge/r2"][0].value == pytest.approx(
        np.mean(ArmScores(table).r2[candidates(ArmScores(table))["ridge", 1.0, 8000], 0])
    )
    assert isinstance(values["efficiency/ridge/r2_snr_7_up"][0], Scored)


def test_a_model_that_knows_the_answer_raises_the_alarm():
    maker = Maker(stars=200, sizes=(10,))
    maker.add("alpha", "ridge", "alpha=1", 1.0, 10, 0.4)
    maker.add("networks", "mlp", "", 1.0, 10, 0.97)
    maker.add("template", "template", "weights=error", 1.0, 0, 0.97, seeds=(0,))
    table = maker.table()
    headroom = Headroom(ArmScores(table), optimum(table, 0.75))
    values = {address: value for address, value, _ in headroom.items()}
    assert values["efficiency/mlp/leak"] == 1.0 and values["efficiency/ridge/leak"] == 0.0
    assert "efficiency/template_error/leak" not in values  # its observer has another optimum
    assert values["efficiency/n_leaks"] == 1.0
    assert headroom.optimum().stars == 160 and headroom.optimum().half > 0
