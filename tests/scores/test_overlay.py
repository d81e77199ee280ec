"""Residuals against estimators of known bias: groups, bias curves, and bounds of biased estimators."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from repro.errors import DataError
from repro.scores.bins import FEWEST
from repro.scores.bootstrap import resamples
from repro.scores.overlay import POSTERIOR, overlay, summarise_overlay
from tests.scores.overlays import VARIANCE, law_stars, shrunk, tables


@pytest.fixture(scope="module")
def stars():
    return law_stars()


def test_groups_are_nodes_and_the_stars_between_them_and_hold_every_star_once(stars):
    truth, bound, snr = stars
    groups = overlay(*tables(truth, bound, snr, {"one": truth})).groups
    assert list(groups)[:3] == ["log_g=1", "log_g=1_1.5", "log_g=1.5"] and len(groups) == 17
    np.testing.assert_array_equal(np.sum([members for _, members in groups.values()], axis=0), 1)
    for name, (middle, members) in groups.items():
        inside = truth[members]
        if "_" in name.removeprefix("log_g="):
            assert np.all((inside > middle - 0.25) & (inside < middle + 0.25))
        else:
            assert np.all(inside == middle)


def test_an_unbiased_efficient_estimator_has_the_error_of_its_bounds(stars):
    truth, bound, snr = stars
    values = summarise_overlay(overlay(*tables(truth, bound, snr, {"best": shrunk(truth, bound, 1.0)})))
    root = values["overlay/ceilings/root_mean_crlb"]
    assert root.value == pytest.approx(np.sqrt(bound.mean()))
    # the squared error is C times a chi-square of one degree of freedom
    scatter = np.sqrt(2.0 * np.mean(bound**2) / truth.size) / (2.0 * root.value)
    rmse = values["overlay/best/rmse"].value
    assert rmse == pytest.approx(root.value, abs=4.0 * scatter)
    biased = values["overlay/best/biased_crlb"]
    assert biased.value == pytest.approx(root.value, abs=4.0 * biased.error) and biased.error < 0.1
    assert values["overlay/best/shrinkage"].value == pytest.approx(1.0, abs=0.06)


def test_the_measured_bias_of_one_shrinkage_gives_the_error_reached(stars):
    """b = -(1 - f)(g - 3) for all stars: both forms of the bound are the error itself."""
    truth, bound, snr = stars
    factor = 0.6
    values = summarise_overlay(overlay(*tables(truth, bound, snr, {"drawn": shrunk(truth, bound, factor)})))
    expected = np.sqrt(np.mean(factor**2 * bound + (1.0 - factor) ** 2 * (truth - 3.0) ** 2))
    assert values["overlay/drawn/shrinkage"].value == pytest.approx(factor, abs=0.04)
    for form in ("biased_crlb", "biased_crlb_one_curve"):
        bound_of_bias = values[f"overlay/drawn/{form}"]
        assert bound_of_bias.value == pytest.approx(expected, abs=4.0 * bound_of_bias.error)
        assert bound_of_bias.error < 0.05
    assert values["overlay/drawn/rmse"].value == pytest.approx(expected, rel=0.05)
    for node in (1.0, 2.0, 4.5):
        bias, error = (values[f"overlay/drawn/log_g={node:g}/{name}"] for name in ("bias", "bias_error"))
        assert bias == pytest.approx((factor - 1.0) * (node - 3.0), abs=4.0 * error)


def test_one_bias_curve_for_stars_that_differ_is_no_bound_and_one_per_eighth_is(stars):
    truth, bound, snr = stars
    values = summarise_overlay(overlay(*tables(truth, bound, snr, {"one": truth})))
    of = {
        name: values[f"overlay/{POSTERIOR}/{name}"].value for name in ("rmse", "biased_crlb", "biased_crlb_one_curve")
    }
    assert of["biased_crlb_one_curve"] > 1.2 * of["rmse"]
    assert of["biased_crlb"] == pytest.approx(of["rmse"], rel=0.06)
    # unbiased estimators cannot do what the posterior mean does
    assert of["rmse"] < 0.7 * values["overlay/ceilings/root_mean_crlb"].value


def test_the_posterior_is_that_of_observer_flux_and_its_variance_the_optimum(stars):
    truth, bound, snr = stars
    predictions, bounds, posterior = tables(truth, bound, snr, {"one": truth})
    values = summarise_overlay(overlay(predictions, bounds, posterior))
    optimum = np.sqrt(np.mean(VARIANCE * bound / (VARIANCE + bound)))
    assert values["overlay/ceilings/rmmse"].value == pytest.approx(optimum)
    assert values[f"overlay/{POSTERIOR}/rmse"].value == pytest.approx(
        np.sqrt(np.mean((posterior.mean[1] - truth) ** 2))
    )


def test_numbers_of_several_runs_and_of_resamples_against_plain_loops(stars):
    truth, bound, snr = (values[:300] for values in stars)
    runs = np.stack([shrunk(truth, bound, 0.5, seed) for seed in (1, 2)])
    table = overlay(*tables(truth, bound, snr, {"two": runs}, runs=2))
    values = summarise_overlay(table)
    each = [np.mean(np.abs(run - truth)) for run in runs]
    assert values["overlay/two/mae"].runs == pytest.approx(each)
    assert values["overlay/two/mae"].value == pytest.approx(np.mean(each))
    rows = resamples(300)[17]
    residual = runs.mean(axis=0) - truth
    assert values["overlay/two/bias"].replicates[17] == pytest.approx(residual[rows].mean())
    slope, start = np.polyfit(truth[rows], residual[rows], 1)
    assert values["overlay/two/shrinkage"].replicates[17] == pytest.approx(1.0 + slope)
    loss = (1.0 + slope) ** 2 * bound[rows] + (start + slope * truth[rows]) ** 2
    assert values["overlay/two/biased_crlb_one_curve"].replicates[17] == pytest.approx(np.sqrt(loss.mean()))
    members = table.groups["log_g=3"][1]
    squared = np.mean((runs[:, members] - truth[members]) ** 2)
    assert values["overlay/two/log_g=3/rmse"] == pytest.approx(np.sqrt(squared))


def test_groups_of_few_stars_have_no_value(stars):
    truth, bound, snr = (values[:200] for values in stars)
    table = overlay(*tables(truth, bound, snr, {"one": truth}))
    values = summarise_overlay(table)
    for name, (_, members) in table.groups.items():
        assert (f"overlay/ceilings/{name}/n" in values) == (members.sum() >= FEWEST)


def test_a_star_without_a_bound_makes_the_mean_bound_infinite_and_nothing_else(stars):
    truth, bound, snr = stars
    lost = np.where(np.arange(truth.size) == 11, np.nan, bound)
    values = summarise_overlay(overlay(*tables(truth, lost, snr, {"one": shrunk(truth, bound, 0.5)})))
    assert values["overlay/ceilings/root_mean_crlb"].value == np.inf
    assert np.isfinite(values["overlay/ceilings/median_sigma"].value)
    assert np.isfinite(values["overlay/one/rmse"].value) and np.isfinite(values["overlay/one/shrinkage"].value)


def test_only_shared_stars_count_and_other_test_sets_are_refused(stars):
    truth, bound, snr = stars
    predictions, bounds, posterior = tables(truth, bound, snr, {"one": truth + 0.1})
    few = np.array([7, 3, 40])
    part = {name: getattr(bounds, name)[few] for name in ("stars", "labels", "crlb")}
    table = overlay(predictions, replace(bounds, **part), posterior)
    np.testing.assert_array_equal(table.truth, truth[np.sort(few)])
    np.testing.assert_array_equal(table.crlb, bound[np.sort(few)])
    with pytest.raises(DataError, match="share no test star"):
        overlay(predictions, replace(bounds, stars=bounds.stars + truth.size), posterior)
    with pytest.raises(DataError, match="different test sets"):
        overlay(predictions, bounds, replace(posterior, truth=posterior.truth[::-1]))


def test_only_numpy_is_loaded():
    heavy = "('torch', 'pandas', 'h5py', 'scipy')"
    modules = "repro.scores.overlay, repro.scores.source_difference"
    code = f"import sys, {modules}; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
