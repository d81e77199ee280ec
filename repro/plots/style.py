"""What all figures share: colours that colour-blind readers tell apart, sizes, and files whose bytes do not vary."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.style import context

from repro.bounds.table import CeilingTable
from repro.errors import ParameterError
from repro.files import atomic_path

# Okabe & Ito (2008), "Color Universal Design"
BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
PURPLE: Final = "#AA4499"
GREY: Final = "#666666"

MINUS: Final = "\N{MINUS SIGN}"

_DPI: Final = 150
_SETTINGS: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same on every machine
    "font.size": 9.0,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.axisbelow": True,
    "axes.titlesize": 10.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
}


def style() -> AbstractContextManager[None]:
    """Context in which a figure is drawn, whatever the user's own matplotlib settings."""
    return context(["default", _SETTINGS])


def save(figure: Figure, path: str | Path) -> Path:
    """Write a PNG atomically, without version or date, and return its path."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})
    return Path(path)


def magnitude_row(table: CeilingTable, magnitude: float) -> int:
    """Row of `magnitude` in the table.

    Raises:
        ParameterError: the table has no such magnitude.
    """
    rows = np.flatnonzero(table.magnitudes == magnitude)
    if not rows.size:
        known = ", ".join(f"{value:g}" for value in table.magnitudes)
        raise ParameterError(f"the ceiling table has no magnitude {magnitude:g}; it has {known}")
    return int(rows[0])


def curve(table: CeilingTable, summary: dict[str, float], name: str) -> np.ndarray:
    """One value per magnitude of a summary, nan where it has none."""
    prefix = f"{len(table.free)}D"
    return np.array([summary.get(f"{prefix}/{magnitude:g}/{name}", np.nan) for magnitude in table.magnitudes])
