"""The posterior of log g against plain sums, an analytic case, its own calibration, and what must not matter."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binom, truncnorm

from repro.bounds.posterior.direct import all_templates, mean_and_sd, with_unknown_conditions, with_weights
from repro.bounds.posterior.engine import posterior
from repro.bounds.posterior.law import Law
from repro.errors import ParameterError
from tests.bounds.posterior.toy import LAW, PIXELS, ToyNoise, toy_grid, toy_rule, toy_stars

SMALL = {"T_eff": (4900.0, 5000.0), "log_g": (2.0, 3.0, 4.0)}
FLUX, WEIGHTS = 0, 1


def run(grid, stars, noise=1.0, law=LAW, noise_model=None, rule=None, **options):
    noise_model = noise_model or ToyNoise()
    rule = rule or toy_rule(law, noise_model)
    return posterior(grid, stars, noise_model, noise, law, rule=rule, **options)


@pytest.fixture(scope="module")
def grid():
    return toy_grid()


@pytest.fixture(scope="module")
def stars(grid):
    return toy_stars(grid, 40)


@pytest.fixture(scope="module")
def table(grid, stars):
    return run(grid, stars)


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_known_errors_give_the_plain_sum(noise):
    grid = toy_grid()
    stars = toy_stars(grid, 10, noise)
    table, templates = run(grid, stars, noise, refinement=8), all_templates(grid, 8)
    for star in range(10):
        log_p = with_weights(stars.x[star].astype(float), stars.error[star].astype(float), templates)
        mean, sd = mean_and_sd(log_p, templates)
        assert table.mean[WEIGHTS, star] == pytest.approx(mean, abs=1e-4)
        assert table.sd[WEIGHTS, star] == pytest.approx(sd, abs=1e-4)
        assert table.effective[WEIGHTS, star] == pytest.approx(1 / np.sum(np.exp(2 * log_p)), rel=0.35)


@pytest.mark.parametrize(
    ("noise", "law"), [(1.0, LAW), (2.0, Law(magnitudes=(21.3, 21.35))), (2.0, Law(magnitudes=(21.4, 21.4)))]
)
def test_unknown_conditions_give_the_plain_sum(noise, law):
    grid = toy_grid(SMALL)
    stars = toy_stars(grid, 3, noise, law)
    table, templates = run(grid, stars, noise, law, refinement=8), all_templates(grid, 8)
    for star in range(3):
        log_p = with_unknown_conditions(
            stars.x[star].astype(float), templates, ToyNoise(), noise, law, magnitudes=16, points=4
        )
        mean, sd = mean_and_sd(log_p, templates)
        assert table.mean[FLUX, star] == pytest.approx(mean, abs=0.06 * sd + 1e-3)
        assert table.sd[FLUX, star] == pytest.approx(sd, rel=0.1, abs=2e-3)


def test_seeing_is_a_condition_where_it_acts():
    grid, noise_model = toy_grid(SMALL), ToyNoise("physical")
    stars = toy_stars(grid, 2, 2.0, noise_model=noise_model)
    table = run(grid, stars, 2.0, noise_model=noise_model, refinement=4)
    templates = all_templates(grid, 4)
    for star in range(2):
        log_p = with_unknown_conditions(
            stars.x[star].astype(float), templates, noise_model, 2.0, LAW, magnitudes=14, points=3
        )
        mean, sd = mean_and_sd(log_p, templates)
        assert table.mean[FLUX, star] == pytest.approx(mean, abs=0.06 * sd)


def test_missing_nodes_are_outside_the_prior():
    grid = toy_grid(missing=(3, 11, 20))
    stars = toy_stars(grid, 8, 2.0)
    table, templates = run(grid, stars, 2.0, refinement=8), all_templates(grid, 8)
    for star in range(8):
        log_p = with_weights(stars.x[star].astype(float), stars.error[star].astype(float), templates)
        assert table.mean[WEIGHTS, star] == pytest.approx(mean_and_sd(log_p, templates)[0], abs=1e-4)


def test_a_linear_template_has_the_cut_normal_posterior():
    """mu = base + (g - 3) h, one label free: a normal posterior, cut at the ends of the uniform prior."""
    grid = toy_grid({"log_g": (1.0, 2.0, 3.0, 4.0, 5.0)})
    base = 0.5 + 0.1 * (np.arange(PIXELS) >= PIXELS // 2) - 0.1 * (np.arange(PIXELS) < PIXELS // 2)
    base[PIXELS // 2 - 3 : PIXELS // 2 + 3] = 0.5  # the median, which h leaves alone
    h = 0.01 * np.cos(np.arange(PIXELS)) * (base != 0.5)
    flux = base + (grid.lattice.labels[:, [1]] - 3.0) * h
    grid = replace(grid, flux=flux.astype(np.float32), zero_point=np.full(5, -20.5))
    stars = toy_stars(grid, 12, seed=4)
    sigma = np.full_like(stars.error, 0.06)
    x = base + (stars.labels[:, [1]] - 3.0) * h + sigma * np.random.default_rng(3).standard_normal(sigma.shape)
    table = run(grid, replace(stars, x=x.astype(np.float32), error=sigma), refinement=64)
    width = 0.06 / np.sqrt(h @ h)
    centre = 3.0 + (x - base) @ h / (h @ h)
    for star in range(12):
        exact = truncnorm((1 - centre[star]) / width, (5 - centre[star]) / width, centre[star], width)
        assert table.mean[WEIGHTS, star] == pytest.approx(exact.mean(), abs=2e-3 * width)
        assert table.sd[WEIGHTS, star] == pytest.approx(exact.std(), rel=2e-3)
        assert table.pit[WEIGHTS, star] == pytest.approx(exact.cdf(stars.labels[star, 1]), abs=2e-3)


def test_observer_flux_does_not_see_the_errors(grid, stars, table):
    nonsense = np.random.default_rng(0).lognormal(size=stars.error.shape).astype(np.float32)
    other = run(grid, replace(stars, error=nonsense))
    np.testing.assert_array_equal(other.mean[FLUX], table.mean[FLUX])
    np.testing.assert_array_equal(other.pit[FLUX], table.pit[FLUX])
    assert (np.abs(other.mean[WEIGHTS] - table.mean[WEIGHTS]) > 1e-3).mean() > 0.9


def test_the_order_of_stars_does_not_matter(grid, stars, table):
    order = np.random.default_rng(5).permutation(len(stars.x))
    other = run(grid, stars.part(order))
    np.testing.assert_allclose(other.mean, table.mean[:, order], atol=1e-4)
    np.testing.assert_allclose(other.pit, table.pit[:, order], atol=1e-4)


def test_leaving_out_intervals_changes_nothing(grid):
    stars = toy_stars(grid, 40, 0.2)
    table, whole = run(grid, stars, 0.2), run(grid, stars, 0.2, margin=float("inf"))
    assert whole.conditions["intervals_share"] == 1.0 > table.conditions["intervals_share"] + 0.2
    np.testing.assert_allclose(table.mean, whole.mean, atol=1e-4)
    np.testing.assert_allclose(table.sd, whole.sd, atol=1e-4)


def test_a_finer_rule_of_conditions_changes_little(grid, stars, table):
    finer = run(grid, stars, rule=toy_rule(degree=3, points=8))
    np.testing.assert_array_equal(finer.mean[WEIGHTS], table.mean[WEIGHTS])
    assert np.sqrt(np.mean((finer.mean[FLUX] - table.mean[FLUX]) ** 2)) < 0.02 * np.median(table.sd[FLUX])
    assert np.abs(table.coarse_mean - table.mean).max() < 0.02


def test_posteriors_are_calibrated_and_widen_with_noise(grid):
    spread = []
    for noise in (0.5, 1.0, 2.0):
        stars = toy_stars(grid, 300, noise, seed=11)
        table = run(grid, stars, noise, refinement=8)
        spread.append(np.sqrt((table.sd**2).mean(axis=1)))
        for pit in table.pit:
            for share in (0.68, 0.95):
                inside = int((np.abs(pit - 0.5) < share / 2).sum())
                assert binom.cdf(inside, 300, share) > 1e-3 and binom.sf(inside - 1, 300, share) > 1e-3
        error = np.sqrt(((table.mean - table.truth) ** 2).mean(axis=1))
        np.testing.assert_allclose(error, spread[-1], rtol=0.2)  # sd of a spread of 300: 4 %, heavier tails double it
    assert (np.diff(np.array(spread), axis=0) > 0).all()


def test_progress_and_conditions_are_told(grid, stars):
    seen = []
    table = run(grid, stars.part(slice(0, 2)), report=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] and [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert table.conditions["mode"] == "paper" and table.conditions["refinement"] == 16


@pytest.mark.parametrize(("noise", "refinement"), [(0.0, 8), (float("nan"), 8), (1.0, 7), (1.0, 0)])
def test_impossible_requests_are_refused(grid, stars, noise, refinement):
    with pytest.raises(ParameterError, match="must be"):
        run(grid, stars, noise, refinement=refinement)


def test_limits_out_of_order_are_refused(grid, stars):
    with pytest.raises(ParameterError, match="not in order"):
        run(grid, stars, law=Law(magnitudes=(22.0, 21.0)))


def test_single_and_double_precision_agree(grid, stars, table):
    """Products of the same stars and templates in float64: the misfit, of order P, moves by less than 1e-3."""
    templates = all_templates(grid, 16)
    star = 3
    log_p = with_weights(stars.x[star].astype(float), stars.error[star].astype(float), templates)
    assert table.mean[WEIGHTS, star] == pytest.approx(mean_and_sd(log_p, templates)[0], abs=1e-5)
    assert torch.get_default_dtype() == torch.float32
