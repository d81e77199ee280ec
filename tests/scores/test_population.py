"""A thinned lattice stands for the whole one: weights by hand, and a mean that the thinning must not change."""

import numpy as np

from repro.labels import LABELS
from repro.scores.population import published_rows
from repro.spectra.lattice import pack_5d, paper_3d, paper_5d


def test_on_the_published_lattices_every_node_counts_once() -> None:
    for lattice in (paper_3d(), paper_5d()):
        assert np.array_equal(published_rows(lattice.labels), np.arange(lattice.size))


def test_nodes_of_the_pack_count_for_those_left_out() -> None:
    lattice = pack_5d()
    rows = published_rows(lattice.labels)
    metallicity = lattice.labels[rows, LABELS.index("M_H")]
    # -2.5 stands for itself and half of -2.25; 0 for itself, half of -0.25 and 0.25; 0.75 for itself and 0.5
    share = {value: float(np.mean(metallicity == value)) * 14 for value in lattice.axes["M_H"]}
    expected = {-2.5: 1.5, -2.0: 2.0, -1.5: 2.0, -1.0: 2.0, -0.5: 2.0, 0.0: 2.5, 0.75: 2.0}
    assert {value: round(found, 9) for value, found in share.items()} == expected
    assert np.isclose(metallicity.mean(), paper_5d().labels[:, LABELS.index("M_H")].mean())
    carbon = lattice.labels[rows, LABELS.index("C_M")]
    assert len({int((carbon == value).sum()) for value in lattice.axes["C_M"]}) == 1


def test_other_axes_than_the_published_ones_are_taken_as_they_are() -> None:
    labels = np.array([[5000.0, 3.0, 0.1, 0.0, 0.0], [5001.0, 3.0, 0.1, 0.0, 0.0]])
    assert np.array_equal(published_rows(labels), [0, 1])
