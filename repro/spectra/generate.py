"""Spectrum sets from a node grid: draw, interpolate, observe, normalise, store."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError
from repro.files import md5
from repro.instrument.noise import Conditions, NoiseModel
from repro.progress import Report, silent
from repro.spectra.interpolate import TensorSpline, spline_along_axis
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import MAGNITUDES, Mode, Table, draw_counted, labels_of
from repro.spectra.store import CHUNK_ROWS, create_set

MEDIAN: Final = 0.5  # of every stored spectrum, as in the original data set
BLOCK: Final = 256  # spectra held in memory together
_AHEAD: Final = 64  # blocks handed to an executor before the first is awaited: 0.5 GB if all are done but that one
_HALF_GRID: Final = 2.0**-24  # spacing of float32 just below 1, twice that just below 0.5

Float32 = NDArray[np.float32]
Part = tuple[Float32, Float32, Table]  # flux and error (b, 4096), records of the label table (b,)


@dataclass(frozen=True)
class SetRecipe:
    """What distinguishes one spectrum set from another on the same grid.

    Attributes:
        mode: how labels are drawn, see `sampling.draw`.
        n: number of spectra.
        split: train, val or test.
        seed: root of all draws.
        magnitudes: limits of the uniform law of HSC-i.
    """

    mode: Mode
    n: int
    split: str
    seed: int
    magnitudes: tuple[float, float] = MAGNITUDES


class SetMaker:
    """The spectra of one set, any rows of it in any order: a row depends on the arguments alone.

    Args:
        noise_model: gives the 1-sigma errors at noise level 1.

    Attributes:
        attributes: how the set is made, to be stored with it.

    Raises:
        ParameterError: an impossible recipe.
        DataError: a grid from which such a set cannot be made.
    """

    def __init__(self, grid: NodeGrid, recipe: SetRecipe, noise_model: NoiseModel) -> None:
        self._grid = grid
        self._noise_model = noise_model
        self._table, redraws = draw_counted(
            recipe.mode, recipe.n, grid.lattice, recipe.seed, recipe.split, recipe.magnitudes
        )
        self._spline = TensorSpline(grid) if recipe.mode == "continuous" else None
        self.attributes: dict[str, str | int | float] = {
            "mode": recipe.mode,
            "split": recipe.split,
            "seed": recipe.seed,
            "redraws": redraws,
            "rank_error": self._spline.error if self._spline else 0.0,
            "noise_model": noise_model.mode,
            "exposures": noise_model.exposures,
            "exposure_time": noise_model.exposure_time,
            "source": grid.source,
            "fingerprint": grid.fingerprint,
            "microturbulence": grid.microturbulence,
            "free_axes": ",".join(grid.lattice.free),
        }

    def __call__(self, rows: slice) -> Part:
        """Normalised noise-free flux and 1-sigma error, (b, 4096) each, and the records of the label table.

        Raises:
            DataError: a spectrum's median is not positive.
        """
        table = self._table[rows].copy()
        labels = labels_of(table)
        if self._spline is None:
            flux, zero_point = spline_along_axis(self._grid, table["interp_param"].astype(str), labels)
        else:
            flux, zero_point = self._spline(labels)
        scaled, error = normalise(flux, _error(self._noise_model, flux, zero_point, table))
        table["snr"] = snr_column(scaled, error)
        return scaled, error, table


@dataclass(frozen=True)
class RemoteMaker:
    """A `SetMaker` for other processes: they are sent the place of the node grid, which each reads once."""

    grid: Path
    grid_md5: str
    recipe: SetRecipe
    noise_mode: Literal["paper", "physical"]

    def __call__(self, rows: slice) -> Part:
        """As `SetMaker`. Raises DataError where the file is absent or another one."""
        return _maker(self)(rows)


@lru_cache(maxsize=1)
def _maker(remote: RemoteMaker) -> SetMaker:
    grid = NodeGrid.read(remote.grid)
    if md5(remote.grid) != remote.grid_md5:
        raise DataError(f"{remote.grid}: another node grid here than where the set is written; share its folder")
    return SetMaker(grid, remote.recipe, NoiseModel(remote.noise_mode))


def generate_set(
    grid: NodeGrid,
    recipe: SetRecipe,
    noise_model: NoiseModel,
    path: str | Path,
    *,
    block: int = BLOCK,
    remote: tuple[Executor, Path] | None = None,
    progress: Report = silent,
) -> None:
    """Write a set of noise-free spectra with their errors; the bytes depend neither on `block` nor on `remote`.

    Args:
        remote: executor that computes the blocks, and the file of `grid`, which its processes can read.
        block: spectra held in memory together, rounded up to whole chunks of the file.
        progress: called with the number of spectra done and in all.

    Raises:
        ParameterError: an impossible recipe.
        DataError: as `SetMaker`, a spectrum's median is not positive, or the disk is full.
    """
    make = SetMaker(grid, recipe, noise_model)
    rows_at_once = -(-block // CHUNK_ROWS) * CHUNK_ROWS
    tables = []
    with create_set(path, recipe.n, make.attributes) as writer:
        rows = [slice(start, min(start + rows_at_once, recipe.n)) for start in range(0, recipe.n, rows_at_once)]
        if remote is None:
            parts: Iterator[Part] = map(make, rows)
        else:
            executor, file = remote
            parts = _in_order(executor, RemoteMaker(file.resolve(), md5(file), recipe, noise_model.mode), rows)
        for part, (flux, error, table) in zip(rows, parts, strict=True):
            writer.write(flux, error)
            tables.append(table)
            progress(part.stop, recipe.n)
        writer.finish(np.concatenate(tables))


def _in_order(executor: Executor, make: RemoteMaker, rows: Iterable[slice]) -> Iterator[Part]:
    todo = iter(rows)
    waiting = deque(executor.submit(make, part) for part in islice(todo, _AHEAD))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(executor.submit(make, part) for part in islice(todo, 1))
    finally:
        for future in waiting:
            future.cancel()


def normalise(flux: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[Float32, Float32]:
    """Scale spectra (b, 4096) to a median of exactly 0.5 in float32, and their errors alike.

    The median over an even number of pixels is the mean of the two middle ones. These are moved apart to the nearest
    pair L, 1 - L of float32 numbers, and the pixels between with them: by at most 2^-24, the rounding of
    float32 itself. Spectra that have been normalised stay as they are.

    Raises:
        DataError: a spectrum's median is not a positive number.
    """
    half = flux.shape[1] // 2
    middle = np.partition(flux, (half - 1, half), axis=1)[:, half - 1 : half + 1]
    median = middle.mean(axis=1, keepdims=True)
    bad = np.flatnonzero(~(median > 0))
    if bad.size:
        raise DataError(f"spectrum {bad[0]}: the median flux is {median[bad[0], 0]:g}; it must be positive")
    scale = MEDIAN / median
    # rounded down (but for the last bits of the product): rounded up, L would be a number that no pixel takes
    lower = np.floor(middle[:, :1] * scale / _HALF_GRID + 1e-6) * _HALF_GRID
    below = flux <= middle[:, :1]
    scaled = flux * scale
    scaled = np.where(below, np.minimum(scaled, lower), np.maximum(scaled, 1.0 - lower))
    return scaled.astype(np.float32), (error * scale).astype(np.float32)


def snr_column(flux: Float32, error: Float32) -> NDArray[np.float64]:
    """95th percentile over the pixels of flux/error, (b,) for (b, 4096): the `snr` column of the original data set."""
    ratio = flux.astype(np.float64) / error
    position = 0.95 * (ratio.shape[1] - 1)
    low = int(position)
    two = np.partition(ratio, (low, low + 1), axis=1)[:, low : low + 2]
    snr: NDArray[np.float64] = two[:, 0] + (two[:, 1] - two[:, 0]) * (position - low)
    return snr


def _error(
    noise_model: NoiseModel, flux: NDArray[np.float64], zero_point: NDArray[np.float64], table: Table
) -> NDArray[np.float64]:
    def column(name: str) -> Any:
        return torch.from_numpy(np.ascontiguousarray(table[name]))

    conditions = Conditions(
        mag=column("mag"),
        zenith_angle=column("target_zenith_angle"),
        field_angle=column("target_field_angle"),
        seeing=column("seeing"),
    )
    with torch.no_grad():
        sigma = noise_model(torch.from_numpy(flux), torch.from_numpy(zero_point), conditions)
    return sigma.cpu().numpy()
