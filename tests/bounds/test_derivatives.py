"""Lattice derivatives: exact on the polynomials they are built for, and of the promised order on others."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from repro.bounds.derivatives import SCHEMES, derivative_stencil, interior, jacobians, lattice_derivatives
from repro.bounds.fisher import fisher_information, marginal
from repro.errors import ParameterError
from repro.labels import LABELS
from repro.spectra.lattice import Lattice, paper_3d, paper_5d

# of the polynomials that a scheme differentiates exactly, everywhere
DEGREES = [("first_order", 1), ("second_order", 2), ("richardson", 4), ("spline", 3)]


def lattice(**axes):
    """A lattice whose unnamed axes hold the single value 0."""
    return Lattice({name: tuple(axes.get(name, (0.0,))) for name in LABELS})


def axis(step, count=9, start=0.3):
    return start + step * np.arange(count)


@pytest.mark.parametrize(
    ("scheme", "degree"), [("first_order", 1), ("second_order", 2), ("richardson", 4), ("spline", 3)]
)
def test_polynomials_up_to_the_degree_of_the_scheme_are_exact(scheme, degree):
    grid = lattice(T_eff=axis(0.5, 6), log_g=axis(0.25, 7), M_H=axis(0.1, 5))
    t, g, m = grid.labels[:, 0], grid.labels[:, 1], grid.labels[:, 2]
    flux = np.stack([t**degree, g**degree * t, m**degree + g], axis=1)
    truth = np.zeros((len(t), 3, 3))
    truth[:, 0, 0] = degree * t ** (degree - 1)
    truth[:, 0, 1] = g**degree
    truth[:, 1, 1] = degree * g ** (degree - 1) * t
    truth[:, 1, 2] = 1.0
    truth[:, 2, 2] = degree * m ** (degree - 1)
    np.testing.assert_allclose(lattice_derivatives(flux, grid, edges=scheme), truth, atol=1e-10)


@pytest.mark.parametrize(
    ("scheme", "place", "order"),
    [
        ("first_order", "centre", 2),
        ("first_order", "edge", 1),
        ("second_order", "centre", 2),
        ("second_order", "edge", 2),
        ("richardson", "centre", 4),
        ("richardson", "edge", 4),
        ("spline", "centre", 4),
        ("spline", "edge", 3),
    ],
)
def test_error_falls_with_the_order_of_the_scheme(scheme, place, order):
    errors = []
    for step in (0.1, 0.05):
        # the node whose error is measured sits at 1.0 for both steps
        node = 4 if place == "centre" else 0
        grid = lattice(log_g=axis(step, 9, start=1.0 - node * step))
        flux = np.exp(1.5 * grid.labels[:, 1:2])
        errors.append(abs(lattice_derivatives(flux, grid, edges=scheme)[node, 0, 0] - 1.5 * np.exp(1.5)))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.35)


def test_richardson_is_the_extrapolation_of_steps_h_and_2h():
    grid = lattice(log_g=axis(0.2, 9))
    flux = np.exp(grid.labels[:, 1:2])
    h = (flux[5] - flux[3]) / 0.4
    h2 = (flux[6] - flux[2]) / 0.8
    got = lattice_derivatives(flux, grid, edges="richardson")[4, 0]
    np.testing.assert_allclose(got, (4.0 * h - h2) / 3.0, rtol=1e-12)


def test_the_spline_s_slope_is_that_of_the_interpolating_spline():
    grid = lattice(T_eff=(4.0, 4.25, 4.75, 5.0, 6.0, 6.25), log_g=(1.0, 1.5, 2.0), C_M=(0.0, 0.5))
    flux = np.random.default_rng(5).normal(size=(grid.size, 4))
    cube = flux.reshape(6, 3, 2, 4)
    got = lattice_derivatives(flux, grid, edges="spline").reshape(6, 3, 2, 3, 4)
    for axis, name in enumerate(grid.free):  # a parabola through three nodes, a line through two
        nodes = np.array(grid.axes[name])
        expected = CubicSpline(nodes, cube, axis=axis)(nodes, 1)
        np.testing.assert_allclose(got[:, :, :, axis], expected, atol=1e-12)


def test_all_schemes_together_give_what_each_gives_alone():
    grid = holed(lattice(T_eff=axis(1.0, 5), log_g=axis(0.5, 6)), (2, 3, 0, 0, 0))
    flux = np.random.default_rng(6).normal(size=(grid.size, 7)).astype(np.float32)
    stencils = [derivative_stencil(grid, scheme) for scheme in SCHEMES]
    for nodes in (slice(4, 17), np.array([20, 3, 3])):
        for scheme, together in zip(SCHEMES, jacobians(stencils, flux, nodes), strict=True):
            dense = np.zeros((grid.size, 2, grid.size))
            stencil = derivative_stencil(grid, scheme)
            np.add.at(dense, (*np.ogrid[: grid.size, :2, :0][:2], stencil.neighbours), stencil.weights)
            np.testing.assert_allclose(together, (dense @ flux.astype(np.float64))[nodes], atol=1e-12)


def test_the_paper_s_scheme_is_the_secant_over_two_steps_and_one_step_at_the_edges():
    rng = np.random.default_rng(0)
    grid = lattice(T_eff=(4000.0, 4250.0, 4500.0, 4750.0), log_g=(1.0, 1.5, 2.0))
    flux = rng.normal(size=(12, 5))
    cube = flux.reshape(4, 3, 5)
    got = lattice_derivatives(flux, grid).reshape(4, 3, 2, 5)
    np.testing.assert_allclose(got[1, 1, 0], (cube[2, 1] - cube[0, 1]) / 500.0, rtol=1e-12)
    np.testing.assert_allclose(got[0, 2, 0], (cube[1, 2] - cube[0, 2]) / 250.0, rtol=1e-12)
    np.testing.assert_allclose(got[3, 2, 1], (cube[3, 2] - cube[3, 1]) / 0.5, rtol=1e-12)


def test_only_free_axes_are_differentiated_and_blocks_equal_the_whole():
    grid = lattice(log_g=axis(0.5, 4), C_M=(-0.25, 0.0))
    flux = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)
    stencil = derivative_stencil(grid, "richardson")
    assert stencil.names == ("log_g", "C_M")
    whole = stencil.jacobian(flux)
    parts = np.concatenate([stencil.jacobian(flux, slice(0, 3)), stencil.jacobian(flux, np.arange(3, 8))])
    np.testing.assert_array_equal(whole, parts)


def test_interior_counts_of_the_published_lattices():
    three, five = interior(paper_3d()), interior(paper_5d())
    assert three.sum() == 8 * 7 * 12 and three.size == 1260
    assert five.sum() == 5376 and five.size == 30240


def test_bad_requests_name_the_choices():
    with pytest.raises(ParameterError, match="'central' is unknown.*first_order"):
        derivative_stencil(lattice(log_g=(1.0, 2.0)), "central")
    with pytest.raises(ParameterError, match="no axis with more than one node"):
        derivative_stencil(lattice())


UNEQUAL = (3750.0, 4250.0, 4500.0, 5250.0, 6000.0, 6100.0)


@pytest.mark.parametrize(
    ("scheme", "degree"), [("first_order", 1), ("second_order", 2), ("richardson", 4), ("spline", 3)]
)
def test_unequal_steps_keep_the_degree_of_exactness(scheme, degree):
    grid = lattice(T_eff=np.array(UNEQUAL) / 1000.0, C_M=(-0.75, -0.25, 0.0, 0.2, 0.5))
    t, c = grid.labels[:, 0], grid.labels[:, 4]
    flux = np.stack([t**degree, c**degree + t], axis=1)
    got = lattice_derivatives(flux, grid, edges=scheme)
    np.testing.assert_allclose(got[:, 0, 0], degree * t ** (degree - 1), rtol=1e-10)
    np.testing.assert_allclose(got[:, 1, 1], degree * c ** (degree - 1), atol=1e-10)


def test_inside_unequal_steps_are_of_second_order_where_a_plain_secant_is_of_first():
    def errors(step):
        grid = lattice(log_g=(1.0 - step, 1.0, 1.0 + 2.0 * step))
        flux = np.exp(grid.labels[:, 1:2])
        secant = (flux[2, 0] - flux[0, 0]) / (3.0 * step)
        return abs(lattice_derivatives(flux, grid)[1, 0, 0] - np.e), abs(secant - np.e)

    (ours, plain), (ours_half, plain_half) = errors(0.02), errors(0.01)
    assert np.log2(ours / ours_half) == pytest.approx(2.0, abs=0.1)
    assert np.log2(plain / plain_half) == pytest.approx(1.0, abs=0.1)


def holed(whole, *holes):
    """A lattice without the nodes at some positions along its axes."""
    return Lattice(whole.axes, tuple(sorted(int(np.ravel_multi_index(hole, whole.shape)) for hole in holes)))


def by_hand(values, positions, cube, column):
    """The derivative at one node along one axis, from its neighbours in a cube with nan at the holes."""

    def at(offset):
        place = list(positions)
        place[column] += offset
        inside = 0 <= place[column] < cube.shape[column]
        return cube[tuple(place)] if inside else np.nan

    x = values[positions[column]]
    low, here, high = at(-1), at(0), at(1)
    if not np.isnan(low) and not np.isnan(high):
        left, right = x - values[positions[column] - 1], values[positions[column] + 1] - x
        return (left**2 * high - right**2 * low + (right**2 - left**2) * here) / (left * right * (left + right))
    if not np.isnan(high):
        return (high - here) / (values[positions[column] + 1] - x)
    return (here - low) / (x - values[positions[column] - 1])


def test_beside_a_hole_differences_are_one_sided_and_elsewhere_central():
    whole = lattice(T_eff=(4.0, 4.25, 4.75, 5.0, 6.0), log_g=(1.0, 1.5, 2.5, 3.0, 4.0))
    grid = holed(whole, (2, 2, 0, 0, 0), (4, 0, 0, 0, 0))
    flux = np.random.default_rng(3).normal(size=grid.size)
    cube = np.full(whole.shape, np.nan)
    cube[tuple(grid.positions.T)] = flux
    got = lattice_derivatives(flux[:, None], grid)[:, :, 0]
    for row, positions in enumerate(grid.positions):
        for column, name in enumerate(("T_eff", "log_g")):
            expected = by_hand(np.array(grid.axes[name]), positions, cube, column)
            assert got[row, column] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("scheme", "degree"), [("first_order", 1), ("second_order", 2), ("richardson", 4), ("spline", 3)]
)
def test_no_scheme_reaches_across_a_hole(scheme, degree):
    """Exact on polynomials on each side of it, whatever the other side holds."""
    grid = holed(lattice(log_g=axis(0.5, 11)), (0, 5, 0, 0, 0))
    g = grid.labels[:, 1]
    left = g < 0.3 + 0.5 * 5
    flux = np.where(left, g**degree, 100.0 - g)[:, None]
    truth = np.where(left, degree * g ** (degree - 1), -1.0)
    np.testing.assert_allclose(lattice_derivatives(flux, grid, edges=scheme)[:, 0, 0], truth, atol=1e-9)


def test_a_node_without_neighbours_along_an_axis_has_no_derivatives_and_no_bound():
    whole = lattice(T_eff=(4.0, 5.0, 6.0), log_g=(1.0, 2.0, 3.0))
    grid = holed(whole, (0, 1, 0, 0, 0), (2, 1, 0, 0, 0))
    flux = np.random.default_rng(4).normal(size=(grid.size, 50))
    lonely = int(grid.index(np.array([[5.0, 2.0, 0.0, 0.0, 0.0]]))[0])  # has neighbours in log_g, none in T_eff
    stencil = derivative_stencil(grid)
    np.testing.assert_array_equal(np.flatnonzero(~stencil.complete), [0, 1, lonely, 5, 6])
    bound = marginal(fisher_information(stencil.jacobian(flux), np.ones_like(flux)), 1)
    np.testing.assert_array_equal(bound.identifiable, stencil.complete)
    np.testing.assert_array_equal(np.isnan(bound.crlb), ~stencil.complete)


def test_neighbours_of_a_hole_are_not_interior():
    whole = lattice(T_eff=axis(1.0, 5), log_g=axis(1.0, 5))
    inside = interior(holed(whole, (2, 2, 0, 0, 0)))
    assert interior(whole).sum() == 9 and inside.sum() == 4
