"""Spectra between the nodes of a grid: cubic splines with not-a-knot ends, as the original generator used.

A spline through nodes is linear in the values at the nodes, so each spectrum is a weighted sum of node spectra. The
weights come from splines through unit vectors; they serve the flux and the HSC-i flux behind the zero point alike.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.sparse import csr_array

from repro.errors import DataError
from repro.labels import LABELS
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid

Spectra = tuple[NDArray[np.float64], NDArray[np.float64]]  # flux (n, 4096), zero_point (n,)

# Matrix products are always of this many rows: a BLAS may round the same row differently in another shape.
_ROWS: Final = 64
_COLUMNS: Final = 1024


def spline_along_axis(grid: NodeGrid, axis: str | NDArray[np.str_], labels: NDArray[np.float64]) -> Spectra:
    """Spectra at labels of which one lies between the nodes and the other four on nodes.

    Args:
        axis: the label interpolated, one for all or one for each spectrum (n,).
        labels: (n, 5).

    Returns:
        Surface flux (n, 4096) and zero point (n,), each row independent of the others to the last bit.

    Raises:
        DataError: a label is outside the lattice, or one that should lie on a node does not.
    """
    weights = line_weights(grid.lattice, np.broadcast_to(np.asarray(axis), len(labels)), labels)
    rows, compact = np.unique(weights.indices, return_inverse=True)
    local = csr_array((weights.data, compact, weights.indptr), shape=(len(labels), len(rows)))
    return local @ grid.flux[rows].astype(np.float64), _zero_point(local @ _band_flux(grid.zero_point[rows]))


def continuous(grid: NodeGrid, labels: NDArray[np.float64]) -> Spectra:
    """Spectra at any labels (n, 5) inside the lattice: tensor product of the splines of the free axes.

    Returns and raises as `spline_along_axis`, with no label asked to lie on a node.
    """
    grid.lattice.require_inside(labels)
    n = len(labels)
    weights = np.zeros((-(-n // _ROWS) * _ROWS, grid.lattice.size))
    weights[:n] = tensor_weights(grid.lattice, labels)
    flux = np.empty((len(weights), grid.flux.shape[1]))
    for first in range(0, grid.flux.shape[1], _COLUMNS):
        columns = slice(first, first + _COLUMNS)
        nodes = grid.flux[:, columns].astype(np.float64)
        for start in range(0, len(weights), _ROWS):
            flux[start : start + _ROWS, columns] = weights[start : start + _ROWS] @ nodes
    return flux[:n], _zero_point(csr_array(weights[:n]) @ _band_flux(grid.zero_point))


def line_weights(lattice: Lattice, axis: NDArray[np.str_], labels: NDArray[np.float64]) -> csr_array:
    """Weights (n, N), sparse, of the nodes on the line through each of the labels (n, 5) along its axis (n,).

    Raises:
        DataError: an axis is unknown, a label is outside the lattice, or one that should lie on a node does not.
    """
    unknown = set(np.unique(axis).tolist()) - set(LABELS)
    if unknown:
        raise DataError(f"interpolation: {unknown.pop()!r} is none of the axes {', '.join(LABELS)}")
    lattice.require_inside(labels)
    shape = (len(labels), lattice.size)
    rows, columns, values = [], [], []
    for number, name in enumerate(LABELS):
        chosen = np.flatnonzero(axis == name)
        if not chosen.size:
            continue
        _require_others_on_nodes(lattice, name, labels, chosen)
        nodes = lattice.axes[name]
        positions = np.repeat(lattice.nearest(labels[chosen])[:, None, :], len(nodes), axis=1)
        positions[:, :, number] = np.arange(len(nodes))
        columns.append(lattice.flat(positions.reshape(-1, len(LABELS))))
        rows.append(np.repeat(chosen, len(nodes)))
        values.append(axis_weights(nodes, labels[chosen, number]).ravel())
    if not rows:
        return csr_array(shape)
    return csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)


def tensor_weights(lattice: Lattice, labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (n, N) of all nodes for labels (n, 5): products of the weights along the axes."""
    weights = np.ones((len(labels), 1))
    for column, nodes in enumerate(lattice.axes.values()):
        along = axis_weights(nodes, labels[:, column])
        weights = (weights[:, :, None] * along[:, None, :]).reshape(len(labels), -1)
    return weights


def axis_weights(nodes: tuple[float, ...], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (n, K) of K nodes in the not-a-knot cubic spline at values (n,); a parabola or line below four nodes."""
    if len(nodes) == 1:
        return np.ones((len(values), 1))
    weights: NDArray[np.float64] = CubicSpline(nodes, np.eye(len(nodes)))(values)
    return weights


def _require_others_on_nodes(
    lattice: Lattice, name: str, labels: NDArray[np.float64], chosen: NDArray[np.intp]
) -> None:
    snapped = labels.copy()
    snapped[chosen, LABELS.index(name)] = lattice.axes[name][0]
    others = tuple(label for label in LABELS if label != name)
    outside = np.setdiff1d(np.arange(len(labels)), chosen)
    snapped[outside] = lattice.labels[0]  # rows of other axes are looked at in their own turn
    lattice.require_on_nodes(snapped, others)


def _band_flux(zero_point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Flux through HSC-i in magnitudes' units; linear in the spectrum, unlike the zero point."""
    return 10.0 ** (-0.4 * zero_point)


def _zero_point(band_flux: NDArray[np.float64]) -> NDArray[np.float64]:
    return -2.5 * np.log10(band_flux)
