"""What the two releases have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.labels import LABELS

# [A, vacuum] kept of each file: the PFS-MR pixels and all but 1e-4 of the HSC-i filter (6420-9000 A), with a margin
SLICE: Final = (6580.0, 9020.0)

_UNITS: Final = {"T_eff": " K"}
_ON_NODE: Final = 1e-6  # [K or dex]


class Refused(DataError):
    """A downloaded file is not taken, for what it holds."""


class FormatError(Refused):
    """A downloaded file is not what the release's files are."""


@dataclass(frozen=True)
class Grid:
    """The wavelengths that all files of a release share.

    Attributes:
        rows: of a whole file.
        start: row at which the slice starts.
        wave: of the slice, (W,) [A, vacuum].
    """

    rows: int
    start: int
    wave: NDArray[np.float64]

    @property
    def stop(self) -> int:
        """Row after the last of the slice."""
        return self.start + self.wave.size


class Sliced(NamedTuple):
    """The part of one spectrum that is kept."""

    wave: NDArray[np.float64] | None  # (W,) [A, vacuum], where it differs from file to file
    flux: NDArray[np.float32]  # (W,) surface flux F_lambda [erg s^-1 cm^-2 A^-1]
    continuum: NDArray[np.float32]  # (W,) the same without lines


class Release(Protocol):
    """Names, axes, wavelengths and formats of one release at one resolution."""

    @property
    def name(self) -> str:
        """`bosz2017` or `bosz2024`."""

    @property
    def base_url(self) -> str:
        """The release's folder at MAST."""

    @property
    def microturbulence(self) -> float:
        """[km/s]."""

    @property
    def file_bytes(self) -> int:
        """About the size of one file."""

    @property
    def sampling(self) -> float:
        """About the relative distance of two samples of a spectrum."""

    @property
    def wave_path(self) -> str | None:
        """Path of the archived wavelength file, None where there is none."""

    def path(self, labels: NDArray[np.float64]) -> str:
        """Path of the file of the node at labels (5,), below the base address."""

    def labels(self, name: str) -> tuple[float, ...]:
        """Labels that a file name stands for. Raises ParameterError for any other name."""

    def on_nodes(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Labels (n, 5) on the very nodes. Raises ParameterError, with the neighbours, where one is no node."""

    def grid(self, wave_file: Path | None) -> Grid | None:
        """The shared wavelengths, from the archived file where there is one; None where each file has its own."""

    def read(self, path: Path, grid: Grid | None) -> Sliced:
        """The slice of a downloaded file. Raises FormatError, naming file, row and rule."""


def complete(labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which nodes (n, 5) lie in the block that the public lists show to be without holes, (n,).

    Solar alpha and carbon, 3750 to 6000 K, log g 1 to 5, [M/H] up to +0.5 (the file list of 2017).
    """
    temperature, gravity, metals, alpha, carbon = labels.T
    inside = (temperature >= 3750) & (temperature <= 6000) & (gravity >= 1) & (gravity <= 5) & (metals <= 0.5)
    return inside & (alpha == 0) & (carbon == 0)


def snap(release: str, label: str, value: float, nodes: NDArray[np.float64]) -> float:
    """The node at `value`. Raises ParameterError, naming the neighbours, where there is none."""
    nearest = float(nodes[np.abs(nodes - value).argmin()])
    if abs(nearest - value) <= _ON_NODE:
        return nearest
    below, above = nodes[nodes < value], nodes[nodes > value]
    unit = _UNITS.get(label, "")
    neighbours = " and ".join(f"{side[at]:g}{unit}" for side, at in ((below, -1), (above, 0)) if side.size)
    raise ParameterError(
        f"{release}: {label} = {value:g}{unit} is not a node of the release; the nodes next to it: {neighbours}. "
        "Ask for one of these instead"
    )


def require_columns(name: str, labels: NDArray[np.float64]) -> None:
    """Raise ParameterError unless labels are (n, 5) and finite."""
    if labels.ndim != 2 or labels.shape[1] != len(LABELS) or not np.isfinite(labels).all():
        raise ParameterError(f"{name}: labels must be finite and of shape (n, 5) in the order {', '.join(LABELS)}")


def cut(wave: NDArray[np.float64], name: str, largest_step: float) -> slice:
    """Rows of the slice in the wavelengths of a whole file [A, vacuum].

    Args:
        largest_step: relative distance of neighbours that counts as a gap.

    Raises:
        FormatError: the wavelengths do not increase, leave a gap or do not reach over the slice.
    """
    low, high = SLICE
    bad = np.flatnonzero(~(np.diff(wave) > 0))
    if bad.size:
        row = int(bad[0]) + 1
        raise FormatError(
            f"{name}: wavelengths must increase, but row {row + 1} has {wave[row]:.4f} after {wave[row - 1]:.4f} A"
        )
    if wave[0] > low or wave[-1] < high:
        span = f"{wave[0]:.2f} to {wave[-1]:.2f}"
        raise FormatError(f"{name}: wavelengths must cover {low:g} to {high:g} A (vacuum), the file has {span}")
    rows = slice(int(np.searchsorted(wave, low)), int(np.searchsorted(wave, high, side="right")))
    kept = wave[rows]
    gaps = np.flatnonzero(np.diff(kept) > largest_step * kept[1:])
    if gaps.size:
        row = rows.start + int(gaps[0])
        raise FormatError(
            f"{name}: gap between rows {row + 1} and {row + 2}, {wave[row]:.4f} and {wave[row + 1]:.4f} A (vacuum); "
            f"steps must be at most {largest_step * wave[row]:.4f} A there"
        )
    return rows
