"""Spectra between the nodes of a grid: cubic splines with not-a-knot ends, as the original generator used.

A spline through nodes is linear in the values at the nodes, so each spectrum is a weighted sum of node spectra; the
weights serve the flux and the HSC-i flux behind the zero point alike. Along one axis these are the few nodes of a line.
In all axes they are all nodes: there the same splines are written in B-splines, of which four an axis differ from zero,
and the node spectra in their leading directions, so that the sum runs over at most 4^5 short rows.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, CubicSpline, make_interp_spline
from scipy.sparse import csr_array

from repro.errors import DataError
from repro.labels import LABELS
from repro.spectra.lattice import Lattice
from repro.spectra.lowrank import blocks, principal_directions
from repro.spectra.nodes import NodeGrid

Spectra = tuple[NDArray[np.float64], NDArray[np.float64]]  # flux (n, 4096), zero_point (n,)

RANK: Final = 512  # directions of `TensorSpline`; all of them on a grid of fewer nodes
MAX_RANK_ERROR: Final = 1e-3  # of the flux, at the nodes: that of a spline between them is no smaller

# Matrix products are always of this many rows: a BLAS may round the same row differently in another shape.
_ROWS: Final = 64


def spline_along_axis(grid: NodeGrid, axis: str | NDArray[np.str_], labels: NDArray[np.float64]) -> Spectra:
    """Spectra at labels of which one lies between the nodes and the other four on nodes.

    The spline runs through the models that the line has; a node on it without a model is left out, as the original
    generator did.

    Args:
        axis: the label interpolated, one for all or one for each spectrum (n,).
        labels: (n, 5).

    Returns:
        Surface flux (n, 4096) and zero point (n,), each row independent of the others to the last bit.

    Raises:
        DataError: a label is outside the lattice or the models of its line, one that should lie on a node does not, or
            a line has fewer than two models.
    """
    weights = line_weights(grid.lattice, np.broadcast_to(np.asarray(axis), len(labels)), labels)
    rows, compact = np.unique(weights.indices, return_inverse=True)
    local = csr_array((weights.data, compact, weights.indptr), shape=(len(labels), len(rows)))
    return local @ grid.flux[rows].astype(np.float64), _zero_point(local @ _band_flux(grid.zero_point[rows]))


class TensorSpline:
    """Spectra at any labels inside a lattice: the tensor product of the splines of its free axes.

    Args:
        grid: without missing nodes.
        rank: leading directions of the node spectra, each divided by its median, that stand for them.

    Attributes:
        error: largest relative difference between a node's flux and what the directions keep of it; 0 up to rounding
            where the grid has no more nodes than `rank`.
        basis: the directions, (rank, 4096), orthonormal, leading ones first.
        coefficients: of the B-splines of each direction and, last, of the HSC-i flux, (N, rank + 1).
        splines: the B-splines of each of the five axes.

    Raises:
        DataError: nodes are missing, or `error` exceeds `MAX_RANK_ERROR`.
    """

    def __init__(self, grid: NodeGrid, rank: int = RANK) -> None:
        grid.lattice.require_whole("interpolation in all labels at once")
        self._lattice = grid.lattice
        n_nodes, n_pixels = grid.flux.shape
        self.basis = principal_directions(lambda rows: _unit_median(grid.flux[rows]), n_nodes, n_pixels, rank)
        coefficients = np.empty((n_nodes, len(self.basis) + 1))
        coefficients[:, -1] = _band_flux(grid.zero_point)
        self.error = 0.0
        for rows in blocks(n_nodes):
            flux = grid.flux[rows].astype(np.float64)
            coefficients[rows, :-1] = flux @ self.basis.T
            self.error = max(self.error, float(np.abs(coefficients[rows, :-1] @ self.basis / flux - 1.0).max()))
        if self.error > MAX_RANK_ERROR:
            raise DataError(
                f"{len(self.basis)} directions keep the node spectra to {self.error:.1e} of the flux only, "
                f"{MAX_RANK_ERROR:g} is allowed; make the set in the sampling mode `paper`"
            )
        self.splines = [BSplines(nodes) for nodes in grid.lattice.axes.values()]
        cube = grid.lattice.reshape(coefficients)
        for axis, spline in enumerate(self.splines):
            cube = spline.coefficients(cube, axis)
        self.coefficients = cube.reshape(n_nodes, -1)

    def __call__(self, labels: NDArray[np.float64]) -> Spectra:
        """Flux (n, 4096) and zero point (n,) at labels (n, 5), each row independent of the others to the last bit.

        Raises:
            DataError: a label is outside the lattice.
        """
        self._lattice.require_inside(labels)
        n = len(labels)
        values = np.zeros((-(-n // _ROWS) * _ROWS, self.coefficients.shape[1]))
        values[:n] = self._weights(labels) @ self.coefficients
        flux = np.empty((len(values), self.basis.shape[1]))
        for start in range(0, len(values), _ROWS):
            rows = slice(start, start + _ROWS)
            np.matmul(values[rows, :-1], self.basis, out=flux[rows])
        return flux[:n], _zero_point(values[:n, -1])

    def _weights(self, labels: NDArray[np.float64]) -> csr_array:
        """Values of the tensor-product B-splines, (n, N) sparse: at most 4^5 a row."""
        places: NDArray[Any] = np.zeros((len(labels), 1), dtype=np.int32)
        weights: NDArray[np.float64] = np.ones((len(labels), 1))
        for column, spline in enumerate(self.splines):
            first, along = spline.values(labels[:, column])
            here = first[:, None] + np.arange(along.shape[1], dtype=np.int32)
            places = (places[:, :, None] * spline.size + here[:, None, :]).reshape(len(labels), -1)
            weights = (weights[:, :, None] * along[:, None, :]).reshape(len(labels), -1)
        ends = np.arange(0, weights.size + 1, weights.shape[1], dtype=np.int32)
        return csr_array((weights.ravel(), places.ravel(), ends), shape=(len(labels), self._lattice.size))


class BSplines:
    """The B-splines in which the not-a-knot spline through nodes of one axis is written; a polynomial below four."""

    def __init__(self, nodes: tuple[float, ...]) -> None:
        self.size = len(nodes)
        self._nodes = np.array(nodes)
        self.degree = min(3, self.size - 1)
        if self.degree:
            self.knots = make_interp_spline(self._nodes, self._nodes, k=self.degree).t

    def coefficients(self, values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        """Of the spline through values at the nodes, which run along `axis`; of the same shape."""
        if not self.degree:
            return values
        spline = make_interp_spline(self._nodes, values, k=self.degree, axis=axis)
        return np.moveaxis(spline.c, 0, axis)

    def values(self, points: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Number of the first B-spline that differs from zero, (n,), and the values of it and the next, (n, k + 1)."""
        if not self.degree:
            return np.zeros(len(points), dtype=np.int32), np.ones((len(points), 1))
        inside = points.clip(self._nodes[0], self._nodes[-1])
        design = BSpline.design_matrix(inside, self.knots, self.degree)
        shape = (len(points), self.degree + 1)
        return design.indices.reshape(shape)[:, 0].astype(np.int32), design.data.reshape(shape)


