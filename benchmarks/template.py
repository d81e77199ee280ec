"""Template fitting beside loops over stars that hand each one to an optimiser of scipy, on the same stars.

    python -m benchmarks.template [node grid] [spectrum set] [number of stars for the loops]

A loop evaluates one spectrum at a time: scipy's spline (NdBSpline) through the nodes in all labels, chi2 of all pixels
with the star's own errors, the amplitude in closed form. It starts at the nearest node, which it is given for nothing.
`Nelder-Mead` is the optimiser of the published template fits, `L-BFGS-B` and `least_squares` (with the amplitude as
sixth label) know the bounds; all at scipy's settings. Each loop is run twice: with the spline through all pixels, as it
would be written, and with the spline through the few directions into which this kit brings the nodes first.

Times are those of the processor, on one thread. A loop's chi2 is compared with this kit's, in units of the noise; both
are computed by the loop's own function. Without a node grid and a set there is nothing to measure.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import NdBSpline
from scipy.optimize import least_squares, minimize

from repro.labels import LABELS
from repro.models.template import Template
from repro.models.templates import Templates
from repro.spectra.interpolate import BSplines
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.spectra.presentation import ObservedStars, observed_stars
from repro.training.spectra import Validation

STARS = 1000
GRAVITY = LABELS.index("log_g")


class Loop:
    """chi2 of one star at a time.

    Args:
        nodes: flux of the nodes (N, P), or coefficients (N, r).
        basis: directions of the coefficients, (r, P).
    """

    def __init__(self, lattice: Lattice, nodes: np.ndarray, basis: np.ndarray | None = None) -> None:
        self.basis = basis
        splines = [BSplines(values) for values in lattice.axes.values()]
        cube = lattice.reshape(nodes)
        for axis, spline in enumerate(splines):
            cube = spline.coefficients(cube, axis)
        self._spline = NdBSpline(tuple(spline.knots for spline in splines), cube, tuple(s.degree for s in splines))
        self.low, self.high = (np.array([values[end] for values in lattice.axes.values()]) for end in (0, -1))
        self.unit = self.high - self.low  # optimisers see labels of order one
        self.calls = 0

    def flux(self, point: np.ndarray) -> np.ndarray:
        """Template at labels in units of the box."""
        self.calls += 1
        labels = np.clip(self.low + point * self.unit, self.low, self.high)
        values = np.asarray(self._spline(labels[None])[0])
        return values if self.basis is None else values @ self.basis

    def chi2(self, point: np.ndarray, x: np.ndarray, weight: np.ndarray) -> float:
        """The misfit at the best amplitude."""
        flux = self.flux(point)
        amplitude = np.sum(weight * x * flux) / np.sum(weight * flux * flux)
        return float(np.sum(weight * (x - amplitude * flux) ** 2))

    def nelder_mead(self, start: np.ndarray, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """As published."""
        return np.asarray(minimize(self.chi2, start, (x, weight), method="Nelder-Mead").x)

    def quasi_newton(self, start: np.ndarray, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Gradients by differences."""
        return np.asarray(minimize(self.chi2, start, (x, weight), method="L-BFGS-B", bounds=[(0.0, 1.0)] * 5).x)

    def least_squares(self, start: np.ndarray, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Jacobian by differences."""
        root, scale = np.sqrt(weight), np.median(x) / np.median(self.flux(start))

        def residual(point: np.ndarray) -> np.ndarray:
            return root * (x - point[5] * scale * self.flux(point[:5]))

        bounds = np.append(np.zeros(5), 0.0), np.append(np.ones(5), np.inf)
        return np.asarray(least_squares(residual, np.append(start.clip(1e-6, 1.0 - 1e-6), 1.0), bounds=bounds).x[:5])


def main() -> None:
    """Print stars a second of the kit, milliseconds a star of the loops, their ratios, and how far results differ."""
    nodes, spectra = sys.argv[1:3] if len(sys.argv) > 2 else ("data/nodes_5d.h5", "data/spectra/test.h5")
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    if not (Path(nodes).exists() and Path(spectra).exists()):
        print(f"{nodes}, {spectra}: not there; `dvc repro spectra` makes them")
        return
    torch.set_num_threads(1)
    grid, stars = NodeGrid.read(nodes), observed_stars(spectra, 42, 1.0, STARS)
    started = time.process_time()
    templates = Templates.of(grid)
    print(f"{grid.lattice.size} nodes, made into templates in {time.process_time() - started:.1f} s")
    nearest = _nearest(grid, stars, count)
    known = Validation(stars.x, stars.labels[:, GRAVITY], stars.error)
    for weights in ("mean", "error"):
        model = Template(templates, weights).fit(stars.x, stars.labels[:, GRAVITY], validation=known)
        started = time.process_time()
        found = model.labels(stars.x, error=stars.error)
        rate = len(stars.x) / (time.process_time() - started)
        print(f"  this kit, weights {weights}: {rate:.0f} stars/s ({len(stars.x)} stars)")
    unit = grid.flux / np.float32(np.median(grid.flux))
    for name, loop in (
        ("all pixels", Loop(grid.lattice, unit)),
        ("directions", Loop(grid.lattice, templates.nodes.double().numpy(), templates.basis.numpy())),
    ):
        for fit in (loop.nelder_mead, loop.quasi_newton, loop.least_squares):
            _compare(f"{name}, {fit.__name__}", fit, loop, stars, nearest, found[:count], rate)
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def _nearest(grid: NodeGrid, stars: ObservedStars, count: int) -> np.ndarray:
    """Labels of the nearest node of each of the first stars, by plain sums."""
    flux = grid.flux / np.median(grid.flux, axis=1, keepdims=True)
    rows = []
    for x, error in zip(stars.x[:count], stars.error[:count], strict=True):
        weight = error.astype(np.float64) ** -2
        rows.append(np.argmax((flux @ (weight * x)) ** 2 / (flux**2 @ weight)))
    return np.asarray(grid.lattice.labels[rows])


def _compare(
    name: str,
    fit: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    loop: Loop,
    stars: ObservedStars,
    nearest: np.ndarray,
    mine: np.ndarray,
    rate: float,
) -> None:
    excess, moved = [], []
    loop.calls, seconds = 0, 0.0
    for star, start in enumerate(nearest):
        x, weight = stars.x[star].astype(np.float64), stars.error[star].astype(np.float64) ** -2
        started = time.process_time()
        theirs = fit((start - loop.low) / loop.unit, x, weight)
        seconds += time.process_time() - started
        before = loop.calls
        excess.append(
            loop.chi2((mine[star] - loop.low) / loop.unit, x, weight) - loop.chi2(theirs.clip(0.0, 1.0), x, weight)
        )
        moved.append(abs(mine[star, GRAVITY] - np.clip(loop.low + theirs * loop.unit, loop.low, loop.high)[GRAVITY]))
        loop.calls = before
    each = seconds / len(nearest)
    print(
        f"  {name}, {len(nearest)} stars: {each * 1e3:.0f} ms a star ({loop.calls / len(nearest):.0f} spectra), ratio "
        f"{rate * each:.0f} (target 100)\n"
        f"    chi2 of the kit less the loop's: {np.min(excess):+.1e} to {np.max(excess):+.1e}; |log g| apart: "
        f"median {np.median(moved):.1e}, largest {np.max(moved):.1e} dex"
    )


if __name__ == "__main__":
    main()
