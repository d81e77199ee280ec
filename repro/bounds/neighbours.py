"""The estimate that the papers' first run (V1) made: Fisher bounds from differences between neighbouring spectra.

Its log states: derivatives from nearest neighbours in (T_eff, log_g, M_H), "central" differences with steps of 10 K,
0.1 dex and 0.05 dex, 1e-10 added to the diagonal of the Fisher matrix, the effective information floored at 1e-10.
It does not state the metric, the number of neighbours searched, how those on either side were chosen, or what counts
as success (8579 of 10 000 did). Read here, without a constant of our own:

* metric: labels in units of the nominal steps, Euclidean;
* neighbours: along each axis the nearest spectrum with a larger and the nearest with a smaller value of that label
  (the first in the set, where several are as near);
* derivative: difference of their fluxes over the difference of that label;
* success: neighbours on both sides along all three axes, and a finite bound.

(The other natural reading, the spectrum nearest to a point one nominal step away, mostly finds the spectrum's own node
again: of the 8000 training spectra of scale `ci` it leaves 13 % with label differences to divide by.)

The sets hold lattice nodes with one label interpolated. Two such neighbours in three labels differ in the other two as
a rule, and so in flux, while the label difference that divides may be as small as it likes: the estimated derivative,
and with it the information, has no upper limit. `regression_weights` make the control: all labels, all near spectra at
once.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from repro.bounds.derivatives import derivative_stencil
from repro.bounds.fisher import fisher_information, marginal_bound
from repro.bounds.neighbours_table import NeighbourTable as NeighbourTable
from repro.bounds.scaling import unit_median
from repro.errors import DataError
from repro.labels import LABELS
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid

STEPS: Final = {"T_eff": 10.0, "log_g": 0.1, "M_H": 0.05}  # nominal steps of V1 [K, dex, dex]
RIDGE: Final = 1e-10  # V1's constant, added to the diagonal and put under the effective information
TARGET: Final = list(STEPS).index("log_g")
ABUNDANCES: Final = [LABELS.index(name) for name in ("a_M", "C_M")]

NEAREST: Final = 128  # spectra in a local regression: about twenty for each of its six coefficients

_BLOCK: Final = 64  # spectra whose derivatives are held at a time

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def neighbour_table(
    flux: NDArray[np.float32],
    error: NDArray[np.float32],
    labels: Floats,
    grid: NodeGrid,
    noise_level: float = 1.0,
    *,
    controls: int = 1000,
    progress: Callable[[int, int], None] | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> NeighbourTable:
    """V1's bounds for every spectrum of a sample, the lattice's, and those of a local regression for some.

    Args:
        flux: (n, P) noise-free, of median 0.5.
        error: (n, P) their errors at noise level 1.
        labels: (n, 5).
        grid: nodes of the lattice that the sample was drawn from.
        controls: number of spectra of the control, spread evenly over the sample.
        progress: called with (spectra done, spectra in all) after each block.

    Raises:
        DataError: fewer spectra than a local regression takes.
    """
    count, free = len(labels), grid.lattice.free
    if count < NEAREST:
        raise DataError(f"{count} spectra: a local regression beside the neighbour estimate takes {NEAREST}")
    pairs, found = sided_neighbours(labels)
    usable = found.min(axis=1)
    control = np.unique(np.linspace(0, count - 1, min(controls, count)).astype(np.intp))
    near, weights = regression_weights(labels, grid.lattice, control)
    nodes = grid.lattice.flat(grid.lattice.nearest(labels))
    stencil, node_flux = derivative_stencil(grid.lattice), unit_median(grid).flux
    three, target = [free.index(name) for name in STEPS], free.index("log_g")
    own = ("information", "crlb", "schur", "condition", "lattice_information", "lattice_crlb")
    results = {name: np.full(count, np.nan) for name in own}
    results |= {name: np.full(len(control), np.nan) for name in ("control_crlb", "control_lattice_crlb")}
    for start in range(0, count, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, count))
        sigma = noise_level * error[rows].astype(np.float64)
        on_lattice = stencil.jacobian(node_flux, nodes[rows])
        fisher = fisher_information(on_lattice[:, three], sigma)
        results["lattice_information"][rows] = fisher[:, TARGET, TARGET]
        results["lattice_crlb"][rows] = marginal_bound(fisher, TARGET)
        good = rows[usable[rows]]
        estimate = regularised_bound(fisher_information(secants(flux, labels, pairs[good]), sigma[good - start]))
        for name, values in estimate.items():
            results[name][good] = values
        places = np.flatnonzero((control >= start) & (control <= rows[-1]))
        here = control[places] - start
        slopes = [weights[place] @ flux[near[place]].astype(np.float64) for place in places]
        if slopes:
            results["control_crlb"][places] = _bound(np.stack(slopes), sigma[here], target)
            results["control_lattice_crlb"][places] = _bound(on_lattice[here], sigma[here], target)
        if progress:
            progress(int(rows[-1]) + 1, count)
    low, high = labels[pairs[..., 0]], labels[pairs[..., 1]]
    span = (high - low)[:, np.arange(len(STEPS)), [LABELS.index(name) for name in STEPS]] / list(STEPS.values())
    return NeighbourTable(
        labels=labels,
        succeeded=usable & np.isfinite(results["crlb"]),
        span=np.where(found, span, np.nan),
        other_abundances=found & (low[..., ABUNDANCES] != high[..., ABUNDANCES]).any(axis=-1),
        control=control,
        conditions={"noise": float(noise_level), "nearest": NEAREST, **(recorded or {})},
        **results,
    )


def sided_neighbours(labels: Floats) -> tuple[Places, NDArray[np.bool_]]:
    """The nearest spectrum with a smaller and with a larger value of each of V1's labels.

    All are compared; a KD-tree, which V1 used, finds the same.

    Args:
        labels: (n, 5).

    Returns:
        Their rows (n, 3, 2), and whether both exist (n, 3); rows of neighbours that do not exist are 0.
    """
    scaled = np.stack([labels[:, LABELS.index(name)] / step for name, step in STEPS.items()])
    pairs = np.zeros((len(labels), len(STEPS), 2), dtype=np.intp)
    found = np.zeros((len(labels), len(STEPS)), dtype=bool)
    for start in range(0, len(labels), _BLOCK):
        rows = slice(start, start + _BLOCK)
        offset = scaled[:, None, :] - scaled[:, rows, None]  # (3, b, n)
        distance = np.einsum("abn,abn->bn", offset, offset)
        for axis in range(len(STEPS)):
            smaller, larger = (np.where(side, distance, np.inf) for side in (offset[axis] < 0.0, offset[axis] > 0.0))
            pairs[rows, axis] = np.stack([smaller.argmin(axis=1), larger.argmin(axis=1)], axis=1)
            found[rows, axis] = np.isfinite(smaller.min(axis=1)) & np.isfinite(larger.min(axis=1))
    return pairs, found


def secants(flux: NDArray[np.floating], labels: Floats, pairs: Places) -> Floats:
    """V1's derivatives (b, 3, P) from the neighbours (b, 3, 2) of b spectra, among flux (n, P) with labels (n, 5)."""
    axes = [LABELS.index(name) for name in STEPS]
    step = (labels[pairs[..., 1]] - labels[pairs[..., 0]])[:, np.arange(len(axes)), axes]
    return (flux[pairs[..., 1]].astype(np.float64) - flux[pairs[..., 0]]) / step[..., None]


