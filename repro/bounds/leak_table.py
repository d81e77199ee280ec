"""What was read from error arrays alone, star by star.

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
class LeakTable:
    """Labels of n test stars as found from their error arrays, and as they are."""

    target: str
    stars: NDArray[np.intp]  # (n,) rows of the test set
    labels: NDArray[np.float64]  # (n, 5) true
    mag: NDArray[np.float64]  # (n,) true
    found_labels: NDArray[np.float64]  # (n, 5) where not identified, the middle of each axis
    found_mag: NDArray[np.float64]  # (n,) nan where not identified
    rms: NDArray[np.float64]  # (n,) of ln(error) against that of the star found
    identified: NDArray[np.bool_]  # (n,) whether it is as small as the rounding of the errors allows
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def truth(self) -> NDArray[np.float64]:
        """True values (n,) of the target."""
        return self.labels[:, LABELS.index(self.target)]

    @property
    def estimate(self) -> NDArray[np.float64]:
        """Values (n,) of the target found."""
        return self.found_labels[:, LABELS.index(self.target)]

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "LeakTable":
        """Read a table and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        table = read_table(cls, path)
        n = len(table.stars)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays_of(cls), (n,))
        check_shapes(table, shapes | {"labels": (n, len(LABELS)), "found_labels": (n, len(LABELS))}, path)
        return table
