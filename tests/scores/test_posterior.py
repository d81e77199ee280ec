"""Scores of posteriors, on a linear Gaussian problem where all of them are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, kstest

from repro.scores.bins import FEWEST, snr_bins
from repro.scores.posterior import PIT_BINS, coverage, pit_p_value, summarise_posterior
from tests.scores.posteriors import expected_r2, gaussian_table


@pytest.fixture(scope="module")
def table():
    return gaussian_table()


@pytest.fixture(scope="module")
def values(table):
    return summarise_posterior(table)


@pytest.mark.parametrize(("observer", "address"), [(0, "mmse/flux"), (1, "weights")])
def test_both_forms_of_r2_are_the_analytic_one(values, observer, address):
    for name in ("r2", "r2_rao_blackwell"):
        measured = values[f"{address}/{name}"]
        assert abs(measured.value - expected_r2(observer)) < 4 * measured.error
        assert 0.002 < measured.error < 0.03
    # the posterior's own word has no noise of the errors in it
    assert values[f"{address}/r2_rao_blackwell"].error < values[f"{address}/r2"].error


def test_the_weights_are_no_ceiling(values):
    assert not [address for address in values if address.startswith("mmse/weights")]
    below = values["weights/r2_below_flux"]
    assert below.value == pytest.approx(values["mmse/flux/r2"].value - values["weights/r2"].value)
    np.testing.assert_allclose(
        below.replicates, np.subtract(values["mmse/flux/r2"].replicates, values["weights/r2"].replicates)
    )


def test_a_calibrated_posterior_passes_and_a_narrow_one_does_not(values):
    for name, nominal in (("68", 0.68), ("95", 0.95)):
        error = values[f"mmse/flux/coverage_{name}_binomial"]
        assert error == pytest.approx(np.sqrt(nominal * (1 - nominal) / 1000))
        assert abs(values[f"mmse/flux/coverage_{name}"].value - nominal) < 3 * error
    assert values["mmse/flux/pit_p_value"] > 0.01
    assert values["mmse/flux/error_ratio"].value == pytest.approx(1.0, abs=0.07)
    narrow = summarise_posterior(gaussian_table(claimed=0.8))
    assert narrow["mmse/flux/coverage_68"].value < 0.68 - 3 * error
    assert narrow["mmse/flux/pit_p_value"] < 1e-4
    assert narrow["mmse/flux/error_ratio"].value == pytest.approx(1.25, abs=0.1)
    # R2 of the mean does not see it, the Rao-Blackwell form does
    assert narrow["mmse/flux/r2"].value == values["mmse/flux/r2"].value
    assert narrow["mmse/flux/r2_rao_blackwell"].value > values["mmse/flux/r2_rao_blackwell"].value + 0.05


def test_the_p_value_is_that_of_the_chi_square_distribution():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        pit = rng.random(400)
        counts = np.histogram(pit, bins=PIT_BINS, range=(0, 1))[0]
        found.append(pit_p_value(pit))
        square = ((counts - 400 / PIT_BINS) ** 2).sum() / (400 / PIT_BINS)
        assert found[-1] == pytest.approx(chi2.sf(square, PIT_BINS - 1), rel=1e-9)
    assert kstest(found, "uniform").pvalue > 0.01
    assert pit_p_value((np.arange(PIT_BINS * 5) + 0.5) / (PIT_BINS * 5)) == pytest.approx(1.0)
    assert pit_p_value(np.full(2000, 0.5)) < 1e-100
    assert np.isnan(pit_p_value(rng.random(5 * PIT_BINS - 1)))


def test_coverage_counts_both_ends():
    assert coverage(np.array([0.159, 0.16, 0.5, 0.84, 0.841]), "68") == 0.6
    assert np.isnan(coverage(np.empty(0), "95"))


def test_bins_have_the_variance_of_their_own_stars(table, values):
    for name, members in snr_bins(table.snr).items():
        address = f"mmse/flux/{name}/r2"
        assert (address in values) == (members.sum() >= FEWEST)
        if address in values:
            truth, mean = table.truth[members], table.mean[0, members]
            assert values[address].value == pytest.approx(1 - np.mean((truth - mean) ** 2) / np.var(truth))
            assert values[f"mmse/flux/{name}/n_stars"] == members.sum()
            assert values[address].error > values["mmse/flux/r2"].error
    assert {"mmse/flux/mag_20.5_21/r2", "mmse/flux/T_eff_3750_4500/M_H_-2.5_-1.75/rmse"} < set(values)


def test_few_stars_give_no_bin():
    values = summarise_posterior(gaussian_table(n=FEWEST - 1))
    assert "mmse/flux/r2" in values and not [address for address in values if "snr_" in address or "mag_" in address]
    assert np.isnan(values["mmse/flux/pit_p_value"])


def test_numerical_errors_are_those_of_the_table(table):
    values = summarise_posterior(replace(table, coarse_mean=table.mean + 0.3))
    assert values["mmse/flux/discretisation_median"] == pytest.approx(0.3)
    assert values["mmse/flux/discretisation_max"] == pytest.approx(0.3)
    shift = np.mean((table.mean[0] + 0.3 - table.truth) ** 2) - np.mean((table.mean[0] - table.truth) ** 2)
    assert values["mmse/flux/discretisation_r2"] == pytest.approx(shift / np.var(table.truth))
    assert values["mmse/flux/monte_carlo_r2"] == pytest.approx(0.0004 / np.var(table.truth))
    assert values["mmse/flux/effective_min"] == 500.0


def test_a_posterior_on_one_node_is_allowed(table):
    sure = replace(table, mean=table.mean.copy(), sd=table.sd.copy())
    sure.mean[:, 0], sure.sd[:, 0] = table.truth[0], 0.0
    assert np.isfinite(summarise_posterior(sure)["mmse/flux/error_ratio"].value)


def test_one_observer_alone_has_no_difference(table):
    alone = replace(
        table,
        observers=("flux",),
        **{name: getattr(table, name)[:1] for name in ("mean", "sd", "pit", "coarse_mean", "effective")},
        monte_carlo_error=table.monte_carlo_error[:1],
    )
    assert not [address for address in summarise_posterior(alone) if address.startswith("weights")]
