"""Who Track A compares, and what its test stars are measured against: both carried over from the other tracks."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from repro.bounds.posterior.table import PosteriorTable
from repro.errors import DataError
from repro.experiments.table import picked
from repro.scores.arms import ArmScores
from repro.scores.contenders import BASELINES, Contenders, baseline_arms
from repro.scores.leaderboard import leaderboard_items
from repro.scores.star_references import NAMES, VAN_TREES, star_references, van_trees_curve
from repro.spectra.lattice import paper_5d
from tests.plots.vit_tables import contenders
from tests.scores.arm_tables import small, without
from tests.scores.stars import bounds_of, gaussian_stars, table_of
from tests.scores.test_ceilings import make_table


def test_baselines_are_the_tuned_models_of_the_leaderboard():
    carried = baseline_arms(small())
    networks = picked(carried, carried.rows(model="mlp"))
    known = Contenders(replace(networks, experiments=("main",) * len(networks.models)), carried)
    assert set(carried.models) == set(BASELINES) and set(carried.experiments) == {"baseline"}
    assert set(carried.train_noise) == {1.0}
    board = {address: value for address, value, _ in leaderboard_items(ArmScores(small()))}
    for model, sizes in (("ridge", (1000, 8000)), ("lightgbm", (1000, 8000)), ("cnn", (8000,))):
        for n in sizes:
            measured = known.scores.measured(known.at(model, n)).scored()
            assert measured == board[f"leaderboard/{model}/noise1/n{n}/r2"]
    template = known.scores.measured(known.at("template", 8000)).value
    assert template == board["leaderboard/template/noise1/n0/r2"].value  # without the error array


def test_a_matrix_without_baselines_is_refused():
    table = small()
    for model in BASELINES:
        table = without(table, model=model)
    with pytest.raises(DataError, match="has none of lightgbm, mlp"):
        baseline_arms(table)


def test_sizes_that_models_have_in_common():
    known = contenders(stars=60, sizes=(1000, 2000, 8000))
    assert known.common("vit_small", "lightgbm") == [1000, 2000, 8000]
    assert known.common("vit_small", "cnn") == [1000]
    assert known.common("vit_small", "template") == [1000, 2000, 8000]  # it learns from none
    assert known.main.n_train == 8000 and known.name == "vit_small" and known.fast is None
    assert list(known.headline) == ["vit_small", "lightgbm", "mlp", "cnn", "ridge", "template"]
    other = Contenders(known.baselines, known.baselines)
    with pytest.raises(DataError, match="experiment 'main' has no arm at noise 1"):
        _ = other.main


def _van_trees(magnitudes, box, variance=4.0 / 3.0):
    return SimpleNamespace(magnitudes=np.array(magnitudes), box=np.array(box), variance_box=variance)


def test_the_bound_for_the_box_passes_through_its_table():
    nodes = SimpleNamespace(
        magnitudes=np.array([20.0, 21.5, 22.5]), snr_percentiles=np.array([[1, 24.0, 30], [1, 7.1, 9], [1, 3.0, 4]])
    )
    stars = SimpleNamespace(stars=np.arange(4), snr=np.array([3.0, 24.0, 7.1, np.sqrt(24.0 * 7.1)]))
    curve = van_trees_curve(stars, nodes, _van_trees((18.0, 20.0, 21.5, 22.5), (9.0, 0.03, 0.2, 0.6)))
    wanted = np.array([0.6, 0.03, 0.2, np.sqrt(0.03 * 0.2)]) / (4.0 / 3.0)
    assert curve.loss == pytest.approx(wanted)
    assert curve.relative and curve.observer == "" and curve.name == VAN_TREES


def test_references_know_what_their_tables_know():
    truth, bound, mean, snr = gaussian_stars(50)
    table = table_of(truth, snr, {"model": mean})
    half = np.arange(0, 50, 2)
    plain = np.zeros((1, 25))
    known = (table.stars[half], truth[half], table.labels[half], table.mag[half], snr[half])
    posterior = PosteriorTable(("flux",), *known, mean[half][None], *[plain] * 5)
    lattice = paper_5d()
    percentiles = np.array([[2.0, 24.0, 30.0], [1.0, 4.0, 5.0]])
    nodes = make_table(np.full((2, lattice.size), 0.2), lattice, (20.0, 22.0), snr_percentiles=percentiles)
    found = star_references(
        table.stars,
        {"column": 1.2 * snr, "noisy": snr},
        bounds_of(table, bound),
        posterior,
        nodes,
        _van_trees((20.0, 22.0), (0.03, 0.5)),
    )
    assert found.names == (*NAMES.values(), VAN_TREES)
    mmse = found.loss[found.names.index("mmse")]
    assert mmse[half] == pytest.approx((mean - truth)[half] ** 2) and np.isnan(mmse[1::2]).all()
    assert found.optimum[half] == pytest.approx(mean[half]) and np.isnan(found.optimum[1::2]).all()
    assert found.loss[0] == pytest.approx(bound)
    by_name = {ceiling.name: ceiling for ceiling in found.ceilings()}
    assert by_name["mmse"].stars.tolist() == half.tolist() and len(by_name["crlb"].stars) == 50
    assert by_name["median"].relative and by_name["median"].loss[0] == pytest.approx(0.2 / (5.0 / 3.0))
    with pytest.raises(DataError, match="belong to different test sets"):
        others = np.arange(100, 150)
        star_references(others, {"column": snr, "noisy": snr}, bounds_of(table, bound), posterior, nodes,
                        _van_trees((20.0, 22.0), (0.03, 0.5)))  # fmt: skip
