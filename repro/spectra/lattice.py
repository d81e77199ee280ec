"""The lattice of model nodes in the five labels: a product of axes, in which single nodes may have no model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.labels import BOX, LABELS

# a label closer to a node than this fraction of the axis's smallest step lies on that node
_ON_NODE = 1e-6


@dataclass(frozen=True)
class Lattice:
    """A tensor product of label axes, in C order of `LABELS` (C_M runs fastest), less the nodes without a model.

    Args:
        axes: one strictly increasing tuple of nodes for each of the five labels; steps need not be equal.
        missing: positions, in C order of the whole product, of the nodes that have no model; increasing.

    Raises:
        DataError: a label is missing or unknown, an axis is empty, not finite or not increasing, or `missing` is not
            increasing, not in the product, or all of it.
    """

    axes: Mapping[str, tuple[float, ...]]
    missing: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if set(self.axes) != set(LABELS):
            raise DataError(f"lattice: the axes must be {', '.join(LABELS)}, not {', '.join(self.axes)}")
        for name, nodes in self.axes.items():
            if not nodes or not all(math.isfinite(node) for node in nodes):
                raise DataError(f"lattice: axis {name} must hold finite nodes, at least one; it is {nodes}")
            if any(right <= left for left, right in zip(nodes, nodes[1:], strict=False)):
                raise DataError(f"lattice: axis {name} must increase strictly; it is {nodes}")
        object.__setattr__(self, "axes", {name: tuple(float(node) for node in self.axes[name]) for name in LABELS})
        holes, total = tuple(int(position) for position in self.missing), math.prod(self.shape)
        if any(right <= left for left, right in zip(holes, holes[1:], strict=False)):
            raise DataError("lattice: the positions of the missing nodes must increase strictly")
        if holes and not (holes[0] >= 0 and holes[-1] < total and len(holes) < total):
            raise DataError(
                f"lattice: {len(holes)} missing nodes at positions {holes[0]} to {holes[-1]} of {total}; positions run "
                f"from 0 to {total - 1}, and at least one node must have a model"
            )
        object.__setattr__(self, "missing", holes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of nodes along each of the five axes, missing ones included."""
        return tuple(len(nodes) for nodes in self.axes.values())

    @property
    def size(self) -> int:
        """Number N of nodes that have a model."""
        return math.prod(self.shape) - len(self.missing)

    @property
    def free(self) -> tuple[str, ...]:
        """The axes with more than one node."""
        return tuple(name for name, nodes in self.axes.items() if len(nodes) > 1)

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """Row of every node of the product in `labels`, of `shape`; -1 where there is no model."""
        rows = np.full(math.prod(self.shape), -1, dtype=np.intp)
        rows[np.delete(np.arange(len(rows)), self.missing)] = np.arange(self.size)
        return rows.reshape(self.shape)

    @cached_property
    def positions(self) -> NDArray[np.intp]:
        """Position along each axis of the nodes that have a model, (N, 5)."""
        return np.argwhere(self.rows >= 0)

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """Labels of the nodes that have a model, (N, 5)."""
        return self._values(self.positions)

    def reshape(self, values: NDArray[Any]) -> NDArray[Any]:
        """(N, ...) values as (n_T_eff, n_log_g, n_M_H, n_a_M, n_C_M, ...). Raises DataError if nodes are missing."""
        self.require_whole("an array over the axes")
        return values.reshape(self.shape + values.shape[1:])

    def require_whole(self, what: str) -> None:
        """Raise DataError, naming the first hole, unless every node has a model; `what` is it that needs them all."""
        if self.missing:
            hole = self._name(np.array(np.unravel_index(self.missing[0], self.shape)))
            raise DataError(
                f"{what} needs every node of the lattice; {len(self.missing)} of {math.prod(self.shape)} have no "
                f"model, the first at {hole}. Cut a lattice without them, or use the sampling mode `paper`."
            )

    def nearest(self, labels: NDArray[np.float64]) -> NDArray[np.intp]:
        """Position along each axis of the nearest node, (n, 5) for labels (n, 5); the lower node in a tie."""
        positions = np.empty(labels.shape, dtype=np.intp)
        for column, nodes in enumerate(self.axes.values()):
            middles = 0.5 * (np.array(nodes[1:]) + np.array(nodes[:-1]))
            positions[:, column] = np.searchsorted(middles, labels[:, column], side="left")
        return positions

    def snap(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest node values, (n, 5), whether or not there is a model."""
        return self._values(self.nearest(labels))

    def index(self, labels: NDArray[np.float64]) -> NDArray[np.intp]:
        """Row of each node in `labels` order, (n,) for labels (n, 5).

        Raises:
            DataError: a label is not on a node, or the node has no model.
        """
        self.require_on_nodes(labels, LABELS)
        positions = self.nearest(labels)
        rows = self.flat(positions)
        absent = np.flatnonzero(rows < 0)
        if absent.size:
            raise DataError(f"row {absent[0]}: the lattice has no model at {self._name(positions[absent[0]])}")
        return rows

    def flat(self, positions: NDArray[np.intp]) -> NDArray[np.intp]:
        """Row of each node from its positions along the axes, (n,) for (n, 5); -1 where there is no model."""
        return self.rows[tuple(positions.T)]

    def part(self, axes: Mapping[str, tuple[float, ...]]) -> "Lattice":
        """The lattice with only some nodes of the axes named; what is missing here is missing there.

        Raises:
            DataError: an axis is unknown, or a value is not a node of this lattice.
        """
        whole = Lattice({**self.axes, **axes})
        self.require_on_nodes(whole.labels, LABELS)
        return Lattice(whole.axes, tuple(np.flatnonzero(self.flat(self.nearest(whole.labels)) < 0).tolist()))

    def require_on_nodes(self, labels: NDArray[np.float64], names: tuple[str, ...]) -> None:
        """Raise DataError, naming the row, unless the labels (n, 5) called `names` lie on nodes."""
        distance = np.abs(self.snap(labels) - labels)
        for name in names:
            column = LABELS.index(name)
            bad = np.flatnonzero(~(distance[:, column] <= _ON_NODE * self._step(name)))
            if bad.size:
                value = labels[bad[0], column]
                raise DataError(f"row {bad[0]}: {name} = {value:g} is not a node of the lattice {self.axes[name]}")

    def require_inside(self, labels: NDArray[np.float64]) -> None:
        """Raise DataError, naming the row, unless all labels (n, 5) lie between the end nodes."""
        for column, (name, nodes) in enumerate(self.axes.items()):
            margin = _ON_NODE * self._step(name)
            values = labels[:, column]
            bad = np.flatnonzero(~((values >= nodes[0] - margin) & (values <= nodes[-1] + margin)))
            if bad.size:
                value = values[bad[0]]
                raise DataError(
                    f"row {bad[0]}: {name} = {value:g} lies outside the lattice ({nodes[0]:g} to {nodes[-1]:g})"
                )

    def _step(self, name: str) -> float:
        nodes = self.axes[name]
        return min((right - left for left, right in zip(nodes, nodes[1:], strict=False)), default=1.0)

    def _values(self, positions: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.stack([np.array(nodes)[positions[:, c]] for c, nodes in enumerate(self.axes.values())], axis=1)

    def _name(self, position: NDArray[np.intp]) -> str:
        return describe(self._values(position[None])[0])


def describe(labels: NDArray[np.float64]) -> str:
    """One node for a message: `T_eff 5000, log_g 3, ...` from labels (5,)."""
    return ", ".join(f"{name} {value:g}" for name, value in zip(LABELS, labels, strict=True))


def paper_3d() -> Lattice:
    """The paper's 3D slice: 10 x 9 x 14 = 1260 nodes at solar alpha and carbon."""
    return Lattice({**_paper_axes(), "a_M": (0.0,), "C_M": (0.0,)})


def paper_5d() -> Lattice:
    """The paper's full lattice: 10 x 9 x 14 x 4 x 6 = 30240 nodes."""
    return Lattice(_paper_axes())


def pack_5d() -> Lattice:
    """The part of the paper's full lattice that the pinned pack holds: 10 x 9 x 7 x 4 x 4 = 10080 nodes.

    Both ends of every axis stay, and T_eff, log_g and a_M are whole. [M/H] is thinned to about every second node; of
    C_M the solar value, its neighbour below and the two ends remain.
    """
    thinned = {
        "M_H": (-2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.75),
        "C_M": (-0.75, -0.25, 0.0, 0.5),
    }
    return Lattice({**_paper_axes(), **thinned})


def _paper_axes() -> dict[str, tuple[float, ...]]:
    steps = {"T_eff": 250.0, "log_g": 0.5, "M_H": 0.25, "a_M": 0.25, "C_M": 0.25}  # label_distribution of the papers
    axes = {}
    for name, step in steps.items():
        low, high = BOX[name]
        axes[name] = tuple(low + step * k for k in range(round((high - low) / step) + 1))
    return axes
