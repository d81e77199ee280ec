"""What the Fisher computations leave behind per node, and the HDF5 files of all such tables.

Needs numpy alone (and h5py when a file is read or written): stored evidence is recomputed without torch or pandas.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.labels import LABELS

SNR_PERCENTILES: Final = (5.0, 50.0, 95.0)

_FORMAT: Final = "repro {} 2"

T = TypeVar("T")


@dataclass(frozen=True)
class CeilingTable:
    """Bounds on `target` at M magnitudes and N nodes; the k free labels are `free`, in `LABELS` order.

    Bounds are in squared units of the target (dex^2 for log_g), for spectra of median 0.5; see `fisher.Marginal`.
    """

    target: str
    free: tuple[str, ...]
    magnitudes: NDArray[np.float64]  # (M,)
    labels: NDArray[np.float64]  # (N, 5)
    interior: NDArray[np.bool_]  # (N,) a neighbour on both sides along every free axis
    crlb: NDArray[np.float64]  # (M, N) marginal bound, first-order edges (the paper's reading); nan: not identifiable
    crlb_inverse: NDArray[np.float64]  # (M, N) second route: element of the full inverse in label units
    crlb_second_order: NDArray[np.float64]  # (M, N) same with second-order edges
    crlb_richardson: NDArray[np.float64]  # (M, N) same with five-point derivatives: the effect of the lattice step
    crlb_spline: NDArray[np.float64]  # (M, N) same with the slope of the spline through the whole line
    conditional: NDArray[np.float64]  # (M, N)
    schur: NDArray[np.float64]  # (M, N)
    condition_raw: NDArray[np.float64]  # (M, N)
    condition_scaled: NDArray[np.float64]  # (M, N)
    correlations: NDArray[np.float64]  # (M, N, k) error correlation of the target with each free label
    rank: NDArray[np.int64]  # (M, N) identifiable directions
    identifiable: NDArray[np.bool_]  # (M, N)
    snr: NDArray[np.float64]  # (M, N) median over pixels of flux / error
    snr_percentiles: NDArray[np.float64]  # (M, 3) of flux / error over all nodes and pixels, at SNR_PERCENTILES
    error_median: NDArray[np.float64]  # (M,) over all nodes and pixels
    conditions: Mapping[str, Any] = field(default_factory=dict)  # how it was made: noise level, source, grid, ...
    identities: Mapping[str, float] = field(default_factory=dict)  # see `ceiling.identities`

    def label(self, name: str) -> NDArray[np.float64]:
        """Values (N,) of one label."""
        return self.labels[:, LABELS.index(name)]

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "CeilingTable":
        """Read a table and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        table = read_table(cls, path)
        m, n, k = len(table.magnitudes), len(table.labels), len(table.free)
        shapes = dict.fromkeys(arrays_of(cls), (m, n)) | {
            "magnitudes": (m,),
            "labels": (n, len(LABELS)),
            "interior": (n,),
            "correlations": (m, n, k),
            "snr_percentiles": (m, len(SNR_PERCENTILES)),
            "error_median": (m,),
        }
        check_shapes(table, shapes, path)
        return table


@dataclass(frozen=True)
class DerivativeComparison:
    """Lattice differences against exact derivatives at n sampled nodes, for the k free labels."""

    target: str
    free: tuple[str, ...]
    nodes: NDArray[np.intp]  # (n,) rows of the lattice
    labels: NDArray[np.float64]  # (n, 5)
    interior: NDArray[np.bool_]  # (n,) a neighbour on both sides along every free axis
    difference: NDArray[np.float64]  # (n, k) |J_lattice - J_exact| / |J_exact|, pixels weighted with 1 / error^2
    crlb_ratio: NDArray[np.float64]  # (n,) marginal bound of the target from lattice differences over the exact one
    crlb_ratio_richardson: NDArray[np.float64]  # (n,) same from five-point differences
    crlb_ratio_spline: NDArray[np.float64]  # (n,) same from slopes of the spline
    crlb: NDArray[np.float64]  # (n,) the exact one [target unit^2]
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def write(self, path: str | Path) -> None:
        """Write atomically; the same comparison gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "DerivativeComparison":
        """Read a comparison and check that it is whole. Raises DataError as `CeilingTable.read`."""
        result = read_table(cls, path)
        n = len(result.nodes)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays_of(cls), (n,))
        check_shapes(result, shapes | {"labels": (n, len(LABELS)), "difference": (n, len(result.free))}, path)
        return result


def arrays_of(kind: type) -> list[str]:
    """Names of the fields of a table that hold arrays, in order."""
    return [name for name, hint in get_type_hints(kind).items() if get_origin(hint) is np.ndarray]


def write_table(table: Any, path: str | Path) -> None:
    """Write a dataclass of arrays, texts, numbers and conditions atomically; the same table gives the same bytes.

    Raises:
        DataError: the disk is full.
    """
    from repro.spectra import hdf5

    arrays = arrays_of(type(table))
    with hdf5.create(path) as file:
        file.attrs["format"] = _FORMAT.format(type(table).__name__)
        for entry in fields(table):
            value = getattr(table, entry.name)
            if entry.name in arrays:
                hdf5.write_array(file, entry.name, value)
            else:
                file.attrs[entry.name] = json.dumps(_plain(value), sort_keys=True)


def read_table(kind: type[T], path: str | Path) -> T:
    """Read what `write_table` wrote of a dataclass `kind`; its shapes are the caller's to check.

    Raises:
        DataError: the file is absent, cut short or of another format.
    """
    from repro.spectra import hdf5

    expected = _FORMAT.format(kind.__name__)
    arrays = arrays_of(kind)
    with hdf5.open_file(path, f"a {kind.__name__}") as file:
        if file.attrs.get("format") != expected:
            raise DataError(f"{path}: attribute format is not '{expected}'; make the file again")
        values: dict[str, Any] = {}
        for name, hint in get_type_hints(kind).items():
            if name in arrays:
                values[name] = hdf5.read_array(file, name)
            else:
                value = json.loads(hdf5.require_attribute(file, name))
                values[name] = tuple(value) if get_origin(hint) is tuple else value
        return kind(**values)


def check_shapes(table: Any, shapes: Mapping[str, tuple[int, ...]], path: str | Path) -> None:
    """Raise DataError, naming file and dataset, unless the arrays of a table have the shapes named."""
    for name, expected in shapes.items():
        shape = getattr(table, name).shape
        if shape != expected:
            raise DataError(f"{path}: dataset '{name}' has shape {shape}, expected {expected}")


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
