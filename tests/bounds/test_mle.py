"""The bound is reached: at magnitude 18 the maximum-likelihood estimate of simulated stars scatters as it says."""

from pathlib import Path

import numpy as np
import pytest

from repro.bounds.derivatives import derivative_stencil
from repro.bounds.fisher import fisher_information, marginal
from repro.bounds.scaling import MEDIAN, node_errors, unit_median
from repro.instrument.noise import Conditions, NoiseModel
from repro.labels import LABELS
from repro.spectra.interpolate import TensorSpline
from repro.spectra.lattice import paper_3d, paper_5d
from repro.spectra.nodes import NodeGrid
from repro.spectra.pack import read_pack

PACK = Path(__file__).parents[2] / "data/pack/nodes_3d.h5"
AXES = {
    "T_eff": (4500.0, 4750.0, 5000.0, 5250.0, 5500.0),
    "log_g": (2.0, 2.5, 3.0, 3.5, 4.0),
    "M_H": (-1.0, -0.75, -0.5, -0.25, 0.0),
}
STAR = np.array([5000.0, 3.0, -0.5, 0.0, 0.0])
STEPS = {"T_eff": 5.0, "log_g": 0.01, "M_H": 0.01}
DRAWS = 600


@pytest.fixture(scope="module")
def part() -> NodeGrid:
    grid = read_pack(PACK)
    return grid.sub(grid.lattice.part(AXES))


def spectra(spline: TensorSpline, labels: np.ndarray) -> np.ndarray:
    flux = spline(labels)[0]
    return MEDIAN * flux / np.median(flux, axis=1, keepdims=True)


def slopes(spline: TensorSpline) -> np.ndarray:
    shifts = np.array([[step * (name == label) for label in LABELS] for name, step in STEPS.items()])
    above, below = spectra(spline, STAR + shifts), spectra(spline, STAR - shifts)
    return (above - below) / (2.0 * np.array(list(STEPS.values()))[:, None])


def test_the_maximum_likelihood_estimate_reaches_the_bound_at_magnitude_18(part: NodeGrid) -> None:
    spline = TensorSpline(part)
    jacobian = slopes(spline)
    scaled = unit_median(part)
    node = part.lattice.index(STAR[None])
    conditions = Conditions(mag=18.0, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
    error = node_errors(scaled, node, NoiseModel("paper"), conditions)
    bound = marginal(fisher_information(jacobian[None], error), list(STEPS).index("log_g")).crlb[0]

    observed = spectra(spline, STAR[None]) + error * np.random.default_rng(18).normal(size=(DRAWS, error.shape[1]))
    weighted = jacobian / error**2
    labels = np.tile(STAR, (DRAWS, 1))
    free = [LABELS.index(name) for name in STEPS]
    for _ in range(6):  # Newton's method with the information at the truth in place of the Hessian
        step = np.linalg.solve(weighted @ jacobian.T, weighted @ (observed - spectra(spline, labels)).T)
        labels[:, free] += step.T
    assert np.abs(step[1] / np.sqrt(bound)).max() < 0.01  # converged

    deviation = labels[:, LABELS.index("log_g")] - STAR[1]
    assert abs(deviation.mean()) < 4.0 * np.sqrt(bound / DRAWS)
    # four standard errors of a variance, and what the curvature of the spectra may add to it at this noise
    assert deviation.var() / bound == pytest.approx(1.0, abs=4.0 * np.sqrt(2.0 / DRAWS))


def test_lattice_and_spline_slopes_bound_alike_where_the_step_allows_it(part: NodeGrid) -> None:
    """Richardson slopes of five nodes against those of the spline at small steps: two routes to one bound."""
    node = part.lattice.index(STAR[None])
    scaled = unit_median(part)
    conditions = Conditions(mag=21.5, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
    error = node_errors(scaled, node, NoiseModel("paper"), conditions)
    bounds = []
    for scheme in ("richardson", "first_order"):
        on_lattice = derivative_stencil(part.lattice, scheme).jacobian(scaled.flux, node)
        bounds.append(marginal(fisher_information(on_lattice, error), 1).crlb[0])
    reference = marginal(fisher_information(slopes(TensorSpline(part))[None], error), 1).crlb[0]
    richardson, secant = np.array(bounds) / reference
    assert richardson == pytest.approx(1.0, abs=0.01)
    assert abs(secant - 1.0) > abs(richardson - 1.0)


def test_the_bound_does_not_depend_on_the_unit_of_temperature(part: NodeGrid) -> None:
    node = part.lattice.index(STAR[None])
    error = node_errors(
        unit_median(part),
        node,
        NoiseModel("paper"),
        Conditions(mag=21.5, zenith_angle=0.0, field_angle=0.0, seeing=1.0),
    )
    jacobian = slopes(TensorSpline(part))[None]
    scaled = jacobian * np.array([250.0, 1.0, 1.0])[:, None]
    one, other = (marginal(fisher_information(rows, error), 1) for rows in (jacobian, scaled))
    assert other.crlb == pytest.approx(one.crlb, rel=1e-10)
    assert other.schur == pytest.approx(one.schur, rel=1e-10)


def test_grids_have_the_published_number_of_nodes() -> None:
    assert read_pack(PACK).lattice.size == paper_3d().size == 1260
    assert paper_5d().size == 30240  # without holes; the published 30 182 are a fact about another source
