import numpy as np
import pytest
import torch
from scipy import stats

from repro.errors import DataError, ParameterError
from repro.instrument.noise import Conditions, NoiseModel
from repro.spectra.noise import standard_normal
from repro.spectra.noise_laws import (
    LAWS,
    STRETCHES,
    Correlation,
    present_law,
    shaped,
    stretch_of,
    student_deviates,
    student_information,
)
from repro.spectra.presentation import present_arrays
from repro.spectra.sampling import draw
from tests.spectra.smooth import observe_smooth, small_lattice

PIXELS, EXTRA = 40, 7


@pytest.fixture(scope="module")
def share():
    return np.random.default_rng(3).uniform(0.1, 0.95, size=(1, PIXELS))


def dense(law, share):
    """R written out, pixel by pixel."""
    if law == "correlated":
        return np.eye(PIXELS) + 0.25 * (np.eye(PIXELS, k=1) + np.eye(PIXELS, k=-1))
    if law in STRETCHES:
        stretch = stretch_of(law, PIXELS)
        together = stretch[:, None] == stretch
        return np.where(np.eye(PIXELS) > 0, 1.0, share[0][:, None] * share[0] * together)
    return np.eye(PIXELS)


@pytest.mark.parametrize("law", LAWS)
def test_draws_have_the_covariance_of_the_law(law, share):
    n = 8_000
    normal = standard_normal(5, "test", 0, range(n), PIXELS + EXTRA)
    eps = shaped(normal, law, np.repeat(share, n, axis=0)).double().numpy()
    assert eps.shape == (n, PIXELS)
    assert np.abs(eps.mean(axis=0)).max() < 5 / n**0.5
    apart = np.abs(eps.T @ eps / n - dense(law, share))
    # the fourth moment of t(4) is infinite: its sample variances scatter more
    np.fill_diagonal(apart, 0.1 * np.diagonal(apart) if law == "student" else np.diagonal(apart))
    assert apart.max() < 6 / n**0.5


@pytest.mark.parametrize("law", LAWS)
def test_products_equal_those_of_the_dense_matrix(law, share):
    values = np.random.default_rng(1).normal(size=(2, 3, PIXELS))
    both = np.concatenate([share, share[:, ::-1]])
    correlation = Correlation(law, PIXELS, both)
    for row, rows in enumerate(values):
        matrix = dense(law, both[row : row + 1])
        np.testing.assert_allclose(correlation.product(values)[row], rows @ matrix @ rows.T, rtol=1e-12, atol=1e-12)
        expected = rows @ np.linalg.inv(matrix) @ rows.T
        np.testing.assert_allclose(correlation.inverse_product(values)[row], expected, rtol=1e-9, atol=1e-10)


def test_linear_interpolation_at_any_shift_correlates_neighbours_by_a_quarter():
    rng = np.random.default_rng(0)
    noise, shift = rng.normal(size=(200_000, 3)), rng.uniform(size=(200_000, 1))
    moved = (1 - shift) * noise[:, :2] + shift * noise[:, 1:]
    assert abs((moved[:, 0] * moved[:, 1]).mean() / (moved**2).mean() - 0.25) < 0.005


def test_student_deviates_are_at_the_quantiles_of_the_normal_ones():
    normal = torch.tensor([-8.0, -5.5, -2.0, -0.3, -1e-3, 0.0, 1e-4, 0.7, 3.0, 6.0, 9.0], dtype=torch.float64)
    # sf and isf keep their precision in either tail
    magnitude = stats.t(df=4).isf(stats.norm.sf(normal.abs().numpy())) / np.sqrt(2.0)
    np.testing.assert_allclose(student_deviates(normal), np.sign(normal.numpy()) * magnitude, rtol=1e-6, atol=1e-9)
    assert float(student_deviates(torch.tensor([0.5], dtype=torch.float64))) < 0.5  # slimmer waist, heavier tail


