"""Where in a spectrum the information on one label is: the sums of `fisher`, pixel by pixel."""

import numpy as np
from numpy.typing import NDArray

from repro.bounds.fisher import fisher_information

Array = NDArray[np.float64]


def pixel_information(jacobian: Array, sigma: NDArray[np.floating], target: int) -> tuple[Array, Array]:
    """Information on label number `target` that each pixel holds [1 / label unit^2], two of (B, P).

    The first, J_g^2 / sigma^2, is for an observer who knows the other labels; its sum is 1 / `Marginal.conditional`.
    The second is for one who does not: of J_g / sigma what is left beside the J_l / sigma of the other labels (the
    efficient score; Bickel et al. 1993, section 2.4), squared; its sum is 1 / `Marginal.crlb`. An efficient linear
    estimate sum_p w_p F_p has sigma_p^2 w_p^2 in proportion to it.

    Args:
        jacobian: derivatives with respect to k labels, (B, k, P).
        sigma: errors (B, P), 1 sigma.
        target: number of the label.

    Raises:
        DataError: as `fisher.fisher_information`.
    """
    information = fisher_information(jacobian, sigma)
    scale = np.sqrt(np.diagonal(information, axis1=1, axis2=2))  # (B, k)
    unit = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    weighted = jacobian * unit[:, :, None] / sigma[:, None, :]  # of unit length each, whatever the labels' units
    others = [label for label in range(jacobian.shape[1]) if label != target]
    own, rest = weighted[:, target], weighted[:, others]
    products = rest @ rest.swapaxes(1, 2)
    # a direction without information drops out, as in `fisher.marginal`
    shares = np.linalg.pinv(products, hermitian=True) @ (rest @ own[:, :, None])
    left = own - (shares.swapaxes(1, 2) @ rest)[:, 0]
    size = scale[:, target, None]
    return (size * own) ** 2, (size * left) ** 2
