"""Reads files of the original layout in blocks, with the conventions of the author's loaders.

These are: 32-bit floats, negative fluxes set to 0, an error that is NaN in the first or last pixel (where the
simulator's resampling ends) replaced by its neighbour's, the mask not used.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.instrument.pixels import N_PIXELS, pixel_centres, pixel_edges
from repro.labels import LABELS
from repro.sources.hdf5 import layout
from repro.sources.hdf5.table import ParamsTable, unreadable
from repro.spectra.sampling import COLUMNS, CONDITIONS, Table
from repro.spectra.store import READ_ROWS

_REQUIRED: Final = (*LABELS, "mag")
_OPTIONAL: Final = (*CONDITIONS, "moon_phase")
_AT_REST: Final = ("redshift", "ext")  # 0 in every file that this kit can use
_WAVE_TOLERANCE: Final = 1e-3  # [A]; wavelengths of 32 bits are off by half of it, air wavelengths by 2 A
_TEXT: Final = ("interp_param",)
_ENTIRE: Final = ("all", "", "nan")  # spectra between no nodes, or between those of all axes

Paths = Sequence[str | Path]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """Consecutive spectra of one file.

    Attributes:
        table: (b,) records of `sampling.COLUMNS`; columns that the file lacks are NaN, random_seed 0.
        flux: (b, 4096), not negative.
        error: (b, 4096), positive.
        noisy: (b, 4096), the file's one draw of noise, where it was asked for.
    """

    table: Table
    flux: Float32
    error: Float32
    noisy: Float32 | None


def read_set(paths: Paths, rows: int = READ_ROWS, *, noisy: bool = False) -> Iterator[Block]:
    """All spectra of the files in order, at most `rows` at a time; ids count them over all files.

    Every file's layout is checked before the first block is read.

    Raises:
        DataError: a file is absent, damaged or not of the layout, or a value breaks a rule; names file, row and column.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(open_file(path)) for path in paths]
        first = 0
        for file in files:
            for start in range(0, file.size, rows):
                block = slice(start, min(start + rows, file.size))
                table = file.labels(block)
                table["id"] += first
                yield Block(table, *file.spectra(block), file.noisy(block) if noisy else None)
            first += file.size


@dataclass(frozen=True)
class AuthorFile:
    """An open file whose layout has been checked; use through `open_file`."""

    path: Path
    file: h5py.File
    table: ParamsTable

    @property
    def size(self) -> int:
        """Number of spectra N."""
        return self.table.size

    @property
    def absent(self) -> tuple[str, ...]:
        """Columns of `sampling.COLUMNS` that the file lacks and that cannot be made anew."""
        return tuple(name for name in _OPTIONAL if name not in self.table.names)

    def labels(self, rows: slice) -> Table:
        """Records of `sampling.COLUMNS`, (b,), with the columns as the file has them.

        Raises:
            DataError: a label or magnitude is not finite, an id is not its row, a spectrum is not at rest, or the
                interpolated axis is not a label.
        """
        wanted = [name for name in (*(COLUMNS.names or ()), *_AT_REST) if name in self.table.names]
        values = self.table.read(wanted, rows)
        self._require_sound(values, rows.start)
        table = np.zeros(rows.stop - rows.start, dtype=COLUMNS)
        for name in COLUMNS.names or ():
            table[name] = self._column(name, values.get(name), table[name], rows.start)
        table["id"] = np.arange(rows.start, rows.stop)
        return table

    def spectra(self, rows: slice) -> tuple[Float32, Float32]:
        """Flux and error, (b, 4096) each, after the loaders' conventions.

        Raises:
            DataError: a flux is not finite, or an error is not finite and positive.
        """
        flux, error = self._pixels(layout.FLUX, rows), self._pixels(layout.ERROR, rows)
        for edge, neighbour in ((0, 1), (-1, -2)):
            error[:, edge] = np.where(np.isnan(error[:, edge]), error[:, neighbour], error[:, edge])
        self._require_pixels(layout.FLUX, flux, np.isfinite(flux), rows.start, "every flux must be finite")
        good = np.isfinite(error) & (error > 0)
        self._require_pixels(layout.ERROR, error, good, rows.start, "every error must be finite and positive")
        return np.maximum(flux, np.float32(0)), error

    def noisy(self, rows: slice) -> Float32:
        """Flux with the file's one draw of noise, (b, 4096). Raises DataError where the file has none."""
        if layout.NOISY not in self.file:
            raise DataError(f"{self.path}: dataset {layout.NOISY} is missing: the file holds no noisy spectra")
        return self._pixels(layout.NOISY, rows)

    def _pixels(self, name: str, rows: slice) -> Float32:
        try:
            with np.errstate(over="ignore"):  # what 32 bits cannot hold is found as infinite
                return np.asarray(self.file[name][rows], dtype=np.float32)
        except (OSError, RuntimeError) as error:
            raise unreadable(f"{self.path}: dataset {name}", rows, error) from error

    def _require_pixels(self, name: str, values: Float32, good: NDArray[np.bool_], start: int, rule: str) -> None:
        if not good.all():
            row, pixel = np.argwhere(~good)[0]
            bad = int((~good).any(axis=1).sum())
            raise DataError(
                f"{self.path}: dataset {name}, row {start + row}, pixel {pixel}, value {values[row, pixel]}: {rule} "
                f"({bad} of {len(good)} spectra from row {start} on break it)"
            )

    def _require_sound(self, values: dict[str, NDArray[Any]], start: int) -> None:
        for name in _REQUIRED:
            self._require_column(name, values[name], np.isfinite(values[name]), start, "must be a finite number")
        for name in _AT_REST:
            if name in values:
                good = (values[name] == 0) | np.isnan(values[name])
                self._require_column(
                    name, values[name], good, start, "must be 0: the kit's spectra are at rest and free of dust"
                )
        if "id" in values:
            good = values["id"] == np.arange(start, start + len(values["id"]))
            rule = "must be the row's number, counted from 0, in order: array row i belongs to table row i"
            self._require_column("id", values["id"], good, start, rule)

    def _column(self, name: str, values: NDArray[Any] | None, empty: NDArray[Any], start: int) -> NDArray[Any]:
        if name in _TEXT:
            return self._interpolated(values, len(empty), start)
        if values is None:
            return np.zeros_like(empty) if empty.dtype.kind == "i" else np.full_like(empty, np.nan)
        if empty.dtype.kind == "i":
            known = ~np.isnan(values)
            good = ~known | (np.isfinite(values) & (values == np.floor(values)))
            self._require_column(name, values, good, start, "must be a whole number")
            return np.where(known, values, 0)
        return values

    def _interpolated(self, values: NDArray[Any] | None, n: int, start: int) -> NDArray[Any]:
        if values is None or values.dtype.kind == "f":  # absent, or NaN throughout
            return np.full(n, b"all")
        names = np.char.decode(values, "utf-8", "replace")
        entire = np.isin(names, _ENTIRE)
        rule = f"must be one of {', '.join(LABELS)}, or empty"
        self._require_column(_TEXT[0], names, entire | np.isin(names, LABELS), start, rule)
        return np.where(entire, b"all", values)

    def _require_column(self, name: str, values: NDArray[Any], good: NDArray[np.bool_], start: int, rule: str) -> None:
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            raise DataError(
                f"{self.path}: {layout.TABLE}, row {start + row}, column {name}, value {values[row]}: {rule}"
            )


