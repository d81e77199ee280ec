"""The regular lattice of model nodes in the five labels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.labels import BOX, LABELS

# a label closer to a node than this fraction of the axis's smallest step lies on that node
_ON_NODE = 1e-6


@dataclass(frozen=True)
class Lattice:
    """A full tensor product of label axes, in C order of `LABELS` (C_M runs fastest).

    Args:
        axes: one strictly increasing tuple of nodes for each of the five labels.

    Raises:
        DataError: a label is missing or unknown, or an axis is empty, not finite or not increasing.
    """

    axes: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        if set(self.axes) != set(LABELS):
            raise DataError(f"lattice: the axes must be {', '.join(LABELS)}, not {', '.join(self.axes)}")
        for name, nodes in self.axes.items():
            if not nodes or not all(math.isfinite(node) for node in nodes):
                raise DataError(f"lattice: axis {name} must hold finite nodes, at least one; it is {nodes}")
            if any(right <= left for left, right in zip(nodes, nodes[1:], strict=False)):
                raise DataError(f"lattice: axis {name} must increase strictly; it is {nodes}")
        object.__setattr__(self, "axes", {name: tuple(float(node) for node in self.axes[name]) for name in LABELS})

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of nodes along each of the five axes."""
        return tuple(len(nodes) for nodes in self.axes.values())

    @property
    def size(self) -> int:
        """Number of nodes N."""
        return math.prod(self.shape)

    @property
    def free(self) -> tuple[str, ...]:
        """The axes with more than one node."""
        return tuple(name for name, nodes in self.axes.items() if len(nodes) > 1)

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """Labels of all nodes, (N, 5)."""
        mesh = np.meshgrid(*self.axes.values(), indexing="ij")
        return np.stack([values.ravel() for values in mesh], axis=1)

    def reshape(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """(N, ...) values as (n_T_eff, n_log_g, n_M_H, n_a_M, n_C_M, ...)."""
        return values.reshape(self.shape + values.shape[1:])

    def nearest(self, labels: NDArray[np.float64]) -> NDArray[np.intp]:
        """Position along each axis of the nearest node, (n, 5) for labels (n, 5); the lower node in a tie."""
        positions = np.empty(labels.shape, dtype=np.intp)
        for column, nodes in enumerate(self.axes.values()):
            middles = 0.5 * (np.array(nodes[1:]) + np.array(nodes[:-1]))
            positions[:, column] = np.searchsorted(middles, labels[:, column], side="left")
        return positions

    def snap(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest node values, (n, 5)."""
        positions = self.nearest(labels)
        return np.stack([np.array(nodes)[positions[:, c]] for c, nodes in enumerate(self.axes.values())], axis=1)

    def index(self, labels: NDArray[np.float64]) -> NDArray[np.intp]:
        """Row of each node in `labels` order, (n,) for labels (n, 5).

        Raises:
            DataError: a label is not on a node.
        """
        positions = self.nearest(labels)
        self.require_on_nodes(labels, LABELS)
        return self.flat(positions)

    def flat(self, positions: NDArray[np.intp]) -> NDArray[np.intp]:
        """Row of each node from its positions along the axes, (n,) for (n, 5)."""
        return np.ravel_multi_index(tuple(positions.T), self.shape)

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


def paper_3d() -> Lattice:
    """The paper's 3D slice: 10 x 9 x 14 = 1260 nodes at solar alpha and carbon."""
    return Lattice({**_paper_axes(), "a_M": (0.0,), "C_M": (0.0,)})


def paper_5d() -> Lattice:
    """The paper's full lattice: 10 x 9 x 14 x 4 x 6 = 30240 nodes."""
    return Lattice(_paper_axes())


def _paper_axes() -> dict[str, tuple[float, ...]]:
    steps = {"T_eff": 250.0, "log_g": 0.5, "M_H": 0.25, "a_M": 0.25, "C_M": 0.25}  # label_distribution of the papers
    axes = {}
    for name, step in steps.items():
        low, high = BOX[name]
        axes[name] = tuple(low + step * k for k in range(round((high - low) / step) + 1))
    return axes
