"""The ceiling of a node grid against a plain loop over its nodes, and the file that keeps it."""

import os
import stat
from dataclasses import fields, replace

import h5py
import numpy as np
import pytest
import torch

from repro.bounds import ceiling
from repro.bounds.ceiling import lattice_ceiling
from repro.bounds.fisher import marginal
from repro.bounds.table import CeilingTable
from repro.errors import DataError, ParameterError
from repro.files import sha256
from repro.instrument.noise import Conditions, NoiseModel
from repro.labels import LABELS
from repro.scores.ceilings import summarise

CONDITIONS = Conditions(mag=0.0, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
MAGNITUDES = (18.0, 21.5, 23.0)


@pytest.fixture(scope="module")
def noise():
    return NoiseModel("paper")


@pytest.fixture(scope="module")
def table(grid, noise):
    return lattice_ceiling(grid, MAGNITUDES, noise, CONDITIONS, recorded={"source": "lines"})


def spectrum_and_error(grid, noise, node, magnitude):
    flux = torch.tensor(grid.flux[node : node + 1], dtype=torch.float64)
    error = noise(flux, torch.tensor(grid.zero_point[node : node + 1]), replace(CONDITIONS, mag=magnitude))
    scale = 0.5 / np.median(flux.numpy())
    return flux.numpy()[0] * scale, error.numpy()[0] * scale


def neighbour(grid, node, axis, step):
    position = np.array(np.unravel_index(node, grid.lattice.shape))
    position[axis] = min(max(position[axis] + step, 0), grid.lattice.shape[axis] - 1)
    return int(np.ravel_multi_index(position, grid.lattice.shape))


def plain_bound(grid, noise, node, magnitude):
    """One node by the textbook: secants between neighbours and a full inverse."""
    rows = []
    for axis in range(3):
        low, high = neighbour(grid, node, axis, -1), neighbour(grid, node, axis, 1)
        difference = spectrum_and_error(grid, noise, high, magnitude)[0] - spectrum_and_error(grid, noise, low, 18.0)[0]
        rows.append(difference / (grid.lattice.labels[high, axis] - grid.lattice.labels[low, axis]))
    error = spectrum_and_error(grid, noise, node, magnitude)[1]
    return np.linalg.inv((np.array(rows) / error**2) @ np.array(rows).T)


@pytest.mark.parametrize("node", [0, 27, 47, 99])
def test_bounds_equal_a_plain_computation_node_by_node(grid, noise, table, node):
    for m, magnitude in enumerate(MAGNITUDES[1:], start=1):
        inverse = plain_bound(grid, noise, node, magnitude)
        assert table.crlb[m, node] == pytest.approx(inverse[1, 1], rel=1e-5)
        correlation = inverse[1, 0] / np.sqrt(inverse[0, 0] * inverse[1, 1])
        assert table.correlations[m, node, 0] == pytest.approx(correlation, abs=1e-5)


def test_snr_is_that_of_all_nodes_and_pixels(grid, noise, table):
    pairs = [spectrum_and_error(grid, noise, node, 21.5) for node in range(grid.lattice.size)]
    snr = np.array([flux / error for flux, error in pairs])
    np.testing.assert_allclose(table.snr[1], np.median(snr, axis=1), rtol=1e-6)
    np.testing.assert_allclose(table.snr_percentiles[1], np.percentile(snr, (5, 50, 95)), rtol=1e-4)
    assert table.error_median[1] == pytest.approx(np.median([error for _, error in pairs]), rel=1e-4)


def test_the_bound_grows_with_the_square_of_the_noise_level(grid, noise, table):
    double = lattice_ceiling(grid, MAGNITUDES, noise, CONDITIONS, 2.0)
    np.testing.assert_array_equal(double.crlb, 4.0 * table.crlb)
    np.testing.assert_array_equal(double.schur, table.schur)
    np.testing.assert_allclose(double.snr_percentiles, 0.5 * table.snr_percentiles, rtol=1e-4)
    assert double.conditions == {"noise": 2.0}


def test_fainter_stars_have_higher_bounds_and_all_schemes_agree_inside(table):
    assert (np.diff(table.crlb, axis=0) > 0).all()
    assert table.identifiable.all() and table.interior.sum() == 3 * 3 * 2
    # the second-order scheme differs only where an axis ends
    np.testing.assert_array_equal(table.crlb_second_order[:, table.interior], table.crlb[:, table.interior])
    assert (table.crlb_second_order[:, ~table.interior] != table.crlb[:, ~table.interior]).all()


def test_a_finer_lattice_approaches_the_exact_bound(make_grid, spectrum_function, noise):
    """Second route to the derivatives: the central node of a coarse and a fine lattice against tiny steps."""

    def central_bound(step):
        axes = {"T_eff": 5000.0 + 400.0 * step, "log_g": 3.0 + step, "M_H": 0.6 * step}
        table = lattice_ceiling(make_grid(**axes), (21.5,), noise, CONDITIONS)
        middle = len(table.labels) // 2
        return table.crlb[0, middle], table.crlb_richardson[0, middle]

    step = np.arange(-2.0, 3.0)
    exact = central_bound(0.02 * step)[0]
    coarse, coarse_richardson = central_bound(step)
    fine, _ = central_bound(0.5 * step)
    assert (coarse - exact) / (fine - exact) == pytest.approx(4.0, abs=0.8)
    assert abs(coarse_richardson - exact) < 0.25 * abs(coarse - exact)


def test_routes_agree_to_one_per_cent_where_the_lattice_is_fine(make_grid, noise):
    """Secants, five points and spline on lines: the error of the differences is what separates them."""
    step = np.arange(-2.0, 3.0)
    grid = make_grid(T_eff=5000.0 + 125.0 * step, log_g=3.0 + 0.2 * step, M_H=0.1 * step)
    table = lattice_ceiling(grid, (21.5,), noise, CONDITIONS)
    for route in ("richardson", "spline"):
        other = getattr(table, f"crlb_{route}")[0, table.interior]
        np.testing.assert_allclose(other, table.crlb[0, table.interior], rtol=0.01)
    values = summarise(table)
    assert values["3D/interior/21.5/share_routes_within_1pc"] == 1.0 > values["3D/edges/21.5/share_routes_within_1pc"]
    assert values["3D/interior/21.5/crlb_spline_change_p90"] < 0.01 < values["3D/edges/21.5/crlb_spline_change_p90"]


def test_identities_hold(table):
    assert set(table.identities) == {"crlb_noise_squared", "schur_scalar_noise", "unit_rescaling"}
    assert max(table.identities.values()) < 1e-9
    assert summarise(table)["checks/unit_rescaling"] == table.identities["unit_rescaling"]


def test_an_absolute_ridge_breaks_the_identities(grid, noise, monkeypatch):
    """What V1 added to its matrices: the checks are there to notice it."""

    def ridged(information, target):
        return marginal(information + 1.0 * np.eye(information.shape[-1]), target)

    monkeypatch.setattr(ceiling, "marginal", ridged)
    monkeypatch.setattr(ceiling, "marginal_bound", lambda information, target: ridged(information, target).crlb)
    broken = lattice_ceiling(grid, (21.5,), noise, CONDITIONS).identities
    assert all(value > 1e-6 for value in broken.values())


def test_a_spectrum_without_a_valid_flux_is_named(grid, noise):
    flux = grid.flux.copy()
    flux[37, 5] = np.nan
    with pytest.raises(DataError, match=r"flux of node 37 \(T_eff .*pixel 5 is nan"):
        lattice_ceiling(replace(grid, flux=flux), (21.5,), noise, CONDITIONS)


def test_schur_complement_and_full_inverse_agree_everywhere(table):
    np.testing.assert_allclose(table.crlb_inverse, table.crlb, rtol=1e-8)


def test_block_size_and_order_of_magnitudes_do_not_matter(grid, noise, table):
    other = lattice_ceiling(grid, MAGNITUDES[::-1], noise, CONDITIONS, block=7)
    np.testing.assert_allclose(other.crlb[::-1], table.crlb, rtol=1e-10)
    np.testing.assert_array_equal(other.snr_percentiles[::-1], table.snr_percentiles)


def test_threads_leave_no_trace(grid, noise, monkeypatch, tmp_path):
    for cores in (1, 3):
        monkeypatch.setattr(ceiling.os, "cpu_count", lambda cores=cores: cores)
        lattice_ceiling(grid, MAGNITUDES, noise, CONDITIONS, block=9).write(tmp_path / f"{cores}.h5")
    assert sha256(tmp_path / "1.h5") == sha256(tmp_path / "3.h5")


def test_progress_counts_the_nodes(grid, noise):
    seen = []
    lattice_ceiling(grid, (21.5,), noise, CONDITIONS, block=48, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(48, 100), (96, 100), (100, 100)]


def test_a_label_without_effect_is_reported(grid, noise):
    flat = replace(grid, flux=np.repeat(grid.flux[:1], len(grid.flux), axis=0))
    table = lattice_ceiling(flat, (21.5,), noise, CONDITIONS)
    assert not table.identifiable.any() and np.isnan(table.crlb).all() and (table.rank == 0).all()


@pytest.mark.parametrize("level", [0.0, -1.0, float("nan"), float("inf")])
def test_noise_that_is_no_noise_is_refused(grid, noise, level):
    with pytest.raises(ParameterError, match="must be positive and finite"):
        lattice_ceiling(grid, (21.5,), noise, CONDITIONS, level)


def test_a_fixed_target_is_refused(grid, noise):
    with pytest.raises(ParameterError, match="'C_M' is not a free axis of this lattice"):
        lattice_ceiling(grid, (21.5,), noise, CONDITIONS, target="C_M")


def test_files_keep_everything_and_equal_tables_give_equal_bytes(table, tmp_path):
    first, second = tmp_path / "a.h5", tmp_path / "b.h5"
    table.write(first)
    read = CeilingTable.read(first)
    for entry in fields(CeilingTable):
        np.testing.assert_array_equal(getattr(read, entry.name), getattr(table, entry.name))
    read.write(second)
    assert sha256(first) == sha256(second)
    assert read.conditions == {"noise": 1.0, "source": "lines"} and read.free == LABELS[:3]


def test_broken_files_are_named(table, tmp_path):
    path = tmp_path / "ceiling.h5"
    with pytest.raises(DataError, match="ceiling.h5: no such file"):
        CeilingTable.read(path)
    table.write(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="ceiling.h5.*cut short"):
        CeilingTable.read(path)
    table.write(path)
    with h5py.File(path, "a") as file:
        del file["schur"]
    with pytest.raises(DataError, match="dataset schur is missing"):
        CeilingTable.read(path)
    table.write(path)
    with h5py.File(path, "a") as file:
        del file["crlb"]
        file["crlb"] = table.crlb[:, :-1]
    with pytest.raises(DataError, match=r"'crlb' has shape \(3, 99\), expected \(3, 100\)"):
        CeilingTable.read(path)
    with h5py.File(path, "w") as file:
        file["flux"] = [1.0]
    with pytest.raises(DataError, match="attribute format is not 'repro CeilingTable 2'"):
        CeilingTable.read(path)


def test_a_failed_write_leaves_the_old_file(table, tmp_path):
    path = tmp_path / "ceiling.h5"
    table.write(path)
    before = sha256(path)
    unwritable = replace(table, conditions={"noise": object()})
    with pytest.raises(TypeError):
        unwritable.write(path)
    assert sha256(path) == before
    assert [entry.name for entry in os.scandir(tmp_path)] == ["ceiling.h5"]
    assert stat.S_ISREG(path.stat().st_mode)
