"""Derivatives of spectra on the nodes of a lattice, by finite differences between the nodes themselves.

The original computation (scaling_fisher_ceiling_v2, section 2 of its log) takes secants over two lattice steps. The
order of its one-sided differences at the edges is not stated, so both orders are available; a five-point scheme and
the slope of the spline through the whole line tell how much the lattice step itself matters.

The first three are slopes of the polynomial through their points, so that they keep their order on unequal steps; the
spline is the one that spectra between the nodes are made with. Where a node has no model the line is cut: the nodes
beside it are edges.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.sparse import csr_array

from repro.errors import ParameterError
from repro.spectra.lattice import Lattice

Scheme = Literal["first_order", "second_order", "richardson", "spline"]
SCHEMES: Final[tuple[Scheme, ...]] = get_args(Scheme)

# scheme -> points used (inside, at an edge); the spline uses all of its line
_WIDTHS: Final = {"first_order": (3, 2), "second_order": (3, 3), "richardson": (5, 5)}


@dataclass(frozen=True)
class Stencil:
    """Finite-difference weights of every node along every free axis of a lattice.

    names: the k free labels, in `LABELS` order.
    neighbours: (N, k, s) node indices that enter each derivative.
    weights: (N, k, s) their weights [1 / label unit]; unused places have weight 0.
    complete: (N,) whether a node has a neighbour along every free axis. All weights of one that has not are 0, so that
        nothing passes for identifiable there: a label without a derivative is unknown, not known.
    """

    names: tuple[str, ...]
    neighbours: NDArray[np.intp]
    weights: NDArray[np.float64]
    complete: NDArray[np.bool_]

    def jacobian(
        self, flux: NDArray[np.floating], nodes: NDArray[np.intp] | slice = slice(None)
    ) -> NDArray[np.float64]:
        """Derivatives at some nodes, (B, k, P) [flux unit / label unit], of `flux` (N, P) given on all nodes."""
        return next(jacobians([self], flux, nodes))


def derivative_stencil(lattice: Lattice, scheme: Scheme = "first_order") -> Stencil:
    """Build the weights for all nodes of `lattice` (C order over `lattice.axes`).

    first_order: central over one step either side, one-sided two-point at edges (the reading of the paper's text).
    second_order: the same inside, one-sided three-point at edges.
    richardson: five points, shifted at edges; where it is centred it equals (4 D(h) - D(2h)) / 3.
    spline: slope of the cubic spline with not-a-knot ends through all nodes of the line.
    An axis with fewer nodes than a scheme asks for uses all of them.

    Raises:
        ParameterError: unknown scheme, or a lattice without a free axis.
    """
    if scheme not in SCHEMES:
        raise ParameterError(f"derivative scheme '{scheme}' is unknown; choose one of {', '.join(SCHEMES)}")
    if not lattice.free:
        raise ParameterError("the lattice has no axis with more than one node: there is nothing to differentiate")
    node = np.arange(lattice.size)
    width = max(lattice.shape) if scheme == "spline" else max(_WIDTHS[scheme])
    neighbours = np.tile(node[:, None, None], (1, len(lattice.free), width))
    weights = np.zeros(neighbours.shape)
    for column, name in enumerate(lattice.free):
        for lines, present in _lines(lattice, name):
            values = np.array(lattice.axes[name])[present]
            for run in np.split(np.arange(present.size), np.flatnonzero(np.diff(present) > 1) + 1):
                places, factors = _axis_stencil(values[run], scheme)
                rows, used = lines[:, run], places.shape[1]
                neighbours[rows, column, :used] = rows[:, places]
                weights[rows, column, :used] = factors
    complete = np.all(np.any(weights != 0.0, axis=2), axis=1)
    weights[~complete] = 0.0
    return Stencil(lattice.free, neighbours, weights, complete)


def jacobians(
    stencils: Sequence[Stencil], flux: NDArray[np.floating], nodes: NDArray[np.intp] | slice
) -> Iterator[NDArray[np.float64]]:
    """The derivatives (B, k, P) of each stencil in turn, from the spectra that any of them needs, read once."""
    parts = [(stencil.neighbours[nodes], stencil.weights[nodes]) for stencil in stencils]
    used = [neighbours[weights != 0.0] for neighbours, weights in parts]
    rows = np.unique(np.concatenate(used))
    near = flux[rows].astype(np.float64)
    for (neighbours, weights), columns in zip(parts, used, strict=True):
        present = weights != 0.0
        ends = np.concatenate([[0], np.cumsum(present.sum(axis=2).ravel())])
        operator = csr_array(
            (weights[present], np.searchsorted(rows, columns), ends), shape=(present[..., 0].size, len(rows))
        )
        yield (operator @ near).reshape(*neighbours.shape[:2], flux.shape[1])


def lattice_derivatives(
    flux: NDArray[np.floating], lattice: Lattice, *, edges: Scheme = "first_order"
) -> NDArray[np.float64]:
    """Derivatives of `flux` (N, P) at all nodes, (N, k, P) over the free axes; see `derivative_stencil`."""
    return derivative_stencil(lattice, edges).jacobian(flux)


def interior(lattice: Lattice) -> NDArray[np.bool_]:
    """Nodes (N,) that have a neighbour on both sides along every free axis."""
    inside = np.ones(lattice.size, dtype=bool)
    for name in lattice.free:
        for lines, present in _lines(lattice, name):
            beside = np.diff(present) == 1
            both = np.zeros(present.size, dtype=bool)
            both[1:-1] = beside[1:] & beside[:-1]
            inside[lines[:, ~both]] = False
    return inside


def _lines(lattice: Lattice, name: str) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The lines along one axis, together where the same nodes are present: rows (L, n) and places on the axis (n,)."""
    rows = np.moveaxis(lattice.rows, list(lattice.axes).index(name), -1).reshape(-1, len(lattice.axes[name]))
    patterns, which = np.unique(rows >= 0, axis=0, return_inverse=True)
    return [(rows[which == number][:, pattern], np.flatnonzero(pattern)) for number, pattern in enumerate(patterns)]


def _axis_stencil(values: NDArray[np.float64], scheme: Scheme) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Places (n, s) and weights (n, s) of the derivative at each of the n nodes of one axis."""
    count = len(values)
    if scheme == "spline":
        slopes = CubicSpline(values, np.eye(count))(values, 1) if count > 1 else np.zeros((1, 1))
        return np.tile(np.arange(count), (count, 1)), slopes
    inside, at_edge = _WIDTHS[scheme]
    width = min(max(inside, at_edge), count)
    places = np.zeros((count, width), dtype=np.intp)
    weights = np.zeros((count, width))
    for node in range(count):
        size = min(at_edge if node in (0, count - 1) else inside, count)
        start = min(max(node - size // 2, 0), count - size)
        window = range(start, start + size)
        places[node] = node
        places[node, :size] = window
        weights[node, :size] = _lagrange_slope(values[list(window)], node - start)
    return places, weights


def _lagrange_slope(points: NDArray[np.float64], at: int) -> NDArray[np.float64]:
    """Weights of the derivative, at `points[at]`, of the polynomial through all `points`."""
    weights = np.zeros(len(points))
    for j in _others(len(points), at):
        numerator = np.prod([points[at] - points[m] for m in _others(len(points), at, j)])
        weights[j] = numerator / np.prod([points[j] - points[m] for m in _others(len(points), j)])
    weights[at] = -weights.sum()
    return weights


def _others(count: int, *without: int) -> Sequence[int]:
    return [m for m in range(count) if m not in without]
