import numpy as np
import pytest
import torch
from scipy import stats

from repro.bounds.ceiling import lattice_ceiling
from repro.bounds.noise_laws import law_bounds, node_law_bounds
from repro.instrument.noise import Conditions, NoiseModel
from repro.spectra.noise import standard_normal
from repro.spectra.noise_laws import LAWS, Correlation, shaped

PIXELS = 60
CONDITIONS = Conditions(mag=21.5, zenith_angle=22.5, field_angle=0.325, seeing=1.0)


@pytest.fixture(scope="module")
def share():
    return np.random.default_rng(3).uniform(0.2, 0.9, size=(1, PIXELS))


@pytest.fixture(scope="module")
def weighted():
    """Derivatives over errors of three labels on very different scales, smooth enough to feel correlations."""
    pixel = np.arange(PIXELS)
    rows = [np.sin(pixel / 7.0), np.cos(pixel / 11.0) + 0.3, np.exp(-0.5 * ((pixel - 30) / 8.0) ** 2)]
    return (np.array([1e-2, 1.0, 3.0])[:, None] * rows)[None]


@pytest.fixture(scope="module")
def residuals(share):
    """Draws of every law, (n, P)."""
    n = 8_000
    normal = standard_normal(11, "test", 0, range(n), PIXELS + 7)
    return {law: shaped(normal, law, np.repeat(share, n, axis=0)).double().numpy() for law in LAWS}


def spread(estimates):
    """Variance of simulated estimates, and what it is known to."""
    n = len(estimates)
    return np.mean(estimates**2), 6.0 * np.std(estimates**2) / n**0.5


@pytest.mark.parametrize("law", LAWS)
def test_naive_variance_is_the_scatter_of_weighted_least_squares(law, weighted, share, residuals):
    design = weighted[0].T
    estimates = np.linalg.lstsq(design, residuals[law].T, rcond=None)[0][1]
    variance, error = spread(estimates)
    assert law_bounds(weighted, law, share, 1).bound[1, 0] == pytest.approx(variance, abs=error)


@pytest.mark.parametrize("law", LAWS)
def test_the_bound_is_the_scatter_of_the_efficient_estimator(law, weighted, share, residuals):
    """Generalised least squares where the noise is Gaussian; for Student noise one step of scoring from the truth."""
    found = law_bounds(weighted, law, share, 1)
    eps = residuals[law]
    if law == "student":
        t = stats.t(df=4, scale=np.sqrt(0.5))
        step = 1e-5
        slope = -(t.logpdf(eps + step) - t.logpdf(eps - step)) / (2.0 * step)
        score = slope @ weighted[0].T
    else:
        dense = np.linalg.inv(Correlation(law, PIXELS, share).product(np.eye(PIXELS)[None])[0])
        score = eps @ dense @ weighted[0].T
    estimates = (score @ np.linalg.inv(found.information[0]))[:, 1]
    variance, error = spread(estimates)
    assert found.bound[0, 0] == pytest.approx(variance, abs=error)
    assert found.bound[0, 0] <= found.bound[1, 0] * (1 + 1e-12)


def test_a_common_factor_alone_costs_least_squares_its_pattern(weighted):
    """One label, no independent noise worth speaking of: the naive variance is that of the pattern's projection."""
    one, share = weighted[:, 1:2], np.full((1, PIXELS), 0.999999)
    naive = law_bounds(one, "sky", share, 0).bound[1, 0]
    assert naive == pytest.approx((one[0, 0].sum() / (one[0, 0] ** 2).sum()) ** 2, rel=1e-3)


def test_degenerate_labels_have_no_least_squares(weighted, share):
    twice = np.concatenate([weighted[:, :2], weighted[:, :1]], axis=1)
    found = law_bounds(np.concatenate([weighted, twice]), "sky", np.repeat(share, 2, axis=0), 1)
    assert np.isfinite(found.bound[:, 0]).all() and np.isnan(found.bound[1, 1])


def test_gaussian_noise_gives_the_ceiling_and_scales_with_its_square(grid):
    model = NoiseModel("paper")
    bound, information = node_law_bounds(grid, (20.0, 22.0), model, CONDITIONS)
    table = lattice_ceiling(grid, (20.0, 22.0), model, CONDITIONS)
    row = LAWS.index("gaussian")
    np.testing.assert_allclose(bound[0, row], table.crlb, rtol=1e-5)
    np.testing.assert_allclose(bound[1, row], table.crlb, rtol=1e-5)
    np.testing.assert_allclose(bound[0, LAWS.index("student")], 0.7 * table.crlb, rtol=1e-5)
    assert (bound[0] <= bound[1] * (1 + 1e-9)).all()
    doubled, less = node_law_bounds(grid, (20.0, 22.0), model, CONDITIONS, 2.0)
    np.testing.assert_allclose(doubled, 4.0 * bound, rtol=1e-9)
    np.testing.assert_allclose(4.0 * less, information, rtol=1e-9)
    assert information.shape == (len(LAWS), 2, 3, 3)
    # the sky, a larger part of the noise of faint stars, misleads there at least as much
    sky = bound[1, LAWS.index("sky")] / table.crlb
    assert np.median(sky[1]) > np.median(sky[0]) > 1.0


def test_the_share_of_the_sky_does_not_depend_on_the_scale_of_the_flux(grid):
    """The bounds under `sky` of two stars that differ only in how bright they are as given are the same."""
    model = NoiseModel("paper")
    flux = torch.from_numpy(grid.flux[:1]).double()
    conditions = (CONDITIONS.zenith_angle, CONDITIONS.field_angle)
    zero_point = torch.from_numpy(grid.zero_point[:1])
    one = model.sky_floor(flux, model(flux, zero_point, CONDITIONS), *conditions)
    other = model.sky_floor(7 * flux, model(7 * flux, zero_point - 2.5 * np.log10(7), CONDITIONS), *conditions)
    np.testing.assert_allclose(other, 7 * one, rtol=1e-9)
