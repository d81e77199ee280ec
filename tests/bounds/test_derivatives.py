"""Lattice derivatives: exact on the polynomials they are built for, and of the promised order on others."""

import numpy as np
import pytest

from repro.bounds.derivatives import derivative_stencil, interior, lattice_derivatives
from repro.errors import ParameterError
from repro.labels import LABELS
from repro.spectra.lattice import Lattice, paper_3d, paper_5d


def lattice(**axes):
    """A lattice whose unnamed axes hold the single value 0."""
    return Lattice({name: tuple(axes.get(name, (0.0,))) for name in LABELS})


def axis(step, count=9, start=0.3):
    return start + step * np.arange(count)


@pytest.mark.parametrize(("scheme", "degree"), [("first_order", 1), ("second_order", 2), ("richardson", 4)])
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
