"""Nodes without a model: what is left keeps its order, and who asks for a missing one is told which."""

import dataclasses

import h5py
import numpy as np
import pytest

from repro.errors import DataError
from repro.spectra.lattice import Lattice, pack_5d, paper_3d, paper_5d
from repro.spectra.nodes import NodeGrid

HOLES = (0, 17, 18, 99)


@pytest.fixture
def holed(grid):
    """The smooth grid less four of its nodes."""
    lattice = Lattice(grid.lattice.axes, HOLES)
    kept = np.delete(np.arange(100), HOLES)
    return dataclasses.replace(grid, lattice=lattice, flux=grid.flux[kept], zero_point=grid.zero_point[kept])


def test_labels_are_those_of_the_product_less_the_missing(lattice):
    holed = Lattice(lattice.axes, HOLES)
    assert holed.shape == lattice.shape and holed.size == 96
    np.testing.assert_array_equal(holed.labels, np.delete(lattice.labels, HOLES, axis=0))
    np.testing.assert_array_equal(holed.index(holed.labels), np.arange(96))
    np.testing.assert_array_equal(holed.rows.ravel()[list(HOLES)], -1)
    np.testing.assert_array_equal(holed.rows[tuple(holed.positions.T)], np.arange(96))


def test_a_missing_node_is_named(lattice):
    holed = Lattice(lattice.axes, HOLES)
    with pytest.raises(DataError, match="row 2: the lattice has no model at T_eff 4000, log_g 5, M_H -0.5, a_M 0"):
        holed.index(lattice.labels[[3, 4, 17]])
    with pytest.raises(DataError, match="4 of 100 have no model, the first at T_eff 4000, log_g 1, M_H -1"):
        holed.reshape(holed.labels)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ((3, 2), "must increase strictly"),
        ((3, 3), "must increase strictly"),
        ((-1,), "positions run from 0 to 99"),
        ((5, 100), "positions run from 0 to 99"),
        (tuple(range(100)), "at least one node must have a model"),
    ],
)
def test_impossible_holes_are_refused(lattice, missing, message):
    with pytest.raises(DataError, match=message):
        Lattice(lattice.axes, missing)


def test_a_grid_with_holes_comes_back_and_one_without_has_no_trace_of_them(holed, grid, tmp_path):
    holed.write(tmp_path / "holed.h5")
    back = NodeGrid.read(tmp_path / "holed.h5")
    assert back.lattice == holed.lattice
    np.testing.assert_array_equal(back.flux, holed.flux)
    grid.write(tmp_path / "whole.h5")
    with h5py.File(tmp_path / "whole.h5") as file:
        assert "missing" not in file


def test_holes_that_do_not_fit_the_file_are_named(holed, tmp_path):
    holed.write(tmp_path / "holed.h5")
    with h5py.File(tmp_path / "holed.h5", "r+") as file:
        file["missing"][:] = [0, 17, 18, 100]
    with pytest.raises(DataError, match="holed.h5: lattice: 4 missing nodes at positions 0 to 100 of 100"):
        NodeGrid.read(tmp_path / "holed.h5")
    with h5py.File(tmp_path / "holed.h5", "r+") as file:
        del file["missing"]
        file["missing"] = [0, 17, 18]
    with pytest.raises(DataError, match=r"zero_point has shape \(96,\), the layout asks for 97"):
        NodeGrid.read(tmp_path / "holed.h5")


def test_a_part_of_a_grid_keeps_its_spectra_and_its_holes(holed, grid):
    axes = {"T_eff": (4000.0, 5000.0), "M_H": (-1.0, 0.0, 0.5)}
    whole, part = grid.sub(grid.lattice.part(axes)), holed.sub(holed.lattice.part(axes))
    assert whole.lattice.size == 30 and part.lattice.size == 28  # the holes at -0.5 are not in it, nor that at 6000 K
    np.testing.assert_array_equal(whole.flux, grid.flux[grid.lattice.index(whole.lattice.labels)])
    rows = whole.lattice.index(part.lattice.labels)
    np.testing.assert_array_equal(part.flux, whole.flux[rows])
    np.testing.assert_array_equal(part.zero_point, whole.zero_point[rows])
    with pytest.raises(DataError, match="no model at T_eff 4000, log_g 1, M_H -1"):
        holed.sub(whole.lattice)
    with pytest.raises(DataError, match="T_eff = 4250 is not a node"):
        grid.lattice.part({**axes, "T_eff": (4250.0,)})


def test_the_packed_lattice_is_part_of_the_papers_and_spans_it():
    packed, paper = pack_5d(), paper_5d()
    assert packed.size == 10080
    paper.index(packed.labels)
    for name, nodes in packed.axes.items():
        assert (nodes[0], nodes[-1]) == (paper.axes[name][0], paper.axes[name][-1])
    assert paper.part({"a_M": (0.0,), "C_M": (0.0,)}) == paper_3d()
    with pytest.raises(DataError, match="the axes must be"):
        paper.part({"v_turb": (2.0,)})


@pytest.mark.parametrize("name", ["T_eff", "M_H", "C_M"])
def test_on_unequal_steps_the_nearest_node_takes_its_voronoi_cell(name):
    """Uniform draws snapped to the nodes weigh them by the distance to the middles between neighbours."""
    nodes = np.array(pack_5d().axes[name])
    labels = np.tile(pack_5d().labels[0], (20_001, 1))
    column = list(pack_5d().axes).index(name)
    labels[:, column] = np.linspace(nodes[0], nodes[-1], len(labels))
    shares = (pack_5d().snap(labels)[:, column, None] == nodes).mean(axis=0)
    edges = np.concatenate([nodes[:1], 0.5 * (nodes[1:] + nodes[:-1]), nodes[-1:]])
    np.testing.assert_allclose(shares, np.diff(edges) / (nodes[-1] - nodes[0]), atol=2e-4)
