"""Bounds on log g at the stars of a test set, each with its own labels, conditions and errors.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import arrays_of, check_shapes, read_table, write_table
from repro.labels import LABELS


@dataclass(frozen=True)
class StarBounds:
    """Bounds on `target` at n test stars; the k free labels are `free`, in `LABELS` order.

    Bounds are in squared units of the target (dex^2 for log_g); nan where it is not identifiable.
    """

    target: str
    free: tuple[str, ...]
    stars: NDArray[np.intp]  # (n,) rows of the test set
    labels: NDArray[np.float64]  # (n, 5)
    mag: NDArray[np.float64]  # (n,) HSC-i, AB
    snr: NDArray[np.float64]  # (n,) median over pixels of noise-free flux / (noise level times error)
    crlb: NDArray[np.float64]  # (n,) all free labels unknown, errors known and read for nothing else
    crlb_3d: NDArray[np.float64]  # (n,) T_eff, log_g and M_H unknown, the others known
    conditional: NDArray[np.float64]  # (n,) all labels but the target known
    schur: NDArray[np.float64]  # (n,) conditional / crlb
    correlations: NDArray[np.float64]  # (n, k) error correlation of the target with each free label
    crlb_flux: NDArray[np.float64]  # (n,) observer `flux`: with the information in the noise's own size
    error_scatter: NDArray[np.float64]  # (E,) relative scatter of an error array that the observer is given too
    crlb_error: NDArray[np.float64]  # (E, n) as crlb_flux, with such an error array
    conditions: Mapping[str, Any] = field(default_factory=dict)  # how it was made: noise level, source, grid, ...

    def label(self, name: str) -> NDArray[np.float64]:
        """Values (n,) of one label."""
        return self.labels[:, LABELS.index(name)]

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "StarBounds":
        """Read a table and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        table = read_table(cls, path)
        n, levels = len(table.stars), len(table.error_scatter)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays_of(cls), (n,))
        shapes |= {
            "labels": (n, len(LABELS)),
            "correlations": (n, len(table.free)),
            "error_scatter": (levels,),
            "crlb_error": (levels, n),
        }
        check_shapes(table, shapes, path)
        return table