@contextmanager
def open_file(path: str | Path) -> Iterator[AuthorFile]:
    """Open a file of the original layout and check datasets, sizes, column types and wavelengths.

    Raises:
        DataError: the file is absent, cut short or not HDF5, or breaks a rule of the layout.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file (a data set of the original layout, usually called dataset.h5)")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be opened; the file is cut short or is not HDF5 ({str(error).splitlines()[0]}). "
            "Copy it again from its origin."
        ) from error
    with file:
        yield _checked(path, file)


def _checked(path: Path, file: h5py.File) -> AuthorFile:
    flux = _array(path, file, layout.FLUX, None)
    _array(path, file, layout.ERROR, flux.shape)
    for name in (layout.MASK, layout.NOISY):
        if name in file:
            _array(path, file, name, flux.shape)
    _require_wave(path, file)
    table = ParamsTable(file)
    if table.size != len(flux):
        raise DataError(
            f"{path}: {layout.TABLE} has {table.size} rows, {layout.FLUX} has {len(flux)}: row i of both must be the "
            "same spectrum"
        )
    text = [name for name in _TEXT if name in table.names and table.kind(name) not in "Sf"]
    if text:
        raise DataError(f"{path}: {layout.TABLE}: column {text[0]} must hold text of fixed length")
    optional = [name for name in (*(COLUMNS.names or ()), *_AT_REST) if name in table.names and name not in _TEXT]
    table.require_numbers(dict.fromkeys((*_REQUIRED, *optional)))
    return AuthorFile(path, file, table)


def _array(path: Path, file: h5py.File, name: str, shape: tuple[int, ...] | None) -> h5py.Dataset:
    array = file.get(name)
    if not isinstance(array, h5py.Dataset):
        raise DataError(f"{path}: dataset {name} is missing")
    if array.dtype.kind not in ("iu" if name == layout.MASK else "f"):
        raise DataError(f"{path}: dataset {name} is of type {array.dtype}, it must hold numbers of 32 or 64 bits")
    if shape is None and (array.ndim != 2 or array.shape[1] != N_PIXELS):
        raise DataError(f"{path}: dataset {name} has shape {array.shape}, the layout asks for (N, {N_PIXELS})")
    if shape is not None and array.shape != shape:
        raise DataError(f"{path}: dataset {name} has shape {array.shape}, {layout.FLUX} has {shape}: they must agree")
    return array


def _require_wave(path: Path, file: h5py.File) -> None:
    edges = pixel_edges()
    _require_grid(path, file, layout.WAVE, [pixel_centres()])
    if layout.WAVE_EDGES in file:
        # one version of the simulator stores the centres under the name of the edges
        _require_grid(path, file, layout.WAVE_EDGES, [edges, np.stack([edges[:-1], edges[1:]]), pixel_centres()])


def _require_grid(path: Path, file: h5py.File, name: str, expected: list[NDArray[np.float64]]) -> None:
    """The dataset must equal the expected array of its own shape."""
    array = file.get(name)
    if not isinstance(array, h5py.Dataset):
        raise DataError(f"{path}: dataset {name} is missing")
    fitting = [grid for grid in expected if grid.shape == array.shape]
    if not fitting or array.dtype.kind != "f":
        shapes = " or ".join(str(grid.shape) for grid in expected)
        raise DataError(
            f"{path}: dataset {name} is {array.dtype} of shape {array.shape}, it must be floats of {shapes}"
        )
    values, grid = np.asarray(array, dtype=np.float64).ravel(), fitting[0].ravel()
    bad = np.flatnonzero(~(np.abs(values - grid) <= _WAVE_TOLERANCE))
    if bad.size:
        pixel = bad[0]
        raise DataError(
            f"{path}: dataset {name}, pixel {pixel}, value {values[pixel]:.4f} A: the PFS-MR pixels ask for "
            f"{grid[pixel]:.4f} A in vacuum, within {_WAVE_TOLERANCE:g} A ({bad.size} of {values.size} differ)"
        )
