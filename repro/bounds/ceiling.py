"""Ceilings on log g for a node grid: Fisher bounds at every node and magnitude, streamed over blocks of nodes."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from repro.bounds.derivatives import SCHEMES, Stencil, derivative_stencil, interior, jacobians
from repro.bounds.fisher import Marginal, marginal, marginal_bound, weighted_information
from repro.bounds.quantiles import LogHistogram
from repro.bounds.scaling import NoiseTerms, unit_median
from repro.bounds.table import SNR_PERCENTILES, CeilingTable
from repro.errors import ParameterError
from repro.instrument.noise import Conditions, NoiseModel
from repro.spectra.nodes import NodeGrid, require_physical

MAGNITUDES: Final = (18.0, 20.0, 21.5, 22.0, 22.5, 23.0)  # of the six published Fisher grids

_IDENTITY_NODES: Final = 2000  # at most, evenly spread; a 3D grid has fewer
_UNIT: Final = 250.0  # [K] of a temperature scale that makes all labels of order one


def lattice_ceiling(
    grid: NodeGrid,
    magnitudes: Sequence[float],
    noise_model: NoiseModel,
    conditions: Conditions,
    noise_level: float = 1.0,
    *,
    target: str = "log_g",
    block: int = 32,
    progress: Callable[[int, int], None] | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> CeilingTable:
    """Marginal Cramer-Rao bounds of `target` at every node of `grid` and every magnitude.

    Spectra are divided so that their median is 0.5, and differentiated between lattice nodes; the error of a node is
    `noise_level` times what `noise_model` gives for it under `conditions`, whose magnitude is replaced in turn.

    progress: called with (nodes done, nodes in all) after each block.
    recorded: further conditions to store in the table beside the noise level.

    Raises:
        ParameterError: a noise level that is not positive and finite, or a target that is not a free axis.
        DataError: a flux that is not positive and finite, or a zero point that is not finite.
    """
    if not (np.isfinite(noise_level) and noise_level > 0):
        raise ParameterError(f"noise level {noise_level} must be positive and finite: without noise there is no bound")
    require_physical(grid, "node grid")
    stencils = [derivative_stencil(grid.lattice, scheme) for scheme in SCHEMES]
    names = stencils[0].names
    if target not in names:
        raise ParameterError(f"'{target}' is not a free axis of this lattice ({', '.join(names)})")
    work = BlockWork(
        unit_median(grid), stencils, NoiseTerms.of(noise_model, conditions), tuple(magnitudes), noise_level, target
    )
    count = grid.lattice.size
    blocks = [slice(start, min(start + block, count)) for start in range(0, count, block)]
    found = []
    # one block a core: the matrix products are too small to be shared between threads
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for nodes, arrays in zip(blocks, pool.map(work, blocks), strict=True):
            found.append(arrays)
            if progress:
                progress(nodes.stop, count)
    return CeilingTable(
        target=target,
        free=names,
        magnitudes=np.asarray(magnitudes, dtype=float),
        labels=np.asarray(grid.lattice.labels, dtype=float),
        interior=interior(grid.lattice),
        conditions={"noise": float(noise_level), **(recorded or {})},
        identities=identities(work),
        snr_percentiles=np.sqrt([[histogram.percentile(q) for q in SNR_PERCENTILES] for histogram in work.snr_squared]),
        error_median=np.array([histogram.percentile(50.0) for histogram in work.weight]) ** -0.5,
        **{name: np.concatenate([arrays[name] for arrays in found], axis=1) for name in found[0]},
    )


@dataclass
class BlockWork:
    """What one block of nodes takes; threads share it, and add to the same histograms."""

    grid: NodeGrid  # of median 0.5
    stencils: list[Stencil]  # one for each of `SCHEMES`
    noise: NoiseTerms
    magnitudes: tuple[float, ...]
    noise_level: float
    target: str

    def __post_init__(self) -> None:
        self.snr_squared = [LogHistogram() for _ in self.magnitudes]
        self.weight = [LogHistogram() for _ in self.magnitudes]  # 1 / error^2

    def __call__(self, nodes: slice) -> dict[str, NDArray[Any]]:
        """The arrays of a `CeilingTable` that have magnitudes and nodes, (M, B, ...)."""
        weights = self.weights(nodes)
        column = self.stencils[0].names.index(self.target)
        derivatives = jacobians(self.stencils, self.grid.flux, nodes)
        information = dict(zip(SCHEMES, (weighted_information(each, weights) for each in derivatives), strict=True))
        bounds = marginal(information.pop("first_order"), column)
        result = {entry.name: getattr(bounds, entry.name) for entry in fields(Marginal)}
        result |= {f"crlb_{scheme}": marginal_bound(each, column) for scheme, each in information.items()}
        result["snr"] = self._snr(nodes, weights)
        return {name: np.moveaxis(values, 1, 0) for name, values in result.items()}

    def weights(self, nodes: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        """1 / error^2 (B, M, P)."""
        variance = self.noise.variances(self.grid.flux[nodes], self.grid.zero_point[nodes], self.magnitudes)
        variance *= self.noise_level**2
        return np.reciprocal(variance, out=variance)

    def _snr(self, nodes: slice, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Median over pixels of flux / error, (B, M); all pixels go into the histograms."""
        flux = self.grid.flux[nodes]
        squared = (flux**2)[:, None, :] * weights.astype(np.float32)
        for m in range(len(self.magnitudes)):
            self.snr_squared[m].add(squared[:, m])
            self.weight[m].add(weights[:, m])
        squared.sort(axis=2)  # several times as fast as the partition of np.median
        middle = squared.shape[2] // 2
        both = squared[:, :, [middle - 1 + squared.shape[2] % 2, middle]]
        return np.sqrt(both.astype(np.float64)).mean(axis=2)


def identities(work: BlockWork) -> dict[str, float]:
    """What must hold whatever the spectra are, as the largest deviation over nodes at the first magnitude.

    crlb_noise_squared: of C(2 sigma) / C(sigma) from 4.
    schur_scalar_noise: relative change of the Schur ratio when all errors are doubled.
    unit_rescaling: relative change of the bound when T_eff is counted in units of 250 K.
    """
    count, stencil = work.grid.lattice.size, work.stencils[0]
    column = stencil.names.index(work.target)
    units = np.array([_UNIT if name == "T_eff" else 1.0 for name in stencil.names])
    chosen = np.unique(np.linspace(0, count - 1, min(count, _IDENTITY_NODES)).astype(np.intp))
    found = []
    for nodes in np.array_split(chosen, -(-len(chosen) // 32)):
        weights = work.weights(nodes)[:, :1]
        jacobian = stencil.jacobian(work.grid.flux, nodes)
        both = weighted_information(jacobian, np.concatenate([weights, 0.25 * weights], axis=1))
        plain, doubled = (marginal(both[:, place], column) for place in (0, 1))
        rescaled = marginal_bound(weighted_information(jacobian * units[:, None], weights)[:, 0], column)
        ratios = (doubled.crlb / plain.crlb - 4.0, doubled.schur / plain.schur - 1.0, rescaled / plain.crlb - 1.0)
        found.append(np.abs(ratios))
    names = ("crlb_noise_squared", "schur_scalar_noise", "unit_rescaling")
    deviations = np.concatenate(found, axis=1)
    finite = np.where(np.isfinite(deviations), deviations, -np.inf).max(axis=1)
    return {name: float(value) for name, value in zip(names, finite, strict=True) if np.isfinite(value)}
