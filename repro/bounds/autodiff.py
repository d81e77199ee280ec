"""Exact derivatives of spectra by forward-mode automatic differentiation, to hold lattice differences against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import forward_ad

from repro.bounds.derivatives import derivative_stencil, interior
from repro.bounds.fisher import fisher_information, marginal
from repro.bounds.scaling import node_errors, unit_median, unit_median_jacobian
from repro.instrument.noise import Conditions, NoiseModel
from repro.labels import LABELS
from repro.spectra.nodes import NodeGrid

# labels (B, 5) -> spectra (B, P); each spectrum depends on its own row alone
SpectrumFunction = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class DerivativeComparison:
    """Lattice differences against exact derivatives at n sampled nodes, for the k free labels.

    nodes: (n,) indices on the lattice; interior: (n,) neighbours on all sides.
    difference: (n, k) |J_lattice - J_exact| / |J_exact|, Euclidean norm over pixels weighted with 1 / error.
    crlb_ratio: (n,) marginal bound of the target from lattice differences over that from exact derivatives.
    crlb: (n,) the exact one [target unit^2].
    """

    names: tuple[str, ...]
    nodes: NDArray[np.intp]
    interior: NDArray[np.bool_]
    difference: NDArray[np.float64]
    crlb_ratio: NDArray[np.float64]
    crlb: NDArray[np.float64]


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
    function: SpectrumFunction,
    grid: NodeGrid,
    nodes: NDArray[np.intp],
    noise_model: NoiseModel,
    conditions: Conditions,
    *,
    target: str = "log_g",
    block: int = 8,
) -> DerivativeComparison:
    """Compare the paper's lattice differences with exact derivatives at `nodes`, both of spectra of median 0.5.

    function: the surface fluxes (B, P) that made `grid`, for any labels (B, 5) float64.
    conditions: of the observation whose errors weight the pixels, magnitude included.
    """
    stencil = derivative_stencil(grid.lattice)
    labels = torch.from_numpy(grid.lattice.labels[nodes])
    slopes = [label_jacobian(function, part, stencil.names).cpu().numpy() for part in labels.split(block)]
    exact = unit_median_jacobian(grid.flux[nodes], np.concatenate(slopes))
    on_lattice = stencil.jacobian(unit_median(grid.flux)[0], nodes)
    error = node_errors(grid, nodes, noise_model, conditions)
    off, norm = (np.linalg.norm(rows / error[:, None, :], axis=2) for rows in (on_lattice - exact, exact))
    column = stencil.names.index(target)
    bound, reference = (marginal(fisher_information(rows, error), column).crlb for rows in (on_lattice, exact))
    return DerivativeComparison(
        names=stencil.names,
        nodes=nodes,
        interior=interior(grid.lattice)[nodes],
        difference=off / norm,
        crlb_ratio=bound / reference,
        crlb=reference,
    )
