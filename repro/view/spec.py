"""The few words that name a spectrum on the command line.

* `lte:T_eff=4750,log_g=2,M_H=-1`: a source at any labels; a_M and C_M are 0 unless given
* `bosz:T_eff=4750,log_g=2,M_H=-1`: a fetched node of BOSZ, release 2017 (`bosz2024`: 2024)
* `data/nodes_3d.h5:T_eff=5000,log_g=3,M_H=0`: a node of a node grid or of the pinned pack
* `data/spectra/test.h5#12`: a row of a spectrum set, counted from 0
* `star.csv`, `star.fits:air`: a file of wavelength and flux; in vacuum unless it or the user says air
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import ParameterError
from repro.labels import LABELS

SOURCES: Final = ("lte", "bosz", "bosz2024")
DEFAULTS: Final = {"a_M": 0.0, "C_M": 0.0}
MEDIA: Final = ("vacuum", "air")

_HDF5: Final = (".h5", ".hdf5")
_EXAMPLES: Final = (
    "SOURCE:T_eff=5000,log_g=3,M_H=0, NODES.h5:T_eff=5000,log_g=3,M_H=0, SET.h5#12, or a text, CSV or FITS file"
)


@dataclass(frozen=True)
class AtLabels:
    """A source, or a node of the grid in a file, at labels."""

    text: str
    place: str | Path  # name of a source, or a node grid
    labels: Mapping[str, float]

    @property
    def array(self) -> NDArray[np.float64]:
        """The labels in the order of LABELS, (5,)."""
        return np.array([self.labels[name] for name in LABELS])


@dataclass(frozen=True)
class Row:
    """A row of a spectrum set."""

    text: str
    path: Path
    row: int


@dataclass(frozen=True)
class PlainFile:
    """A file of wavelength and flux."""

    text: str
    path: Path
    medium: str | None  # "air", "vacuum", or None where nobody has said


Spec = AtLabels | Row | PlainFile


def parse(text: str) -> Spec:
    """What `text` names; no file is opened.

    Raises:
        ParameterError: the text has none of the four forms, or a label is unknown, repeated, missing or no number.
    """
    path, hash_sign, row = text.rpartition("#")
    if hash_sign:
        if not row.isdecimal():
            raise ParameterError(f"{text}: after # comes the number of a row, counted from 0, not {row!r}")
        return Row(text, Path(path), int(row))
    head, colon, tail = text.rpartition(":")
    if colon and "=" in tail:
        return AtLabels(text, head if head in SOURCES else _grid_path(text, head), _labels(text, tail))
    if colon and tail in MEDIA:
        return PlainFile(text, Path(head), tail)
    if head in SOURCES or text in SOURCES:
        raise ParameterError(f"{text}: a source needs labels, such as {head or text}:T_eff=5000,log_g=3,M_H=0")
    if Path(text).suffix in _HDF5:
        raise ParameterError(f"{text}: say which spectrum of the file: {text}:T_eff=5000,log_g=3,M_H=0 or {text}#12")
    if colon and not Path(text).exists():
        raise ParameterError(f"{text}: not understood. A spectrum is {_EXAMPLES}")
    return PlainFile(text, Path(text), None)


def _grid_path(text: str, head: str) -> Path:
    if Path(head).suffix not in _HDF5:
        raise ParameterError(
            f"{text}: {head!r} is neither a source ({', '.join(SOURCES)}) nor an HDF5 file. A spectrum is {_EXAMPLES}"
        )
    return Path(head)


def _labels(text: str, assignments: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for assignment in assignments.split(","):
        name, _, value = assignment.partition("=")
        name = name.strip()
        if name not in LABELS:
            raise ParameterError(f"{text}: {name!r} is none of the labels {', '.join(LABELS)}")
        if name in found:
            raise ParameterError(f"{text}: {name} is given twice")
        try:
            found[name] = float(value)
        except ValueError:
            raise ParameterError(f"{text}: {name}={value!r} is not a number") from None
        if not np.isfinite(found[name]):
            raise ParameterError(f"{text}: {name}={value!r} is not finite")
    missing = [name for name in LABELS if name not in found and name not in DEFAULTS]
    if missing:
        raise ParameterError(f"{text}: {', '.join(missing)} is missing; only a_M and C_M may be left out (they are 0)")
    return DEFAULTS | found
