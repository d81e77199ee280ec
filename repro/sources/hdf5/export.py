"""Writes the kit's spectrum sets and node grids in the original layout, for the author's own code to read.

pandas and PyTables write the label table, and alone the table: `pandas.read_hdf(path)` finds a frame without its key
only in a file that holds no other. h5py adds the arrays after the table is closed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import N_PIXELS, pixel_centres, pixel_edges
from repro.labels import LABELS
from repro.progress import Report, silent
from repro.sources.hdf5 import layout
from repro.spectra import hdf5
from repro.spectra.generate import normalise, snr_column
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise import inject, standard_normal
from repro.spectra.sampling import COLUMNS, Table
from repro.spectra.store import CHUNK_ROWS, SpectrumSet, open_set

_CLEAN: Final = (layout.FLUX, layout.ERROR)
_BLOCK_ROWS: Final = 512  # 17 MB of 64-bit floats
# version of the tables' layout, which pandas below 3 writes and asks for, and pandas 3 does not
_PANDAS_VERSION: Final = "0.15.2"

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Draw:
    """The one draw of noise that a file may hold: flux + level * error * N(0, 1)."""

    level: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 < self.level < float("inf"):
            raise ParameterError(f"export: the noise level must be positive, it is {self.level:g}")


def export_set(
    set_path: str | Path,
    out_path: str | Path,
    *,
    shards: int = 1,
    draw: Draw | None = None,
    float32: bool = False,
    progress: Report = silent,
) -> list[Path]:
    """Write a spectrum set as one file, or as shards of sizes that differ by one at most.

    Shard k of `DIR/dataset.h5` is `DIR_k/dataset.h5`, ids start at 0 in each, as in the original. Each file takes its
    name when it is complete.

    Args:
        draw: adds the array `noisy`, from the counter-based generator at epoch 0 of the set's split.
        float32: 32-bit floats and integers in the arrays, half of the original's size.
        progress: called with the number of spectra done and in all.

    Returns:
        The files.

    Raises:
        DataError: the set is damaged, or the disk is full.
        ParameterError: more shards than spectra, or a noise level or seed out of range.
    """
    with open_set(set_path) as spectra:
        n = spectra.size
        if not 1 <= shards <= n:
            raise ParameterError(f"export: {n} spectra cannot be written as {shards} shards")
        if draw is not None and spectra.attributes.get("split") is None:
            raise DataError(f"{set_path}: does not say which split it is, on which its noise depends")
        bounds = [n * k // shards for k in range(shards + 1)]
        paths = _shard_paths(Path(out_path), shards)
        names = [*_CLEAN, layout.NOISY] if draw else _CLEAN
        exposures = spectra.attributes.get("exposures", layout.COLUMNS["exp_count"])
        frame = _frame(spectra.labels, exposures, spectra.attributes.get("exposure_time", layout.COLUMNS["exp_time"]))
        for path, start, end in zip(paths, bounds, bounds[1:], strict=False):
            part = frame.iloc[start:end].reset_index(drop=True)
            part["id"] = np.arange(end - start)
            blocks = _set_blocks(spectra, start, end, draw)
            _write(path, part, names, blocks, float32, partial(_report, progress, start, n))
    return paths


def export_nodes(
    grid: NodeGrid,
    out_path: str | Path,
    mag: float,
    noise_model: NoiseModel,
    *,
    float32: bool = False,
    progress: Report = silent,
) -> None:
    """Write a node grid as a Fisher-grid file: one row a node, all of one magnitude, at the published conditions.

    Raises:
        DataError: a median flux is not positive, or the disk is full.
        ParameterError: `mag` is not finite.
    """
    if not np.isfinite(mag):
        raise ParameterError(f"export: the magnitude must be a finite number, it is {mag}")
    labels = grid.lattice.labels
    table = np.zeros(len(labels), dtype=COLUMNS)
    table["id"] = np.arange(len(labels))
    for name in COLUMNS.names or ():
        if name in LABELS:
            table[name] = labels[:, LABELS.index(name)]
        elif table.dtype[name].kind == "f":
            table[name] = {**layout.FISHER_CONDITIONS, "mag": mag}.get(name, np.nan)

    def blocks() -> Iterator[tuple[slice, Arrays]]:
        for start in range(0, len(labels), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            flux, error = _observed(grid, rows, mag, noise_model)
            yield rows, {layout.FLUX: flux, layout.ERROR: error}

    for rows, block in blocks():  # the table precedes the arrays in the file, and its snr needs them
        table["snr"][rows] = snr_column(block[layout.FLUX], block[layout.ERROR])
    frame = _frame(table, noise_model.exposures, noise_model.exposure_time)
    arrays = (arrays for _, arrays in blocks())
    _write(Path(out_path), frame, _CLEAN, arrays, float32, partial(_report, progress, 0, len(labels)))


def _set_blocks(spectra: SpectrumSet, start: int, end: int, draw: Draw | None) -> Iterator[Arrays]:
    for first in range(start, end, _BLOCK_ROWS):
        rows = slice(first, min(first + _BLOCK_ROWS, end))
        flux, error = spectra.read(rows)
        arrays = {layout.FLUX: flux, layout.ERROR: error}
        if draw is not None:
            normal = standard_normal(draw.seed, spectra.attributes["split"], 0, range(rows.start, rows.stop))
            noisy = inject(torch.from_numpy(flux), torch.from_numpy(error), normal, draw.level)
            arrays[layout.NOISY] = noisy.numpy()
        yield arrays


def _observed(
    grid: NodeGrid, rows: slice, mag: float, noise_model: NoiseModel
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Normalised flux and error of nodes, (b, 4096) each."""
    conditions = layout.FISHER_CONDITIONS
    flux = grid.flux[rows].astype(np.float64)
    with torch.no_grad():
        error = noise_model(
            torch.from_numpy(flux),
            torch.from_numpy(grid.zero_point[rows]),
            Conditions(mag, conditions["target_zenith_angle"], conditions["target_field_angle"], conditions["seeing"]),
        )
    return normalise(flux, error.cpu().numpy())


