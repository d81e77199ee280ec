"""Fisher information of labels under independent Gaussian pixel noise, and the marginal Cramer-Rao bound of one label.

The dependence of the noise on the labels adds information that is left out here, as in the original computation.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError

# A pivot of the unit-diagonal information matrix below the rounding of a sum over 4096 pixels is not information.
PIVOT_TOLERANCE: Final = 4096 * np.finfo(np.float64).eps

_TOGETHER: Final = 8  # spectra whose products of derivatives are held at a time: they stay in the processor's cache


@dataclass(frozen=True)
class Marginal:
    """Bounds on one label when the others are unknown too; arrays share the leading shape of the information.

    crlb: marginal Cramer-Rao bound [label unit^2]; nan where not identifiable.
    crlb_inverse: the same as an element of the inverse of the unscaled matrix, a second route; nan where rank < k.
    conditional: bound with the other labels known, 1 / I_gg [label unit^2]; nan where I_gg is 0.
    schur: conditional / crlb, the share of the label's own information that survives the other labels (0 ... 1).
    condition_raw: condition number of the information in label units (depends on the units; kept because it is quoted).
    condition_scaled: the same with unit diagonal (free of units); both are inf where rank < k.
    correlations: (..., k) correlation of the estimation errors with the target's; nan where rank < k.
    rank: identifiable directions, 0 ... k.
    identifiable: whether the target is.
    """

    crlb: NDArray[np.float64]
    crlb_inverse: NDArray[np.float64]
    conditional: NDArray[np.float64]
    schur: NDArray[np.float64]
    condition_raw: NDArray[np.float64]
    condition_scaled: NDArray[np.float64]
    correlations: NDArray[np.float64]
    rank: NDArray[np.int64]
    identifiable: NDArray[np.bool_]


def fisher_information(jacobian: NDArray[np.float64], sigma: NDArray[np.floating]) -> NDArray[np.float64]:
    """I_ij = sum over pixels of J_i J_j / sigma^2, (B, k, k), from (B, k, P) derivatives and (B, P) errors (1 sigma).

    Raises:
        DataError: an error that is not positive and finite, or a derivative that is not finite.
    """
    if not (np.isfinite(sigma).all() and (sigma > 0).all()):
        row, pixel = np.argwhere(~(np.isfinite(sigma) & (sigma > 0)))[0]
        raise DataError(
            f"error of spectrum {row}, pixel {pixel} is {sigma[row, pixel]}: it must be positive and finite"
        )
    weighted = jacobian * (1.0 / sigma)[:, None, :]
    information: NDArray[np.float64] = weighted @ weighted.swapaxes(1, 2)
    return _finite(information)


def weighted_information(jacobian: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same, (B, M, k, k), under M sets of errors, given as weights 1 / sigma^2 (B, M, P).

    The products of derivatives are formed once and summed with all weights in one matrix product: for a handful of
    labels and several sets of errors the faster way.

    Raises:
        DataError: a derivative or weight that is not finite.
    """
    count, labels, pixels = jacobian.shape
    row, column = np.triu_indices(labels)
    information = np.empty((count, weights.shape[1], labels, labels))
    products = np.empty((min(_TOGETHER, count), len(row), pixels))
    for start in range(0, count, _TOGETHER):
        part = jacobian[start : start + _TOGETHER]
        first = 0
        for label in range(labels):
            last = first + labels - label
            np.multiply(part[:, label, None], part[:, label:], out=products[: len(part), first:last])
            first = last
        sums = weights[start : start + _TOGETHER] @ products[: len(part)].swapaxes(1, 2)
        information[start : start + _TOGETHER, :, row, column] = sums
    information[:, :, column, row] = information[:, :, row, column]
    return _finite(information)


def _finite(information: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(information).all():
        spectrum = np.argwhere(~np.isfinite(information))[0][0]
        raise DataError(f"the derivative of spectrum {spectrum} is not finite: check its flux for NaN")
    return information


def marginal(information: NDArray[np.float64], target: int) -> Marginal:
    """Bounds on label number `target` from information matrices (..., k, k).

    The matrix is scaled to unit diagonal and eliminated by Cholesky with the target last, so that the last pivot is
    the Schur ratio itself. A direction among the other labels without information drops out (the generalised inverse);
    nothing is floored or regularised.
    """
    scale, scaled, pivots = _eliminated(information, target)
    rank = (pivots > PIVOT_TOLERANCE).sum(axis=-1)
    conditional, schur = _conditional_and_schur(scale, pivots, target)
    full_rank = rank == information.shape[-1]
    return Marginal(
        crlb=conditional / schur,
        crlb_inverse=_inverse_element(information, full_rank, target),
        conditional=conditional,
        schur=schur,
        condition_raw=_condition(information, full_rank),
        condition_scaled=_condition(scaled, full_rank),
        correlations=_correlations(scaled, full_rank, target),
        rank=rank,
        identifiable=np.isfinite(schur),
    )


def marginal_bound(information: NDArray[np.float64], target: int) -> NDArray[np.float64]:
    """`marginal(...).crlb` (...), alone."""
    scale, _, pivots = _eliminated(information, target)
    conditional, schur = _conditional_and_schur(scale, pivots, target)
    return conditional / schur


def _eliminated(
    information: NDArray[np.float64], target: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Scales (..., k), the matrix scaled to unit diagonal, and its pivots (..., k) with the target last."""
    order = [label for label in range(information.shape[-1]) if label != target] + [target]
    diagonal = np.diagonal(information, axis1=-2, axis2=-1)
    scale = np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=diagonal > 0)
    scaled = information * scale[..., :, None] * scale[..., None, :]
    return scale, scaled, _pivots(scaled[..., order, :][..., order])


def _conditional_and_schur(
    scale: NDArray[np.float64], pivots: NDArray[np.float64], target: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = scale[..., target]
    conditional = np.where(known > 0, known**2, np.nan)
    return conditional, np.where(pivots[..., -1] > PIVOT_TOLERANCE, pivots[..., -1], np.nan)


def _pivots(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared diagonal of the Cholesky factor, (..., k); a direction at or below the tolerance eliminates nothing."""
    work = scaled.copy()
    pivots = np.empty(scaled.shape[:-1])
    for step in range(scaled.shape[-1]):
        pivot = pivots[..., step] = work[..., step, step]
        root = np.sqrt(np.where(pivot > PIVOT_TOLERANCE, pivot, np.inf))
        column = work[..., step:, step] / root[..., None]
        work[..., step:, step:] -= column[..., :, None] * column[..., None, :]
    return pivots


def _condition(matrix: NDArray[np.float64], full_rank: NDArray[np.bool_]) -> NDArray[np.float64]:
    values = np.linalg.eigvalsh(matrix)
    smallest = values[..., 0]
    usable = full_rank & (smallest > 0)
    return np.divide(values[..., -1], smallest, out=np.full(smallest.shape, np.inf), where=usable)


def _inverse_element(
    information: NDArray[np.float64], full_rank: NDArray[np.bool_], target: int
) -> NDArray[np.float64]:
    result = np.full(full_rank.shape, np.nan)
    result[full_rank] = np.linalg.inv(information[full_rank])[..., target, target]
    return result


def _correlations(scaled: NDArray[np.float64], full_rank: NDArray[np.bool_], target: int) -> NDArray[np.float64]:
    result = np.full(scaled.shape[:-1], np.nan)
    covariance = np.linalg.inv(scaled[full_rank])
    spread = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    result[full_rank] = covariance[..., target] / (spread * spread[..., target, None])
    return result
