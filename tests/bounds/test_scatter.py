"""Slopes of ln sigma against the noise model itself, and the information in the size of noise against Monte Carlo."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from repro.bounds.nuisance_table import CONDITIONS
from repro.bounds.scatter import RANGES, Scatter, scatter_information
from repro.instrument.noise import Conditions, NoiseModel

AT = Conditions(mag=21.5, zenith_angle=30.0, field_angle=0.2, seeing=0.9)
LABELS = torch.tensor([[5000.0, 3.0, -0.5, 0.0, 0.0], [5600.0, 1.5, 0.2, 0.0, 0.0]], dtype=torch.float64)


def zero_points(labels):
    return -20.0 - 2.5 * torch.log10((labels[:, 0] / 5000.0) ** 4) + 0.3 * labels[:, 1] ** 2


def log_sigma(noise, spectrum_function, labels, conditions):
    with torch.no_grad():
        return torch.log(noise(spectrum_function(labels), zero_points(labels), conditions)).numpy()


@pytest.fixture(scope="module", params=["paper", "physical"])
def problem(request, spectrum_function):
    """Slopes (2, 3 + 4, P) in closed form, and a function of (column of labels, step) or (condition, step)."""
    noise = NoiseModel(request.param)
    steps = np.diag([1.0, 1e-3, 1e-3, 0.0, 0.0])[:3]

    def difference(function, step):
        shift = torch.from_numpy(step)
        return (function(LABELS + shift) - function(LABELS - shift)).numpy() / (2.0 * step.sum())

    jacobian = np.stack([difference(spectrum_function, step) for step in steps], axis=1)
    faintness = np.stack([difference(zero_points, step) for step in steps], axis=1)
    flux, zero_point = spectrum_function(LABELS).numpy(), zero_points(LABELS).numpy()
    slopes = Scatter.of(noise, AT).log_sigma_slopes(flux, zero_point, jacobian, faintness, AT.mag)
    at_labels = [
        difference(lambda labels: torch.from_numpy(log_sigma(noise, spectrum_function, labels, AT)), step)
        for step in steps
    ]

    def of_condition(name, step):
        value = getattr(AT, name)
        ends = [replace(AT, **{name: value + sign * step}) for sign in (1.0, -1.0)]
        above, below = (log_sigma(noise, spectrum_function, LABELS, end) for end in ends)
        return (above - below) / (2.0 * step)

    return request.param, slopes, np.stack(at_labels, axis=1), of_condition


def test_slopes_with_respect_to_labels_are_those_of_the_noise_model(problem):
    _, slopes, expected, _ = problem
    for label in range(3):
        scale = np.abs(expected[:, label]).max()
        np.testing.assert_allclose(slopes[:, label], expected[:, label], atol=1e-5 * scale, rtol=1e-4)


def test_slopes_with_respect_to_conditions_are_those_of_the_noise_model(problem):
    mode, slopes, _, of_condition = problem
    assert CONDITIONS == ("mag", "zenith_angle", "field_angle", "seeing")
    np.testing.assert_allclose(slopes[:, 3], of_condition("mag", 1e-4), rtol=1e-6)
    for column, name in enumerate(CONDITIONS[1:], start=4):
        low, high = RANGES[name]
        expected = of_condition(name, 0.1 * (high - low))
        if (mode, name) == ("paper", "seeing"):
            assert not slopes[:, column].any() and not expected.any()
        else:
            # slopes of the variance at the middle against those of ln sigma over the same span: second order in it
            np.testing.assert_allclose(slopes[:, column], expected, atol=0.02 * np.abs(expected).max())


def test_at_the_end_of_a_range_the_difference_is_one_sided():
    noise = NoiseModel("paper")
    edge = Scatter.of(noise, replace(AT, zenith_angle=45.0, field_angle=0.0))
    near = Scatter.of(noise, replace(AT, zenith_angle=45.0 - 2.25, field_angle=0.0325))
    for name in ("zenith_angle", "field_angle"):
        inner = near.slopes[name][1]
        np.testing.assert_allclose(edge.slopes[name][1], inner, atol=0.5 * np.abs(inner).max())


def test_information_in_the_size_of_noise_is_what_estimates_of_it_reach():
    """Noise of sigma = exp(theta d): the maximum likelihood estimate of theta scatters by 1 / (2 sum d^2)."""
    rng = np.random.default_rng(8)
    slopes = rng.uniform(0.2, 1.5, 400)
    information = scatter_information(slopes[None, None])[0, 0, 0]
    assert information == pytest.approx(2.0 * (slopes**2).sum())
    square = rng.normal(size=(10_000, 400)) ** 2
    estimate = np.zeros(len(square))
    for _ in range(4):  # Newton's method on the likelihood
        power = np.exp(-2.0 * estimate[:, None] * slopes) * square
        estimate += (power @ slopes - slopes.sum()) / (2.0 * power @ slopes**2)
    # the variance of 10 000 estimates has a relative error of 1.4 %, and the bound is reached up to 1 / 400
    assert estimate.var() * information == pytest.approx(1.0, abs=0.05)


def test_information_is_the_covariance_of_the_score():
    """A parameter that moves mean and size of the noise together: both terms add, their cross term vanishes."""
    rng = np.random.default_rng(4)
    mean_slope, size_slope = 0.1 * rng.normal(size=200), 0.3 * rng.normal(size=(2, 200))
    noise = rng.normal(size=(40_000, 200))
    score = np.stack([noise @ mean_slope + (noise**2 - 1.0) @ size_slope[0], (noise**2 - 1.0) @ size_slope[1]])
    expected = scatter_information(size_slope[None])[0]
    expected[0, 0] += (mean_slope**2).sum()
    np.testing.assert_allclose(np.cov(score), expected, atol=0.03 * expected.max())
