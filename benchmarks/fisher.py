"""Speed and memory of the ceilings of a node grid at six magnitudes, against other routes in the same run.

    python -m benchmarks.fisher [node grid]

Without a node grid the spectra are smooth random ones on the published 5D lattice of 30 240 nodes: the work does not
depend on their content. The routes beside it take one node at a time, with errors and derivatives given to them: the
dense route inverts the full pixel covariance, as chemicalc 0.1 does; the plain loop weights pixels and inverts with
`numpy.linalg.inv`. A second part repeats the two Fisher matrices at chemicalc's own problem size, 100 labels on 4408
pixels. Bounds of the routes are compared as they are made.
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.bounds.ceiling import MAGNITUDES, lattice_ceiling
from repro.bounds.derivatives import derivative_stencil
from repro.bounds.fisher import fisher_information, marginal_bound
from repro.bounds.scaling import node_errors, unit_median
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import pixel_centres
from repro.labels import LABELS
from repro.spectra.lattice import paper_5d
from repro.spectra.nodes import NodeGrid

CONDITIONS = Conditions(mag=21.5, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
TARGET = 30.0  # s for the published 5D lattice on two cores
DENSE_SAMPLE = 2
PLAIN_SAMPLE = 200
CHEMICALC_LABELS, CHEMICALC_PIXELS = 100, 4408
CHEMICALC_REPEATS = 3


def main() -> None:
    """Print times per node and magnitude, their ratios, the largest difference of the bounds, and peak memory."""
    grid = NodeGrid.read(Path(sys.argv[1])) if len(sys.argv) > 1 else _smooth_grid()
    noise = NoiseModel("paper")
    lattice_ceiling(grid.sub(grid.lattice.part({"T_eff": grid.lattice.axes["T_eff"][:2]})), (21.5,), noise, CONDITIONS)
    started, worked = time.perf_counter(), time.process_time()
    table = lattice_ceiling(grid, MAGNITUDES, noise, CONDITIONS)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    count, free = table.crlb.size, len(table.free)
    published = seconds * paper_5d().size / len(grid.flux)
    size = f"{len(grid.flux)} nodes x {len(MAGNITUDES)} magnitudes, {free} labels"
    print(f"{size}, of grid '{grid.source}': {seconds:.1f} s")
    print("  that is noise model, four derivative schemes, bounds, condition numbers and SNR percentiles;")
    print(f"  {published:.1f} s for {paper_5d().size} nodes (target {TARGET:g} s on two cores; here {os.cpu_count()})")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  processor time {processor:.1f} s, peak memory of the process {memory:.2f} GiB")
    nodes = np.random.default_rng(0).choice(len(grid.flux), PLAIN_SAMPLE, replace=False)
    row = MAGNITUDES.index(CONDITIONS.mag)
    scaled = unit_median(grid)
    jacobian = derivative_stencil(grid.lattice).jacobian(scaled.flux, nodes)
    error = node_errors(scaled, nodes, noise, CONDITIONS)
    _header()
    _line("this kit (everything above)", seconds / count, 1.0, "")
    for name, route, size in (("plain loop", _plain, PLAIN_SAMPLE), ("dense covariance", _dense, DENSE_SAMPLE)):
        duration, bounds = _timed(route, jacobian[:size], error[:size])
        difference = np.max(np.abs(bounds / table.crlb[row, nodes[:size]] - 1.0))
        each = duration / size
        _line(f"{name}, bounds alone", each, each * count / seconds, f"{difference:.1e}")
    _chemicalc()


def _chemicalc() -> None:
    """One star of chemicalc's problem size: derivatives given, bound on one label asked for."""
    rng = np.random.default_rng(2)
    jacobian = rng.normal(size=(1, CHEMICALC_LABELS, CHEMICALC_PIXELS))
    error = rng.uniform(0.5, 2.0, size=(1, CHEMICALC_PIXELS))
    print(f"one star, {CHEMICALC_LABELS} labels, {CHEMICALC_PIXELS} pixels")
    _header()
    best: dict[str, float] = {}
    bounds: dict[str, float] = {}
    for name, route in (("this kit", _kit), ("dense covariance", _dense)):
        for _ in range(CHEMICALC_REPEATS):
            duration, values = _timed(route, jacobian, error)
            best[name] = min(best.get(name, np.inf), duration)
            bounds[name] = values[0]
        difference = abs(bounds[name] / bounds["this kit"] - 1.0)
        _line(f"{name}, matrix and bound", best[name], best[name] / best["this kit"], f"{difference:.1e}")


def _header() -> None:
    print(f"{'route':<34}{'ms a star':>10}{'ratio':>9}{'largest difference':>22}")


def _line(name: str, seconds: float, ratio: float, difference: str) -> None:
    print(f"{name:<34}{1e3 * seconds:>10.3f}{ratio:>9.1f}{difference:>22}")


def _timed(
    route: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    jacobians: NDArray[np.float64],
    errors: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    started = time.perf_counter()
    bounds = np.array([route(jacobian, error) for jacobian, error in zip(jacobians, errors, strict=True)])
    return time.perf_counter() - started, bounds


def _kit(jacobian: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    return float(marginal_bound(fisher_information(jacobian[None], error[None]), 1)[0])


def _plain(jacobian: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    return float(np.linalg.inv((jacobian / error**2) @ jacobian.T)[1, 1])


def _dense(jacobian: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    return float(np.linalg.inv(jacobian @ np.linalg.inv(np.diag(error**2)) @ jacobian.T)[1, 1])


def _smooth_grid() -> NodeGrid:
    lattice = paper_5d()
    rng = np.random.default_rng(1)
    shapes = (0.02 * rng.normal(size=(len(LABELS), 4096))).astype(np.float32)
    centred = ((lattice.labels - lattice.labels.mean(axis=0)) / np.ptp(lattice.labels, axis=0)).astype(np.float32)
    flux = np.float32(1e6) * np.exp(centred @ shapes + (centred**2) @ shapes[::-1])
    return NodeGrid(lattice, pixel_centres(), flux, np.full(lattice.size, -20.0), "smooth random", "", 2.0)


if __name__ == "__main__":
    main()
