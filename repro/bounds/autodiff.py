"""Exact derivatives of spectra by forward-mode automatic differentiation, to hold lattice differences against."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import forward_ad

from repro.bounds.derivatives import derivative_stencil, interior
from repro.bounds.fisher import fisher_information, marginal_bound
from repro.bounds.scaling import node_errors, unit_median, unit_median_jacobian
from repro.bounds.table import DerivativeComparison as DerivativeComparison
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.observe import Instrument
from repro.labels import LABELS
from repro.sources.lte import LteSource
from repro.spectra.nodes import NodeGrid

STARS_TOGETHER: Final = 3  # differentiated in one call: per star a third less time than alone, still small in memory

# labels (B, 5) -> spectra (B, P); each spectrum depends on its own row alone
SpectrumFunction = Callable[[Tensor], Tensor]

Block = TypeVar("Block")
Result = TypeVar("Result")

_work_of_process: Callable[[Any], Any]


def label_jacobian(function: SpectrumFunction, labels: Tensor, names: Sequence[str]) -> Tensor:
    """Derivatives (B, k, P) of `function` at `labels` (B, 5) with respect to the named labels, one pass each."""
    columns = []
    for name in names:
        tangent = torch.zeros_like(labels)
        tangent[:, LABELS.index(name)] = 1.0
        # torch.func.jvp does the same after loading some seconds of decompositions that nothing here needs
        with torch.no_grad(), forward_ad.dual_level():
            spectra, slope = forward_ad.unpack_dual(function(forward_ad.make_dual(labels, tangent)))
            columns.append(torch.zeros_like(spectra) if slope is None else slope)
    return torch.stack(columns, dim=1)


def step_jacobian(function: SpectrumFunction, labels: Tensor, steps: Mapping[str, float]) -> Tensor:
    """The same by central differences with the given steps [label units]: second route for the exact derivatives."""
    columns = []
    with torch.no_grad():
        for name, step in steps.items():
            shift = torch.zeros_like(labels)
            shift[:, LABELS.index(name)] = step
            columns.append((function(labels + shift) - function(labels - shift)) / (2.0 * step))
    return torch.stack(columns, dim=1)


def sample_nodes(count: int, size: int, seed: int) -> NDArray[np.intp]:
    """`size` of `count` nodes without repetition (all of them if there are fewer), sorted; a seed fixes the choice."""
    chosen = np.random.default_rng(seed).choice(count, size=min(size, count), replace=False)
    return np.sort(chosen)


def compare_derivatives(
    slopes: Iterable[NDArray[np.floating]],
    grid: NodeGrid,
    nodes: NDArray[np.intp],
    noise_model: NoiseModel,
    conditions: Conditions,
    *,
    target: str = "log_g",
    progress: Callable[[int, int], None] | None = None,
) -> DerivativeComparison:
    """Compare the paper's lattice differences with exact derivatives at `nodes` (n,), both of spectra of median 0.5.

    slopes: for each of `nodes` in turn the exact derivatives (k, P) of its surface flux with respect to the grid's
        free labels, on the scale of `grid.flux` (see `label_jacobian`).
    conditions: of the observation whose errors weight the pixels and give the bounds.
    progress: called with (nodes done, nodes in all) after each node.
    """
    stencils = [derivative_stencil(grid.lattice, scheme) for scheme in ("first_order", "richardson", "spline")]
    names = stencils[0].names
    scaled = unit_median(grid)
    exact = np.empty((len(nodes), len(names), grid.flux.shape[1]))
    for row, (node, slope) in enumerate(zip(nodes, slopes, strict=True)):
        exact[row] = unit_median_jacobian(grid.flux[node : node + 1], slope[None])[0]
        if progress:
            progress(row + 1, len(nodes))
    error = node_errors(scaled, nodes, noise_model, conditions)
    on_lattice = [stencil.jacobian(scaled.flux, nodes) for stencil in stencils]
    off, norm = (np.linalg.norm(rows / error[:, None, :], axis=2) for rows in (on_lattice[0] - exact, exact))
    column = names.index(target)
    reference, *bounds = (marginal_bound(fisher_information(rows, error), column) for rows in (exact, *on_lattice))
    ratio, richardson, spline = (bound / reference for bound in bounds)
    return DerivativeComparison(
        target=target,
        free=names,
        nodes=nodes,
        labels=grid.lattice.labels[nodes],
        interior=interior(grid.lattice)[nodes],
        difference=off / norm,
        crlb_ratio=ratio,
        crlb_ratio_richardson=richardson,
        crlb_ratio_spline=spline,
        crlb=reference,
    )


def synthesizer(device: str, microturbulence: float) -> SpectrumFunction:
    """Observed noise-free surface fluxes (B, 4096) of the embedded source [erg s^-1 cm^-2 A^-1], from labels (B, 5)."""
    source, instrument = LteSource(device=device, microturbulence=microturbulence), Instrument()

    def observed(labels: Tensor) -> Tensor:
        return instrument(source.spectra(labels))[0]

    return observed


def exact_slopes(
    device: str, microturbulence: float, names: Sequence[str]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Labels (B, 5) -> derivatives (B, k, 4096) of what `synthesizer` gives with respect to the named labels."""
    function = synthesizer(device, microturbulence)

    def slopes(labels: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = label_jacobian(function, torch.from_numpy(labels), names).cpu().numpy()
        return result

    return slopes


@contextmanager
def in_processes(
    make: Callable[[], Callable[[Block], Result]], blocks: Sequence[Block], device: str
) -> Iterator[Iterator[Result]]:
    """`make()(block)` of each block, in order: on a GPU in turn, otherwise one process a core.

    Differentiation and synthesis are many small operations, which a second thread does not speed up. `make` is called
    once a process and must pickle: a `functools.partial` of a module's function does.
    """
    workers = 1 if device == "cuda" else min(os.cpu_count() or 1, len(blocks))
    if workers < 2:
        yield map(make(), blocks) if blocks else iter(())
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_process, (make,)) as pool:
        yield pool.map(_call, blocks)


def _start_process(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _work_of_process
    torch.set_num_threads(1)
    _work_of_process = make()


def _call(block: Any) -> Any:
    return _work_of_process(block)
