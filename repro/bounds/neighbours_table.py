"""What V1's estimator by nearest neighbours leaves behind per spectrum, and its file. Needs numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import arrays_of, check_shapes, read_table, write_table
from repro.labels import LABELS


@dataclass(frozen=True)
class NeighbourTable:
    """Bounds on log g of n spectra as V1 estimated them, and on m of them what the same sample gives properly.

    Bounds in dex^2, of each spectrum under its own errors. Numbers of a spectrum that has no neighbours on both sides
    of every label, or no finite bound, are nan.
    """

    labels: NDArray[np.float64]  # (n, 5)
    succeeded: NDArray[np.bool_]  # (n,)
    span: NDArray[np.float64]  # (n, 3) label difference of the two neighbours along T_eff, log_g, M_H, in nominal steps
    other_abundances: NDArray[np.bool_]  # (n, 3) whether the two neighbours differ in a_M or C_M
    information: NDArray[np.float64]  # (n,) I_gg [dex^-2]
    crlb: NDArray[np.float64]  # (n,)
    schur: NDArray[np.float64]  # (n,) effective information over I_gg
    condition: NDArray[np.float64]  # (n,) of the matrix in label units
    lattice_information: NDArray[np.float64]  # (n,) I_gg under the same errors, derivatives of the nearest lattice node
    lattice_crlb: NDArray[np.float64]  # (n,) bound for the same three labels from it
    control: NDArray[np.intp]  # (m,) rows of the spectra that the control was made for
    control_crlb: NDArray[np.float64]  # (m,) all labels, derivatives by local linear regression on the same sample
    control_lattice_crlb: NDArray[np.float64]  # (m,) all labels, derivatives of the nearest lattice node
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "NeighbourTable":
        """Read a table and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        table = read_table(cls, path)
        n, m = len(table.labels), len(table.control)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays_of(cls), (n,))
        shapes |= {"labels": (n, len(LABELS)), "span": (n, 3), "other_abundances": (n, 3)}
        check_shapes(table, shapes | dict.fromkeys(("control", "control_crlb", "control_lattice_crlb"), (m,)), path)
        return table
