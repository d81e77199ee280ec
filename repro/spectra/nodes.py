"""The node grid: noise-free spectra of all lattice nodes on the PFS-MR pixels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.instrument.pixels import N_PIXELS, pixel_centres
from repro.labels import LABELS
from repro.spectra import hdf5
from repro.spectra.lattice import Lattice, describe

_SCHEMA: Final = 1
_WAVE_TOLERANCE: Final = 1e-6  # [A]
_CHUNK_ROWS: Final = 16


@dataclass(frozen=True)
class NodeGrid:
    """Spectra of the N nodes of a lattice that have a model, line-spread function applied.

    Attributes:
        lattice: the nodes, N of them.
        wave: pixel centres, (4096,) [A, vacuum].
        flux: surface flux F_lambda, (N, 4096) float32 [erg s^-1 cm^-2 A^-1].
        zero_point: HSC-i AB magnitude of each surface flux, (N,) float64.
        source: name of the source of the spectra.
        fingerprint: hash of the code and tables that made them.
        microturbulence: [km/s].
    """

    lattice: Lattice
    wave: NDArray[np.float64]
    flux: NDArray[np.float32]
    zero_point: NDArray[np.float64]
    source: str
    fingerprint: str
    microturbulence: float

    def sub(self, lattice: Lattice) -> "NodeGrid":
        """The spectra of some of the nodes, for example of `self.lattice.part(axes)`.

        Raises:
            DataError: a node of `lattice` is not here.
        """
        rows = self.lattice.index(lattice.labels)
        return replace(self, lattice=lattice, flux=self.flux[rows], zero_point=self.zero_point[rows])

    def write(self, path: str | Path) -> None:
        """Write the grid atomically; equal grids give equal bytes. Raises DataError on a full disk."""
        with hdf5.create(path, expected_bytes=self.flux.nbytes) as file:
            write_header(file, self)
            hdf5.write_array(file, "zero_point", self.zero_point)
            hdf5.write_array(file, "flux", self.flux, chunk_rows=_CHUNK_ROWS)

    @classmethod
    def read(cls, path: str | Path) -> "NodeGrid":
        """Read and check a grid.

        Raises:
            DataError: the file is cut short, a dataset is missing, misshapen or damaged, the wavelengths are not the
                pixel centres, or a flux is not finite and positive.
        """
        with hdf5.open_file(path, "a node grid") as file:
            return read_grid(file, lambda: hdf5.read_array(file, "flux"))


def write_header(file: h5py.File, grid: NodeGrid) -> None:
    """Write all of `grid` but its flux and zero points."""
    file.attrs["schema"] = _SCHEMA
    file.attrs["source"] = grid.source
    file.attrs["fingerprint"] = grid.fingerprint
    file.attrs["microturbulence"] = grid.microturbulence
    for name, nodes in grid.lattice.axes.items():
        hdf5.write_array(file, f"axes/{name}", np.array(nodes))
    if grid.lattice.missing:
        hdf5.write_array(file, "missing", np.array(grid.lattice.missing, dtype=np.int64))
    hdf5.write_array(file, "wave", grid.wave)


def read_grid(file: h5py.File, read_flux: Callable[[], NDArray[np.float32]]) -> NodeGrid:
    """A checked grid from an open file whose flux is read by `read_flux`. Raises DataError as `NodeGrid.read`."""
    schema = hdf5.require_attribute(file, "schema")
    if schema != _SCHEMA:
        raise DataError(f"{file.filename}: layout version {schema}, this kit reads {_SCHEMA}; make the file again")
    lattice = _read_lattice(file)
    hdf5.require_dataset(file, "zero_point", (lattice.size,))
    hdf5.require_dataset(file, "wave", (N_PIXELS,))
    if "flux" in file:
        hdf5.require_dataset(file, "flux", (lattice.size, N_PIXELS))
    grid = NodeGrid(
        lattice=lattice,
        wave=hdf5.read_array(file, "wave"),
        flux=read_flux(),
        zero_point=hdf5.read_array(file, "zero_point"),
        source=str(hdf5.require_attribute(file, "source")),
        fingerprint=str(hdf5.require_attribute(file, "fingerprint")),
        microturbulence=float(hdf5.require_attribute(file, "microturbulence")),
    )
    require_pixel_grid(grid.wave, file.filename)
    require_physical(grid, file.filename)
    return grid


def _read_lattice(file: h5py.File) -> Lattice:
    axes = {name: tuple(hdf5.read_array(file, f"axes/{name}").tolist()) for name in LABELS}
    missing = tuple(hdf5.read_array(file, "missing").tolist()) if "missing" in file else ()
    try:
        return Lattice(axes, missing)
    except DataError as error:
        raise DataError(f"{file.filename}: {error}") from error


def require_pixel_grid(wave: NDArray[np.float64], name: str) -> None:
    """Raise DataError unless `wave` holds the 4096 PFS-MR pixel centres in order."""
    expected = pixel_centres()
    bad = np.flatnonzero(~(np.abs(wave - expected) <= _WAVE_TOLERANCE))
    if bad.size:
        pixel = bad[0]
        raise DataError(
            f"{name}: wave[{pixel}] = {wave[pixel]:.5f} A, the PFS-MR pixel centre is {expected[pixel]:.5f} A "
            f"({bad.size} of {wave.size} pixels differ)"
        )


def require_physical(grid: NodeGrid, name: str) -> None:
    """Raise DataError, naming the node and pixel, unless every flux and zero point is finite and every flux > 0."""
    for values, column in ((grid.flux, "flux"), (grid.zero_point[:, None], "zero_point")):
        good = np.isfinite(values) & ((values > 0) | (column == "zero_point"))
        if good.all():
            continue
        row, pixel = np.argwhere(~good)[0]
        place = f" pixel {pixel}" if column == "flux" else ""
        raise DataError(
            f"{name}: {column} of node {row} ({describe(grid.lattice.labels[row])}){place} is {values[row, pixel]}; "
            "it must be finite" + (" and positive" if column == "flux" else "")
        )