@pytest.mark.parametrize("freedom", [3.0, 4.0, 6.0, 50.0])
def test_information_of_student_by_quadrature_and_by_its_score(freedom):
    """Second routes: the integral of p'^2 / p of the density, and the variance of the score of drawn residuals."""
    scale = np.sqrt((freedom - 2.0) / freedom)
    law = stats.t(df=freedom, scale=scale)
    grid = np.linspace(-60.0, 60.0, 400_001)
    density = law.pdf(grid)
    slope = np.gradient(density, grid)
    assert np.trapezoid(slope**2 / density, grid) == pytest.approx(student_information(freedom), rel=2e-4)
    draws = law.rvs(size=400_000, random_state=1)
    score = (freedom + 1.0) * draws / ((freedom - 2.0) + draws**2)
    assert np.mean(score**2) == pytest.approx(student_information(freedom), rel=0.02)


def test_information_of_a_gaussian_is_the_limit():
    assert student_information(1e9) == pytest.approx(1.0)


@pytest.fixture(scope="module")
def stars():
    """Noise-free flux and error of five stars as the spectrum sets hold them: scaled, without zero points."""
    table = draw("paper", 5, small_lattice(), 3, "test")
    labels = torch.tensor(np.stack([table[name] for name in ("T_eff", "log_g", "M_H", "a_M", "C_M")], axis=1))
    flux, zero_point = observe_smooth(labels)
    conditions = Conditions(
        *(torch.tensor(table[name]) for name in ("mag", "target_zenith_angle", "target_field_angle", "seeing"))
    )
    model = NoiseModel("paper")
    scale = 0.5 / flux.median(dim=1, keepdim=True).values
    error = scale * model(flux, zero_point, conditions)
    return (scale * flux).float().numpy(), error.float().numpy(), table, model


def test_gaussian_is_the_common_presentation(stars):
    flux, error, table, model = stars
    x = present_law(flux, error, table, "gaussian", noise=0.7, seed=9, split="test", rows=range(5), noise_model=model)
    np.testing.assert_array_equal(x, present_arrays(flux, error, table, "test", 9, 0.7, np.arange(5)).x)


@pytest.mark.parametrize("law", LAWS)
def test_a_star_is_shown_alike_whatever_stands_beside_it(law, stars):
    flux, error, table, model = stars
    common = {"noise": 1.3, "seed": 9, "split": "test", "noise_model": model}
    whole = present_law(flux, error, table, law, rows=range(5), **common)
    alone = present_law(flux[3:4], error[3:4], table[3:4], law, rows=[3], **common)
    np.testing.assert_array_equal(whole[3:4], alone)
    eps = (whole - flux) / (1.3 * error)
    assert 0.8 < eps.var() < 1.2
    quiet = present_law(flux, error, table, law, rows=range(5), **(common | {"noise": 0.0}))
    np.testing.assert_array_equal(quiet, flux)


def test_the_sky_pulls_all_its_lines_the_same_way(stars):
    """The residual in the brightest sky lines is their floor times one number."""
    flux, error, table, model = stars
    x = present_law(flux, error, table, "sky", noise=1.0, seed=9, split="test", rows=range(5), noise_model=model)
    angles = (torch.tensor(table[name]) for name in ("target_zenith_angle", "target_field_angle"))
    floor = model.sky_floor(torch.tensor(flux), torch.tensor(error), *angles).numpy()
    bright = floor / error > 0.8
    for star in range(5):
        factor = (x - flux)[star, bright[star]] / floor[star, bright[star]]
        assert bright[star].sum() > 100 and factor.std() < 0.6  # independent residuals: about 1.1
        assert abs(factor.mean() - float(standard_normal(9, "test", 0, [star], 4097)[0, -1])) < 0.2


def test_what_a_law_cannot_use_is_refused(stars):
    flux, error, table, model = stars
    with pytest.raises(ParameterError, match="'pink' is unknown; choose one of gaussian, student"):
        present_law(flux, error, table, "pink", noise=1.0, seed=9, split="test", rows=range(5), noise_model=model)
    with pytest.raises(DataError, match="needs the floor"):
        Correlation("sky", PIXELS)
    with pytest.raises(DataError, match=r"spectrum 1, pixel 2: the sky's floor is 1.5"):
        Correlation("sky", 3, np.array([[0.1, 0.1, 0.1], [0.1, 0.1, 1.5]]))
