import dataclasses

import h5py
import numpy as np
import pytest

from repro.errors import DataError, PackError
from repro.files import sha256
from repro.spectra import lowrank, pack
from repro.spectra.lattice import Lattice
from repro.spectra.pack import check_pack, read_pack, write_pack


@pytest.fixture
def rough(grid):
    """A grid that no low rank can hold: noise of 1 % in every pixel."""
    random = np.random.default_rng(5)
    return dataclasses.replace(grid, flux=grid.flux * (1 + 0.01 * random.standard_normal(grid.flux.shape)).astype("f4"))


@pytest.fixture(scope="module")
def content(grid, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "pack.h5"
    write_pack(grid, path)
    return path.read_bytes()


@pytest.fixture
def path(content, tmp_path):
    (tmp_path / "pack.h5").write_bytes(content)
    return tmp_path / "pack.h5"


@pytest.mark.parametrize("tolerance", [1e-3, 1e-4, 1e-5])
def test_every_pixel_is_within_the_tolerance_even_where_the_rank_falls_short(rough, tmp_path, monkeypatch, tolerance):
    monkeypatch.setattr(pack, "_RANK", 5)
    reported = write_pack(rough, tmp_path / "pack.h5", tolerance)
    error = np.abs(read_pack(tmp_path / "pack.h5").flux / rough.flux.astype(float) - 1).max()
    assert error == reported
    assert 0.5 * tolerance < error <= tolerance  # the bound is used, not missed by far


def test_all_but_the_flux_is_kept_exactly(grid, path):
    back = read_pack(path)
    np.testing.assert_array_equal(back.zero_point, grid.zero_point)
    np.testing.assert_array_equal(back.wave, grid.wave)
    assert back.lattice == grid.lattice
    assert (back.source, back.fingerprint, back.microturbulence) == ("smooth", "code one", 2.0)


def test_a_smooth_grid_shrinks_and_gives_equal_bytes_twice(grid, path, tmp_path):
    assert path.stat().st_size < 0.15 * grid.flux.nbytes
    write_pack(grid, tmp_path / "again.h5")
    assert sha256(path) == sha256(tmp_path / "again.h5")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["again.h5", "pack.h5"]


def test_factors_multiply_exactly_so_that_no_blas_can_change_a_bit(path):
    with h5py.File(path) as file:
        coefficients, basis = pack._read_integers(file, "coefficients"), pack._read_integers(file, "basis")
        steps = file.attrs["coefficient_step"] * file["basis_step"][:]
    order = np.random.default_rng(2).permutation(len(steps))
    with h5py.File(path) as file:
        product = pack._product(coefficients, basis, float(file.attrs["coefficient_step"]), file["basis_step"][:])
    other = sum(np.outer(coefficients[k], basis[k]) * steps[k] for k in order)
    np.testing.assert_array_equal(product, other)


@pytest.mark.parametrize("values", [[0], [0, 1, -1, 2, -2], [127, -128], [70000, -70000], [2**40, -(2**40)]])
def test_integers_come_back(tmp_path, values):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        pack._write_integers(file, "x", np.array([values]), chunk_rows=1)
        assert pack._read_integers(file, "x").tolist() == [values]


def test_a_pack_too_large_is_not_written(rough, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "MAX_BYTES", 100_000)
    with pytest.raises(PackError, match=r"pack.h5: not written; .* allowed are 0 MB"):
        write_pack(rough, tmp_path / "pack.h5")
    assert not list(tmp_path.iterdir())


def test_packs_share_the_room_of_their_folder(grid, path, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "MAX_BYTES", int(1.5 * path.stat().st_size))
    path = path.rename(tmp_path / "nodes_3d.h5")
    write_pack(grid, path)  # in place of the one of that name
    with pytest.raises(PackError, match=r"nodes_5d.h5: not written; 0.2 MB beside 0.2 MB of other packs"):
        write_pack(grid, tmp_path / "nodes_5d.h5")
    assert [entry.name for entry in tmp_path.iterdir()] == ["nodes_3d.h5"]


def test_the_number_of_nodes_in_a_block_changes_nothing_but_rounding(grid, content, tmp_path, monkeypatch):
    monkeypatch.setattr(lowrank, "BLOCK", 30)
    assert write_pack(grid, tmp_path / "pack.h5") < 1e-4
    monkeypatch.undo()
    (tmp_path / "one.h5").write_bytes(content)
    np.testing.assert_allclose(read_pack(tmp_path / "pack.h5").flux, read_pack(tmp_path / "one.h5").flux, rtol=2e-4)


def test_holes_are_packed(grid, tmp_path):
    holed = grid.sub(Lattice(grid.lattice.axes, (0, 50)))
    assert write_pack(holed, tmp_path / "pack.h5") < 1e-4
    back = read_pack(tmp_path / "pack.h5")
    assert back.lattice == holed.lattice and back.flux.shape == (98, 4096)


def test_the_check_passes_for_the_code_that_made_it(path, source, instrument):
    assert 0 < check_pack(path, source, instrument, sample=5, seed=3) < 1e-4
    assert source.calls == 5


def test_a_pack_of_other_physics_is_refused(path, source, instrument):
    with pytest.raises(
        PackError, match=r"pack.h5: made by source smooth, code code one; the code at hand is .*code two"
    ):
        check_pack(path, type(source)(code="code two"), instrument)
    with pytest.raises(PackError, match=r"microturbulence of 2 km/s, asked for is 1 km/s"):
        check_pack(path, type(source)(microturbulence=1.0), instrument)


@pytest.mark.parametrize("changed", ["flux", "zero_point"])
def test_a_pack_whose_nodes_come_out_otherwise_is_refused(path, source, instrument, changed):
    def other(labels):
        flux, zero_point = instrument(labels)
        if changed == "flux":
            flux[:, 2000] *= 1.001
        else:
            zero_point = zero_point + 1e-3
        return flux, zero_point

    with pytest.raises(
        PackError, match=r"node \d+ \(T_eff .*\) synthesised again differs by 1.0e-03, more than 2.0e-04"
    ):
        check_pack(path, source, other)


@pytest.mark.parametrize("name", ["basis", "coefficients", "residual", "mean"])
def test_a_corrupted_pack_is_named(path, name):
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"pack.h5: dataset {name} is damaged"):
        read_pack(path)


def test_a_pack_cut_in_the_middle_is_named(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"pack.h5: cannot be read as a node pack; the file is cut short"):
        read_pack(path)


@pytest.mark.parametrize("name", ["basis", "coefficients", "residual", "mean", "basis_step"])
def test_a_missing_or_misshapen_part_is_named(path, name):
    with h5py.File(path, "r+") as file:
        values = file[name][:-1]
        del file[name]
    with pytest.raises(DataError, match=f"pack.h5: dataset {name} is missing"):
        read_pack(path)
    with h5py.File(path, "r+") as file:
        file[name] = values
    with pytest.raises(DataError, match=r"pack.h5: dataset \w+ has shape"):
        read_pack(path)
