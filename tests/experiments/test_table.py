"""The table of arms: what it keeps, finds, joins and refuses."""

import math
from dataclasses import replace

import numpy as np
import pytest

from repro.errors import DataError, ParameterError
from repro.experiments.table import Arm, ArmTable, arm_table, joined
from tests.experiments.small import small_data

STARS = small_data().stars


def arm(**changes):
    wanted = {
        "experiment": "alpha",
        "model": "ridge",
        "setting": "alpha=10",
        "train_noise": 1.0,
        "test_noise": 0.5,
        "n_train": 100,
        "seed": 0,
        "prediction": np.linspace(1.0, 5.0, len(STARS.x)),
    }
    return Arm(**(wanted | changes))


def table(*arms):
    return arm_table(arms or (arm(),), STARS, {"key": "one"})


def test_a_table_is_read_as_it_was_written(tmp_path):
    written = table(arm(facts={"trees": 7.0}), arm(model="ols", setting="", seed=2, validation_r2=0.25))
    for name in ("one.h5", "two.h5"):
        written.write(tmp_path / name)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    read = ArmTable.read(tmp_path / "one.h5")
    assert read.experiments == ("alpha", "alpha")
    assert read.models == ("ridge", "ols")
    assert read.settings == ("alpha=10", "")
    assert read.seeds.tolist() == [0, 2]
    assert (read.train_noise.tolist(), read.test_noise.tolist(), read.n_train.tolist()) == (
        [1, 1],
        [0.5, 0.5],
        [100] * 2,
    )
    assert math.isnan(read.validation_r2[0])
    assert read.validation_r2[1] == 0.25
    assert read.fact(0, "trees") == 7.0
    assert math.isnan(read.fact(1, "trees"))
    assert (read.predictions == np.float32(np.linspace(1.0, 5.0, len(STARS.x)))).all()
    assert (read.truth == STARS.table["log_g"]).all()
    assert (read.snr == STARS.snr).all()
    assert read.conditions == {"noise": 2.0, "seed": 42, "key": "one"}


def test_rows_are_found_by_any_columns():
    found = table(arm(), arm(seed=1), arm(setting="alpha=20"), arm(train_noise=0.1), arm(n_train=200, seed=1))
    assert found.rows().tolist() == [0, 1, 2, 3, 4]
    assert found.rows(seed=1).tolist() == [1, 4]
    assert found.rows(setting="alpha=10", train_noise=1.0, n_train=100).tolist() == [0, 1]
    assert found.rows(train_noise=0.1, test_noise=0.5).tolist() == [3]
    assert found.rows(model="ols").tolist() == []
    with pytest.raises(ParameterError, match="no column 'noise'; columns: experiment, model"):
        found.rows(noise=1.0)


def test_tables_of_the_same_stars_are_joined():
    one, two = (
        table(arm(), arm(seed=1)),
        replace(table(arm(model="ols")), conditions={"noise": 2.0, "seed": 42, "a": 1}),
    )
    both = joined([one, two])
    assert both.models == ("ridge", "ridge", "ols")
    assert both.seeds.tolist() == [0, 1, 0]
    assert both.predictions.shape == (3, len(STARS.x))
    assert both.conditions == {"noise": 2.0, "seed": 42}
    assert joined([one]).conditions == one.conditions


def test_tables_of_other_stars_or_noise_are_not_joined():
    one = table()
    fewer = arm_table([arm(prediction=np.zeros(10))], STARS.part(slice(0, 10)))
    others = arm_table([arm()], replace(STARS, table=STARS.table[::-1]))
    for other in (fewer, others):
        with pytest.raises(DataError, match="different test stars"):
            joined([one, other])
    with pytest.raises(DataError, match=r"different noise: noise = 2.0 and 1.0"):
        joined([one, arm_table([arm()], replace(STARS, noise=1.0))])
    with pytest.raises(DataError, match="different noise: seed = 42 and 1"):
        joined([one, arm_table([arm()], replace(STARS, seed=1))])


def test_a_table_that_is_not_whole_is_refused(tmp_path):
    replace(table(), seeds=np.array([0, 1])).write(tmp_path / "long.h5")
    with pytest.raises(DataError, match=r"long.h5.*seeds"):
        ArmTable.read(tmp_path / "long.h5")
    table().write(tmp_path / "whole.h5")
    (tmp_path / "torn.h5").write_bytes((tmp_path / "whole.h5").read_bytes()[:500])
    with pytest.raises(DataError, match=r"torn.h5"):
        ArmTable.read(tmp_path / "torn.h5")
