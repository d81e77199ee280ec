"""Spectrum sets from a node grid: draw, interpolate, observe, normalise, store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError
from repro.instrument.noise import Conditions, NoiseModel
from repro.progress import Report, silent
from repro.spectra.interpolate import continuous, spline_along_axis
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import MAGNITUDES, Mode, Table, draw, labels_of
from repro.spectra.store import CHUNK_ROWS, create_set

MEDIAN: Final = 0.5  # of every stored spectrum, as in the original data set
_HALF_GRID: Final = 2.0**-24  # spacing of float32 just below 1, twice that just below 0.5

Float32 = NDArray[np.float32]


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


def generate_set(
    grid: NodeGrid,
    recipe: SetRecipe,
    noise_model: NoiseModel,
    path: str | Path,
    *,
    block: int = 256,
    progress: Report = silent,
) -> None:
    """Write a set of noise-free spectra with their errors; the bytes do not depend on `block`.

    Args:
        noise_model: gives the 1-sigma errors at noise level 1.
        block: spectra held in memory together, rounded up to whole chunks of the file.
        progress: called with the number of spectra done and in all.

    Raises:
        ParameterError: an impossible recipe.
        DataError: a spectrum's median is not positive, or the disk is full.
    """
    table = draw(recipe.mode, recipe.n, grid.lattice, recipe.seed, recipe.split, recipe.magnitudes)
    attributes: dict[str, str | int | float] = {
        "mode": recipe.mode,
        "split": recipe.split,
        "seed": recipe.seed,
        "noise_model": noise_model.mode,
        "exposures": noise_model.exposures,
        "exposure_time": noise_model.exposure_time,
        "source": grid.source,
        "fingerprint": grid.fingerprint,
        "microturbulence": grid.microturbulence,
        "free_axes": ",".join(grid.lattice.free),
    }
    rows_at_once = -(-block // CHUNK_ROWS) * CHUNK_ROWS
    with create_set(path, recipe.n, attributes) as writer:
        for start in range(0, recipe.n, rows_at_once):
            rows = slice(start, min(start + rows_at_once, recipe.n))
            flux, error = observe(grid, table[rows], noise_model)
            table["snr"][rows] = snr_column(flux, error)
            writer.write(flux, error)
            progress(rows.stop, recipe.n)
        writer.finish(table)


def observe(grid: NodeGrid, table: Table, noise_model: NoiseModel) -> tuple[Float32, Float32]:
    """Normalised noise-free flux and 1-sigma error, (b, 4096) each, of the records of a label table.

    A record is interpolated along the axis that its `interp_param` names, along all axes where that is `all`.

    Raises:
        DataError: labels that the grid cannot give, or a median that is not positive.
    """
    labels = labels_of(table)
    along = table["interp_param"].astype(str)
    everywhere = along == "all"
    if everywhere.all():
        flux, zero_point = continuous(grid, labels)
    elif everywhere.any():
        raise DataError("a set holds spectra interpolated along one axis or along all, not both")
    else:
        flux, zero_point = spline_along_axis(grid, along, labels)
    return normalise(flux, _error(noise_model, flux, zero_point, table))


def normalise(flux: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[Float32, Float32]:
    """Scale spectra (b, 4096) to a median of exactly 0.5 in float32, and their errors alike.

    The median over an even number of pixels is the mean of the two middle ones. These are moved to the nearest pair
    L, 1 - L of float32 numbers, with the pixels that this would push past them: by at most 2^-24, the rounding of
    float32 itself.

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
    lower = np.rint(middle[:, :1] * scale / _HALF_GRID) * _HALF_GRID
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
