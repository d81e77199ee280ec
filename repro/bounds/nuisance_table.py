"""What else is unknown beside log g, rung by rung, and the file of the bounds that go with it.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import arrays_of, check_shapes, read_table, write_table
from repro.labels import LABELS

CONTINUUM: Final = ("amplitude", "continuum_1", "continuum_2", "continuum_3")  # mu times Legendre P_0 ... P_3
FLUX_NUISANCES: Final = (*CONTINUUM, "velocity", "width")
CONDITIONS: Final = ("mag", "zenith_angle", "field_angle", "seeing")
PARAMETERS: Final = (*LABELS, *FLUX_NUISANCES, *CONDITIONS)

TARGET: Final = "log_g"


@dataclass(frozen=True)
class Rung:
    """One state of knowledge.

    title: of a row in a figure.
    unknown: the parameters that are unknown beside log g; all others are known exactly.
    box: unknown parameters whose bounded range counts as knowledge: a Gaussian prior of the range's variance.
    without_scatter: set where the information in the noise's own size is counted, which an observer of the flux has:
        the rung that it is to be compared with, of the same labels unknown and no such information.
    """

    title: str
    unknown: tuple[str, ...]
    box: tuple[str, ...] = ()
    without_scatter: str = ""

    @property
    def alone(self) -> str:
        """Name of the rung of the same observer that knows everything but log g."""
        return "none_scatter" if self.without_scatter else "none"


_3D: Final = ("T_eff", "M_H")
_5D: Final = (*_3D, "a_M", "C_M")
_BOX: Final = ("a_M", "C_M")

RUNGS: Final = {
    "none": Rung("nothing else", ()),
    "3D": Rung("3D: T_eff, [M/H]", _3D),
    "5D": Rung("5D: T_eff, [M/H], [α/M], [C/M]", _5D),
    "5D_box": Rung("5D, [α/M] and [C/M] bounded", _5D, box=_BOX),
    "amplitude": Rung("5D + amplitude", (*_5D, *CONTINUUM[:1])),
    "continuum_1": Rung("5D + continuum of degree 1", (*_5D, *CONTINUUM[:2])),
    "continuum_2": Rung("5D + continuum of degree 2", (*_5D, *CONTINUUM[:3])),
    "continuum_3": Rung("5D + continuum of degree 3", (*_5D, *CONTINUUM)),
    "velocity": Rung("5D + radial velocity", (*_5D, "velocity")),
    "width": Rung("5D + line-spread width", (*_5D, "width")),
    "continuum_3_velocity": Rung("5D + continuum 3 + velocity", (*_5D, *CONTINUUM, "velocity")),
    "all": Rung("5D + continuum 3 + velocity + width", (*_5D, *FLUX_NUISANCES)),
    "all_box": Rung("the same, [α/M] and [C/M] bounded", (*_5D, *FLUX_NUISANCES), box=_BOX),
    "none_scatter": Rung("nothing else; noise scatter used", (), without_scatter="none"),
    "5D_scatter": Rung("5D; noise scatter used", _5D, without_scatter="5D"),
    "5D_scatter_conditions": Rung(
        "5D + observing conditions; noise scatter used", (*_5D, *CONDITIONS), without_scatter="5D"
    ),
    "5D_scatter_conditions_box": Rung(
        "the same, [α/M], [C/M] and angles bounded",
        (*_5D, *CONDITIONS),
        box=(*_BOX, "zenith_angle", "field_angle", "seeing"),
        without_scatter="5D_box",
    ),
}


@dataclass(frozen=True)
class NuisanceTable:
    """Bounds on log g [dex^2] at N nodes for each of R rungs, and 3D against 5D on identical nodes.

    Spectra have a median of 0.5; derivatives are the paper's lattice differences (first-order edges).
    """

    rungs: tuple[str, ...]  # names in `RUNGS`
    magnitudes: NDArray[np.float64]  # (M,) of the ladder
    paired_magnitudes: NDArray[np.float64]  # (K,)
    labels: NDArray[np.float64]  # (N, 5)
    interior: NDArray[np.bool_]  # (N,) a neighbour on both sides along every axis
    crlb: NDArray[np.float64]  # (R, M, N) nan: not identifiable
    crlb_3d: NDArray[np.float64]  # (K, N) a_M and C_M known
    crlb_5d: NDArray[np.float64]  # (K, N)
    conditions: Mapping[str, Any] = field(default_factory=dict)  # how it was made: noise level, ranges, ...

    def label(self, name: str) -> NDArray[np.float64]:
        """Values (N,) of one label."""
        return self.labels[:, LABELS.index(name)]

    @property
    def solar(self) -> NDArray[np.bool_]:
        """Nodes (N,) of solar alpha and carbon."""
        return (self.label("a_M") == 0.0) & (self.label("C_M") == 0.0)

    def bound(self, rung: str) -> NDArray[np.float64]:
        """Bounds (M, N) of one rung."""
        found: NDArray[np.float64] = self.crlb[self.rungs.index(rung)]
        return found

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "NuisanceTable":
        """Read a table and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        table = read_table(cls, path)
        r, m, k, n = (len(rows) for rows in (table.rungs, table.magnitudes, table.paired_magnitudes, table.labels))
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays_of(cls), (k, n))
        shapes |= {"magnitudes": (m,), "paired_magnitudes": (k,), "labels": (n, len(LABELS)), "interior": (n,)}
        check_shapes(table, shapes | {"crlb": (r, m, n)}, path)
        return table
