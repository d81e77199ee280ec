"""The evidence of the whole matrix, from files to entries that the claims can read."""

import json
import re

import numpy as np
import pytest

from repro.claims.evidence import parse_evidence
from repro.errors import DataError
from repro.scores import track_e, track_f
from repro.scores.bootstrap import Scored
from repro.scores.track_f import ARMS, CEILINGS, Tables, compared, families
from repro.stages.evidence import write_evidence
from tests.scores.arm_tables import Maker, linear, optimum, without
from tests.scores.arm_tables import families as made

CONDITIONS = {"scale": "ci", "source": "lte", "noise": 1.0}
ADDRESS = re.compile(r"[\w.+=-]+(/[\w.+=-]+)*")  # what the registry of claims takes for one


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    tables = made(levels=(0.0, 1.0), sizes=(1000, 8000), seeds=(0, 1))
    for name in ARMS:
        tables[name.removesuffix(".h5")].write(root / name)
    optimum(tables["linear"]).write(root / CEILINGS[0])
    return root


@pytest.fixture(scope="module")
def tables(folder):
    return Tables.read(folder, folder)


@pytest.fixture(scope="module")
def evidence(tables, tmp_path_factory):
    path = tmp_path_factory.mktemp("evidence") / "trackF" / "evidence.json"
    write_evidence(path, CONDITIONS, families(tables), [], compared)
    return json.loads(path.read_text())


def test_the_claims_can_read_it(evidence):
    parsed = parse_evidence(evidence, "trackF", "evidence.json")
    assert all(ADDRESS.fullmatch(address) for address in parsed.values)
    value = parsed.values["alpha/ridge/best/noise1/n8000/r2"]
    assert value.estimate.runs == 2 and value.estimate.seeded and value.estimate.bootstrap > 0
    assert value.conditions["n_train"] == 8000 and value.conditions["level"] == 1.0
    assert parsed.values["alpha/ridge/best/noise0/n8000/r2"].estimate.seeded is False


RELIED_ON = """
alpha/ridge/alpha=200/noise1/n8000/r2                          alpha/ridge/best/noise0/n1000/log10_alpha
alpha/ridge/test_chosen/noise1/n8000/alpha                     alpha_standardised/ridge/best/noise1/n8000/alpha
ols_cut/ols/cut=float32/noise0/n8000/r2                        pca/pca_ridge/k=50/noise1/n8000/variance
pls/pls/best/noise1/n8000/k                                    topk/ridge/selector=random/best/noise1/n8000/k
cross_noise/ridge/choice=validation/noise1.2/test1/n8000/r2    topk_clean/ridge/k=4096/noise0/test1/n8000/r2
scaler/ridge/input=snr+restandardised=yes/noise1/n8000/r2      trees/lightgbm/best/noise1/n8000/rate
error_only/ridge/input=statistics+alpha=0.001/noise0/n1000/mae trees/lightgbm/rate=0.05+leaves=31/noise1/n8000/trees
error_only/ols/input=error+cut=float32/noise0/n8000/rmse       cnn/cnn/pool=average/best/noise1/n8000/kernel
error_only/ols/input=error+cut=float32/noise0/n8000/gain_over_uncut
networks/residual_mlp/ridge=out_of_fold/noise1/n8000/parameters
validation_size/mlp/validation=128/noise1/n8000/r2             template/template/weights=error/noise1/n0/r2
leaderboard/template/noise1/n0/mae                             leaderboard/ridge/noise1/n8000/rank
compare/residual_mlp-mlp/noise1/n8000/r2_gain                  scaling/ridge/noise1/n1000-8000/r2_gain
headroom/lightgbm/r2                                           ceiling/mmse/r2
efficiency/lightgbm/mmse_flux/eta                              efficiency/lightgbm/leak
efficiency/n_leaks
"""


def test_what_claims_rely_on_is_there(evidence):
    for address in RELIED_ON.split():
        entry = evidence["values"][address]
        assert entry.get("value", entry.get("runs")) is not None, address


