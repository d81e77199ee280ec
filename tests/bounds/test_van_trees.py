"""Bayesian bounds on a small grid of lines: formulas by another route, limits, laws and files."""

import numpy as np
import pytest

from repro.bounds.derivatives import derivative_stencil
from repro.bounds.scaling import NoiseTerms, unit_median
from repro.bounds.van_trees import law_points, node_information, van_trees
from repro.bounds.van_trees_table import VanTreesTable
from repro.errors import DataError, ParameterError
from repro.files import sha256
from repro.instrument.noise import Conditions, NoiseModel
from repro.scores.stars import summarise_van_trees

CONDITIONS = Conditions(mag=0.0, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
MAGNITUDES = (30.0, 38.0, 45.0)  # these lines are strong: from full to no information
LAW = (37.0, 39.0)


@pytest.fixture(scope="module")
def noise():
    return NoiseModel("paper")


@pytest.fixture(scope="module")
def table(grid, noise):
    return van_trees(grid, noise, CONDITIONS, MAGNITUDES, LAW, recorded={"source": "lines"})


def information_of(grid, noise, level=1.0):
    terms = NoiseTerms.of(noise, CONDITIONS)
    stencil = derivative_stencil(grid.lattice, "spline")
    return node_information(unit_median(grid), stencil, [(terms, np.array(MAGNITUDES))], level)


def test_node_information_is_that_of_gaussian_pixels_by_the_textbook(grid, noise):
    """sum J_i J_j / sigma^2 + 2 d ln sigma_i d ln sigma_j, with the slopes of ln sigma from differences."""
    scaled, level = unit_median(grid), 1.7
    stencil = derivative_stencil(grid.lattice, "spline")
    terms = NoiseTerms.of(noise, CONDITIONS)
    found = information_of(grid, noise, level)
    for node in (7, 47):
        jacobian = stencil.jacobian(scaled.flux, slice(node, node + 1))[0]
        zero = np.einsum("ks,ks->k", stencil.weights[node], scaled.zero_point[stencil.neighbours[node]])
        flux = scaled.flux[node].astype(float)
        for m, magnitude in enumerate(MAGNITUDES):

            def log_sigma(label, step, magnitude=magnitude, node=node, flux=flux, jacobian=jacobian, zero=zero):
                moved, point = flux + step * jacobian[label], scaled.zero_point[node] + step * zero[label]
                return 0.5 * np.log(terms.variances(moved[None], np.array([point]), [magnitude])[0, 0])

            steps = (1e-2, 1e-5, 1e-5)  # K, dex, dex
            slopes = np.array([(log_sigma(i, h) - log_sigma(i, -h)) / (2 * h) for i, h in enumerate(steps)])
            variance = level**2 * np.exp(2.0 * log_sigma(0, 0.0))
            exact = (jacobian / variance) @ jacobian.T + 2.0 * slopes @ slopes.T
            scale = np.sqrt(np.diag(exact))
            np.testing.assert_allclose(
                found[node, m] / np.outer(scale, scale), exact / np.outer(scale, scale), atol=2e-5
            )


def test_the_taper_is_van_trees_with_the_integral_taken_finely(grid, noise, table):
    """Second route: the information interpolated to a fine grid and summed with the density there."""
    from scipy.interpolate import RegularGridInterpolator

    lattice = grid.lattice
    axes = [np.array(lattice.axes[name]) for name in lattice.free]
    sides = np.array([axis[-1] - axis[0] for axis in axes])
    fine = [axis[0] + side * (np.arange(60) + 0.5) / 60 for axis, side in zip(axes, sides, strict=True)]
    density = [2.0 / 60 * np.sin(np.pi * (np.arange(60) + 0.5) / 60) ** 2] * 3
    values = information_of(grid, noise).reshape(*(len(axis) for axis in axes), len(MAGNITUDES), 3, 3)
    points = np.stack(np.meshgrid(*fine, indexing="ij"), axis=-1)
    mean = np.einsum("a,b,c,abcmij->mij", *density, RegularGridInterpolator(axes, values)(points))
    exact = np.linalg.inv(mean + np.diag(4.0 * np.pi**2 / sides**2))[:, 1, 1]
    np.testing.assert_allclose(table.taper, exact, rtol=2e-3)
    assert table.variance_taper == pytest.approx(16.0 * (1.0 / 12.0 - 0.5 / np.pi**2))


def test_bounds_lie_between_the_cramer_rao_bound_and_the_prior(table):
    assert (table.box < table.unbiased).all() and (table.box < table.variance_box).all()
    assert (table.taper < table.variance_taper).all()
    assert (np.diff(table.box) > 0).all() and (np.diff(table.taper) > 0).all()
    # where the noise drowns all, only the edges of the coarse lattice are missing
    assert table.box[-1] > 0.9 * table.variance_box and table.unbiased[-1] > 100.0 * table.variance_box


def test_the_law_is_integrated_as_by_many_draws(table):
    points, weights = law_points(LAW)
    np.testing.assert_array_equal(points, table.law)
    assert weights.sum() == pytest.approx(1.0)
    draws = np.random.default_rng(1).random((200_000, 3)) * [2.0, 45.0, 0.65] + [37.0, 0.0, 0.0]

    def smooth(x):
        return np.exp(0.5 * (x[:, 0] - 38.0)) * (1.0 + 0.004 * x[:, 1]) * (1.0 + 0.3 * x[:, 2])

    assert smooth(points) @ weights == pytest.approx(smooth(draws).mean(), rel=3e-3)


def test_evidence_is_relative_to_the_variance_of_each_prior(table):
    values = summarise_van_trees(table)
    assert values["van_trees/box/38/r2"] == 1.0 - table.box[1] / table.variance_box
    assert values["van_trees/taper/30/rmse"] == np.sqrt(table.taper[0])
    law = 1.0 - table.law_box @ table.law_weights / table.variance_box
    assert values["van_trees/box/test_law/r2"] == pytest.approx(law)
    assert values["van_trees/box_unbiased/45/r2"] < 0.0 < values["van_trees/box/45/r2"]


def test_more_noise_raises_every_bound(grid, noise, table):
    double = van_trees(grid, noise, CONDITIONS, MAGNITUDES, LAW, 2.0)
    assert (double.box > table.box).all() and (double.law_taper > table.law_taper).all()


def test_files_keep_everything(table, tmp_path):
    table.write(tmp_path / "a.h5")
    read = VanTreesTable.read(tmp_path / "a.h5")
    np.testing.assert_array_equal(read.law_box, table.law_box)
    assert read.conditions == {"noise": 1.0, "source": "lines"} and read.variance_box == table.variance_box
    read.write(tmp_path / "b.h5")
    assert sha256(tmp_path / "a.h5") == sha256(tmp_path / "b.h5")
    with pytest.raises(DataError, match="no such file"):
        VanTreesTable.read(tmp_path / "c.h5")


def test_bad_arguments_are_named(grid, noise):
    with pytest.raises(ParameterError, match="noise level 0.0 must be positive"):
        van_trees(grid, noise, CONDITIONS, MAGNITUDES, LAW, 0.0)
    with pytest.raises(ParameterError, match="'C_M' is not a free axis"):
        van_trees(grid, noise, CONDITIONS, MAGNITUDES, LAW, target="C_M")
