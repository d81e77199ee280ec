"""How R2 grows with the training set: planted laws are found, by another fit too, and what cannot be told is not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import curve_fit

from repro.scores.bootstrap import Scored, Undefined
from repro.scores.contenders import Contenders
from repro.scores.growth import Crossing, crossing, curves, first_crossing, growth_items, power_laws
from tests.plots.vit_tables import contenders

SIZES = (50_000, 100_000, 200_000, 500_000, 1_000_000)


def law(n, end, amplitude, exponent):
    return end - amplitude * (np.asarray(n) / 1e5) ** -exponent


def test_a_planted_power_law_is_found():
    wanted = [(0.75, 0.2, 0.5), (0.9, 0.4, 0.25), (0.6, 0.05, 1.5)]
    fit = power_laws(SIZES, np.array([law(SIZES, *one) for one in wanted]))
    assert fit.asymptote == pytest.approx([0.75, 0.9, 0.6], abs=1e-9)
    assert fit.exponent == pytest.approx([0.5, 0.25, 1.5], abs=1e-9)
    assert fit.rms.max() < 1e-8
    assert fit.at(np.array([3e5, 3e6])) == pytest.approx(np.array([law([3e5, 3e6], *one) for one in wanted]))


def test_it_is_the_least_squares_fit_of_scipy_under_noise():
    rng = np.random.default_rng(3)
    curve = law(SIZES, 0.73, 0.15, 0.6) + 0.004 * rng.standard_normal(5)
    fit = power_laws(SIZES, curve[None])
    (end, amplitude, exponent), _ = curve_fit(law, SIZES, curve, p0=(0.7, 0.1, 0.5))
    assert fit.asymptote[0] == pytest.approx(end, abs=1e-3)  # the grid of exponents is 0.005 wide
    assert fit.exponent[0] == pytest.approx(exponent, abs=0.006)
    left = law(SIZES, end, amplitude, exponent) - curve
    assert fit.rms[0] == pytest.approx(np.sqrt(np.mean(left**2)), rel=1e-2)


def test_a_logarithm_has_no_asymptote():
    fit = power_laws(SIZES, np.array([0.2 + 0.1 * np.log10(SIZES)]))
    assert np.isnan(fit.asymptote[0]) and np.isfinite(fit.rms[0])


def test_curves_cross_where_lines_in_log_n_do():
    places = first_crossing(
        (10, 100, 1000), np.array([[-1.0, 1.0, 2.0], [-3.0, -1.0, 3.0], [1.0, 2.0, 3.0], [1, -1, 1]])
    )
    assert places[[0, 1, 3]] == pytest.approx([1.5, 2.25, 1.5])
    assert np.isnan(places[2])


@pytest.fixture(scope="module")
def known():
    return contenders(sizes=(1000, 2000, 4000, 8000, 16000), stars=120)


@pytest.fixture(scope="module")
def values(known):
    return {address: value for address, value, _ in growth_items(known)}


def test_slopes_are_those_of_the_scores_run_by_run(known, values):
    curve = curves(known)["vit_small"]
    r2 = curve.r2[:, :, 0]
    assert values["scaling/vit_small/per_decade"].runs == pytest.approx((r2[-1] - r2[0]) / np.log10(16.0))
    fitted = np.polyfit(np.log10(curve.sizes), r2, 1)[0]
    assert values["scaling/vit_small/per_decade_fit"].runs == pytest.approx(fitted)
    other = values["scaling/lightgbm/per_decade"].runs
    ratio = values["scaling/vit_small-lightgbm/per_decade_ratio"]
    assert ratio.runs == pytest.approx(np.divide(values["scaling/vit_small/per_decade"].runs, other))
    assert values["scaling/vit_small/n1000-16000/r2_gain"].runs == pytest.approx(r2[-1] - r2[0])
    assert values["scaling/vit_small/n8000/r2"].value == pytest.approx(r2[3].mean())
    assert values["scaling/vit_small/n8000/mae_z"].value < values["scaling/vit_small/n8000/mae"].value


def test_the_fit_has_an_interval_and_a_number_of_each_run(known, values):
    found = values["scaling/vit_small/fit/exponent"]
    again = power_laws((1000, 2000, 4000, 8000, 16000), curves(known)["vit_small"].r2[:, :, 0].T)
    assert isinstance(found, Scored) and found.error > 0
    assert found.runs == pytest.approx(again.exponent)


def test_a_crossing_is_found_between_its_sizes(known):
    weak = known.baselines.predictions.copy()
    rows = known.baselines.rows(model="ridge")
    weak[rows] = 3.0 + 0.15 * (weak[rows] - 3.0)  # R2 of about 0.2 at every size
    known = Contenders(known.own, replace(known.baselines, predictions=weak))
    values = {address: value for address, value, _ in growth_items(known)}
    found = crossing(known, "ridge")
    n = values["crossover/vit_small-ridge/n"].value
    assert isinstance(found, Crossing) and np.log10(n) == pytest.approx(found.samples[0])
    sizes = np.array([1000, 2000, 4000, 8000, 16000])
    gain = [known.scores.difference(known.at("vit_small", m), known.at("ridge", m)).value for m in sizes]
    assert gain[0] < 0 < gain[-1]
    k = int(np.flatnonzero(sizes > n)[0])
    x = np.log10(sizes[k - 1 : k + 1])
    assert np.interp(np.log10(n), x, gain[k - 1 : k + 1]) == pytest.approx(0.0, abs=1e-12)
    assert values["crossover/vit_small-ridge/share"] > 0.9
    never = values["crossover/vit_small-lightgbm/n"]
    assert isinstance(never, Undefined) and "is below lightgbm at all of 5 sizes" in never.reason


def test_what_few_sizes_cannot_tell_has_a_reason():
    found = {address: value for address, value, _ in growth_items(contenders(stars=60))}
    asymptote = found["scaling/vit_small/fit/asymptote"]
    assert asymptote == Undefined("2 sizes; a power law with an asymptote needs 4 at least")
    none = found["crossover/vit_small-cnn/n"]
    assert isinstance(none, Undefined) and "1 sizes in common" in none.reason
    assert isinstance(found["scaling/cnn/per_decade"], Undefined)
    above = found["crossover/vit_small-cnn/share"]
    assert isinstance(above, Undefined)
