"""Exact derivatives of spectra by forward-mode automatic differentiation, to hold lattice differences against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.derivatives import derivative_stencil, interior
from repro.bounds.fisher import fisher_information, marginal
from repro.labels import LABELS
from repro.spectra.lattice import Lattice

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
        columns.append(torch.func.jvp(function, (labels,), (tangent,))[1])
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
    lattice: Lattice,
    flux: NDArray[np.floating],
    error: NDArray[np.floating],
    nodes: NDArray[np.intp],
    *,
    target: str = "log_g",
    block: int = 8,
) -> DerivativeComparison:
    """Compare lattice differences of `flux` (N, P) with exact derivatives of `function` at `nodes`.

    function: the same spectra as `flux` (same instrument, same normalisation) for any labels.
    error: (n, P) 1 sigma of the sampled nodes, in the units of `flux`; weights the comparison and gives the bounds.
    """
    stencil = derivative_stencil(lattice)
    labels = torch.from_numpy(np.asarray(lattice.labels, dtype=np.float64)[nodes])
    exact = np.concatenate(
        [label_jacobian(function, part, stencil.names).detach().cpu().numpy() for part in labels.split(block)]
    )
    on_lattice = stencil.jacobian(flux, nodes)
    weighted = error[:, None, :]
    difference = np.linalg.norm((on_lattice - exact) / weighted, axis=2) / np.linalg.norm(exact / weighted, axis=2)
    column = stencil.names.index(target)
    bound, reference = (marginal(fisher_information(jacobian, error), column).crlb for jacobian in (on_lattice, exact))
    return DerivativeComparison(
        stencil.names, nodes, interior(lattice)[nodes], difference, bound / reference, reference
    )
