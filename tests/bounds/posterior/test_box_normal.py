"""Normal distributions on the unit box against quadrature, the plain normal distribution and each other."""

import numpy as np
import torch
from scipy.stats import multivariate_normal, qmc

from repro.bounds.posterior.box_normal import BoxNormal, Mixture


def normal(mean, covariance):
    root = np.linalg.cholesky(np.array(covariance))
    return BoxNormal(torch.tensor(mean, dtype=torch.float64), torch.tensor(root))


TILTED = normal([0.1, 0.7], [[0.04, 0.05], [0.05, 0.09]])  # cut at three sides


def uniform(n, k, seed=0):
    points = qmc.Sobol(k, rng=np.random.default_rng(seed)).random(n)
    return torch.tensor(points.clip(1e-12, 1 - 1e-12))


def midpoints(n):
    axis = (np.arange(n) + 0.5) / n
    return torch.tensor(np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2))


def test_the_density_integrates_to_one_over_the_box():
    for part in (TILTED, Mixture([TILTED, normal([0.5, 0.5], 0.01 * np.eye(2))], [0.3, 0.7])):
        assert abs(float(part.log_density(midpoints(400)).exp().mean()) - 1.0) < 1e-4


def test_draws_follow_the_density():
    points = TILTED.draw(uniform(4096, 2))
    assert bool(((points > 0) & (points < 1)).all())
    density = TILTED.log_density(midpoints(400)).exp()
    expected = (density[:, None] * midpoints(400)).mean(dim=0)
    np.testing.assert_allclose(points.mean(dim=0), expected, atol=2e-3)
    expected = (density * midpoints(400).prod(dim=1)).mean()
    np.testing.assert_allclose(points.prod(dim=1).mean(), expected, atol=2e-3)
    # importance weights against the uniform law: the volume of the box is 1
    both = Mixture([TILTED, normal([0.5, 0.5], 1e4 * np.eye(2))], [0.5, 0.5])
    assert abs(float((-both.log_density(both.draw(uniform(4096, 3)))).exp().mean()) - 1.0) < 0.01


def test_far_from_the_sides_it_is_the_normal_distribution():
    covariance = np.array([[4e-4, 3e-4, 0.0], [3e-4, 9e-4, -1e-4], [0.0, -1e-4, 1e-4]])
    part = normal([0.5, 0.4, 0.6], covariance)
    points = part.draw(uniform(64, 3))
    expected = multivariate_normal([0.5, 0.4, 0.6], covariance).logpdf(points.numpy())
    np.testing.assert_allclose(part.log_density(points), expected, atol=1e-6)


def test_a_wide_one_is_uniform():
    wide = normal([0.3, 0.9], 1e4 * np.eye(2))
    assert float(wide.log_density(midpoints(20)).abs().max()) < 1e-3
    points = wide.draw(uniform(1024, 2))
    np.testing.assert_allclose(points.mean(dim=0), 0.5, atol=0.01)


def test_tails_keep_finite_numbers():
    ridge = normal([0.95, 0.95], [[1.0, 1.0], [1.0, 1.0 + 1e-6]])  # leaves the box by hundreds of its widths
    points = ridge.draw(uniform(512, 2))
    density = ridge.log_density(points)
    assert bool(points.isfinite().all()) and bool(density.isfinite().all())
    assert bool(((points > 0) & (points < 1)).all())


def test_a_mixture_draws_each_part_by_its_share():
    left, right = normal([0.1, 0.5], 1e-4 * np.eye(2)), normal([0.9, 0.5], 1e-4 * np.eye(2))
    points = Mixture([left, right], [0.25, 0.75]).draw(uniform(1024, 3))
    assert abs(float((points[:, 0] < 0.5).double().mean()) - 0.25) < 0.01
