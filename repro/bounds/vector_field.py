"""The best bound of van Trees type for a uniform prior on a box, which has no information of its own to be used.

For any vector field v on the box whose component across each face vanishes there, any estimator of the label g has

    E (g_hat - g)^2  >=  (E v_g)^2 / (E v^T I v + E (div v)^2)

with means over the uniform law and the information I of the labels (Weinstein & Weiss 1988, IEEE Trans. Inform. Theory
34, 338; Gill & Levit 1995, Bernoulli 1, 59). The right side is largest where v solves the linear problem
I v - grad div v = e_g. It then tends to the mean Cramer-Rao bound where the information is high and to the variance of
the uniform law where there is none.

Fields here are linear between the nodes of a lattice in each label. The means on the right are sums over the corners of
the cells, which are never less than the integrals where I is constant; so coarse nodes loosen the bound and do not
break it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.sparse import csr_array

Array = NDArray[np.float64]

_TOLERANCE: Final = 1e-5  # relative gain of the bound over `_PATIENCE` steps, below which the search ends
_PATIENCE: Final = 10
_STEPS: Final = 1000  # at most; any field gives a valid bound


@dataclass(frozen=True)
class Mesh:
    """Cells of a box of sides 1, between nodes along each of k axes, and fields on them that vanish across its faces.

    nodes: positions along each axis, increasing from 0 to 1.
    usable: (N,) nodes, in C order, whose information is known. Fields vanish wherever a cell has an unusable corner.
    """

    nodes: tuple[Array, ...]
    usable: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, ...]:
        """Nodes along each axis."""
        return tuple(len(axis) for axis in self.nodes)

    def volumes(self) -> Array:
        """Weight (N,) of each node in a mean over the box by the trapezoidal rule; their sum is 1."""
        return product_of([trapezoid(axis) for axis in self.nodes])

    def free(self) -> NDArray[np.bool_]:
        """Which components (N, k) may differ from zero."""
        holes = ~self.usable.reshape(self.shape)
        inside = ~binary_dilation(holes, np.ones((3,) * len(self.shape)))
        result = np.empty((self.usable.size, len(self.shape)), dtype=bool)
        for axis, place in enumerate(np.indices(self.shape)):
            result[:, axis] = (inside & (place > 0) & (place < self.shape[axis] - 1)).ravel()
        return result

    def divergence(self) -> csr_array:
        """The divergence at all corners of all cells, times the root of their volumes, of fields (N k,) in C order."""
        k, index = len(self.shape), np.arange(self.usable.size).reshape(self.shape)
        steps = [np.diff(axis) for axis in self.nodes]
        root = np.sqrt(product_of(steps) / 2.0**k)
        columns, values = [], []
        for corner in itertools.product((0, 1), repeat=k):
            for axis in range(k):
                slope = (root.reshape([len(step) for step in steps]) / _along(steps[axis], axis, k)).ravel()
                for side, sign in ((1, 1.0), (0, -1.0)):
                    here = tuple(
                        slice(side, side + len(step))
                        if other == axis
                        else slice(corner[other], corner[other] + len(step))
                        for other, step in enumerate(steps)
                    )
                    columns.append(index[here].ravel() * k + axis)
                    values.append(sign * slope)
        # (corner, axis and side, cell) -> (corner, cell, axis and side)
        order = (2**k, 2 * k, root.size)
        column, value = (np.array(part).reshape(order).swapaxes(1, 2).ravel() for part in (columns, values))
        ends = np.arange(0, column.size + 1, 2 * k)
        return csr_array((value, column, ends), shape=(len(ends) - 1, index.size * k))


class BoxBound:
    """The largest of these bounds on one label, for any information on the nodes of a mesh."""

    def __init__(self, mesh: Mesh, target: int) -> None:
        self._free = mesh.free()
        self._volumes = mesh.volumes()
        everywhere = mesh.divergence()
        keep = np.flatnonzero(self._free)
        self._divergence = csr_array(everywhere[:, keep])
        self._transposed = csr_array(self._divergence.T)
        self._stiffness = np.zeros(self._free.shape)
        self._stiffness[self._free] = np.asarray(self._divergence.power(2).sum(axis=0)).ravel()
        mean = np.zeros(self._free.shape)
        mean[:, target] = self._volumes
        self._mean = mean[self._free]

    def __call__(self, information: Array) -> float:
        """Bound, for labels in units of the sides of the box; information: (N, k, k) of the nodes in such units.

        Conjugate gradients; each step raises the bound, and each intermediate field is a valid one. On a mesh without
        inner nodes no field vanishes at the edges but 0 itself, and the bound is 0.
        """
        weighted = information * self._volumes[:, None, None]
        both = self._free[:, :, None] & self._free[:, None, :]
        weighted = np.where(both, weighted, 0.0)
        precondition = self._preconditioner(weighted)
        field = np.zeros(self._mean.size)
        residual = self._mean.copy()
        shifted = precondition(residual)
        direction, product, bounds = shifted, float(residual @ shifted), [0.0]
        if not product > 0.0:
            return 0.0
        for _ in range(_STEPS):
            image = self._energy(weighted, direction)
            length = product / float(direction @ image)
            field += length * direction
            residual -= length * image
            bounds.append(float(self._mean @ field))
            if len(bounds) > _PATIENCE and bounds[-1] - bounds[-1 - _PATIENCE] <= _TOLERANCE * bounds[-1]:
                break
            shifted = precondition(residual)
            before, product = product, float(residual @ shifted)
            if not product > 0.0:
                break
            direction = shifted + product / before * direction
        return float(self._mean @ field) ** 2 / float(field @ self._energy(weighted, field))

    def _energy(self, weighted: Array, field: Array) -> Array:
        whole = np.zeros(self._free.shape)
        whole[self._free] = field
        result: Array = (weighted @ whole[:, :, None])[:, :, 0][self._free]
        result += self._transposed @ (self._divergence @ field)
        return result

    def _preconditioner(self, weighted: Array) -> "_Blocks":
        blocks = weighted.copy()
        place = np.arange(blocks.shape[1])
        blocks[:, place, place] += np.where(self._free, self._stiffness, 1.0)
        inverses = np.linalg.inv(blocks).astype(np.float64, copy=False)
        return _Blocks(inverses, self._free)


@dataclass(frozen=True)
class _Blocks:
    """Inverses (N, k, k) of the blocks of each node, applied to fields of the free components."""

    inverses: Array
    free: NDArray[np.bool_]

    def __call__(self, residual: Array) -> Array:
        whole = np.zeros(self.free.shape)
        whole[self.free] = residual
        result: Array = (self.inverses @ whole[:, :, None])[:, :, 0][self.free]
        return result


def trapezoid(nodes: Array) -> Array:
    """Weights (n,) of the trapezoidal rule over increasing nodes (n,)."""
    steps = np.diff(nodes)
    weights = np.zeros(len(nodes))
    weights[:-1] += 0.5 * steps
    weights[1:] += 0.5 * steps
    return weights


def product_of(axes: Sequence[Array]) -> Array:
    """Products of one number of each axis, in C order."""
    result = np.ones(1)
    for axis in axes:
        result = (result[:, None] * axis).ravel()
    return result


def _along(values: Array, axis: int, k: int) -> Array:
    return values.reshape([-1 if other == axis else 1 for other in range(k)])
