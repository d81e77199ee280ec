"""Bounds at stars: those on nodes are the nodes', those between are those of the exact spectra, in both modes."""

import numpy as np
import pytest
import torch

from repro.bounds.ceiling import lattice_ceiling
from repro.bounds.fisher import fisher_information, marginal
from repro.bounds.scaling import unit_median_jacobian
from repro.bounds.star_noise import conditions_of, log_sigma_slopes, unknown_conditions, variances
from repro.bounds.star_table import StarBounds
from repro.bounds.stars import ERROR_SCATTER, LineSlopes, TensorSlopes, star_bounds
from repro.errors import DataError, ParameterError
from repro.files import sha256
from repro.instrument.noise import Conditions, NoiseModel
from repro.spectra.generate import SetRecipe, generate_set, normalise
from repro.spectra.lattice import Lattice
from repro.spectra.sampling import COLUMNS, labels_of
from repro.spectra.store import create_set, open_set

N = 32
MAGNITUDES = (36.0, 38.0)  # the lines of these spectra are strong


@pytest.fixture(scope="module")
def noise():
    return NoiseModel("paper")


@pytest.fixture(scope="module")
def fine_grid(make_grid):
    return make_grid(T_eff=range(4000, 6001, 400), log_g=np.arange(1.0, 5.1, 0.5), M_H=np.arange(-1.0, 0.6, 0.375))


@pytest.fixture(scope="module", params=["paper", "continuous"])
def stars(request, fine_grid, noise, tmp_path_factory):
    path = tmp_path_factory.mktemp("stars") / f"{request.param}.h5"
    generate_set(fine_grid, SetRecipe(request.param, N, "test", 5, MAGNITUDES), noise, path)
    return path


@pytest.fixture(scope="module")
def table(stars, fine_grid, noise):
    with open_set(stars) as opened:
        return star_bounds(fine_grid, opened, noise, recorded={"source": "lines"})


def exact_slopes(labels, spectrum_function):
    """Flux of median 0.5 and its derivatives (n, 3, P) by small steps of the spectra themselves."""
    values = torch.tensor(labels)
    flux = spectrum_function(values).numpy()
    columns = []
    for column, step in enumerate((1e-2, 1e-5, 1e-5)):  # K, dex, dex
        moved = values.repeat(2, 1, 1)
        moved[0, :, column] -= step
        moved[1, :, column] += step
        low, high = (spectrum_function(part).numpy() for part in moved)
        columns.append((high - low) / (2 * step))
    return 0.5 * flux / np.median(flux, axis=1, keepdims=True), unit_median_jacobian(flux, np.stack(columns, axis=1))


def test_bounds_are_those_of_exact_derivatives_with_the_stored_errors(stars, table, spectrum_function):
    with open_set(stars) as opened:
        error, labels = opened.read()[1].astype(float), labels_of(opened.labels)
    exact = marginal(fisher_information(exact_slopes(labels, spectrum_function)[1], error), 1)
    ratio = table.crlb / exact.crlb
    assert np.median(np.abs(ratio - 1.0)) < 0.01 and np.abs(ratio - 1.0).max() < 0.2  # the lattice step
    np.testing.assert_allclose(table.schur, exact.schur, atol=0.05)
    np.testing.assert_array_equal(table.crlb_3d, table.crlb)
    np.testing.assert_allclose(table.conditional, table.schur * table.crlb, rtol=1e-9)


