"""Speed and memory of the ceilings of 1260 nodes at six magnitudes, against node-by-node routes in the same run.

    python -m benchmarks.fisher [node grid]

Without a node grid (data/nodes_3d.h5) the spectra are smooth random ones: the work does not depend on their content.
The dense route inverts the full pixel covariance, as chemicalc 0.1 does; the plain loop weights pixels but takes one
node at a time with `numpy.linalg.inv`. Both run on a sample, with errors and derivatives given to them.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.bounds.ceiling import MAGNITUDES, lattice_ceiling
from repro.bounds.derivatives import lattice_derivatives
from repro.bounds.scaling import node_errors, unit_median
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import pixel_centres
from repro.labels import LABELS
from repro.spectra.lattice import paper_3d
from repro.spectra.nodes import NodeGrid

CONDITIONS = Conditions(mag=21.5, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
DENSE_SAMPLE = 2
PLAIN_SAMPLE = 200


def main() -> None:
    """Print times per node and magnitude, their ratios, the largest difference of the bounds, and peak memory."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/nodes_3d.h5")
    grid = NodeGrid.read(path) if path.exists() else _smooth_grid()
    noise = NoiseModel("paper")
    started, worked = time.perf_counter(), time.process_time()
    table = lattice_ceiling(grid, MAGNITUDES, noise, CONDITIONS)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    count = table.crlb.size
    print(
        f"{len(grid.flux)} nodes x {len(MAGNITUDES)} magnitudes of grid '{grid.source}': {seconds:.2f} s (target 10 s)"
    )
    print("  that is noise model, three derivative schemes, bounds, condition numbers and SNR percentiles;")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  processor time {processor:.2f} s, peak memory of the process {memory:.2f} GiB")
    nodes = np.random.default_rng(0).choice(len(grid.flux), PLAIN_SAMPLE, replace=False)
    row = MAGNITUDES.index(CONDITIONS.mag)
    scaled = unit_median(grid)
    jacobian = lattice_derivatives(scaled.flux, grid.lattice)[nodes]
    error = node_errors(scaled, nodes, noise, CONDITIONS)
    print(f"{'route':<34}{'ms a node':>10}{'ratio':>9}{'largest difference':>22}")
    print(f"{'this kit (everything above)':<34}{1e3 * seconds / count:>10.3f}{1.0:>9.1f}")
    for name, route, size in (("plain loop", _plain, PLAIN_SAMPLE), ("dense covariance", _dense, DENSE_SAMPLE)):
        duration, bounds = _timed(route, jacobian[:size], error[:size])
        difference = np.max(np.abs(bounds / table.crlb[row, nodes[:size]] - 1.0))
        each = duration / size
        print(f"{name + ', bounds alone':<34}{1e3 * each:>10.3f}{each * count / seconds:>9.1f}{difference:>22.1e}")


def _timed(
    route: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    jacobians: NDArray[np.float64],
    errors: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    started = time.perf_counter()
    bounds = np.array([route(jacobian, error) for jacobian, error in zip(jacobians, errors, strict=True)])
    return time.perf_counter() - started, bounds


def _plain(jacobian: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    return float(np.linalg.inv((jacobian / error**2) @ jacobian.T)[1, 1])


def _dense(jacobian: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    return float(np.linalg.inv(jacobian @ np.linalg.inv(np.diag(error**2)) @ jacobian.T)[1, 1])


def _smooth_grid() -> NodeGrid:
    lattice = paper_3d()
    rng = np.random.default_rng(1)
    shapes = rng.normal(size=(len(LABELS), 4096)) * 0.02
    centred = (lattice.labels - lattice.labels.mean(axis=0)) / (np.ptp(lattice.labels, axis=0) + 1.0)
    flux = 1e6 * np.exp(centred @ shapes + (centred**2) @ shapes[::-1])
    return NodeGrid(
        lattice, pixel_centres(), flux.astype(np.float32), np.full(lattice.size, -20.0), "smooth random", "", 2.0
    )


if __name__ == "__main__":
    main()
