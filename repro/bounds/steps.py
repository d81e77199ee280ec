"""How the error of a central difference depends on its step, through the synthesizer itself.

The error has two parts: truncation, which falls with the square of the step, and rounding (opacities are summed in
single precision), which grows as the step shrinks. The lattice step is given by the models and cannot be chosen, but
its place on this curve says what the published differences are worth.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.bounds.autodiff import SpectrumFunction, label_jacobian, sample_nodes, synthesizer
from repro.bounds.derivatives import interior
from repro.bounds.fisher import fisher_information, marginal_bound
from repro.bounds.scaling import node_errors, unit_median, unit_median_beside, unit_median_jacobian
from repro.bounds.steps_table import StepStudy as StepStudy
from repro.instrument.noise import Conditions, NoiseModel
from repro.labels import LABELS
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid

FRACTIONS: Final = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 64)  # of the lattice step

_TOGETHER: Final = 6  # spectra synthesised in one call

Slopes = tuple[NDArray[np.float64], NDArray[np.float64]]  # exact (k, P), by differences (S, k, P)


def lattice_steps(lattice: Lattice) -> dict[str, float]:
    """The (median) step of each free axis [label unit]."""
    return {name: float(np.median(np.diff(lattice.axes[name]))) for name in lattice.free}


def step_nodes(lattice: Lattice, size: int, seed: int) -> NDArray[np.intp]:
    """`size` interior nodes, (size,) rows, sorted; a seed fixes the choice. All if there are fewer."""
    inside = np.flatnonzero(interior(lattice))
    return inside[sample_nodes(len(inside), size, seed)]


def synthesized_slopes(
    device: str, microturbulence: float, steps: Mapping[str, float], fractions: Sequence[float] = FRACTIONS
) -> Callable[[NDArray[np.float64]], Slopes]:
    """Labels (5,) of one star -> its derivatives through the embedded synthesizer; see `star_slopes`."""
    function = synthesizer(device, microturbulence)

    def slopes(labels: NDArray[np.float64]) -> Slopes:
        return star_slopes(function, labels, steps, fractions)

    return slopes


def star_slopes(
    function: SpectrumFunction, labels: NDArray[np.float64], steps: Mapping[str, float], fractions: Sequence[float]
) -> Slopes:
    """Derivatives at `labels` (5,) of the spectra of `function` scaled to a median of 0.5.

    Returns:
        Exact ones (k, P), and central differences (S, k, P) with each of `fractions` of the k `steps`.
    """
    star = torch.from_numpy(labels)[None]
    exact = label_jacobian(function, star, tuple(steps)).cpu().numpy()
    reference = _spectra(function, star)
    shifts = np.zeros((len(fractions), len(steps), 2, len(LABELS)))
    for column, (name, step) in enumerate(steps.items()):
        shifts[:, column, :, LABELS.index(name)] = np.outer(fractions, (step, -step))
    around = _spectra(function, star + torch.from_numpy(shifts.reshape(-1, len(LABELS))))
    scaled = unit_median_beside(around, reference[0]).reshape(*shifts.shape[:3], -1)
    width = 2.0 * np.outer(fractions, list(steps.values()))
    return unit_median_jacobian(reference, exact)[0], (scaled[:, :, 0] - scaled[:, :, 1]) / width[:, :, None]


def step_study(
    slopes: Iterable[Slopes],
    grid: NodeGrid,
    nodes: NDArray[np.intp],
    noise_model: NoiseModel,
    conditions: Conditions,
    *,
    fractions: Sequence[float] = FRACTIONS,
    target: str = "log_g",
    progress: Callable[[int, int], None] | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> StepStudy:
    """Compare central differences of several steps with exact derivatives at `nodes` (n,) of `grid`.

    slopes: of each of `nodes` in turn, see `star_slopes`, with the steps of `lattice_steps(grid.lattice)`.
    conditions: of the observation whose errors weight the pixels and give the bounds.
    progress: called with (nodes done, nodes in all) after each node.
    """
    steps = lattice_steps(grid.lattice)
    column = grid.lattice.free.index(target)
    error = node_errors(unit_median(grid), nodes, noise_model, conditions)
    ratio = (fractions[0] / fractions[1]) ** 2
    shape = (len(nodes), len(steps), len(fractions) + 1)  # the extrapolation stands last
    difference, bounds, reference = np.empty(shape), np.empty((len(nodes), shape[2])), np.empty(len(nodes))
    for row, (exact, by_steps) in enumerate(slopes):
        extrapolated = (ratio * by_steps[1] - by_steps[0]) / (ratio - 1.0)
        routes = np.concatenate([by_steps, extrapolated[None]])
        sigma = np.broadcast_to(error[row], (len(routes), error.shape[1]))
        off, norm = (np.linalg.norm(each / error[row], axis=-1) for each in (routes - exact, exact))
        difference[row] = (off / norm).T
        bounds[row] = marginal_bound(fisher_information(routes, sigma), column)
        reference[row] = marginal_bound(fisher_information(exact[None], error[row, None]), column)[0]
        if progress:
            progress(row + 1, len(nodes))
    bounds /= reference[:, None]
    return StepStudy(
        target=target,
        free=tuple(steps),
        steps=np.array(list(steps.values())),
        fractions=np.array(fractions),
        nodes=nodes,
        labels=grid.lattice.labels[nodes],
        difference=difference[:, :, :-1],
        richardson=difference[:, :, -1],
        crlb=reference,
        crlb_ratio=bounds[:, :-1],
        crlb_ratio_richardson=bounds[:, -1],
        conditions=dict(recorded or {}),
    )


def _spectra(function: SpectrumFunction, labels: torch.Tensor) -> NDArray[np.float64]:
    """(B, P) of labels (B, 5), few at a time."""
    with torch.no_grad():
        return torch.cat([function(part).cpu() for part in labels.split(_TOGETHER)]).numpy()
