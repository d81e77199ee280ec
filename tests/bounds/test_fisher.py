"""Fisher information and marginal bounds against closed forms, inverses and Monte Carlo."""

import numpy as np
import pytest

from repro.bounds.fisher import fisher_information, marginal, marginal_bound, weighted_information
from repro.errors import DataError


@pytest.fixture
def problem():
    """Derivatives (40, 4, 300) in very different units, and errors (40, 300)."""
    rng = np.random.default_rng(3)
    jacobian = rng.normal(size=(40, 4, 300)) + 0.7 * rng.normal(size=(40, 1, 300))
    jacobian *= np.array([1e-3, 1.0, 0.4, 20.0])[:, None]
    return jacobian, rng.uniform(0.5, 2.0, size=(40, 300))


def test_gaussian_line_has_the_textbook_information():
    # 1 - a exp(-(x - c)^2 / 2 w^2) in (a, c, w) on dense pixels dx of equal error e: Gaussian integrals
    a, w, dx, e = 0.4, 1.3, 0.01, 0.05
    x = np.arange(-20.0, 20.0, dx)
    profile = np.exp(-0.5 * (x / w) ** 2)
    jacobian = np.stack([-profile, -a * profile * x / w**2, -a * profile * x**2 / w**3])[None]
    information = fisher_information(jacobian, np.full((1, x.size), e))[0]
    unit = np.sqrt(np.pi) / (e**2 * dx)
    expected = unit * np.array(
        [[w, 0.0, a / 2.0], [0.0, a**2 / (2.0 * w), 0.0], [a / 2.0, 0.0, 3.0 * a**2 / (4.0 * w)]]
    )
    np.testing.assert_allclose(information, expected, rtol=1e-9, atol=1e-9 * unit)
    # the centre is orthogonal to depth and width; depth and width share 1 - (1/2)^2 / (3/4) = 2/3
    assert marginal(information[None], 1).schur[0] == pytest.approx(1.0, abs=1e-12)
    assert marginal(information[None], 0).schur[0] == pytest.approx(2.0 / 3.0, rel=1e-9)
    assert marginal(information[None], 2).crlb[0] == pytest.approx(2.0 * w / (unit * a**2), rel=1e-9)


