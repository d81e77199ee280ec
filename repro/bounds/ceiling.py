"""Ceilings on log g for a node grid: Fisher bounds at every node and magnitude, streamed over blocks of nodes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.derivatives import SCHEMES, derivative_stencil, interior
from repro.bounds.fisher import Marginal, fisher_information, marginal
from repro.bounds.quantiles import LogHistogram
from repro.bounds.scaling import node_errors, unit_median
from repro.bounds.table import SNR_PERCENTILES, CeilingTable
from repro.errors import ParameterError
from repro.instrument.noise import Conditions, NoiseModel
from repro.spectra.nodes import NodeGrid

MAGNITUDES: Final = (18.0, 20.0, 21.5, 22.0, 22.5, 23.0)  # of the six published Fisher grids


def lattice_ceiling(
    grid: NodeGrid,
    magnitudes: Sequence[float],
    noise_model: NoiseModel,
    conditions: Conditions,
    noise_level: float = 1.0,
    *,
    target: str = "log_g",
    block: int = 64,
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
        DataError: an error or derivative that is not finite.
    """
    if not (np.isfinite(noise_level) and noise_level > 0):
        raise ParameterError(f"noise level {noise_level} must be positive and finite: without noise there is no bound")
    stencils = {scheme: derivative_stencil(grid.lattice, scheme) for scheme in SCHEMES}
    names = stencils[SCHEMES[0]].names
    if target not in names:
        raise ParameterError(f"'{target}' is not a free axis of this lattice ({', '.join(names)})")
    grid = unit_median(grid)
    flux = grid.flux
    accumulator = _Accumulator(len(magnitudes), len(flux))
    for start in range(0, len(flux), block):
        nodes = slice(start, min(start + block, len(flux)))
        jacobians = {scheme: stencil.jacobian(flux, nodes) for scheme, stencil in stencils.items()}
        for m, magnitude in enumerate(magnitudes):
            error = node_errors(grid, nodes, noise_model, replace(conditions, mag=magnitude), noise_level)
            bounds = {
                scheme: marginal(fisher_information(jacobian, error), names.index(target))
                for scheme, jacobian in jacobians.items()
            }
            accumulator.add(m, nodes, bounds, flux[nodes], error)
        if progress:
            progress(nodes.stop, len(flux))
    return CeilingTable(
        target=target,
        free=names,
        magnitudes=np.asarray(magnitudes, dtype=float),
        labels=np.asarray(grid.lattice.labels, dtype=float),
        interior=interior(grid.lattice),
        conditions={"noise": float(noise_level), **(recorded or {})},
        **accumulator.arrays(),
    )


class _Accumulator:
    """Collects the blocks of all magnitudes into the arrays of a `CeilingTable`."""

    def __init__(self, magnitudes: int, nodes: int) -> None:
        self._shape = (magnitudes, nodes)
        self._arrays: dict[str, NDArray[Any]] = {}
        self._snr = [LogHistogram() for _ in range(magnitudes)]
        self._error = [LogHistogram() for _ in range(magnitudes)]

    def add(
        self,
        magnitude: int,
        nodes: slice,
        bounds: Mapping[str, Marginal],
        flux: NDArray[np.floating],
        error: NDArray[np.float64],
    ) -> None:
        """Store one block of nodes at one magnitude."""
        for entry in fields(Marginal):
            self._store(entry.name, magnitude, nodes, getattr(bounds["first_order"], entry.name))
        for scheme in ("second_order", "richardson"):
            self._store(f"crlb_{scheme}", magnitude, nodes, bounds[scheme].crlb)
        snr = flux / error
        self._store("snr", magnitude, nodes, np.median(snr, axis=1))
        self._snr[magnitude].add(snr)
        self._error[magnitude].add(error)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays of the table that depend on the magnitude."""
        percentiles = [[histogram.percentile(q) for q in SNR_PERCENTILES] for histogram in self._snr]
        medians = [histogram.percentile(50.0) for histogram in self._error]
        return {**self._arrays, "snr_percentiles": np.array(percentiles), "error_median": np.array(medians)}

    def _store(self, name: str, magnitude: int, nodes: slice, values: NDArray[Any]) -> None:
        if name not in self._arrays:
            self._arrays[name] = np.zeros(self._shape + values.shape[1:], dtype=values.dtype)
        self._arrays[name][magnitude, nodes] = values
