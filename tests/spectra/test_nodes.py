import dataclasses

import h5py
import numpy as np
import pytest

from repro.errors import DataError
from repro.files import sha256
from repro.spectra.nodes import NodeGrid


@pytest.fixture
def path(grid, tmp_path):
    grid.write(tmp_path / "nodes.h5")
    return tmp_path / "nodes.h5"


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def test_a_grid_comes_back_as_it_was_written(grid, path):
    back = NodeGrid.read(path)
    assert back.lattice == grid.lattice
    for name in ("wave", "flux", "zero_point"):
        np.testing.assert_array_equal(getattr(back, name), getattr(grid, name))
    assert (back.source, back.fingerprint, back.microturbulence) == ("smooth", "code one", 2.0)
    assert back.flux.dtype == np.float32 and back.zero_point.dtype == np.float64


def test_equal_grids_give_equal_bytes(grid, path, tmp_path):
    grid.write(tmp_path / "again.h5")
    assert sha256(path) == sha256(tmp_path / "again.h5")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["again.h5", "nodes.h5"]


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.5, 0.99])
def test_a_file_cut_in_the_middle_is_named(path, fraction):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(DataError, match=r"nodes.h5: cannot be read as a node grid; the file is cut short"):
        NodeGrid.read(path)


def test_a_flipped_bit_in_the_flux_is_caught_by_its_checksum(path):
    with h5py.File(path) as file:
        offset = file["flux"].id.get_chunk_info(1).byte_offset + 1000
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"nodes.h5: dataset flux is damaged"):
        NodeGrid.read(path)


@pytest.mark.parametrize("name", ["flux", "zero_point", "wave", "axes/log_g"])
def test_a_missing_dataset_is_named(path, name):
    edit(path, lambda file: file.__delitem__(name))
    with pytest.raises(DataError, match=f"nodes.h5: dataset {name} is missing"):
        NodeGrid.read(path)


def test_a_missing_attribute_and_another_layout_are_named(path):
    edit(path, lambda file: file.attrs.__delitem__("fingerprint"))
    with pytest.raises(DataError, match="attribute fingerprint is missing"):
        NodeGrid.read(path)
    edit(path, lambda file: file.attrs.__setitem__("schema", 99))
    with pytest.raises(DataError, match="layout version 99"):
        NodeGrid.read(path)


def test_rows_that_do_not_match_the_lattice_are_refused(path):
    def shorten(file):
        axis = file["axes/M_H"][:-1]
        del file["axes/M_H"]
        file["axes/M_H"] = axis

    edit(path, shorten)
    with pytest.raises(DataError, match=r"dataset zero_point has shape \(100,\), the layout asks for 75"):
        NodeGrid.read(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_a_flux_that_is_not_finite_and_positive_is_named(path, value):
    edit(path, lambda file: file["flux"].__setitem__((41, 7), value))
    message = r"flux of node 41 \(T_eff 5000, log_g 1, M_H -0.5, a_M 0, C_M 0\) pixel 7 is .*finite and positive"
    with pytest.raises(DataError, match=message):
        NodeGrid.read(path)


def test_a_zero_point_that_is_not_finite_is_named(path):
    edit(path, lambda file: file["zero_point"].__setitem__(3, np.nan))
    with pytest.raises(DataError, match=r"zero_point of node 3 .* is nan"):
        NodeGrid.read(path)


def test_shuffled_wavelengths_are_named(path, grid):
    wave = grid.wave.copy()
    wave[[10, 2000]] = wave[[2000, 10]]
    dataclasses.replace(grid, wave=wave).write(path)
    with pytest.raises(DataError, match=r"wave\[10\] = 7954.* the PFS-MR pixel centre is 7104.48608 A \(2 of 4096"):
        NodeGrid.read(path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent.h5: no such file \(a node grid\)"):
        NodeGrid.read(tmp_path / "absent.h5")
