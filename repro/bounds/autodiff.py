"""Exact derivatives of spectra by forward-mode automatic differentiation, to hold lattice differences against."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import forward_ad

from repro.bounds.derivatives import derivative_stencil, interior
from repro.bounds.fisher import fisher_information, marginal
from repro.bounds.scaling import node_errors, unit_median, unit_median_jacobian
from repro.bounds.table import DerivativeComparison as DerivativeComparison
from repro.instrument.noise import Conditions, NoiseModel
from repro.labels import LABELS
from repro.spectra.nodes import NodeGrid

# labels (B, 5) -> spectra (B, P); each spectrum depends on its own row alone
SpectrumFunction = Callable[[Tensor], Tensor]


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
    stencil = derivative_stencil(grid.lattice)
    scaled = unit_median(grid)
    exact = np.empty((len(nodes), len(stencil.names), grid.flux.shape[1]))
    for row, (node, slope) in enumerate(zip(nodes, slopes, strict=True)):
        exact[row] = unit_median_jacobian(grid.flux[node : node + 1], slope[None])[0]
        if progress:
            progress(row + 1, len(nodes))
    error = node_errors(scaled, nodes, noise_model, conditions)
    on_lattice = stencil.jacobian(scaled.flux, nodes)
    off, norm = (np.linalg.norm(rows / error[:, None, :], axis=2) for rows in (on_lattice - exact, exact))
    column = stencil.names.index(target)
    bound, reference = (marginal(fisher_information(rows, error), column).crlb for rows in (on_lattice, exact))
    return DerivativeComparison(
        target=target,
        free=stencil.names,
        nodes=nodes,
        labels=grid.lattice.labels[nodes],
        interior=interior(grid.lattice)[nodes],
        difference=off / norm,
        crlb_ratio=bound / reference,
        crlb=reference,
    )