def test_a_star_on_a_node_has_the_bound_of_the_node(grid, noise, tmp_path):
    nodes = np.array([0, 7, 33, 52, 99])
    conditions = Conditions(mag=38.0, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
    ceiling = lattice_ceiling(grid, (38.0,), noise, conditions, 1.5)
    labels = np.zeros(len(nodes), dtype=COLUMNS)
    for column, name in enumerate(("T_eff", "log_g", "M_H")):
        labels[name] = grid.lattice.labels[nodes, column]
    labels["mag"], labels["target_zenith_angle"], labels["target_field_angle"] = 38.0, 22.5, 0.325
    labels["seeing"], labels["interp_param"] = 1.0, [b"T_eff", b"log_g", b"M_H", b"log_g", b"T_eff"]
    raw = grid.flux[nodes].astype(float)
    flux, error = normalise(raw, np.sqrt(variances(noise, raw, grid.zero_point[nodes], conditions_of(labels))))
    with create_set(tmp_path / "set.h5", len(nodes), {"mode": "paper"}) as writer:
        writer.write(flux, error)
        writer.finish(labels)
    with open_set(tmp_path / "set.h5") as opened:
        table = star_bounds(grid, opened, noise, 1.5)
    np.testing.assert_allclose(table.crlb, ceiling.crlb_spline[0, nodes], rtol=1e-4)
    np.testing.assert_allclose(table.snr, ceiling.snr[0, nodes], rtol=1e-4)


def test_both_ways_to_differentiate_agree_on_lines(fine_grid):
    """The tensor spline on a line between nodes is the spline of that line; so are its slopes, but for the median."""
    labels = np.array([[4400.0, 2.6, -0.25, 0.0, 0.0], [4610.0, 3.0, 0.125, 0.0, 0.0], [5200.0, 4.0, 0.1, 0.0, 0.0]])
    on_lines = LineSlopes(fine_grid)(labels, np.array(["log_g", "T_eff", "M_H"]))
    anywhere = TensorSlopes(fine_grid)(labels, np.full(3, "all"))
    np.testing.assert_allclose(on_lines.flux, anywhere.flux, rtol=1e-5)
    scale = np.abs(anywhere.jacobian).max(axis=2, keepdims=True)
    np.testing.assert_allclose(on_lines.jacobian / scale, anywhere.jacobian / scale, atol=0.02)
    np.testing.assert_allclose(on_lines.zero_point_slopes, anywhere.zero_point_slopes, rtol=0.02, atol=2e-4)


@pytest.mark.parametrize("mode", ["paper", "physical"])
def test_slopes_of_the_noise_are_those_of_small_changes(mode, fine_grid):
    noise, rng = NoiseModel(mode), np.random.default_rng(2)
    labels = np.zeros(3, dtype=COLUMNS)
    labels["mag"], labels["target_zenith_angle"] = rng.uniform(20.5, 22.5, 3), (0.0, 17.0, 45.0)
    labels["target_field_angle"], labels["seeing"] = (0.65, 0.2, 0.0), (0.5, 1.03, 1.5)
    where = np.array([[4250.0, 2.6, -0.5, 0.0, 0.0], [4600.0, 3.0, 0.25, 0.0, 0.0], [5000.0, 4.0, 0.5, 0.0, 0.0]])
    slopes = TensorSlopes(fine_grid)(where, np.full(3, "all"))
    given = (slopes.flux, slopes.zero_point, slopes.jacobian, slopes.zero_point_slopes)
    variance, found = log_sigma_slopes(noise, *given, conditions_of(labels))
    assert found.shape[1] == 3 + len(unknown_conditions(noise)) == (6 if mode == "paper" else 7)
    for column, step in enumerate((1e-2, 1e-5, 1e-5)):
        moved = [
            variances(
                noise,
                slopes.flux + side * step * slopes.jacobian[:, column],
                slopes.zero_point + side * step * slopes.zero_point_slopes[:, column],
                conditions_of(labels),
            )
            for side in (-1.0, 1.0)
        ]
        np.testing.assert_allclose(found[:, column], np.log(moved[1] / moved[0]) / (4 * step), rtol=1e-4, atol=1e-9)
    brighter = labels.copy()
    brighter["mag"] += 1e-5
    change = np.log(variances(noise, slopes.flux, slopes.zero_point, conditions_of(brighter)) / variance) / 2e-5
    np.testing.assert_allclose(found[:, 3], change, rtol=1e-4)


def test_every_further_piece_of_knowledge_lowers_the_bound(table):
    assert (table.crlb_flux < table.crlb).all()
    assert (np.diff(table.crlb_error, axis=0) > 0).all() and (table.crlb_error[-1] < table.crlb_flux).all()
    np.testing.assert_array_equal(table.error_scatter, ERROR_SCATTER)
    # an array known to 1e-4 leaves hardly anything unknown
    assert (table.crlb_error[0] < 1e-2 * table.crlb).all()


def test_bounds_grow_with_the_noise_and_the_number_is_limited(stars, fine_grid, noise, table):
    with open_set(stars) as opened:
        double = star_bounds(fine_grid, opened, noise, 2.0, limit=20)
    assert len(double.stars) == 20
    np.testing.assert_allclose(double.crlb, 4.0 * table.crlb[:20], rtol=1e-9)
    np.testing.assert_allclose(double.snr, 0.5 * table.snr[:20], rtol=1e-6)


def test_a_set_of_another_grid_and_bad_arguments_are_refused(stars, fine_grid, grid, noise):
    with open_set(stars) as opened:
        with pytest.raises(ParameterError, match="noise level -1"):
            star_bounds(fine_grid, opened, noise, -1.0)
        with pytest.raises(ParameterError, match="'a_M' is not a free axis"):
            star_bounds(fine_grid, opened, noise, target="a_M")
        with pytest.raises(DataError):
            star_bounds(grid, opened, noise)


def test_a_line_beside_which_nodes_are_missing_has_no_slopes(grid):
    """A hole leaves one neighbour of node (4000 K, 1.0, -0.5) out along M_H only if both sides are gone."""
    holes = grid.lattice.index(np.array([[4000.0, 1.0, -1.0, 0.0, 0.0], [4000.0, 1.0, 0.0, 0.0, 0.0]]))
    lattice = Lattice(grid.lattice.axes, tuple(holes.tolist()))
    labels = np.array([[4000.0, 2.5, -0.5, 0.0, 0.0], [4000.0, 2.5, 0.5, 0.0, 0.0]])
    slopes = LineSlopes(grid.sub(lattice))(labels, np.array(["log_g", "log_g"]))
    assert not slopes.jacobian[0].any() and not slopes.zero_point_slopes[0].any()
    whole = LineSlopes(grid)(labels, np.array(["log_g", "log_g"]))
    assert np.abs(whole.jacobian).max(axis=2).all()


def test_files_keep_everything(table, tmp_path):
    table.write(tmp_path / "a.h5")
    read = StarBounds.read(tmp_path / "a.h5")
    np.testing.assert_array_equal(read.crlb_error, table.crlb_error)
    assert read.conditions["source"] == "lines"
    read.write(tmp_path / "b.h5")
    assert sha256(tmp_path / "a.h5") == sha256(tmp_path / "b.h5")
