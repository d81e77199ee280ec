"""Cramer-Rao bounds under noise that is heavy-tailed, correlated between neighbours, or a common factor of the sky.

With J the derivatives and the noise of variance sigma^2 and correlation R in units of sigma, J' = J / sigma:

* Gaussian noise of any correlation carries the information I = J' R^-1 J'^T.
* Independent Student noise carries that of the Gaussian times (nu + 1)/(nu + 3) * nu/(nu - 2) = 10/7: at a given
  variance heavy tails help an observer who knows of them, for most residuals are then small (Lange, Little & Taylor
  1989, JASA 84, 881, appendix B).
* Weighted least squares that take the pixels for independent have the variance A^-1 (J' R J'^T) A^-1 with A = J' J'^T
  (the sandwich: White 1982, Econometrica 50, 1). Student noise leaves that at A^-1, for the variances are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from repro.bounds.derivatives import derivative_stencil
from repro.bounds.fisher import marginal
from repro.bounds.noise_law_table import OBSERVERS
from repro.bounds.scaling import node_errors, unit_median
from repro.instrument.noise import Conditions, NoiseModel
from repro.progress import Report, silent
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise_laws import LAWS, STUDENT_FREEDOM, Correlation, Law, student_information

_BLOCK = 64  # nodes at a time

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class LawBounds:
    """Bounds of one label under one law; see `NoiseLawTable`.

    bound: (O, B) of the optimal and of the naive observer.
    information: (B, k, k) of the optimal one.
    """

    bound: Float64
    information: Float64


def law_bounds(weighted: Float64, law: Law, share: Float64, target: int) -> LawBounds:
    """Bounds on label number `target` from derivatives over errors J' (B, k, P) and the sky's `share` (B, P)."""
    gaussian = weighted @ weighted.swapaxes(1, 2)
    correlation = Correlation(law, weighted.shape[-1], share)
    if law == "student":
        information = student_information(STUDENT_FREEDOM) * gaussian
    else:
        information = correlation.inverse_product(weighted)
    optimal = marginal(information, target).crlb
    filters = _least_squares_filter(gaussian, target)[:, None, :] @ weighted
    return LawBounds(np.stack([optimal, correlation.product(filters)[:, 0, 0]]), information)


def _least_squares_filter(gaussian: Float64, target: int) -> Float64:
    """Row (B, k) of A^-1; nan where labels are degenerate: least squares have no answer there."""
    row = np.full(gaussian.shape[:2], np.nan)
    good = marginal(gaussian, target).rank == gaussian.shape[1]
    scale = 1.0 / np.sqrt(np.diagonal(gaussian[good], axis1=1, axis2=2))
    scaled = gaussian[good] * scale[:, :, None] * scale[:, None, :]
    row[good] = np.linalg.inv(scaled)[:, target] * scale * scale[:, target, None]
    return row


def node_law_bounds(
    grid: NodeGrid,
    magnitudes: Sequence[float],
    noise_model: NoiseModel,
    conditions: Conditions,
    noise_level: float = 1.0,
    *,
    laws: Sequence[Law] = LAWS,
    target: str = "log_g",
    report: Report = silent,
) -> tuple[Float64, Float64]:
    """Bounds (O, L, M, N) and mean information (L, M, k, k) over the nodes of `grid` that constrain every label.

    Derivatives are those of `lattice_ceiling` (first-order edges); `conditions` are the same for all nodes, their
    magnitude is replaced in turn.
    """
    stencil = derivative_stencil(grid.lattice)
    column = stencil.names.index(target)
    grid = unit_median(grid)
    count, k = len(grid.flux), len(stencil.names)
    bound = np.empty((len(OBSERVERS), len(laws), len(magnitudes), count))
    total = np.zeros((len(laws), len(magnitudes), k, k))
    for start in range(0, count, _BLOCK):
        nodes = slice(start, min(start + _BLOCK, count))
        jacobian = stencil.jacobian(grid.flux, nodes)
        for m, magnitude in enumerate(magnitudes):
            error = node_errors(grid, nodes, noise_model, replace(conditions, mag=magnitude))
            share = _node_share(grid.flux[nodes], error, noise_model, conditions)
            weighted = jacobian / (noise_level * error)[:, None, :]
            for row, law in enumerate(laws):
                found = law_bounds(weighted, law, share, column)
                bound[:, row, m, nodes] = found.bound
                total[row, m] += found.information[stencil.complete[nodes]].sum(axis=0)
        report(nodes.stop, count)
    return bound, total / stencil.complete.sum()


def _node_share(flux: NDArray[np.float32], error: Float64, noise_model: NoiseModel, conditions: Conditions) -> Float64:
    floor = noise_model.sky_floor(
        torch.from_numpy(flux), torch.from_numpy(error), conditions.zenith_angle, conditions.field_angle
    )
    share: Float64 = floor.cpu().numpy() / error
    return share