def test_resamples_are_kept_of_what_claims_compare_and_of_nothing_else(evidence):
    kept = {address for address, entry in evidence["values"].items() if "replicates" in entry}
    assert kept == {a for a, e in evidence["values"].items() if compared(a)}
    assert {"leaderboard/ridge/noise1/n8000/r2", "error_only/ridge/input=error/best/noise0/n8000/r2"} < kept
    assert not any(a.startswith("trees_fixed") or a.endswith("gain") or "alpha=" in a for a in kept)
    assert evidence["values"]["alpha/ridge/alpha=200/noise1/n8000/r2"]["bootstrap_error"] > 0


def test_one_run_of_a_seeded_fit_is_a_run(evidence):
    assert len(evidence["values"]["cross_noise/lightgbm/noise1/n8000/r2"]["runs"]) == 1
    assert "value" in evidence["values"]["template/template/weights=mean/noise1/n0/r2"]


def test_track_e_is_the_linear_part_under_the_same_addresses(tables, evidence):
    found = {address: value for _, values, _ in track_e.families(tables) for address, value in values.items()}
    assert set(found) < set(evidence["values"])
    for address in (
        "error_only/lightgbm/input=error/noise0/n1000/r2",
        "alpha/ridge/alpha=100/noise0/n8000/r2",
        "alpha/ridge/best/noise1/n8000/r2",
        "ols_cut/ols/cut=0/noise0/n8000/r2",
        "networks/residual_mlp/ridge=in_sample/noise1/n8000/gain_over_out_of_fold",
        "compare/ridge-ols/noise0/n8000/r2_gain",
        "leaderboard/residual_mlp/noise1/n8000/r2",
    ):
        assert address in found
    assert not any(address.startswith(("trees", "cnn", "scaler", "compare/n_")) for address in found)
    assert "alpha/ridge/alpha=100/noise1/n8000/r2" not in found
    number = found["leaderboard/mlp/noise1/n8000/r2"]
    assert isinstance(number, Scored)
    assert list(number.runs) == evidence["values"]["leaderboard/mlp/noise1/n8000/r2"]["runs"]


def test_the_leaderboard_states_its_conditions(tables):
    board = tables.leaderboard(CONDITIONS)
    assert board.conditions == {"n_test": 60, **CONDITIONS}
    assert board.optimum.stars == 48 and board.tree is not None


def test_experiments_that_were_not_run_are_left_out(tables):
    fewer = tables.arms
    for experiment in ("cnn", "trees", "template", "ols", "topk", "error_only"):
        fewer = without(fewer, experiment=experiment)
    found = {a for _, values, _ in track_f.families(Tables(fewer, tables.posterior)) for a in values}
    assert "leaderboard/ridge/noise1/n8000/r2" in found
    assert not any(a.startswith(("leaderboard/lightgbm", "error_only", "leaderboard/template")) for a in found)
    assert not any(a.startswith("trees_fixed") and a.endswith("gain_over_stopped") for a in found)


def test_a_missing_file_and_other_stars_are_refused(folder, tmp_path):
    for name in (*ARMS, *CEILINGS):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    others = linear(Maker(stars=61, levels=(1.0,), sizes=(10,), seeds=(0,)))
    others.write(tmp_path / "trees.h5")
    with pytest.raises(DataError, match="different test stars"):
        Tables.read(tmp_path, tmp_path)
    (tmp_path / "trees.h5").unlink()
    with pytest.raises(DataError, match=r"trees\.h5"):
        Tables.read(tmp_path, tmp_path)


def test_values_that_share_conditions_come_together():
    items = [("a", 1.0, {"level": 1.0}), ("b", 2.0, {}), ("c", 3.0, {"level": 1.0})]
    groups = list(track_f.by_conditions(items))
    assert groups == [({"level": 1.0}, {"a": 1.0, "c": 3.0}, {}), ({}, {"b": 2.0}, {})]
    assert np.isfinite(groups[0][1]["a"])
