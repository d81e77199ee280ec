"""Stage `trackC-autodiff`: exact derivatives through the synthesizer at sampled nodes, against the lattice's."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from multiprocessing import get_context
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.autodiff import compare_derivatives, label_jacobian, sample_nodes
from repro.instrument.noise import NoiseModel
from repro.instrument.observe import Instrument
from repro.progress import progress
from repro.sources.lte import LteSource
from repro.spectra.nodes import NodeGrid
from repro.stages.paths import AUTODIFF, NODES_3D
from repro.stages.runner import Run, run_stage
from repro.stages.trackC_ceiling import fisher_conditions

MAGNITUDE: Final = 21.5  # its errors weight the comparison: the grid on which the published headline rests

STARS_TOGETHER: Final = 3  # in one call: per star a third less time than alone, and still small beside the caches

Slopes = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # labels (B, 5) -> derivatives (B, k, 4096) of the flux

_slopes_of_worker: Slopes


def main(run: Run) -> None:
    """Write results/trackC/autodiff.h5, with no node in it where the source has no exact derivatives."""
    params = run.params
    grid = NodeGrid.read(NODES_3D)
    wanted = params.size.autodiff_nodes if params.source == "lte" else 0
    nodes = sample_nodes(grid.lattice.size, wanted, params.seed)
    labels = grid.lattice.labels[nodes]
    arguments = (run.device, params.nodes.microturbulence, grid.lattice.free)
    with progress("exact derivatives") as report, slopes_at(labels, arguments) as slopes:
        comparison = compare_derivatives(
            slopes,
            grid,
            nodes,
            NoiseModel(params.spectra.noise_model),
            fisher_conditions(params, MAGNITUDE),
            progress=report,
        )
    comparison.write(AUTODIFF)


@contextmanager
def slopes_at(
    labels: NDArray[np.float64], arguments: tuple[str, float, Sequence[str]]
) -> Iterator[Iterator[NDArray[np.float64]]]:
    """Exact derivatives (k, 4096) for each of `labels` (n, 5): on a GPU in turn, otherwise one process a core.

    Forward-mode differentiation is many small operations, which a second thread does not speed up.
    """
    blocks = [labels[start : start + STARS_TOGETHER] for start in range(0, len(labels), STARS_TOGETHER)]
    workers = 1 if arguments[0] == "cuda" else min(os.cpu_count() or 1, len(blocks))
    if not blocks:
        yield iter(())
        return
    if workers == 1:
        yield chain.from_iterable(map(exact_slopes(*arguments), blocks))
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, arguments) as pool:
        yield chain.from_iterable(pool.map(_work, blocks))


def exact_slopes(device: str, microturbulence: float, names: Sequence[str]) -> Slopes:
    """The derivatives of an observed surface flux with respect to the named labels, as a function of the labels."""
    source, instrument = LteSource(device=device, microturbulence=microturbulence), Instrument()

    def observed(labels: Tensor) -> Tensor:
        return instrument(source.spectra(labels))[0]

    return partial(_slopes, observed, names)


def _slopes(
    function: Callable[[Tensor], Tensor], names: Sequence[str], labels: NDArray[np.float64]
) -> NDArray[np.float64]:
    slopes: NDArray[np.float64] = label_jacobian(function, torch.from_numpy(labels), names).cpu().numpy()
    return slopes


def _start_worker(device: str, microturbulence: float, names: Sequence[str]) -> None:
    global _slopes_of_worker
    torch.set_num_threads(1)
    _slopes_of_worker = exact_slopes(device, microturbulence, names)


def _work(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    return _slopes_of_worker(labels)


if __name__ == "__main__":
    run_stage("trackC-autodiff", main)