def test_several_noises_at_once_are_each_one_by_one(problem):
    jacobian, sigma = problem
    levels = np.array([0.5, 1.0, 3.0])
    weights = 1.0 / (levels[:, None] * sigma[:, None]) ** 2
    got = weighted_information(jacobian, weights)
    assert got.shape == (40, 3, 4, 4)
    np.testing.assert_allclose(got, np.einsum("bip,bmp,bjp->bmij", jacobian, weights, jacobian), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(got, got.swapaxes(-1, -2))
    for m, level in enumerate(levels):
        np.testing.assert_allclose(got[:, m], fisher_information(jacobian, level * sigma), rtol=1e-12)
    np.testing.assert_array_equal(marginal_bound(got, 2), marginal(got, 2).crlb)


def test_marginal_equals_the_full_inverse(problem):
    information = fisher_information(*problem)
    inverse = np.linalg.inv(information)
    for target in range(4):
        bound = marginal(information, target)
        np.testing.assert_allclose(bound.crlb, inverse[:, target, target], rtol=1e-8)
        np.testing.assert_array_equal(bound.crlb_inverse, inverse[:, target, target])
        np.testing.assert_allclose(bound.conditional, 1.0 / information[:, target, target], rtol=1e-12)
        np.testing.assert_allclose(bound.schur, bound.conditional / bound.crlb, rtol=1e-12)
        spread = np.sqrt(np.einsum("nii->ni", inverse))
        expected = inverse[:, target] / (spread * spread[:, target, None])
        np.testing.assert_allclose(bound.correlations, expected, atol=1e-9)
        assert bound.identifiable.all() and (bound.rank == 4).all()


def test_condition_numbers_equal_numpy_s(problem):
    information = fisher_information(*problem)
    root = np.sqrt(np.einsum("nii->ni", information))
    bound = marginal(information, 1)
    np.testing.assert_allclose(bound.condition_raw, np.linalg.cond(information), rtol=1e-6)
    scaled = information / (root[:, :, None] * root[:, None, :])
    np.testing.assert_allclose(bound.condition_scaled, np.linalg.cond(scaled), rtol=1e-8)


def test_units_of_the_other_labels_do_not_matter(problem):
    jacobian, sigma = problem
    before = marginal(fisher_information(jacobian, sigma), 1)
    factors = np.array([250.0, 1.0, 1e-6, 1e7])
    after = marginal(fisher_information(jacobian * factors[:, None], sigma), 1)
    for name in ("crlb", "schur", "condition_scaled", "correlations"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-9)
    assert (after.condition_raw > 1e6 * before.condition_raw).any()


def test_noise_level_scales_the_bound_by_its_square_and_leaves_the_schur_ratio(problem):
    jacobian, sigma = problem
    one, two = (marginal(fisher_information(jacobian, level * sigma), 1) for level in (1.0, 2.0))
    np.testing.assert_array_equal(two.crlb, 4.0 * one.crlb)
    np.testing.assert_array_equal(two.schur, one.schur)
    odd = marginal(fisher_information(jacobian, 1.7 * sigma), 1)
    np.testing.assert_allclose(odd.schur, one.schur, rtol=1e-10)


def test_more_unknown_labels_never_lower_the_bound(problem):
    information = fisher_information(*problem)
    bounds = [marginal(information[:, :k, :k], 1).crlb for k in (2, 3, 4)]
    assert (bounds[0] <= bounds[1]).all() and (bounds[1] <= bounds[2]).all()


def test_least_squares_scatter_reaches_the_bound_in_a_linear_model(problem):
    jacobian, sigma = problem[0][0], problem[1][0]
    bound = marginal(fisher_information(jacobian[None], sigma[None]), 1).crlb[0]
    rng = np.random.default_rng(11)
    noise = rng.normal(size=(20_000, sigma.size))
    design = (jacobian / sigma).T
    estimates = np.linalg.lstsq(design, noise.T, rcond=None)[0][1]
    # the variance of n normal numbers has a relative error of sqrt(2 / n) = 1 %
    assert estimates.var() / bound == pytest.approx(1.0, abs=0.04)
    assert abs(estimates.mean()) < 5.0 * np.sqrt(bound / len(estimates))


def test_a_target_without_information_of_its_own_is_reported_not_floored(problem):
    jacobian, sigma = (array.copy() for array in problem)
    jacobian[5, 1] = 2.0 * jacobian[5, 0] - 3.0 * jacobian[5, 2]  # a mixture of others
    jacobian[6, 1] = 0.0  # no effect on the spectrum
    bound = marginal(fisher_information(jacobian, sigma), 1)
    assert list(np.flatnonzero(~bound.identifiable)) == [5, 6]
    assert np.isnan(bound.crlb[[5, 6]]).all() and np.isfinite(np.delete(bound.crlb, [5, 6])).all()
    assert list(bound.rank[[5, 6]]) == [3, 3]
    assert np.isinf(bound.condition_scaled[[5, 6]]).all() and np.isinf(bound.condition_raw[[5, 6]]).all()
    assert np.isnan(bound.correlations[[5, 6]]).all()
    assert np.isfinite(bound.conditional[5]) and np.isnan(bound.conditional[6])


def test_a_redundant_other_label_drops_out(problem):
    jacobian, sigma = (array.copy() for array in problem)
    jacobian[:, 3] = -4.0 * jacobian[:, 2]
    bound = marginal(fisher_information(jacobian, sigma), 1)
    without = marginal(fisher_information(jacobian[:, :3], sigma), 1)
    np.testing.assert_allclose(bound.crlb, without.crlb, rtol=1e-8)
    assert bound.identifiable.all() and (bound.rank == 3).all()


def test_nearly_degenerate_labels_still_agree_with_exact_arithmetic():
    # two unit vectors at angle 1e-5: the surviving share is sin^2 = 1e-10, far below what 1e-10 of ridge would leave
    angle = 1e-5
    jacobian = np.array([[[1.0, 0.0], [np.cos(angle), np.sin(angle)]]])
    bound = marginal(fisher_information(jacobian, np.ones((1, 2))), 1)
    assert bound.schur[0] == pytest.approx(np.sin(angle) ** 2, rel=1e-5)
    assert bound.identifiable[0]


def test_bad_errors_and_derivatives_are_named(problem):
    jacobian, sigma = problem
    for value in (0.0, -1.0, np.nan, np.inf):
        broken = sigma.copy()
        broken[7, 11] = value
        with pytest.raises(DataError, match="spectrum 7, pixel 11"):
            fisher_information(jacobian, broken)
    hole = jacobian.copy()
    hole[3, 0, 0] = np.nan
    with pytest.raises(DataError, match="derivative of spectrum 3"):
        fisher_information(hole, sigma)
