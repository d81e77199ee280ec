"""Exact derivatives of spectra by forward-mode automatic differentiation, to hold lattice differences against."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import forward_ad

from repro.bounds.derivatives import derivative_stencil, interior
from repro.bounds.fisher import fisher_information, marginal
from repro.bounds.scaling import unit_median_jacobian
from repro.bounds.table import DerivativeComparison as DerivativeComparison
from repro.labels import LABELS
from repro.spectra.lattice import Lattice

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
    function: SpectrumFunction,
    lattice: Lattice,
    flux: NDArray[np.floating],
    error: NDArray[np.floating],
    nodes: NDArray[np.intp],
    *,
    target: str = "log_g",
    block: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> DerivativeComparison:
    """Compare the paper's lattice differences with exact derivatives at `nodes` (n,), for spectra of median 0.5.

    function: spectra (B, P) of median 0.5 for any labels (B, 5) float64.
    flux: (N, P) what `function` gives at all nodes.
    error: (n, P) 1 sigma at `nodes`, in the units of `flux`; weights the pixels and gives the bounds.
    progress: called with (nodes done, nodes in all) after each block.
    """
    stencil = derivative_stencil(lattice)
    labels = torch.from_numpy(lattice.labels[nodes])
    exact = np.empty((len(nodes), len(stencil.names), flux.shape[1]))
    for start in range(0, len(nodes), block):
        part = slice(start, min(start + block, len(nodes)))
        slopes = label_jacobian(function, labels[part], stencil.names).cpu().numpy()
        exact[part] = unit_median_jacobian(flux[nodes[part]], slopes)
        if progress:
            progress(part.stop, len(nodes))
    on_lattice = stencil.jacobian(flux, nodes)
    off, norm = (np.linalg.norm(rows / error[:, None, :], axis=2) for rows in (on_lattice - exact, exact))
    column = stencil.names.index(target)
    bound, reference = (marginal(fisher_information(rows, error), column).crlb for rows in (on_lattice, exact))
    return DerivativeComparison(
        target=target,
        free=stencil.names,
        nodes=nodes,
        labels=lattice.labels[nodes],
        interior=interior(lattice)[nodes],
        difference=off / norm,
        crlb_ratio=bound / reference,
        crlb=reference,
    )
