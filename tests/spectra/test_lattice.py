import numpy as np
import pytest

from repro.errors import DataError
from repro.labels import BOX, LABELS
from repro.spectra.lattice import Lattice, paper_3d, paper_5d


def test_paper_lattices_have_the_published_sizes():
    assert paper_3d().shape == (10, 9, 14, 1, 1) and paper_3d().size == 1260
    assert paper_5d().shape == (10, 9, 14, 4, 6) and paper_5d().size == 30240
    assert paper_3d().free == ("T_eff", "log_g", "M_H")
    for name, nodes in paper_5d().axes.items():
        assert (nodes[0], nodes[-1]) == BOX[name]


def test_labels_are_in_c_order_of_the_label_names():
    lattice = paper_5d()
    labels = lattice.labels
    assert labels.shape == (30240, 5)
    assert labels[0].tolist() == [3750.0, 1.0, -2.5, -0.25, -0.75]
    assert labels[1].tolist() == [3750.0, 1.0, -2.5, -0.25, -0.5]  # the last axis runs fastest
    cube = lattice.reshape(labels)
    assert cube.shape == (10, 9, 14, 4, 6, 5)
    assert cube[3, 4, 5, 1, 2].tolist() == [lattice.axes[n][k] for n, k in zip(LABELS, (3, 4, 5, 1, 2), strict=True)]


def test_index_inverts_labels_and_snap_finds_the_nearest_node():
    lattice = paper_3d()
    np.testing.assert_array_equal(lattice.index(lattice.labels), np.arange(lattice.size))
    random = np.random.default_rng(1)
    low, high = np.array([BOX[name] for name in LABELS]).T
    labels = low + (high - low) * random.random((500, 5))
    labels[:, 3:] = 0.0
    snapped = lattice.snap(labels)
    brute = lattice.labels[
        np.argmin(
            (np.abs(lattice.labels[None] - labels[:, None]) / np.array([250, 0.5, 0.25, 1, 1])).sum(axis=2), axis=1
        )
    ]
    np.testing.assert_array_equal(snapped, brute)


def test_a_label_between_nodes_is_refused_with_its_row_and_name():
    labels = paper_3d().labels[:3].copy()
    labels[2, 1] = 1.25
    with pytest.raises(DataError, match=r"row 2: log_g = 1.25 is not a node"):
        paper_3d().index(labels)


@pytest.mark.parametrize("value", [6000.1, 3749.0, np.nan])
def test_a_label_outside_is_refused_with_its_row_and_limits(value):
    labels = paper_3d().labels[:3].copy()
    labels[1, 0] = value
    with pytest.raises(DataError, match=r"row 1: T_eff = .* outside the lattice \(3750 to 6000\)"):
        paper_3d().require_inside(labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_g": (2.0, 1.0)}, "log_g must increase"),
        ({"log_g": (1.0, 1.0)}, "log_g must increase"),
        ({"M_H": ()}, "M_H must hold finite nodes"),
        ({"M_H": (0.0, float("nan"))}, "M_H must hold finite nodes"),
        ({"v_turb": (2.0,)}, "the axes must be"),
    ],
)
def test_impossible_axes_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        Lattice({**paper_3d().axes, **change})
