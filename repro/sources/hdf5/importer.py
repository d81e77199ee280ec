"""From files of the original layout to the kit's own: a spectrum set, or the node grid of a Fisher-grid file."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.files import sha256
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.photometry import AB_ZERO, SPEED_OF_LIGHT, response_weights
from repro.instrument.pixels import N_PIXELS, pixel_centres
from repro.labels import LABELS
from repro.progress import Report, silent
from repro.sources.hdf5 import layout
from repro.sources.hdf5.reader import AuthorFile, Float32, Paths, open_file, read_set
from repro.spectra.generate import MEDIAN, normalise, snr_column
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid, require_physical
from repro.spectra.sampling import Table, labels_of
from repro.spectra.store import CHUNK_ROWS, READ_ROWS, create_set

_ROWS: Final = 64  # spectra at a time: their intermediate results stay in the processor's cache
_MEDIAN_TOLERANCE: Final = 1e-3
_SEED_BITS: Final = 32  # of numpy's RandomState, which the simulator draws with
_IDENTITY: Final = (*LABELS, "mag", "seeing", "target_zenith_angle", "target_field_angle", "random_seed")
_LARGEST_OFFSET: Final = 0.5  # [mag]; a tenth of HSC-i lies blueward of the pixels, the noise is known to a few percent


@dataclass(frozen=True)
class Summary:
    """What an import found.

    Attributes:
        n: number of spectra.
        snr_ratio: 5th, 50th and 95th percentile of the files' snr over ours, the 95th percentile over pixels of
            flux/error; NaN where they have no such column.
        absent: columns that a file lacks, which are NaN in the set.
    """

    n: int
    snr_ratio: tuple[float, float, float]
    absent: tuple[str, ...]


def fingerprint(paths: Paths) -> str:
    """SHA-256 (hex) of the SHA-256 of each file's content, one a line, in order."""
    return hashlib.sha256("".join(f"{sha256(path)}\n" for path in paths).encode()).hexdigest()


def import_set(
    paths: Paths, out_path: str | Path, n: int | None = None, *, split: str, progress: Report = silent
) -> Summary:
    """Write the first n spectra of the files, in order, as a spectrum set; all of them by default.

    The set says from which files it is and their fingerprint; files beyond the first n spectra do not count.

    The median of every spectrum is made exactly 0.5, the error scaled alike and the snr computed anew. A star keeps
    its random_seed, or takes a hash of it and of its labels where the seed has 32 bits: of a million such seeds a
    hundred pairs agree by chance.

    Args:
        split: name of the split that the set is to be.
        progress: called with the number of spectra done and in all.

    Raises:
        DataError: a file breaks a rule (see `reader.read_set`), a median is not 0.5 within 1e-3, or the files hold
            fewer than n spectra.
    """
    paths, n, absent = _survey(paths, n)
    attributes: dict[str, str | int | float] = {
        "source": "hdf5",
        "split": split,
        "files": ",".join(Path(path).name for path in paths),
        "fingerprint": fingerprint(paths),
        "absent": ",".join(absent),
    }
    tables: list[Table] = []
    ratios, done = [], 0
    with create_set(out_path, n, attributes) as writer:
        for table, flux, error in _whole_chunks(_normalised(paths, n)):
            snr = snr_column(flux, error)
            ratios.append(table["snr"] / snr)
            table["snr"] = snr
            tables.append(table)
            writer.write(flux, error)
            done += len(table)
            progress(done, n)
        writer.finish(np.concatenate(tables))
    low, middle, high = np.percentile(np.concatenate(ratios), [5, 50, 95])
    return Summary(n, (float(low), float(middle), float(high)), absent)


