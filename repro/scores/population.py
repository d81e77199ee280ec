"""Which population statistics over nodes speak of: always that of the published lattice.

The published numbers are medians and means over all nodes of the lattice. A grid that leaves some of them out, as the
pinned pack does, would have others by its choice of nodes alone. Each of its nodes therefore counts as often as nodes
of the published lattice lie nearest to it, axis by axis. On the whole lattice every node counts once.
"""

import math

import numpy as np
from numpy.typing import NDArray

from repro.labels import LABELS
from repro.spectra.lattice import paper_5d


def published_rows(labels: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows of the nodes (N,), those repeated that stand for several published ones, from labels (N, 5)."""
    times = np.ones(len(labels), dtype=np.intp)
    for column, name in enumerate(LABELS):
        nodes, place = np.unique(labels[:, column], return_inverse=True)
        times *= _shares(nodes, np.array(paper_5d().axes[name]))[place]
    return np.repeat(np.arange(len(labels)), times)


def _shares(nodes: NDArray[np.float64], published: NDArray[np.float64]) -> NDArray[np.intp]:
    """In smallest whole numbers, how many `published` values between the ends are nearest to each of `nodes`.

    A value midway between two nodes counts half for each; a node that is nearest to none counts once.
    """
    inside = published[(published >= nodes[0]) & (published <= nodes[-1])]
    distance = np.abs(inside[:, None] - nodes)
    nearest = distance <= distance.min(axis=1, keepdims=True) + 1e-9
    halves = np.round((2.0 * nearest / nearest.sum(axis=1, keepdims=True)).sum(axis=0)).astype(np.intp)
    halves[halves == 0] = 2
    return halves // math.gcd(*halves.tolist())
