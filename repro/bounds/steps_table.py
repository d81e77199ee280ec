"""What the study of step sizes leaves behind, and its file. Needs numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import arrays_of, check_shapes, read_table, write_table
from repro.labels import LABELS


@dataclass(frozen=True)
class StepStudy:
    """Central differences of S steps against exact derivatives at n nodes, for the k free labels.

    Differences are norms over pixels weighted with 1 / error^2, relative to that of the exact derivative.
    """

    target: str
    free: tuple[str, ...]
    steps: NDArray[np.float64]  # (k,) lattice steps [label units]
    fractions: NDArray[np.float64]  # (S,) of the lattice step, falling
    nodes: NDArray[np.intp]  # (n,) rows of the lattice
    labels: NDArray[np.float64]  # (n, 5)
    difference: NDArray[np.float64]  # (n, k, S) |J_step - J_exact| / |J_exact|
    richardson: NDArray[np.float64]  # (n, k) the same of the extrapolation of the first two steps
    crlb: NDArray[np.float64]  # (n,) marginal bound of the target from exact derivatives [target unit^2]
    crlb_ratio: NDArray[np.float64]  # (n, S) bound from differences over the exact one
    crlb_ratio_richardson: NDArray[np.float64]  # (n,)
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def write(self, path: str | Path) -> None:
        """Write atomically; the same study gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "StepStudy":
        """Read a study and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        study = read_table(cls, path)
        n, k, s = len(study.nodes), len(study.free), len(study.fractions)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays_of(cls), (n,))
        shapes |= {"steps": (k,), "fractions": (s,), "labels": (n, len(LABELS)), "difference": (n, k, s)}
        check_shapes(study, shapes | {"richardson": (n, k), "crlb_ratio": (n, s)}, path)
        return study