def import_nodes(path: str | Path, noise_model: NoiseModel, *, microturbulence: float = 2.0) -> NodeGrid:
    """The node grid of a file whose rows are the nodes of a lattice, in any order, with or without holes.

    The file's fluxes are known up to a factor for each node, which is left as it is (median 0.5): their scale is not
    that of a stellar surface. The zero points, which place the noise, belong to that scale; they are found from the
    stored errors, given `noise_model` (see `zero_points`).

    Args:
        microturbulence: of the models [km/s]; the files do not say it, 2 is that of BOSZ 2017.

    Raises:
        DataError: a file breaks a rule (see `reader.read_set`), two rows are the same node, the labels are not those
            of a lattice, a flux is not positive, or the errors do not follow the noise model.
        ParameterError: conditions outside the noise model's tables.
    """
    with open_file(path) as file:
        _require_conditions(file)
        labels = labels_of(file.labels(slice(0, file.size)))
        lattice, order = _lattice(labels, str(path))
        flux = np.empty((file.size, N_PIXELS), dtype=np.float32)
        zero_point = np.empty(file.size)
        for start in range(0, file.size, READ_ROWS):
            rows = slice(start, min(start + READ_ROWS, file.size))
            flux[rows], error = file.spectra(rows)
            zero_point[rows] = zero_points(flux[rows], error, file.labels(rows), noise_model)
            _require_consistent(file, start, flux[rows], zero_point[rows], noise_model)
    grid = NodeGrid(
        lattice, pixel_centres(), flux[order], zero_point[order], "hdf5", fingerprint([path]), microturbulence
    )
    require_physical(grid, str(path))
    return grid


def zero_points(flux: Float32, error: Float32, table: Table, noise_model: NoiseModel) -> NDArray[np.float64]:
    """Magnitudes that spectra have as given, from their errors at known magnitudes and conditions.

    In the units of the flux f of magnitude z, whose star is observed at magnitude m, photons, sky and detector give
    the variance  b f y + a y^2  with  y = 10^(-0.4 z); a and b depend on pixel and conditions alone. Two calls of the
    noise model, for no flux and for a flat AB spectrum, give both; each pixel's error then gives z in closed form.

    Returns:
        The median of z over the pixels, (b,) [mag].
    """
    conditions = Conditions(
        mag=torch.from_numpy(np.ascontiguousarray(table["mag"])),
        zenith_angle=torch.from_numpy(np.ascontiguousarray(table["target_zenith_angle"])),
        field_angle=torch.from_numpy(np.ascontiguousarray(table["target_field_angle"])),
        seeing=torch.from_numpy(np.ascontiguousarray(table["seeing"])),
    )
    flat = AB_ZERO * SPEED_OF_LIGHT / pixel_centres() ** 2 * np.ones((len(flux), 1))  # of magnitude 0
    zero = torch.zeros(len(flux), dtype=torch.float64)
    with torch.no_grad():
        dark = noise_model(torch.zeros(flat.shape, dtype=torch.float64), zero, conditions).cpu().numpy() ** 2
        lit = noise_model(torch.from_numpy(flat), zero, conditions).cpu().numpy() ** 2
    photons = (lit - dark) / flat * flux
    variance = error.astype(np.float64) ** 2
    y = 2 * variance / (photons + np.sqrt(photons**2 + 4 * dark * variance))
    return np.median(-2.5 * np.log10(y), axis=1)


def _require_consistent(
    file: AuthorFile, start: int, flux: Float32, zero_point: NDArray[np.float64], noise_model: NoiseModel
) -> None:
    """Hold zero points against the magnitudes of the fluxes themselves, through the part of HSC-i that they cover."""
    wave = pixel_centres()
    weights = response_weights(wave, wave[0], wave[-1])
    seen = -2.5 * np.log10(np.maximum(flux @ weights, 0) / (weights @ wave**-2.0) / SPEED_OF_LIGHT / AB_ZERO)
    bad = np.flatnonzero(~(np.abs(zero_point - seen) <= _LARGEST_OFFSET))
    if bad.size:
        row = bad[0]
        raise DataError(
            f"{file.path}: dataset {layout.ERROR}, row {start + row}: the errors are those of a star "
            f"{seen[row] - zero_point[row]:+.2f} mag from the row's magnitude, at most {_LARGEST_OFFSET} is allowed: "
            f"they do not follow the noise model {noise_model.mode!r} at the row's magnitude and conditions"
        )


