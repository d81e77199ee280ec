"""Ridge regression from spectra to one label: one factorisation for all penalties, memory independent of N.

Minimises  sum_i w_i (y_i - b - x_i c)^2 + alpha |c|^2.  With centred, weighted X the solution is (X'X + alpha)^-1 X'y,
or X'(XX' + alpha)^-1 y where there are fewer spectra than pixels. The matrix is brought to band form once (see
`factors`); every alpha is then the solution of a band system.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from repro.models.linear import LinearModel, LinearPath, linear_path, positive
from repro.models.moments import Moments

# quarter decades: beyond 1e-3 and 1e6 the validation score no longer changes at any published noise level
ALPHAS: Final = tuple(float(alpha) for alpha in 10.0 ** np.arange(-3.0, 6.1, 0.25))


def ridge_path(source: Moments, alphas: Sequence[float]) -> LinearPath:
    """Solutions for all penalties, in the order given; facts: `alpha`.

    Args:
        alphas: penalties of squared coefficients in units of `source`: of the flux (median 0.5), or of standardised
            pixels, per spectrum of weight 1.

    Raises:
        ParameterError: no penalty, or one that is not positive and finite.
        DataError: a penalty that is too small for the normal equations in float64.
    """
    penalties = positive("ridge", "penalties", alphas)
    return linear_path(source, source.band.solutions(source.right, penalties), {"alpha": penalties})


class Ridge(LinearModel):
    """Linear regression with a penalty chosen by validation R2.

    Args:
        alphas: penalties to choose among, in squared units of the flux (median 0.5) per spectrum of weight 1.
        standardised: penalise the coefficients of pixels that are divided by their standard deviation.
        device: where X'X is summed up and reduced.

    Raises:
        ParameterError: no penalty, or one that is not positive and finite.
    """

    name = "ridge"

    def __init__(
        self, alphas: Sequence[float] = ALPHAS, standardised: bool = False, device: str | torch.device = "cpu"
    ) -> None:
        super().__init__(standardised, device)
        self.alphas = tuple(positive(self.name, "penalties", alphas).tolist())

    @property
    def candidates(self) -> int:
        return len(self.alphas)

    @property
    def alpha(self) -> float:
        """The penalty chosen."""
        return self.chosen.get("alpha", float("nan"))

    def path(self, source: Moments) -> LinearPath:
        return ridge_path(source, self.alphas)