def line_weights(
    lattice: Lattice, axis: NDArray[np.str_], labels: NDArray[np.float64], derivative: int = 0
) -> csr_array:
    """Weights (n, N), sparse, of the models on the line through each of the labels (n, 5) along its axis (n,).

    derivative: of which order along the axis, instead of the spectrum itself.

    Raises:
        DataError: as `spline_along_axis`, or an axis is unknown.
    """
    unknown = set(np.unique(axis).tolist()) - set(LABELS)
    if unknown:
        raise DataError(f"interpolation: {unknown.pop()!r} is none of the axes {', '.join(LABELS)}")
    lattice.require_inside(labels)
    _require_bracketed(lattice, axis, labels)
    shape = (len(labels), lattice.size)
    rows, columns, values = [], [], []
    for number, name in enumerate(LABELS):
        chosen = np.flatnonzero(axis == name)
        if not chosen.size:
            continue
        _require_others_on_nodes(lattice, name, labels, chosen)
        on_line = _line(lattice, name, labels[chosen])
        patterns, which = np.unique(on_line >= 0, axis=0, return_inverse=True)
        for pattern, present in enumerate(patterns):
            members = np.flatnonzero(which == pattern)
            nodes = np.array(lattice.axes[name])[present]
            columns.append(on_line[members][:, present].ravel())
            rows.append(np.repeat(chosen[members], len(nodes)))
            values.append(axis_weights(tuple(nodes), labels[chosen[members], number], derivative).ravel())
    if not rows:
        return csr_array(shape)
    return csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)


def bracketed(lattice: Lattice, axis: NDArray[np.str_], labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the line along its axis (n,) has models on both sides of each of the labels (n, 5), or one at it."""
    result = np.ones(len(labels), dtype=bool)
    if not lattice.missing:
        return result
    for number, name in enumerate(LABELS):
        chosen = np.flatnonzero(axis == name)
        present = _line(lattice, name, labels[chosen]) >= 0
        nodes = np.where(present, lattice.axes[name], np.nan)
        values = labels[chosen, number, None]
        enough = present.sum(axis=1) >= min(2, len(lattice.axes[name]))
        result[chosen] = enough & (nodes <= values).any(axis=1) & (nodes >= values).any(axis=1)
    return result


def _require_bracketed(lattice: Lattice, axis: NDArray[np.str_], labels: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~bracketed(lattice, axis, labels))
    if not bad.size:
        return
    row, name = bad[0], str(axis[bad[0]])
    present = _line(lattice, name, labels[[row]])[0] >= 0
    models = ", ".join(f"{node:g}" for node in np.array(lattice.axes[name])[present])
    raise DataError(
        f"row {row}: {name} = {labels[row, LABELS.index(name)]:g} is not between two models of its line, which has "
        f"models at {name} {models or 'nowhere'}"
    )


def _line(lattice: Lattice, name: str, labels: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows of the K nodes on the line along an axis through each of the labels, (n, K); -1 where there is no model."""
    size = len(lattice.axes[name])
    positions = np.repeat(lattice.nearest(labels)[:, None, :], size, axis=1)
    positions[:, :, LABELS.index(name)] = np.arange(size)
    return lattice.flat(positions.reshape(-1, len(LABELS))).reshape(-1, size)


def axis_weights(nodes: tuple[float, ...], values: NDArray[np.float64], derivative: int = 0) -> NDArray[np.float64]:
    """Weights (n, K) of K nodes in the not-a-knot cubic spline at values (n,); a parabola or line below four nodes.

    derivative: of which order, instead of the spline itself.
    """
    if len(nodes) == 1:
        return np.full((len(values), 1), 0.0 if derivative else 1.0)
    weights: NDArray[np.float64] = CubicSpline(nodes, np.eye(len(nodes)))(values, derivative)
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


def _unit_median(flux: NDArray[np.float32]) -> NDArray[np.float64]:
    return flux / np.median(flux, axis=1, keepdims=True).astype(np.float64)


def _band_flux(zero_point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Flux through HSC-i in magnitudes' units; linear in the spectrum, unlike the zero point."""
    return 10.0 ** (-0.4 * zero_point)


def _zero_point(band_flux: NDArray[np.float64]) -> NDArray[np.float64]:
    return -2.5 * np.log10(band_flux)
