"""Cramer-Rao bounds under noise that is heavy-tailed, correlated between neighbours, or a common factor of the sky.

With J the derivatives and the noise of variance sigma^2 and correlation R in units of sigma, J' = J / sigma:

* Gaussian noise of any correlation carries the information I = J' R^-1 J'^T.
* Independent Student noise carries that of the Gaussian times (nu + 1)/(nu + 3) * nu/(nu - 2) = 10/7: at a given
  variance heavy tails help an observer who knows of them, for most residuals are then small (Lange, Little & Taylor
  1989, JASA 84, 881, appendix B).
* Weighted least squares that take the pixels for independent have the variance A^-1 (J' R J'^T) A^-1 with A = J' J'^T
  (the sandwich: White 1982, Econometrica 50, 1). Student noise leaves that at A^-1, for the variances are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from repro.bounds.derivatives import derivative_stencil
from repro.bounds.fisher import marginal
from repro.bounds.law_posterior import DRAWS, TEMPER, law_posteriors
from repro.bounds.law_proposal import Seen
from repro.bounds.noise_law_table import OBSERVERS, NoiseLawTable
from repro.bounds.scaling import node_errors, unit_median
from repro.bounds.stars import LineSlopes
from repro.errors import ParameterError
from repro.instrument.noise import Conditions, NoiseModel
from repro.progress import Report, silent
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise_laws import (
    LAWS,
    STUDENT_FREEDOM,
    Correlation,
    Law,
    present_law,
    sky_share,
    student_information,
)
from repro.spectra.sampling import labels_of
from repro.spectra.store import SpectrumSet

_BLOCK = 64  # spectra at a time

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


def noise_law_table(
    nodes: NodeGrid,
    magnitudes: Sequence[float],
    conditions: Conditions,
    grid: NodeGrid,
    stars: SpectrumSet,
    noise_model: NoiseModel,
    *,
    noise: float,
    seed: int,
    limit: int,
    laws: Sequence[Law] = LAWS,
    target: str = "log_g",
    draws: int = DRAWS,
    device: str | torch.device = "cpu",
    recorded: Mapping[str, Any] | None = None,
    report: Report = silent,
) -> NoiseLawTable:
    """Bounds at the nodes of one grid, and bounds and posteriors at test stars made from another.

    Args:
        nodes: grid of the bounds at nodes, observed at `magnitudes` under `conditions`.
        grid: the grid that `stars`, the open test set, was made from with `noise_model`.
        noise: noise level; seed: of the common presentation of the stars.
        limit: stars from the start of the set; none of a set of sampling mode `continuous`, which has no lines.
        draws, device: as `law_posteriors`.
        recorded: further conditions to store.
        report: called with (nodes and stars done, both in all).

    Raises:
        ParameterError: a noise level that is not positive and finite, or a target that is not a free axis.
        DataError: the set is damaged, or was made from another grid or noise model.
    """
    if not (np.isfinite(noise) and noise > 0):
        raise ParameterError(f"noise level {noise} must be positive and finite: without noise there is no bound")
    if target not in nodes.lattice.free or target not in grid.lattice.free:
        raise ParameterError(f"'{target}' is not a free axis of both grids")
    mode = stars.mode
    count, n_nodes = (min(limit, stars.size) if mode == "paper" else 0), len(nodes.flux)
    total = n_nodes + count
    bound, information = node_law_bounds(
        nodes,
        magnitudes,
        noise_model,
        conditions,
        noise,
        laws=laws,
        target=target,
        report=lambda done, _: report(done, total),
    )
    rows = slice(0, count)
    flux, error = stars.read(rows)
    table = stars.labels[rows]
    show = partial(present_law, flux, error, table, noise=noise, seed=seed, split="test", noise_model=noise_model)
    x = np.stack([show(law, rows=range(count)) for law in laws])
    sigma = noise * error.astype(np.float64)
    seen = Seen(x, sigma, sky_share(flux, error, table, noise_model))
    truth = table[target].astype(np.float64)
    posteriors = law_posteriors(
        grid,
        seen,
        laws,
        truth,
        np.arange(count),
        seed=seed,
        target=target,
        draws=draws,
        device=device,
        report=lambda done, _: report(n_nodes + done, total),
    )
    return NoiseLawTable(
        target=target,
        laws=tuple(laws),
        free=nodes.lattice.free,
        magnitudes=np.asarray(magnitudes, dtype=np.float64),
        labels=np.asarray(nodes.lattice.labels, dtype=np.float64),
        bound=bound,
        mean_information=information,
        stars=np.arange(count),
        truth=truth,
        mag=table["mag"].astype(np.float64),
        snr=np.median(flux / sigma, axis=1),
        star_bound=_star_law_bounds(grid, labels_of(table), table["interp_param"].astype(str), seen, laws, target),
        mean=posteriors.mean,
        sd=posteriors.sd,
        pit=posteriors.pit,
        monte_carlo_error=posteriors.monte_carlo_error,
        effective=posteriors.effective,
        conditions={
            "noise": float(noise),
            "mode": mode,
            "draws": draws,
            "temper": TEMPER,
            "observer": "weights",
            "student_freedom": STUDENT_FREEDOM,
            **(recorded or {}),
        },
    )


def _star_law_bounds(
    grid: NodeGrid, labels: Float64, axis: NDArray[np.str_], seen: Seen, laws: Sequence[Law], target: str
) -> Float64:
    """Bounds (O, L, n) at the stars themselves; derivatives as in `stars.star_bounds`."""
    slopes = LineSlopes(grid)
    column = grid.lattice.free.index(target)
    bound = np.empty((len(OBSERVERS), len(laws), len(labels)))
    for start in range(0, len(labels), _BLOCK):
        part = slice(start, start + _BLOCK)
        weighted = slopes(labels[part], axis[part]).jacobian / seen.sigma[part, None, :]
        for row, law in enumerate(laws):
            bound[:, row, part] = law_bounds(weighted, law, seen.share[part], column).bound
    return bound


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
