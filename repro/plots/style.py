"""What all figures share: colours that colour-blind readers tell apart, sizes, and files whose bytes do not vary."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
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
SKY: Final = "#56B4E9"
AMBER: Final = "#E69F00"
GREY: Final = "#666666"
WINE: Final = "#882255"  # Tol's muted scheme, this and the next: of ceilings beside models
ROSE: Final = "#CC6677"
MANY: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER, GREY)  # in this order for models and the like
MARKERS: Final = "osD^vPX"  # one for each of them

COLOURS_OF_FREE: Final = {3: BLUE, 5: ORANGE}  # tables by their number of free labels, in every figure alike

MINUS: Final = "\N{MINUS SIGN}"

_R2_TICKS: Final = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0, -0.5, -1.0, -2.0, -4.0, -10.0, -20.0, -40.0, -100.0)
_SNR_TICKS: Final = (2, 3, 5, 10, 20, 50, 100)

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


def colour_of(table: CeilingTable) -> str:
    """Colour of a table's number of free labels.

    Raises:
        ParameterError: neither three nor five free labels.
    """
    free = len(table.free)
    if free not in COLOURS_OF_FREE:
        raise ParameterError(f"a ceiling table with {free} free labels; the figures show those with 3 or 5")
    return COLOURS_OF_FREE[free]


def nodes_of(tables: Sequence[CeilingTable]) -> str:
    """Sizes of the tables, as titles say them."""
    return " and ".join(f"{count(len(table.labels))} nodes ({len(table.free)}D)" for table in tables)


def count(number: int) -> str:
    """A whole number with spaces between groups of three digits, where it has five or more."""
    return f"{number:,}".replace(",", " ") if number >= 10_000 else str(number)


def compressed_below_zero(axes: Axes, lowest: float) -> None:
    """R2 from `lowest` to 1 on the y axis: linear above zero, logarithmic below, so that nothing is cut."""
    lowest = min(0.0, lowest)
    axes.set_yscale("function", functions=(_compress, _expand))
    ticks = [tick for tick in _R2_TICKS if tick >= lowest]
    axes.set_yticks(ticks, [f"{tick:g}".replace("-", MINUS) for tick in ticks])
    axes.set_ylim(1.1 * lowest - 0.05, 1.05)
    axes.axhline(0.0, color="black", lw=0.6)


def snr_ticks(axes: Axes) -> None:
    """A logarithmic x axis of SNR with round numbers at its ticks."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [tick for tick in _SNR_TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)


def _compress(value: np.ndarray) -> np.ndarray:
    return np.where(value >= 0.0, value, -0.5 * np.log1p(np.maximum(-value, 0.0)))


def _expand(value: np.ndarray) -> np.ndarray:
    return np.where(value >= 0.0, value, -np.expm1(2.0 * np.maximum(-value, 0.0)))
