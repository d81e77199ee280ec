import dataclasses

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from repro.errors import DataError
from repro.labels import LABELS
from repro.spectra.interpolate import axis_weights, continuous, spline_along_axis
from repro.spectra.sampling import draw, labels_of


def drawn(grid, mode, n, seed=11):
    table = draw(mode, n, grid.lattice, seed, "train")
    return labels_of(table), table["interp_param"].astype(str)


def test_one_axis_agrees_with_scipys_spline_through_the_line(grid):
    labels, axes = drawn(grid, "paper", 30)
    flux, _ = spline_along_axis(grid, axes, labels)
    cube = grid.lattice.reshape(grid.flux)
    for row, name in enumerate(axes):
        column = LABELS.index(name)
        line = [nodes.index(value) if n != name else slice(None)
                for (n, nodes), value in zip(grid.lattice.axes.items(), labels[row], strict=True)]  # fmt: skip
        nodes = grid.lattice.axes[name]
        expected = CubicSpline(nodes, cube[tuple(line)].astype(float))(labels[row, column])
        np.testing.assert_allclose(flux[row], expected, rtol=1e-12)


def test_all_axes_agree_with_splines_one_after_the_other(grid):
    labels, _ = drawn(grid, "continuous", 10)
    flux, _ = continuous(grid, labels)
    for row, values in enumerate(labels):
        rest = grid.lattice.reshape(grid.flux).astype(float)
        for name, value in zip(LABELS, values, strict=True):
            nodes = grid.lattice.axes[name]
            rest = CubicSpline(nodes, rest)(value) if len(nodes) > 1 else rest[0]
        np.testing.assert_allclose(flux[row], rest, rtol=1e-12)


@pytest.mark.parametrize("mode", ["paper", "continuous"])
def test_spectra_between_nodes_are_close_to_the_analytic_ones(grid, truth, mode):
    labels, axes = drawn(grid, mode, 100)
    flux, zero_point = continuous(grid, labels) if mode == "continuous" else spline_along_axis(grid, axes, labels)
    expected, expected_zero_point = truth(labels)
    assert np.abs(flux / expected - 1).max() < 2e-3
    assert np.abs(zero_point - expected_zero_point).max() < 2e-3


def test_nodes_come_back(grid):
    labels = grid.lattice.labels[::7]
    flux, zero_point = spline_along_axis(grid, "log_g", labels)
    np.testing.assert_allclose(flux, grid.flux[::7], rtol=1e-13)
    np.testing.assert_allclose(zero_point, grid.zero_point[::7], rtol=1e-13)
    np.testing.assert_allclose(continuous(grid, labels)[0], grid.flux[::7], rtol=1e-12)


def test_zero_points_follow_the_flux_not_the_magnitude(grid):
    """The HSC-i flux is linear in the spectrum: it must stay the mean flux of the smooth instrument."""
    labels, axes = drawn(grid, "paper", 50)
    flux, zero_point = spline_along_axis(grid, axes, labels)
    ratio = flux.mean(axis=1) * 10 ** (0.4 * zero_point)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-7)


def test_weights_reproduce_every_cubic_and_short_lines():
    values = np.linspace(-1.0, 4.0, 23)
    nodes = (-1.0, 0.0, 0.5, 2.0, 3.5, 4.0)
    for polynomial in np.eye(4):
        np.testing.assert_allclose(
            axis_weights(nodes, values) @ np.polyval(polynomial, nodes), np.polyval(polynomial, values), atol=1e-12
        )
    np.testing.assert_allclose(axis_weights((-1.0, 4.0), values) @ [1.0, 6.0], values + 2.0)
    np.testing.assert_allclose(axis_weights((-1.0, 1.0, 4.0), values) @ [1.0, 1.0, 16.0], values**2, atol=1e-12)
    np.testing.assert_array_equal(axis_weights((2.0,), values), np.ones((23, 1)))


@pytest.mark.parametrize("mode", ["paper", "continuous"])
def test_a_spectrum_does_not_depend_on_its_company(grid, mode):
    labels, axes = drawn(grid, mode, 150)
    order = np.random.default_rng(0).permutation(150)

    def spectra(rows):
        return (
            continuous(grid, labels[rows])
            if mode == "continuous"
            else spline_along_axis(grid, axes[rows], labels[rows])
        )

    flux, zero_point = spectra(np.arange(150))
    for part in (order, order[:1], order[:67]):
        other_flux, other_zero_point = spectra(part)
        np.testing.assert_array_equal(other_flux, flux[part])
        np.testing.assert_array_equal(other_zero_point, zero_point[part])


def test_labels_that_the_grid_cannot_give_are_refused(grid):
    labels, axes = drawn(grid, "paper", 5)
    outside = labels.copy()
    outside[3, 1] = 5.5
    with pytest.raises(DataError, match=r"row 3: log_g = 5.5 lies outside"):
        continuous(grid, outside)
    between = labels.copy()
    between[2, [0, 1]] = 4100.0, 2.2
    with pytest.raises(DataError, match=r"row 2: .* is not a node"):
        spline_along_axis(grid, axes, between)
    with pytest.raises(DataError, match="'v_turb' is none of the axes"):
        spline_along_axis(grid, "v_turb", labels)


def test_interpolation_needs_no_particular_flux_scale(grid):
    labels, axes = drawn(grid, "paper", 5)
    scaled = dataclasses.replace(grid, flux=grid.flux * np.float32(2.0))
    np.testing.assert_array_equal(
        spline_along_axis(scaled, axes, labels)[0], 2 * spline_along_axis(grid, axes, labels)[0]
    )
