"""Bounds on the mean squared error of any estimator of log g, biased or not, under two stated priors of the labels.

`taper`: van Trees (1968, Detection, Estimation, and Modulation Theory I, section 2.4) with the product of
(2/L) cos^2(pi x/L) over the sides L of the box, which has the information 4 pi^2 / L^2 of its own:
E (g_hat - g)^2 >= [(E I + I_prior)^-1]_gg. Loose where the information I spans decades, as here.
`box`: uniform on the box, see `vector_field`.

Both take the observing conditions as known and count the information in the size of the noise, so that they bind every
observer of the flux alone. The information between nodes is taken as linear.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from repro.bounds.derivatives import Stencil, derivative_stencil
from repro.bounds.fisher import marginal_bound, weighted_information
from repro.bounds.scaling import NoiseTerms, unit_median
from repro.bounds.van_trees_table import VanTreesTable
from repro.bounds.vector_field import BoxBound, Mesh, product_of, trapezoid
from repro.errors import ParameterError
from repro.instrument.noise import Conditions, NoiseModel
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import CONDITIONS as LAWS

Array = NDArray[np.float64]

_ALPHA: Final = 0.4 * np.log(10.0)  # d ln sigma^2 / d magnitude of a spectrum without light of its own, halved
_LAW_POINTS: Final = (3, 2, 2)  # Gauss-Legendre points in magnitude, zenith and field angle
_BLOCK: Final = 128  # nodes whose derivatives are held at a time
_TOGETHER: Final = 2  # nodes whose errors are: they stay in the processor's cache

View = tuple[NoiseTerms, Array]  # noise at fixed angles and seeing, magnitudes (q,)


def van_trees(
    grid: NodeGrid,
    noise_model: NoiseModel,
    conditions: Conditions,
    magnitudes: Sequence[float],
    law: tuple[float, float],
    noise_level: float = 1.0,
    *,
    target: str = "log_g",
    progress: Callable[[int, int], None] | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> VanTreesTable:
    """Bounds at several magnitudes under `conditions`, and over the law of a test set.

    law: limits of its uniform magnitudes; zenith and field angles are uniform as in `sampling`, the seeing is that of
    `conditions`. progress: called with (nodes done, nodes in all). recorded: further conditions to store.

    Raises:
        ParameterError: a noise level that is not positive and finite, or a target that is not a free axis.
    """
    if not (np.isfinite(noise_level) and noise_level > 0):
        raise ParameterError(f"noise level {noise_level} must be positive and finite: without noise there is no bound")
    lattice = grid.lattice
    if target not in lattice.free:
        raise ParameterError(f"'{target}' is not a free axis of this lattice ({', '.join(lattice.free)})")
    points, weights = law_points(law)
    views = [(NoiseTerms.of(noise_model, conditions), np.asarray(magnitudes, dtype=np.float64))]
    for zenith, angle in np.unique(points[:, 1:], axis=0):
        here = np.all(points[:, 1:] == (zenith, angle), axis=1)
        fixed = replace(conditions, zenith_angle=float(zenith), field_angle=float(angle))
        views.append((NoiseTerms.of(noise_model, fixed), points[here, 0]))
    stencil = derivative_stencil(lattice, "spline")
    information = node_information(unit_median(grid), stencil, views, noise_level, progress)
    bounds = _Bounds(lattice, target, stencil.complete)
    found = [bounds(each) for each in information.swapaxes(0, 1)]
    box, taper, unbiased = np.array(found).T
    side = lattice.axes[target][-1] - lattice.axes[target][0]
    m = len(magnitudes)
    return VanTreesTable(
        target=target,
        free=lattice.free,
        variance_box=side**2 / 12.0,
        variance_taper=side**2 * (1.0 / 12.0 - 0.5 / np.pi**2),
        magnitudes=views[0][1],
        box=box[:m],
        taper=taper[:m],
        unbiased=unbiased[:m],
        law=points,
        law_weights=weights,
        law_box=box[m:],
        law_taper=taper[m:],
        law_unbiased=unbiased[m:],
        conditions={"noise": float(noise_level), **(recorded or {})},
    )


def law_points(law: tuple[float, float], counts: tuple[int, int, int] = _LAW_POINTS) -> tuple[Array, Array]:
    """Magnitudes, zenith and field angles (Q, 3) in rising order of the last two, and their weights (Q,)."""
    limits = (law, LAWS["target_zenith_angle"], LAWS["target_field_angle"])
    rules = [np.polynomial.legendre.leggauss(count) for count in counts]
    axes = [low + 0.5 * (high - low) * (x + 1.0) for (low, high), (x, _) in zip(limits, rules, strict=True)]
    zenith, angle, mag = np.meshgrid(axes[1], axes[2], axes[0], indexing="ij")
    weights = product_of([0.5 * rules[axis][1] for axis in (1, 2, 0)])
    return np.stack([mag.ravel(), zenith.ravel(), angle.ravel()], axis=1), weights


def node_information(
    grid: NodeGrid,
    stencil: Stencil,
    views: Sequence[View],
    noise_level: float,
    progress: Callable[[int, int], None] | None = None,
) -> Array:
    """Information (N, Q, k, k) of the flux of a `unit_median` grid, that in the size of its noise included.

    views: noise at fixed conditions, and magnitudes under them; Q magnitudes in all.
    """
    count = len(grid.flux)
    slopes = np.einsum("nks,nks->nk", stencil.weights, grid.zero_point[stencil.neighbours])

    def work(block: slice) -> Array:
        jacobian = stencil.jacobian(grid.flux, block)
        found = []
        for first in range(block.start, block.stop, _TOGETHER):
            nodes = slice(first, min(first + _TOGETHER, block.stop))
            near = jacobian[first - block.start : nodes.stop - block.start]
            found.append(
                _information(grid.flux[nodes], grid.zero_point[nodes], near, slopes[nodes], views, noise_level)
            )
        return np.concatenate(found)

    blocks = [slice(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]
    parts = []
    # one block a core: the matrix products are too small to be shared between threads
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for block, part in zip(blocks, pool.map(work, blocks), strict=True):
            parts.append(part)
            if progress:
                progress(block.stop, count)
    return np.concatenate(parts)


def _information(
    flux: NDArray[np.float32],
    zero_point: Array,
    jacobian: Array,
    zero_point_slopes: Array,
    views: Sequence[View],
    noise_level: float,
) -> Array:
    """Of some nodes, (B, Q, k, k): sum over pixels of J_i J_j / sigma^2 + 2 D_i D_j with D_i = d ln sigma / d label i.

    D_i = s J_i / mu - (1 - s) A z_i for spectra mu of zero points z, where s is half the share of the star's own light
    in the variance and A = 0.4 ln 10.
    """
    inverse = np.concatenate([1.0 / noise.variances(flux, zero_point, mags.tolist()) for noise, mags in views], axis=1)
    per_flux = np.empty_like(inverse)  # s / mu
    first = 0
    for noise, mags in views:
        here = slice(first, first + len(mags))
        faintness = 10.0 ** (0.4 * (mags - zero_point[:, None]))[:, :, None]
        np.multiply(inverse[:, here], faintness * (0.5 * noise.light), out=per_flux[:, here])
        first = here.stop
    level = per_flux * flux[:, None, :]
    np.subtract(1.0, level, out=level)
    squares = np.einsum("bqp,bqp->bq", level, level)
    level *= per_flux
    inverse /= noise_level**2
    per_flux *= per_flux
    inverse += 2.0 * per_flux
    result = weighted_information(jacobian, inverse)
    z = _ALPHA * zero_point_slopes
    mixed = (level @ jacobian.swapaxes(1, 2))[..., None] * z[:, None, None, :]
    result -= 2.0 * (mixed + mixed.swapaxes(-1, -2))
    result += 2.0 * squares[:, :, None, None] * (z[:, :, None] * z[:, None, :])[:, None]
    return result


class _Bounds:
    """All bounds on the target from the information on the nodes of a lattice."""

    def __init__(self, lattice: Lattice, target: str, complete: NDArray[np.bool_]) -> None:
        """complete: (N,) nodes whose information is known; those that are not leave a gap in each prior."""
        self._target = lattice.free.index(target)
        axes = [np.array(lattice.axes[name]) for name in lattice.free]
        self._sides = np.array([nodes[-1] - nodes[0] for nodes in axes])
        unit = [(nodes - nodes[0]) / side for nodes, side in zip(axes, self._sides, strict=True)]
        rows = lattice.rows.ravel()
        self._usable = rows >= 0
        self._usable[self._usable] = complete[rows[self._usable]]
        self._rows = rows[self._usable]
        self._taper = product_of([_taper_weights(nodes) for nodes in unit])[self._usable]
        self._uniform = product_of([trapezoid(nodes) for nodes in unit])[self._usable]
        self._box = BoxBound(Mesh(tuple(unit), self._usable), self._target)

    def __call__(self, information: Array) -> tuple[float, float, float]:
        """Bounds for `box` and `taper`, and the mean Cramer-Rao bound, from information (N, k, k)."""
        known = information[self._rows] * (self._sides[:, None] * self._sides)  # labels in units of the sides
        scaled = np.zeros((self._usable.size, *known.shape[1:]))
        scaled[self._usable] = known
        total = np.average(known, axis=0, weights=self._taper) + np.diag(np.full(len(self._sides), 4.0 * np.pi**2))
        crlb = marginal_bound(known, self._target)
        unbiased = np.average(np.where(np.isnan(crlb), np.inf, crlb), weights=self._uniform)
        area = float(self._sides[self._target] ** 2)
        return area * self._box(scaled), area * float(marginal_bound(total, self._target)), area * float(unbiased)


def _taper_weights(nodes: Array) -> Array:
    """Weights (n,) of nodes on [0, 1] in the mean, under 2 sin^2(pi x), of what is linear between them."""
    # primitives of the density and of x times it
    mass = nodes - np.sin(2.0 * np.pi * nodes) / (2.0 * np.pi)
    moment = (
        0.5 * nodes**2 - nodes * np.sin(2 * np.pi * nodes) / (2 * np.pi) - np.cos(2 * np.pi * nodes) / (4 * np.pi**2)
    )
    step, part, first = np.diff(nodes), np.diff(mass), np.diff(moment)
    upper = (first - nodes[:-1] * part) / step
    weights = np.zeros(len(nodes))
    weights[1:] += upper
    weights[:-1] += part - upper
    return weights