def regularised_bound(information: Floats) -> dict[str, Floats]:
    """V1's numbers (b,) of log g from Fisher matrices (b, 3, 3): information, crlb, schur, condition.

    The nuisance block is inverted in label units, as the log's formula has it: rounding may leave an effective
    information below the floor.
    """
    matrix = information + RIDGE * np.eye(len(STEPS))
    others = [label for label in range(len(STEPS)) if label != TARGET]
    (a, b), (_, c) = (matrix[:, others[0], others].T, matrix[:, others[1], others].T)
    cross = matrix[:, TARGET, others]
    own = matrix[:, TARGET, TARGET]
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = (c * cross[:, 0] ** 2 - 2.0 * b * cross[:, 0] * cross[:, 1] + a * cross[:, 1] ** 2) / (a * c - b**2)
    effective = np.maximum(own - lost, RIDGE)
    return {
        "information": own,
        "crlb": 1.0 / effective,
        "schur": effective / own,
        "condition": np.linalg.cond(matrix) if len(matrix) else np.zeros(0),
    }


def regression_weights(labels: Floats, lattice: Lattice, rows: Places) -> tuple[Places, Floats]:
    """Derivatives at some spectra as weighted sums of near spectra: a linear fit in all free labels of the lattice.

    Labels count in lattice steps; the `NEAREST` spectra enter with tricube weights, which reach 0 at the farthest.

    Returns:
        The spectra (m, K), and their weights (m, k, K) [1 / label unit].
    """
    columns = [LABELS.index(name) for name in lattice.free]
    place = np.stack([np.interp(labels[:, c], lattice.axes[LABELS[c]], range(lattice.shape[c])) for c in columns], 1)
    distance, near = KDTree(place).query(place[rows], k=NEAREST)
    tricube = (1.0 - (distance / distance[:, -1:]) ** 3) ** 3
    offset = labels[near][:, :, columns] - labels[rows][:, None, columns]
    scale = np.abs(offset).max(axis=1, keepdims=True)
    design = np.concatenate([np.ones_like(offset[..., :1]), offset / scale], axis=2)
    root = np.sqrt(tricube)[..., None]
    solution = np.linalg.pinv(root * design)[:, 1:] * root.swapaxes(1, 2)
    return near, solution / scale.swapaxes(1, 2)


def _bound(jacobian: Floats, sigma: Floats, target: int) -> Floats:
    return marginal_bound(fisher_information(jacobian, sigma), target)
