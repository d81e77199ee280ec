from dataclasses import replace

import numpy as np
import pytest

from repro.bounds.noise_law_table import NoiseLawTable
from repro.errors import DataError
from repro.labels import LABELS
from repro.scores.bootstrap import counts
from repro.scores.noise_laws import naive_error, summarise_noise_laws
from tests.scores.noise_law_tables import LAWS, N, noise_law_table, prediction_table


@pytest.fixture(scope="module")
def table():
    return noise_law_table()


@pytest.fixture(scope="module")
def predictions(table):
    return prediction_table(table)


def test_numbers_are_those_of_their_definitions(table, predictions):
    values = summarise_noise_laws(table, predictions)
    variance = table.truth.var()
    squared = (table.mean - table.truth) ** 2
    naive = values["noise_laws/sky/posterior/naive/r2"]
    assert naive.value == pytest.approx(1.0 - squared[1, 2].mean() / variance)
    draw = counts(N)[1]  # the first resample, written out
    rows = np.repeat(np.arange(N), draw.astype(int))
    expected = 1.0 - squared[1, 2, rows].mean() / table.truth[rows].var()
    assert naive.replicates[0] == pytest.approx(expected)
    assert values["noise_laws/sky/posterior/naive/rmse"].value == pytest.approx(np.sqrt(squared[1, 2].mean()))
    optimal = values["noise_laws/sky/posterior/optimal/r2"]
    paired = values["noise_laws/sky/posterior/naive/r2_minus_optimal"]
    assert paired.value == pytest.approx(naive.value - optimal.value)
    np.testing.assert_allclose(paired.replicates, np.array(naive.replicates) - optimal.replicates)
    assert values["noise_laws/student/21.5/information_ratio"] == pytest.approx(6.25 / 4.0)
    assert values["noise_laws/student/21.5/optimal/variance_ratio_median"] == pytest.approx(0.64)
    assert values["noise_laws/sky/21.5/naive/sigma_median"] == pytest.approx(1.0)
    # eight nodes with a bound of 0.25 and one without; V of the nodes is 5/3
    expected = 1.0 - (8 * 0.25 / (0.25 + 5 / 3) + 1.0) / 9.0
    assert values["noise_laws/gaussian/21.5/optimal/r2_local_prior"] == pytest.approx(expected)
    assert values["noise_laws/gaussian/posterior/optimal/monte_carlo_r2"] == pytest.approx(1e-4 / variance)
    assert values["noise_laws/n_stars"] == N


def test_a_naive_posterior_covers_less_than_it_says(table):
    values = summarise_noise_laws(table)
    good, bad = (values[f"noise_laws/{law}/posterior/naive/coverage_68"].value for law in ("gaussian", "sky"))
    error = values["noise_laws/sky/posterior/naive/coverage_68_binomial"]
    assert error == pytest.approx(np.sqrt(0.68 * 0.32 / N))
    assert bad < 0.68 - 3 * error and good > bad + 3 * error
    assert values["noise_laws/sky/posterior/naive/z_median"] > 1.2


def test_models_are_scored_on_the_stars_of_the_posteriors_and_on_all(table, predictions):
    values = summarise_noise_laws(table, predictions)
    mean_square = ((predictions.predictions[0, 2] - predictions.truth) ** 2).mean(axis=0)
    same = values["noise_laws/sky/model/ridge/r2"]
    assert same.value == pytest.approx(1.0 - mean_square[:N].mean() / predictions.truth[:N].var())
    everything = values["noise_laws/sky/model/ridge/r2_all_stars"].value
    assert everything == pytest.approx(1.0 - mean_square.mean() / predictions.truth.var())
    difference = values["noise_laws/sky/model/ridge/r2_minus_gaussian"]
    assert difference.value == pytest.approx(same.value - values["noise_laws/gaussian/model/ridge/r2"].value)
    assert difference.error < same.error + values["noise_laws/gaussian/model/ridge/r2"].error
    assert "noise_laws/gaussian/model/mlp/r2" in values and "noise_laws/sky/model/mlp/r2" not in values


def test_models_that_did_not_see_all_stars_are_not_compared(table, predictions):
    few = replace(
        predictions,
        predictions=predictions.predictions[..., 10:],
        stars=predictions.stars[10:],
        truth=predictions.truth[10:],
    )
    assert not any("/model/" in name for name in summarise_noise_laws(table, few))


def test_expected_error_of_a_naive_observer_by_simulation():
    rng = np.random.default_rng(0)
    variance, believed, true = 1.5, 0.3, 2.0
    label = rng.normal(scale=np.sqrt(variance), size=400_000)
    estimate = variance / (variance + believed) * (label + rng.normal(scale=np.sqrt(true), size=label.size))
    expected = naive_error(variance, np.array([believed]), np.array([true]))[0]
    assert np.mean((estimate - label) ** 2) == pytest.approx(expected, rel=0.01)
    same = naive_error(variance, np.array([believed, np.nan]), np.array([believed, np.nan]))
    np.testing.assert_allclose(same, [variance * believed / (variance + believed), variance])


def test_without_stars_the_nodes_remain(table):
    cut = {name: getattr(table, name)[..., :0] for name in ("star_bound", "mean", "sd", "pit", "effective")}
    none = {name: getattr(table, name)[:0] for name in ("stars", "truth", "mag", "snr")}
    values = summarise_noise_laws(replace(table, monte_carlo_error=table.mean[..., :0], **cut, **none))
    assert values["noise_laws/n_stars"] == 0
    assert "noise_laws/sky/21.5/naive/r2_local_prior" in values
    assert not any("posterior" in name for name in values)


def test_a_table_keeps_its_content_and_its_bytes(table, tmp_path):
    table.write(tmp_path / "a.h5")
    again = NoiseLawTable.read(tmp_path / "a.h5")
    again.write(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    np.testing.assert_array_equal(again.bound, table.bound)
    assert again.laws == LAWS and again.conditions == {"noise": 1.0} and again.labels.shape[1] == len(LABELS)
    replace(table, pit=table.pit[:, :2]).write(tmp_path / "c.h5")
    with pytest.raises(DataError, match=r"dataset 'pit' has shape \(2, 2, 400\), expected \(2, 3, 400\)"):
        NoiseLawTable.read(tmp_path / "c.h5")
