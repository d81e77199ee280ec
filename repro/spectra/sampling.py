"""Labels and observing conditions of spectrum sets, drawn as the original generator drew them."""

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.labels import LABELS
from repro.spectra.interpolate import bracketed
from repro.spectra.lattice import Lattice

SPLITS: Final = ("train", "val", "test")

Mode = Literal["paper", "continuous"]
Table = NDArray[Any]  # structured, one record per spectrum, fields of `COLUMNS`

# The column names of the original label table; snr is filled in with the spectra.
COLUMNS: Final = np.dtype(
    [
        ("id", "<i8"),
        *((name, "<f8") for name in LABELS),
        ("mag", "<f8"),  # HSC-i, AB
        ("seeing", "<f8"),  # [arcsec]
        ("target_zenith_angle", "<f8"),  # [deg]
        ("target_field_angle", "<f8"),  # [deg]
        ("moon_zenith_angle", "<f8"),  # [deg]
        ("moon_target_angle", "<f8"),  # [deg]
        ("moon_phase", "<f8"),
        ("snr", "<f8"),  # 95th percentile over the pixels of flux/error
        ("random_seed", "<i8"),  # names the star: no two spectra of any split share it
        ("interp_param", "S8"),  # the interpolated axis, or `all`
    ]
)

# Uniform laws of the original configuration; the magnitude's limits are parameters.
CONDITIONS: Final = {
    "seeing": (0.5, 1.5),
    "target_zenith_angle": (0.0, 45.0),
    "target_field_angle": (0.0, 0.65),
    "moon_zenith_angle": (30.0, 90.0),
    "moon_target_angle": (60.0, 180.0),
}
MAGNITUDES: Final = (20.5, 22.5)

_REDRAWS: Final = 1000  # of one sample, before the lattice is called unusable


def draw(
    mode: Mode,
    n: int,
    lattice: Lattice,
    seed: int,
    split: str,
    magnitudes: tuple[float, float] = MAGNITUDES,
) -> Table:
    """Table of n spectra, (n,) records of `COLUMNS` with snr still NaN.

    `paper`: all labels are drawn from the box; one of the free axes keeps its value, the others snap to the nearest
    node, so that a node's weight is its share of the axis: half for end nodes on equal steps. Labels whose line has no
    model on both sides are drawn again, all five. `continuous`: all free axes keep their values; a lattice with
    missing nodes is refused.

    Labels, conditions and seeds come from independent generators; record i depends on (seed, split, i) alone.

    Raises:
        ParameterError: unknown mode or split, n < 1, no free axis, or magnitudes out of order.
        DataError: mode `continuous` on a lattice with missing nodes, or hardly a line of it has two models.
    """
    return draw_counted(mode, n, lattice, seed, split, magnitudes)[0]


def draw_counted(
    mode: Mode,
    n: int,
    lattice: Lattice,
    seed: int,
    split: str,
    magnitudes: tuple[float, float] = MAGNITUDES,
) -> tuple[Table, int]:
    """As `draw`, with the number of samples that were drawn again."""
    if mode not in ("paper", "continuous"):
        raise ParameterError(f"sampling: mode {mode!r} is neither paper nor continuous")
    if split not in SPLITS:
        raise ParameterError(f"sampling: split {split!r} is not one of {', '.join(SPLITS)}")
    if n < 1 or not lattice.free:
        raise ParameterError(f"sampling: cannot draw {n} spectra on a lattice with {len(lattice.free)} free axes")
    if not magnitudes[0] <= magnitudes[1]:
        raise ParameterError(f"sampling: the magnitudes {magnitudes} are not in order")
    observation, identity = _generator(seed, split, 1), _generator(seed, split, 2)
    table = np.zeros(n, dtype=COLUMNS)
    table["id"] = np.arange(n)
    table["snr"] = np.nan
    labels, table["interp_param"], redraws = _drawn_labels(mode, n, lattice, seed, split)
    for column, name in enumerate(LABELS):
        table[name] = labels[:, column]
    laws = {"mag": magnitudes, **CONDITIONS}
    uniform = observation.random((n, len(laws)))
    for column, (name, (low, high)) in enumerate(laws.items()):
        table[name] = low + (high - low) * uniform[:, column]
    table["random_seed"] = identity.integers(0, 2**63, size=n)
    return table, redraws


def labels_of(table: Table) -> NDArray[np.float64]:
    """The five labels of a table's records, (n, 5)."""
    return np.stack([table[name] for name in LABELS], axis=1)


def _generator(seed: int, split: str, *purpose: int) -> np.random.Generator:
    """One of the independent generators of a split: 0 physics (0, k: its k-th redraw), 1 observation, 2 identity."""
    sequence = np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), *purpose))
    return np.random.Generator(np.random.Philox(sequence))


def _drawn_labels(
    mode: Mode, n: int, lattice: Lattice, seed: int, split: str
) -> tuple[NDArray[np.float64], NDArray[Any], int]:
    """Labels (n, 5), the axis each keeps continuous (n,), and the number of redraws."""
    if mode == "continuous":
        lattice.require_whole("sampling mode `continuous`")
    shape = (n, len(LABELS) + 1)
    labels, axis = _labels(mode, lattice, _generator(seed, split, 0).random(shape))
    again = np.flatnonzero(~bracketed(lattice, axis.astype(str), labels))
    redraws = 0
    for attempt in range(1, _REDRAWS + 1):
        if not again.size:
            return labels, axis, redraws
        redraws += again.size
        labels[again], axis[again] = _labels(mode, lattice, _generator(seed, split, 0, attempt).random(shape)[again])
        again = again[~bracketed(lattice, axis[again].astype(str), labels[again])]
    raise DataError(f"sampling: {_REDRAWS} times in a row no line with models on both sides was found in the lattice")


def _labels(mode: Mode, lattice: Lattice, uniform: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Labels (n, 5) and the name of the axis each keeps continuous, from numbers (n, 6) uniform on [0, 1)."""
    ends = np.array([(nodes[0], nodes[-1]) for nodes in lattice.axes.values()])
    labels = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * uniform[:, :-1]
    if mode == "continuous":
        return labels, np.full(len(labels), b"all")
    free = np.array([LABELS.index(name) for name in lattice.free])
    kept = free[(uniform[:, -1] * len(free)).astype(np.intp)]
    rows = np.arange(len(labels))
    snapped = lattice.snap(labels)
    snapped[rows, kept] = labels[rows, kept]
    return snapped, np.array([name.encode() for name in LABELS])[kept]
