import dataclasses

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from repro.errors import DataError
from repro.labels import LABELS
from repro.spectra.interpolate import TensorSpline, axis_weights, bracketed, spline_along_axis
from repro.spectra.lattice import Lattice
from repro.spectra.sampling import draw, labels_of


@pytest.fixture(scope="module")
def spline(grid):
    return TensorSpline(grid)


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


def test_all_axes_agree_with_splines_one_after_the_other(grid, spline):
    labels, _ = drawn(grid, "continuous", 10)
    flux, _ = spline(labels)
    for row, values in enumerate(labels):
        rest = grid.lattice.reshape(grid.flux).astype(float)
        for name, value in zip(LABELS, values, strict=True):
            nodes = grid.lattice.axes[name]
            rest = CubicSpline(nodes, rest)(value) if len(nodes) > 1 else rest[0]
        np.testing.assert_allclose(flux[row], rest, rtol=1e-12)


@pytest.mark.parametrize("mode", ["paper", "continuous"])
def test_spectra_between_nodes_are_close_to_the_analytic_ones(grid, spline, truth, mode):
    labels, axes = drawn(grid, mode, 100)
    flux, zero_point = spline(labels) if mode == "continuous" else spline_along_axis(grid, axes, labels)
    expected, expected_zero_point = truth(labels)
    assert np.abs(flux / expected - 1).max() < 2e-3
    assert np.abs(zero_point - expected_zero_point).max() < 2e-3


def test_nodes_come_back(grid, spline):
    labels = grid.lattice.labels[::7]
    flux, zero_point = spline_along_axis(grid, "log_g", labels)
    np.testing.assert_allclose(flux, grid.flux[::7], rtol=1e-13)
    np.testing.assert_allclose(zero_point, grid.zero_point[::7], rtol=1e-13)
    np.testing.assert_allclose(spline(labels)[0], grid.flux[::7], rtol=1e-12)


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
def test_a_spectrum_does_not_depend_on_its_company(grid, spline, mode):
    labels, axes = drawn(grid, mode, 150)
    order = np.random.default_rng(0).permutation(150)

    def spectra(rows):
        return spline(labels[rows]) if mode == "continuous" else spline_along_axis(grid, axes[rows], labels[rows])

    flux, zero_point = spectra(np.arange(150))
    for part in (order, order[:1], order[:67]):
        other_flux, other_zero_point = spectra(part)
        np.testing.assert_array_equal(other_flux, flux[part])
        np.testing.assert_array_equal(other_zero_point, zero_point[part])


def test_labels_that_the_grid_cannot_give_are_refused(grid, spline):
    labels, axes = drawn(grid, "paper", 5)
    outside = labels.copy()
    outside[3, 1] = 5.5
    with pytest.raises(DataError, match=r"row 3: log_g = 5.5 lies outside"):
        spline(outside)
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


def holed(grid, *positions):
    return grid.sub(Lattice(grid.lattice.axes, tuple(sorted(positions))))


def test_a_line_with_holes_is_splined_through_its_other_models(grid):
    """Position 8 is (4000 K, log g 3, [M/H] -1), position 6 (4000 K, 2, 0)."""
    part = holed(grid, 6, 8)
    labels = np.array([[4000.0, 3.2, -1.0, 0.0, 0.0], [4000.0, 2.0, 0.3, 0.0, 0.0], [4200.0, 4.0, 0.0, 0.0, 0.0]])
    axes = np.array(["log_g", "M_H", "T_eff"])
    flux, zero_point = spline_along_axis(part, axes, labels)
    lines = (
        (1, [0, 4, 12, 16], [1.0, 2.0, 4.0, 5.0]),
        (2, [4, 5, 7], [-1.0, -0.5, 0.5]),
        (0, [14, 34, 54, 74, 94], grid.lattice.axes["T_eff"]),
    )
    for row, (column, rows, nodes) in enumerate(lines):
        expected = CubicSpline(nodes, grid.flux[rows].astype(float))(labels[row, column])
        np.testing.assert_allclose(flux[row], expected, rtol=1e-12)
        band = CubicSpline(nodes, 10 ** (-0.4 * grid.zero_point[rows]))(labels[row, column])
        assert zero_point[row] == pytest.approx(-2.5 * np.log10(band), rel=1e-12)


def test_a_line_that_cannot_give_a_label_is_named_with_the_models_it_has(grid):
    part = holed(grid, 0, 1, 2)  # 4000 K, log g 1 keeps [M/H] 0.5 alone
    labels = np.array([[5000.0, 1.0, 0.2, 0.0, 0.0], [4000.0, 1.0, 0.2, 0.0, 0.0]])
    assert bracketed(part.lattice, np.array(["M_H", "M_H"]), labels).tolist() == [True, False]
    with pytest.raises(DataError, match=r"row 1: M_H = 0.2 is not between two models .* models at M_H 0.5$"):
        spline_along_axis(part, "M_H", labels)
    end = holed(grid, 0)
    labels = np.array([[4000.0, 1.2, -1.0, 0.0, 0.0]])
    with pytest.raises(DataError, match=r"log_g = 1.2 is not between .* models at log_g 2, 3, 4, 5$"):
        spline_along_axis(end, "log_g", labels)
    with pytest.raises(DataError, match=r"interpolation in all labels at once needs every node"):
        TensorSpline(end)


def test_a_low_rank_keeps_smooth_spectra_and_says_how_well(grid, spline):
    labels, _ = drawn(grid, "continuous", 40)
    reduced = TensorSpline(grid, rank=8)
    assert spline.error < 1e-12 < 1e-6 < reduced.error < 1e-3
    difference = np.abs(reduced(labels)[0] / spline(labels)[0] - 1.0)
    assert 0.1 * reduced.error < difference.max() < 3.0 * reduced.error
    np.testing.assert_allclose(reduced(labels)[1], spline(labels)[1], rtol=1e-12)
    with pytest.raises(DataError, match=r"2 directions keep the node spectra to .* sampling mode `paper`"):
        TensorSpline(grid, rank=2)
