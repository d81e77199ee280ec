"""Information by pixel against the bounds that it sums to, least squares, and what a pixel's loss does."""

import numpy as np
import pytest

from repro.bounds.fisher import fisher_information, marginal
from repro.bounds.pixel_information import pixel_information


@pytest.fixture
def problem():
    rng = np.random.default_rng(5)
    jacobian = rng.normal(size=(6, 4, 90)) + 0.8 * rng.normal(size=(6, 1, 90))
    return jacobian * np.array([1e-3, 1.0, 0.4, 20.0])[:, None], rng.uniform(0.5, 2.0, size=(6, 90))


def test_sums_are_the_inverse_bounds(problem):
    known, unknown = pixel_information(*problem, 1)
    bound = marginal(fisher_information(*problem), 1)
    np.testing.assert_allclose(known.sum(axis=1), 1.0 / bound.conditional, rtol=1e-12)
    np.testing.assert_allclose(unknown.sum(axis=1), 1.0 / bound.crlb, rtol=1e-9)


def test_other_labels_are_projected_out_as_by_least_squares(problem):
    jacobian, sigma = problem
    _, unknown = pixel_information(jacobian, sigma, 2)
    for derivatives, error, found in zip(jacobian, sigma, unknown, strict=True):
        others, own = (np.delete(derivatives, 2, axis=0) / error).T, derivatives[2] / error
        left = own - others @ np.linalg.lstsq(others, own, rcond=None)[0]
        np.testing.assert_allclose(found, left**2, rtol=1e-7, atol=1e-12)


def test_it_is_the_noise_that_the_efficient_estimate_takes_from_each_pixel(problem):
    jacobian, sigma = problem
    _, unknown = pixel_information(jacobian, sigma, 0)
    for derivatives, error, found in zip(jacobian, sigma, unknown, strict=True):
        weights = derivatives / error**2
        estimate = np.linalg.solve(derivatives @ weights.T, weights)[0]  # generalised least squares of label 0
        noise = (estimate * error) ** 2
        np.testing.assert_allclose(found / found.sum(), noise / noise.sum(), rtol=1e-6, atol=1e-14)


def test_a_label_without_effect_drops_out(problem):
    jacobian, sigma = problem
    silent = jacobian.copy()
    silent[:, 3] = 0.0
    np.testing.assert_allclose(
        pixel_information(silent, sigma, 1)[1], pixel_information(jacobian[:, :3], sigma, 1)[1], rtol=1e-8, atol=1e-12
    )
    assert not pixel_information(silent, sigma, 3)[0].any()