def _survey(paths: Paths, n: int | None) -> tuple[Paths, int, tuple[str, ...]]:
    """The files that hold the first n spectra, n itself, and the columns that one of these files lacks."""
    if not paths:
        raise ParameterError("hdf5 source: no file is named")
    needed, size, absent = [], 0, set()
    for path in paths:
        with open_file(path) as file:  # every file is looked at: a bad one is found before hours of work
            if n is None or size < n:
                needed.append(path)
                absent |= set(file.absent)
            size += file.size
    if n is not None and not 1 <= n <= size:
        raise DataError(f"{', '.join(map(str, paths))}: {n} spectra are asked for, the files hold {size}")
    return needed, size if n is None else n, tuple(sorted(absent))


def _normalised(paths: Paths, n: int) -> Iterator[tuple[Table, Float32, Float32]]:
    """Table, flux and error of the first n spectra, in blocks."""
    for block in read_set(paths, _ROWS):
        first = int(block.table["id"][0])
        if first >= n:
            return
        rows = slice(0, n - first)
        table, flux = block.table[rows], block.flux[rows].astype(np.float64)
        _require_median(paths, table, flux)
        table["random_seed"] = _identities(table)
        yield table, *normalise(flux, block.error[rows].astype(np.float64))


def _require_median(paths: Paths, table: Table, flux: NDArray[np.float64]) -> None:
    median = np.median(flux, axis=1)
    bad = np.flatnonzero(~(np.abs(median - MEDIAN) <= _MEDIAN_TOLERANCE))
    if bad.size:
        raise DataError(
            f"{', '.join(map(str, paths))}: dataset {layout.FLUX}, row {table['id'][bad[0]]} (counted over the files): "
            f"the median flux is {median[bad[0]]:.6g}, it must be {MEDIAN} within {_MEDIAN_TOLERANCE:g} "
            f"({bad.size} of {len(flux)} spectra break it). Divide flux and error by twice the median flux."
        )


def _identities(table: Table) -> NDArray[np.int64]:
    """Numbers that name the stars, (b,), see `import_set`."""
    content = np.stack([table[name].astype("<f8") for name in _IDENTITY], axis=1)
    hashes = [int.from_bytes(hashlib.sha256(row.tobytes()).digest()[:8], "little") >> 1 for row in content]
    return np.where(table["random_seed"] >> _SEED_BITS > 0, table["random_seed"], np.array(hashes, dtype=np.int64))


def _whole_chunks(blocks: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The same rows in blocks of a multiple of the store's chunk, but for the last."""
    held: tuple[Any, ...] = ()
    for block in blocks:
        joined = tuple(map(np.concatenate, zip(held, block, strict=True))) if held else block
        whole = len(joined[0]) // CHUNK_ROWS * CHUNK_ROWS
        held = tuple(values[whole:] for values in joined)
        if whole:
            yield tuple(values[:whole] for values in joined)
    if held and len(held[0]):
        yield held


def _require_conditions(file: AuthorFile) -> None:
    for name in ("target_zenith_angle", "target_field_angle", "seeing"):
        if name in file.absent:
            raise DataError(f"{file.path}: {layout.TABLE}: column {name} is missing; the zero points depend on it")


def _lattice(labels: NDArray[np.float64], name: str) -> tuple[Lattice, NDArray[np.intp]]:
    """The lattice of labels (n, 5), and the rows in its order."""
    columns = [np.unique(np.round(column, 6), return_inverse=True) for column in labels.T]
    shape = tuple(len(nodes) for nodes, _ in columns)
    if 2 * len(labels) < math.prod(shape):
        sizes = ", ".join(f"{size} of {label}" for label, size in zip(LABELS, shape, strict=True))
        raise DataError(
            f"{name}: the labels are not those of a lattice: {len(labels)} rows hold {sizes}, which makes "
            f"{math.prod(shape)} nodes; more than half of them must be there"
        )
    nodes = np.ravel_multi_index(tuple(position for _, position in columns), shape)
    order = np.argsort(nodes, kind="stable")
    again = np.flatnonzero(np.diff(nodes[order]) == 0)
    if again.size:
        one, other = order[again[0]], order[again[0] + 1]
        raise DataError(f"{name}: {layout.TABLE}, rows {one} and {other} are the same node {labels[other].tolist()}")
    axes = {label: tuple(values.tolist()) for label, (values, _) in zip(LABELS, columns, strict=True)}
    missing = np.setdiff1d(np.arange(math.prod(shape)), nodes)
    return Lattice(axes, tuple(missing.tolist())), order
