"""Labels and observing conditions of spectrum sets, drawn as the original generator drew them."""

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from repro.errors import ParameterError
from repro.labels import LABELS
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
    node, so that end nodes have half weight. `continuous`: all free axes keep their values.

    Labels, conditions and seeds come from independent generators; record i depends on (seed, split, i) alone.

    Raises:
        ParameterError: unknown mode or split, n < 1, no free axis, or magnitudes out of order.
    """
    if mode not in ("paper", "continuous"):
        raise ParameterError(f"sampling: mode {mode!r} is neither paper nor continuous")
    if split not in SPLITS:
        raise ParameterError(f"sampling: split {split!r} is not one of {', '.join(SPLITS)}")
    if n < 1 or not lattice.free:
        raise ParameterError(f"sampling: cannot draw {n} spectra on a lattice with {len(lattice.free)} free axes")
    if not magnitudes[0] <= magnitudes[1]:
        raise ParameterError(f"sampling: the magnitudes {magnitudes} are not in order")
    physics, observation, identity = _generators(seed, split)
    table = np.zeros(n, dtype=COLUMNS)
    table["id"] = np.arange(n)
    table["snr"] = np.nan
    labels, table["interp_param"] = _labels(mode, lattice, physics.random((n, len(LABELS) + 1)))
    for column, name in enumerate(LABELS):
        table[name] = labels[:, column]
    laws = {"mag": magnitudes, **CONDITIONS}
    uniform = observation.random((n, len(laws)))
    for column, (name, (low, high)) in enumerate(laws.items()):
        table[name] = low + (high - low) * uniform[:, column]
    table["random_seed"] = identity.integers(0, 2**63, size=n)
    return table


def labels_of(table: Table) -> NDArray[np.float64]:
    """The five labels of a table's records, (n, 5)."""
    return np.stack([table[name] for name in LABELS], axis=1)


def _generators(seed: int, split: str) -> list[np.random.Generator]:
    """Three independent generators of one split: physics, observation, identity."""
    return [
        np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), purpose))))
        for purpose in range(3)
    ]


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