def _frame(table: Table, exposures: int, exposure_time: float) -> pd.DataFrame:
    """The 35 columns of the original table; an interpolation along all axes has no name there."""
    constants = {**layout.COLUMNS, "exp_count": exposures, "exp_time": exposure_time}
    columns = {name: table[name] if name in (table.dtype.names or ()) else constants[name] for name in layout.COLUMNS}
    names = np.where(table["interp_param"] == b"all", b"", table["interp_param"]).astype(str)
    # as objects: older pandas does not know the string type of newer ones
    columns["interp_param"] = pd.Series(names.tolist(), dtype=object)
    return pd.DataFrame(columns, index=np.arange(len(table)))


def _write(
    path: Path,
    frame: pd.DataFrame,
    names: Sequence[str],
    blocks: Iterator[Arrays],
    float32: bool,
    done: Callable[[int], None],
) -> None:
    """Write one file with the arrays `names`; `done` is called with the number of spectra written."""
    n, real, integer = len(frame), *(("<f4", "<i4") if float32 else ("<f8", "<i8"))
    with hdf5.new_file(path, expected_bytes=n * N_PIXELS * len(names) * np.dtype(real).itemsize) as temporary:
        frame.to_hdf(temporary, key=layout.PARAMS, mode="w", format="table")
        with h5py.File(temporary, "a") as file:
            file[layout.PARAMS].attrs["pandas_version"] = np.bytes_(_PANDAS_VERSION)
            file[layout.WAVE], file[layout.WAVE_EDGES] = pixel_centres(), pixel_edges()
            _new_array(file, layout.MASK, n, integer)  # zeros that are never written take no room
            arrays = {name: _new_array(file, name, n, real) for name in names}
            written = 0
            for block in blocks:
                rows = slice(written, written + len(block[layout.FLUX]))
                for name, array in arrays.items():
                    array[rows] = block[name]
                written = rows.stop
                done(written)


def _report(progress: Report, start: int, n: int, done: int) -> None:
    progress(start + done, n)


def _new_array(file: h5py.File, name: str, n: int, dtype: str) -> h5py.Dataset:
    return file.create_dataset(name, (n, N_PIXELS), dtype, chunks=(min(CHUNK_ROWS, n), N_PIXELS), track_times=False)


def _shard_paths(path: Path, shards: int) -> list[Path]:
    if shards == 1:
        return [path]
    folder = path.absolute().parent
    return [folder.with_name(f"{folder.name}_{k}") / path.name for k in range(shards)]
