"""Which lines of a node grid pass closest to a spectrum, in the leading directions of the spectra."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.labels import LABELS
from repro.spectra.interpolate import line_weights
from repro.spectra.lattice import Lattice

Array = NDArray[np.float64]

_PARTS: Final = 2  # straight pieces that stand for the spline between two nodes at first
_POINTS: Final = 5  # of the spline along a piece looked at more closely


class LineSearch:
    """Points on the lines between the nodes of a lattice.

    Spectra are compared by their shape alone: a place is divided by its length.

    Args:
        places: (N, r) of the surface fluxes, between which the splines run, along r directions.
        zero_point: (N,) of the spectra scaled to one median; between nodes it is only estimated.
    """

    def __init__(self, lattice: Lattice, places: Array, zero_point: Array) -> None:
        self._lattice, self._places, self._zero_point = lattice, places, zero_point
        firsts, seconds, names = [], [], []
        for name in lattice.free:
            first, second = _edges(lattice, name)
            firsts.append(first)
            seconds.append(second)
            names.append(np.full(len(first), name))
        ends = lattice.labels[np.concatenate(firsts)], lattice.labels[np.concatenate(seconds)]
        # (pieces, 5): the parts of an edge follow each other
        cut = np.linspace(0.0, 1.0, _PARTS + 1)[:, None]
        points = (1.0 - cut) * ends[0][:, None] + cut * ends[1][:, None]
        self._axis = np.repeat(np.concatenate(names), _PARTS)
        self._from, self._to = (part.reshape(-1, len(LABELS)) for part in (points[:, :-1], points[:, 1:]))
        corners = self._on_lines(points.reshape(-1, len(LABELS)), np.repeat(np.concatenate(names), _PARTS + 1))
        self._middle = corners[:, :-1].mean(axis=0)
        corners = (corners[:, :-1] - self._middle).reshape(len(points), _PARTS + 1, -1).astype(np.float32)
        self._start = corners[:, :-1].reshape(len(self._axis), -1)
        self._chord = np.diff(corners, axis=1).reshape(len(self._axis), -1)
        self._length = np.maximum((self._chord**2).sum(axis=1), np.finfo(np.float32).tiny)

    def nearest(self, places: Array, count: int) -> tuple[Array, NDArray[np.str_], Array]:
        """Labels (n, m, 5), axes and zero points (n, m) of the m <= count points nearest to places (n, r), in order."""
        places = places / np.linalg.norm(places, axis=1, keepdims=True)
        pieces = self._nearest_pieces((places - self._middle).astype(np.float32), min(count, len(self._axis)))
        share = np.linspace(0.0, 1.0, _POINTS)[:, None]
        labels = (1.0 - share) * self._from[pieces][:, :, None] + share * self._to[pieces][:, :, None]
        values = self._on_lines(labels.reshape(-1, len(LABELS)), np.repeat(self._axis[pieces].ravel(), _POINTS))
        values = values.reshape(*labels.shape[:3], -1)
        distance = ((values[..., :-1] - places[:, None, None]) ** 2).sum(axis=3)
        order = np.argsort(distance.min(axis=2), axis=1, kind="stable")
        star = np.arange(len(places))[:, None]
        point = distance.argmin(axis=2)[star, order]
        return labels[star, order, point], self._axis[pieces][star, order], values[star, order, point, -1]

    def _nearest_pieces(self, places: NDArray[np.float32], count: int) -> NDArray[np.intp]:
        """The pieces (n, count) whose chords pass closest, in no order."""
        # |p - s - t c|^2 with t = (p - s) c / c^2 between 0 and 1, but for |p|^2
        distance = -2.0 * (places @ self._start.T) + (self._start**2).sum(axis=1)
        along = places @ self._chord.T - (self._start * self._chord).sum(axis=1)
        share = (along / self._length).clip(0.0, 1.0)
        distance += share * (share * self._length - 2.0 * along)
        nearest: NDArray[np.intp] = np.argpartition(distance, count - 1, axis=1)[:, :count]
        return nearest

    def _on_lines(self, labels: Array, axis: NDArray[np.str_]) -> Array:
        """Places of length 1 and, last, zero points (n, r + 1) of the splines at labels (n, 5)."""
        weights = line_weights(self._lattice, axis, labels)
        places = weights @ self._places
        return np.column_stack([places / np.linalg.norm(places, axis=1, keepdims=True), weights @ self._zero_point])


def _edges(lattice: Lattice, name: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of the neighbouring models on all lines along an axis, two of (E,)."""
    rows = np.moveaxis(lattice.rows, list(lattice.axes).index(name), -1)
    line = np.broadcast_to(np.arange(rows[..., 0].size).reshape(rows.shape[:-1])[..., None], rows.shape)
    present = rows >= 0
    models, lines = rows[present], line[present]
    same = lines[1:] == lines[:-1]
    return models[:-1][same], models[1:][same]
