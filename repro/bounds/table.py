"""The ceiling table: what the Fisher computation leaves behind per magnitude and node, and its HDF5 file.

Needs numpy alone (and h5py when a file is read or written): stored evidence is recomputed without torch or pandas.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.labels import LABELS

SNR_PERCENTILES: Final = (5.0, 50.0, 95.0)

_FORMAT: Final = "repro ceiling table 1"


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
    crlb_second_order: NDArray[np.float64]  # (M, N) same with second-order edges
    crlb_richardson: NDArray[np.float64]  # (M, N) same with five-point derivatives: the effect of the lattice step
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

    def label(self, name: str) -> NDArray[np.float64]:
        """Values (N,) of one label."""
        return self.labels[:, LABELS.index(name)]

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        from repro.spectra import hdf5

        with hdf5.create(path) as file:
            file.attrs["format"] = _FORMAT
            file.attrs["target"] = self.target
            file.attrs["free"] = json.dumps(self.free)
            file.attrs["conditions"] = json.dumps(dict(self.conditions), sort_keys=True)
            for name in _ARRAYS:
                hdf5.write_array(file, name, getattr(self, name))

    @classmethod
    def read(cls, path: str | Path) -> "CeilingTable":
        """Read a table and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        from repro.spectra import hdf5

        with hdf5.open_file(path, "a ceiling table") as file:
            if file.attrs.get("format") != _FORMAT:
                raise DataError(f"{path}: not a ceiling table (attribute format is not '{_FORMAT}'); make it again")
            table = cls(
                target=str(hdf5.require_attribute(file, "target")),
                free=tuple(json.loads(hdf5.require_attribute(file, "free"))),
                conditions=json.loads(hdf5.require_attribute(file, "conditions")),
                **{name: hdf5.read_array(file, name) for name in _ARRAYS},
            )
        table._check_shapes(path)
        return table

    def _check_shapes(self, path: str | Path) -> None:
        m, n, k = len(self.magnitudes), len(self.labels), len(self.free)
        special = {
            "magnitudes": (m,),
            "labels": (n, len(LABELS)),
            "interior": (n,),
            "correlations": (m, n, k),
            "snr_percentiles": (m, len(SNR_PERCENTILES)),
            "error_median": (m,),
        }
        for name in _ARRAYS:
            shape, expected = getattr(self, name).shape, special.get(name, (m, n))
            if shape != expected:
                raise DataError(f"{path}: dataset '{name}' has shape {shape}, expected {expected}")


_ARRAYS: Final = tuple(
    entry.name for entry in fields(CeilingTable) if entry.name not in ("target", "free", "conditions")
)
