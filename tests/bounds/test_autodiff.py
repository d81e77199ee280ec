"""Forward-mode derivatives against small steps, and the comparison with lattice differences."""

from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
import torch

from repro.bounds.autodiff import compare_derivatives, label_jacobian, sample_nodes, step_jacobian
from repro.bounds.scaling import unit_median_jacobian
from repro.bounds.table import CeilingTable, DerivativeComparison
from repro.errors import DataError
from repro.files import sha256
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import pixel_centres
from repro.scores.ceilings import summarise_derivatives
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid

CONDITIONS = Conditions(mag=21.5, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
SOLAR = {"M_H": (0.0,), "a_M": (0.0,), "C_M": (0.0,)}


def compare(function, grid, nodes, noise, **options):
    labels = torch.from_numpy(grid.lattice.labels[nodes])
    slopes = label_jacobian(function, labels, grid.lattice.free).numpy()
    return compare_derivatives(slopes, grid, nodes, noise, CONDITIONS, **options)


def test_forward_derivatives_equal_small_steps(spectrum_function):
    labels = torch.tensor([[4310.0, 2.2, -0.4, 0.0, 0.0], [5820.0, 4.6, 0.3, 0.1, -0.2]], dtype=torch.float64)
    names = ("T_eff", "log_g", "M_H")
    exact = label_jacobian(spectrum_function, labels, names)
    stepped = step_jacobian(spectrum_function, labels, {"T_eff": 0.5, "log_g": 1e-3, "M_H": 1e-3})
    assert exact.shape == (2, 3, 4096)
    for k in range(3):
        error = torch.linalg.norm(exact[:, k] - stepped[:, k]) / torch.linalg.norm(exact[:, k])
        assert error < 1e-6


def test_labels_without_effect_have_zero_derivative(spectrum_function):
    labels = torch.tensor([[5000.0, 3.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert (label_jacobian(spectrum_function, labels, ("C_M",)) == 0.0).all()


@pytest.fixture(scope="module")
def noise():
    return NoiseModel("paper")


def grid_of(function, **axes):
    lattice = Lattice(SOLAR | {name: tuple(nodes) for name, nodes in axes.items()})
    flux = function(torch.tensor(lattice.labels)).numpy()
    return NodeGrid(lattice, pixel_centres(), flux, np.full(lattice.size, -20.0), "function", "", 2.0)


def test_comparison_is_zero_for_a_linear_function_and_known_for_a_cubic(noise):
    # slopes that leave the median where it is: no label touches the middle 20 % of the pixels by rank
    base = torch.linspace(1.0, 3.0, 4096, dtype=torch.float64)
    slopes = 0.02 * torch.tensor(np.random.default_rng(5).normal(size=(2, 4096))).clamp(-1.0, 1.0)
    slopes[:, 1640:2460] = 0.0

    def cubic(labels, curvature):
        t, g = (labels[:, 0:1] - 5000.0) / 1000.0, labels[:, 1:2] - 2.0
        return 1e6 * (base + t * slopes[0] + (g + curvature * g**3) * slopes[1])

    for curvature in (0.0, 0.4):
        function = partial(cubic, curvature=curvature)
        grid = grid_of(function, T_eff=(4500.0, 5000.0, 5500.0), log_g=np.arange(1.0, 4.0, 0.5))
        result = compare(function, grid, np.arange(18), noise)
        assert result.free == ("T_eff", "log_g")
        g = grid.lattice.labels[result.interior, 1] - 2.0
        # a central difference of g^3 with step h is 3 g^2 + h^2; float32 spectra limit the agreement
        expected = curvature * 0.25 / (1.0 + 3.0 * curvature * g**2)
        np.testing.assert_allclose(result.difference[:, 0], 0.0, atol=1e-4)
        np.testing.assert_allclose(result.difference[result.interior, 1], expected, atol=1e-4)
        np.testing.assert_allclose(result.crlb_ratio[result.interior], (1.0 + expected) ** -2, rtol=1e-4)


def test_comparison_on_lines_shows_what_the_lattice_step_costs(spectrum_function, noise):
    """On a lattice ten times finer the secants reach the exact derivatives."""
    differences, seen = [], []
    for step in (1.0, 0.1):
        offsets = step * np.array([-1.0, 0.0, 1.0])
        grid = grid_of(spectrum_function, T_eff=5000.0 + 500.0 * offsets, log_g=3.0 + offsets, M_H=0.5 * offsets)
        result = compare(
            spectrum_function, grid, np.array([0, 13]), noise, progress=lambda *counts: seen.append(counts)
        )
        assert list(result.interior) == [False, True]
        differences.append(result.difference[1])
    assert seen == [(1, 2), (2, 2)] * 2
    # the error of a secant falls with the square of the step
    assert (differences[0] > 0.005).all()
    np.testing.assert_allclose(differences[0] / differences[1], 100.0, rtol=0.1)


def test_routes_to_the_bound_agree_where_truncation_allows(spectrum_function, noise):
    """At a step where secants err by half a per cent, five points and the spline are exact to a tenth of that."""
    step = np.arange(-3.0, 4.0)
    grid = grid_of(spectrum_function, T_eff=5000.0 + 100.0 * step, log_g=3.0 + 0.25 * step)
    result = compare(spectrum_function, grid, np.array([24]), noise)
    assert 5e-4 < abs(result.crlb_ratio[0] - 1.0) < 0.01
    for other in (result.crlb_ratio_richardson, result.crlb_ratio_spline):
        assert abs(other[0] - 1.0) < 0.2 * abs(result.crlb_ratio[0] - 1.0)
    values = summarise_derivatives(result, "2D")
    assert values["2D/autodiff/share_crlb_within_1pc_spline"] == 1.0
    assert values["2D/autodiff/crlb_ratio_spline_median"] == result.crlb_ratio_spline[0]


def test_the_scale_of_the_spectra_does_not_matter(spectrum_function, noise):
    axes = {"T_eff": (4500.0, 5000.0, 5500.0), "log_g": (2.0, 3.0)}
    results = []
    for power in (0.0, 3.0):

        def function(labels, power=power):
            return spectrum_function(labels) * torch.exp(power * (labels[:, 1:2] - 2.0))

        grid = grid_of(function, **axes)
        # magnitudes are fixed: a brighter surface only changes the zero point
        dimmed = replace(
            grid, zero_point=grid.zero_point - 2.5 * power * np.log10(np.e) * (grid.lattice.labels[:, 1] - 2)
        )
        results.append(compare(function, dimmed, np.array([1, 2]), noise))
    np.testing.assert_allclose(results[1].difference, results[0].difference, rtol=1e-3)
    np.testing.assert_allclose(results[1].crlb, results[0].crlb, rtol=1e-4)


def test_a_comparison_survives_its_file(spectrum_function, noise, tmp_path):
    grid = grid_of(spectrum_function, T_eff=(4500.0, 5000.0, 5500.0), log_g=(2.0, 3.0))
    result = compare(spectrum_function, grid, np.array([1, 2]), noise)
    result.write(tmp_path / "a.h5")
    read = DerivativeComparison.read(tmp_path / "a.h5")
    for entry in fields(DerivativeComparison):
        np.testing.assert_array_equal(getattr(read, entry.name), getattr(result, entry.name))
    read.write(tmp_path / "b.h5")
    assert sha256(tmp_path / "a.h5") == sha256(tmp_path / "b.h5")
    with pytest.raises(DataError, match="attribute format is not 'repro CeilingTable 2'"):
        CeilingTable.read(tmp_path / "a.h5")
    values = summarise_derivatives(read, "2D")
    assert values["2D/autodiff/n_nodes"] == 2 and values["2D/autodiff/interior/n_nodes"] == 0
    assert values["2D/autodiff/difference_log_g_max"] == result.difference[:, 1].max()
    assert values["2D/autodiff/crlb_ratio_median"] == pytest.approx(np.median(result.crlb_ratio))
    assert "2D/autodiff/interior/crlb_ratio_median" not in values


def test_slope_of_the_median_is_what_finite_changes_show():
    """Pixels of random slopes about a trend: the median follows the trend, its own pixel does not."""
    rng = np.random.default_rng(2)
    base, trend = rng.uniform(1.0, 3.0, size=4096), 0.3
    slopes = trend + 0.3 * rng.normal(size=4096)
    step = 0.1
    low, high = (base + sign * step * slopes for sign in (-1.0, 1.0))
    expected = (0.5 * high / np.median(high) - 0.5 * low / np.median(low)) / (2.0 * step)
    got = unit_median_jacobian(base[None], slopes[None, None])[0, 0]
    scaled = 0.5 * base / np.median(base)
    # the derivative of the scale, seen in the pixels that follow the trend
    error = np.linalg.lstsq(scaled[:, None], got - expected, rcond=None)[0][0]
    assert abs(error) < 0.1 * trend / np.median(base)


def test_samples_are_seeded_sorted_and_distinct():
    first = sample_nodes(1260, 50, seed=3)
    np.testing.assert_array_equal(first, sample_nodes(1260, 50, seed=3))
    assert len(set(first)) == 50 and (np.diff(first) > 0).all()
    assert not np.array_equal(first, sample_nodes(1260, 50, seed=4))
    np.testing.assert_array_equal(sample_nodes(6, 50, seed=3), np.arange(6))


def test_an_unknown_label_is_an_error(spectrum_function):
    with pytest.raises(ValueError, match="not in tuple"):
        label_jacobian(spectrum_function, torch.zeros(1, 5, dtype=torch.float64), ("O_M",))
