"""Bayesian bounds of van Trees type: what is kept of them.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import arrays_of, check_shapes, read_table, write_table


@dataclass(frozen=True)
class VanTreesTable:
    """Smallest mean squared error of any estimator of `target`, for two priors on the k labels `free`.

    `box` is uniform on the box of the lattice, `taper` the product of (2/L) cos^2(pi x/L) over its sides L. Errors are
    in squared units of the target (dex^2 for log_g), under M magnitudes at fixed conditions and under Q conditions
    whose weighted mean is that over the law of a test set.
    """

    target: str
    free: tuple[str, ...]
    variance_box: float  # of the target under each prior: what is left of it without any spectrum
    variance_taper: float
    magnitudes: NDArray[np.float64]  # (M,)
    box: NDArray[np.float64]  # (M,)
    taper: NDArray[np.float64]  # (M,)
    unbiased: NDArray[np.float64]  # (M,) mean Cramer-Rao bound over the box, which binds unbiased estimators alone
    law: NDArray[np.float64]  # (Q, 3) magnitude, zenith angle [deg], field angle [deg]
    law_weights: NDArray[np.float64]  # (Q,) sum 1
    law_box: NDArray[np.float64]  # (Q,)
    law_taper: NDArray[np.float64]  # (Q,)
    law_unbiased: NDArray[np.float64]  # (Q,)
    conditions: Mapping[str, Any] = field(default_factory=dict)  # how it was made: noise level, source, grid, ...

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "VanTreesTable":
        """Read a table and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        table = read_table(cls, path)
        m, q = len(table.magnitudes), len(table.law_weights)
        shapes = {name: (q,) if name.startswith("law") else (m,) for name in arrays_of(cls)}
        check_shapes(table, shapes | {"law": (q, 3)}, path)
        return table
