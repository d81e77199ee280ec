"""Cramer-Rao bounds of log g at the stars of a spectrum set: each at its own labels, with its own stored errors.

A star of sampling mode `paper` lies on a line between nodes. Its derivative along the line is the slope of the spline
that made it; those across the line are slopes of the nodes' splines, interpolated along the line like the flux itself.
A star of mode `continuous` is differentiated by small central steps of the tensor spline that made it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from repro.bounds.derivatives import derivative_stencil
from repro.bounds.fisher import fisher_information, marginal, marginal_bound
from repro.bounds.scaling import MEDIAN, unit_median, unit_median_jacobian
from repro.bounds.star_noise import conditions_of, log_sigma_slopes
from repro.bounds.star_table import StarBounds
from repro.errors import DataError, ParameterError
from repro.instrument.noise import NoiseModel
from repro.labels import LABELS
from repro.spectra.interpolate import Spectra, TensorSpline, line_weights, spline_along_axis
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import Table, labels_of
from repro.spectra.store import SpectrumSet

Array = NDArray[np.float64]

LIMIT: Final = 10_000  # stars of a larger set that bounds are given for, from its start
# relative scatter of an error array that an observer is given: from one that names the star to one that says nothing
ERROR_SCATTER: Final = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)

_BLOCK: Final = 64
_STEP: Final = 1e-4  # of an axis; the tensor spline is smooth far beyond, and float64 keeps 1e-12 of the flux
_SAME: Final = 1e-4  # of the flux: two spectra that differ less come from the same grid
_3D: Final = ("T_eff", "log_g", "M_H")


@dataclass(frozen=True)
class StarSlopes:
    """Spectra of median 0.5 and their derivatives with respect to the k free labels of a lattice."""

    flux: Array  # (n, P)
    zero_point: Array  # (n,) HSC-i magnitude of `flux` as it stands
    jacobian: Array  # (n, k, P) [1 / label unit]
    zero_point_slopes: Array  # (n, k) [mag / label unit]


class Differentiate(Protocol):
    """Spectra and derivatives at labels (n, 5), each of which lies between nodes along its axis (n,) or all."""

    def __call__(self, labels: Array, axis: NDArray[np.str_]) -> StarSlopes:
        """Raise DataError where a label lies outside the lattice or off its line."""
        ...


class LineSlopes:
    """Derivatives on the lines of a grid, of which each star interpolates one: sampling mode `paper`."""

    def __init__(self, grid: NodeGrid) -> None:
        self._grid = grid
        scaled = unit_median(grid)
        # weights of a derivative sum to 0, so that a common spectrum drops out; without it float32 loses less
        self._flux = scaled.flux - scaled.flux.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._zero_point = scaled.zero_point
        stencil = derivative_stencil(grid.lattice, "spline")
        self._incomplete = (~stencil.complete).astype(np.float64)
        self._across = {
            name: _operator(stencil.neighbours[:, column], stencil.weights[:, column])
            for column, name in enumerate(stencil.names)
        }

    def __call__(self, labels: Array, axis: NDArray[np.str_]) -> StarSlopes:
        """As `Differentiate`; all slopes are 0 where a node of the line has no neighbour along some axis."""
        lattice = self._grid.lattice
        flux, zero_point = _scaled(spline_along_axis(self._grid, axis, labels))
        on_line = line_weights(lattice, axis, labels)
        along = line_weights(lattice, axis, labels, derivative=1)
        jacobian = np.empty((len(labels), len(self._across), flux.shape[1]))
        slopes = np.empty(jacobian.shape[:2])
        for column, (name, across) in enumerate(self._across.items()):
            own = (axis == name).astype(np.float64)[:, None]
            weights = csr_array(along.multiply(own) + (on_line @ across).multiply(1.0 - own))
            jacobian[:, column] = weights.astype(np.float32) @ self._flux
            slopes[:, column] = weights @ self._zero_point
        unknown = abs(on_line) @ self._incomplete > 0.0
        jacobian[unknown], slopes[unknown] = 0.0, 0.0
        return StarSlopes(flux, zero_point, jacobian, slopes)


class TensorSlopes:
    """Derivatives at any labels inside a lattice without missing nodes: sampling mode `continuous`."""

    def __init__(self, grid: NodeGrid) -> None:
        self._lattice = grid.lattice
        self._spline = TensorSpline(grid)

    def __call__(self, labels: Array, axis: NDArray[np.str_]) -> StarSlopes:
        """As `Differentiate`; the axis is of no account."""
        raw = self._spline(labels)
        flux, zero_point = _scaled(raw)
        jacobian = np.empty((len(labels), len(self._lattice.free), flux.shape[1]))
        slopes = np.empty(jacobian.shape[:2])
        for column, name in enumerate(self._lattice.free):
            low, high = (labels.copy(), labels.copy())
            nodes, place = self._lattice.axes[name], LABELS.index(name)
            step = _STEP * (nodes[-1] - nodes[0])
            low[:, place] = np.maximum(labels[:, place] - step, nodes[0])
            high[:, place] = np.minimum(labels[:, place] + step, nodes[-1])
            width = high[:, place] - low[:, place]
            below, above = self._spline(low), self._spline(high)
            jacobian[:, column] = (above[0] - below[0]) / width[:, None]
            slopes[:, column] = (_scaled(above)[1] - _scaled(below)[1]) / width
        return StarSlopes(flux, zero_point, unit_median_jacobian(raw[0], jacobian), slopes)


def differentiator(grid: NodeGrid, mode: str) -> Differentiate:
    """How stars of a sampling mode are differentiated. Raises DataError as `TensorSpline`."""
    return TensorSlopes(grid) if mode == "continuous" else LineSlopes(grid)


def star_bounds(
    grid: NodeGrid,
    stars: SpectrumSet,
    noise_model: NoiseModel,
    noise_level: float = 1.0,
    *,
    target: str = "log_g",
    limit: int = LIMIT,
    progress: Callable[[int, int], None] | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> StarBounds:
    """Bounds on `target` at the first `limit` stars of a set that was made from `grid` with `noise_model`.

    Three observers: one who knows the errors and reads nothing else out of them (`crlb` and what belongs to it); one
    who sees the noisy flux, whose scatter tells the size of the noise, with the observing conditions unknown
    (`crlb_flux`); and one who is handed an error array of finite precision besides (`crlb_error`).

    progress: called with (stars done, stars in all) after each block. recorded: further conditions to store.

    Raises:
        ParameterError: a noise level that is not positive and finite, or a target that is not a free axis.
        DataError: the set was made from another grid, or an error is not positive and finite.
    """
    if not (np.isfinite(noise_level) and noise_level > 0):
        raise ParameterError(f"noise level {noise_level} must be positive and finite: without noise there is no bound")
    if target not in grid.lattice.free:
        raise ParameterError(f"'{target}' is not a free axis of this lattice ({', '.join(grid.lattice.free)})")
    mode = stars.mode
    work = _Work(grid.lattice.free, target, differentiator(grid, mode), noise_model, noise_level, stars.own)
    table, count = stars.labels, min(stars.size, limit)
    parts = []
    for start in range(0, count, _BLOCK):
        rows = slice(start, min(start + _BLOCK, count))
        parts.append(work(*stars.read(rows), table[rows], rows))
        if progress:
            progress(rows.stop, count)
    return StarBounds(
        target=target,
        free=grid.lattice.free,
        stars=np.arange(count),
        labels=labels_of(table[:count]),
        mag=table["mag"][:count].astype(np.float64),
        error_scatter=np.array(ERROR_SCATTER),
        conditions={"noise": float(noise_level), "mode": mode, **(recorded or {})},
        **{
            name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0] if name != "correlations"
        },
        correlations=np.concatenate([part["correlations"] for part in parts]),
    )


@dataclass(frozen=True)
class _Work:
    """What one block of stars takes."""

    free: tuple[str, ...]
    target: str
    differentiate: Differentiate
    noise_model: NoiseModel
    noise_level: float
    own: bool  # spectra made here must be those of the grid; of others the grid's flux scales may be lost

    def __call__(
        self, flux: NDArray[np.float32], error: NDArray[np.float32], table: Table, rows: slice
    ) -> dict[str, Array]:
        """The arrays of a `StarBounds` that take computing."""
        slopes = self.differentiate(labels_of(table), table["interp_param"].astype(str))
        if self.own:
            _require_same(flux, slopes.flux, rows.start)
        sigma = self.noise_level * error.astype(np.float64)
        column = self.free.index(self.target)
        information = fisher_information(slopes.jacobian, sigma)
        bounds = marginal(information, column)
        inner = [place for place, name in enumerate(self.free) if name in _3D]
        result = {
            "snr": np.median(flux / sigma, axis=1),
            "crlb": bounds.crlb,
            "crlb_3d": marginal_bound(information[:, inner][:, :, inner], inner.index(column)),
            "conditional": bounds.conditional,
            "schur": bounds.schur,
            "correlations": bounds.correlations,
        }
        return result | self._with_noise(information, slopes, table, column)

    def _with_noise(self, information: Array, slopes: StarSlopes, table: Table, column: int) -> dict[str, Array]:
        """Bounds from the size of the noise too, as far as scatter or an error array tell it."""
        _, sizes = log_sigma_slopes(
            self.noise_model,
            slopes.flux,
            slopes.zero_point,
            slopes.jacobian,
            slopes.zero_point_slopes,
            conditions_of(table),
        )
        products = sizes @ sizes.swapaxes(1, 2)  # sums over pixels, (B, k + c, k + c)
        k = len(self.free)
        flux = 2.0 * products  # Kay 1993, section 3.9
        flux[:, :k, :k] += information
        given = [marginal_bound(flux + products / scatter**2, column) for scatter in ERROR_SCATTER]
        return {"crlb_flux": marginal_bound(flux, column), "crlb_error": np.array(given)}


def _operator(neighbours: NDArray[np.intp], weights: Array) -> csr_array:
    """Rows of weights (N, s) of neighbours (N, s) as a sparse matrix (N, N)."""
    count, width = neighbours.shape
    ends = np.arange(0, count * width + 1, width)
    operator = csr_array((weights.ravel(), neighbours.ravel(), ends), shape=(count, count))
    operator.eliminate_zeros()
    return operator


def _scaled(spectra: Spectra) -> Spectra:
    """Spectra (n, P) of median 0.5, and the zero points that go with them."""
    flux, zero_point = spectra
    scale = MEDIAN / np.median(flux, axis=1)
    return flux * scale[:, None], zero_point - 2.5 * np.log10(scale)


def _require_same(stored: NDArray[np.float32], made: Array, first: int) -> None:
    difference = np.abs(stored - made).max(axis=1)
    bad = np.flatnonzero(~(difference < _SAME))
    if bad.size:
        raise DataError(
            f"star {first + bad[0]}: its flux differs by {difference[bad[0]]:.1e} from that of the node grid at its "
            "labels; bounds need the grid that the set was made from: make the set again"
        )
