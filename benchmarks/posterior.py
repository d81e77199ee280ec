"""Speed and memory of posteriors on the simulator's own prior, beside plain matrix products of the same run.

    python -m benchmarks.posterior [node grid] [spectrum set]

1. The node pass at one condition: (x - mu)^2 / v for every star and node and the logarithms of v, against two products
   of single-precision matrices of the same size, which is what any such sum costs at least.
2. The posterior of some stars, all conditions and lines, in stars a second.

Without a node grid (data/nodes_5d.h5) and a set (data/spectra/test.h5) the spectra are smooth random ones. On a GPU, if
there is one, the first part has 10 000 stars and 30 240 templates.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from repro.bounds.posterior.conditions import ConditionRule
from repro.bounds.posterior.engine import posterior
from repro.bounds.posterior.law import Law
from repro.bounds.posterior.medians import row_medians
from repro.bounds.posterior.nodes import scaled_misfits
from repro.bounds.scaling import MEDIAN
from repro.instrument.noise import NoiseModel
from repro.instrument.pixels import pixel_centres
from repro.spectra.generate import SetMaker, SetRecipe
from repro.spectra.lattice import pack_5d
from repro.spectra.nodes import NodeGrid
from repro.spectra.presentation import ObservedStars, observed_stars, present_arrays

SIZES = {"cpu": (1000, 10_080), "cuda": (10_000, 30_240)}
STARS = 100
REPEATS = 3


def main() -> None:
    """Print times of both parts, the ratio of the first to plain products, and peak memory."""
    paths = [Path(argument) for argument in sys.argv[1:]] or [Path("data/nodes_5d.h5"), Path("data/spectra/test.h5")]
    grid = NodeGrid.read(paths[0]) if paths[0].exists() else _smooth_grid()
    stars = observed_stars(paths[1], 42, 1.0, STARS) if len(paths) > 1 and paths[1].exists() else _stars(grid)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"{device.type}, {torch.get_num_threads()} threads, grid '{grid.source}' of {grid.lattice.size} nodes")
    _node_pass(grid, stars, device)
    started = time.perf_counter()
    table = posterior(grid, stars, NoiseModel("paper", device=device), stars.noise, device=device)
    seconds = time.perf_counter() - started
    share = table.conditions["intervals_share"]
    print(f"posterior of {len(stars.x)} stars, both observers: {seconds:.1f} s, {len(stars.x) / seconds:.1f} stars/s")
    print(f"  {share:.0%} of all intervals looked at; the templates, made once, are a cost of the grid alone")
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def _node_pass(grid: NodeGrid, stars: ObservedStars, device: torch.device) -> None:
    n, nodes = SIZES[device.type]
    rule = ConditionRule(NoiseModel("paper", device=device), Law(), device)
    one = rule.at(np.zeros((1, 3)))
    scale = MEDIAN / row_medians(grid.flux)
    chosen = np.arange(nodes) % grid.lattice.size
    flux = torch.tensor(grid.flux * scale[:, None].astype(np.float32), device=device)[chosen]
    zero_point = torch.tensor(grid.zero_point - 2.5 * np.log10(scale), device=device)[chosen]
    x = torch.tensor(stars.x, device=device)[np.arange(n) % len(stars.x)]
    left, right = torch.cat([x, x], dim=1), torch.empty((nodes, 2 * x.shape[1]), device=device).uniform_()
    ours = _seconds(lambda: scaled_misfits(x, flux, zero_point, one, stars.noise)[0], device)
    plain = _seconds(lambda: left @ right.T, device)
    print(f"node pass, {n} stars x {nodes} nodes at one condition: {ours:.2f} s; two plain products {plain:.2f} s")
    print(f"  ratio {ours / plain:.2f} (target 2), {4e-9 * n * nodes * x.shape[1] / plain:.0f} GFLOP/s in the products")


def _seconds(work: Callable[[], Tensor], device: torch.device) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return best


def _stars(grid: NodeGrid) -> ObservedStars:
    recipe = SetRecipe("paper", STARS, "test", 1)
    return present_arrays(
        *SetMaker(grid, recipe, NoiseModel("paper"))(slice(0, STARS)), "test", 1, 1.0, np.arange(STARS)
    )


def _smooth_grid() -> NodeGrid:
    lattice = pack_5d()
    rng = np.random.default_rng(1)
    shapes = rng.normal(size=(5, 4096)) * 0.02
    centred = (lattice.labels - lattice.labels.mean(axis=0)) / (np.ptp(lattice.labels, axis=0) + 1.0)
    flux = 1e6 * np.exp(centred @ shapes + (centred**2) @ shapes[::-1])
    zero_point = np.full(lattice.size, -36.8)
    return NodeGrid(lattice, pixel_centres(), flux.astype(np.float32), zero_point, "smooth random", "", 2.0)


if __name__ == "__main__":
    main()
