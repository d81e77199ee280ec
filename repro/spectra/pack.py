"""The pinned pack: a node grid in about a byte for four pixels, with a bound on the error of every one of them.

ln(flux) = mean + coefficients @ basis + residual. The first two terms are a truncated singular value decomposition,
the residual is rounded to a step of just under twice the tolerance, which bounds the error wherever the rank falls
short. Everything is stored as integers. All steps but the residual's are powers of two, so that sums of their products
are exact in float64: a pack unfolds to the same bits whatever the BLAS. Nodes are folded and unfolded a block at a
time: 30240 of them need 3 GB, their own 0.5 GB included.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from repro.errors import PackError
from repro.instrument.pixels import N_PIXELS
from repro.sources.protocol import Observe, Source
from repro.spectra import hdf5
from repro.spectra.build import observe_nodes
from repro.spectra.lattice import describe, pack_5d, paper_3d
from repro.spectra.lowrank import blocks, principal_directions
from repro.spectra.nodes import NodeGrid, read_grid, write_header

FOLDER: Final = Path("data/pack")
LATTICES: Final = {"3d": paper_3d, "5d": pack_5d}  # of the two packs, by the name of the grid

TOLERANCE: Final = 1e-4  # largest relative error of the flux in any pixel
MAX_BYTES: Final = 12_000_000  # of both packs together

_RANK: Final = 256  # the size is flat between 200 and 400: factors grow as the residual shrinks
_RESIDUAL_STEP: Final = 1.9  # of the tolerance; the rest is left for rounding to float32
_MEAN_STEP: Final = 2.0**-20
_CHUNK_ROWS: Final = 16

# Recomputed nodes may differ by the pack's own error and by the float noise of another machine.
_RECOMPUTED_TOLERANCE: Final = 2.0  # of the pack's tolerance


def pack_path(grid: str, folder: Path = FOLDER) -> Path:
    """File of the pack of one of the grids `LATTICES`."""
    return folder / f"nodes_{grid}.h5"


def write_pack(grid: NodeGrid, path: str | Path, tolerance: float = TOLERANCE) -> float:
    """Write `grid` as a pack, atomically, and return the largest relative error of its fluxes.

    Zero points are kept exactly. Equal grids give equal bytes on one machine.

    Raises:
        PackError: with the other packs of the folder it would exceed `MAX_BYTES`.
        DataError: the disk is full.
    """
    path = Path(path)
    beside = sum(other.stat().st_size for other in path.parent.glob("nodes_*.h5") if other.name != path.name)
    with hdf5.create(path) as file:
        write_header(file, grid)
        hdf5.write_array(file, "zero_point", grid.zero_point)
        file.attrs["tolerance"] = tolerance
        _fold(file, grid.flux, tolerance)
        error = max(float(np.abs(flux / grid.flux[rows].astype(np.float64) - 1.0).max()) for rows, flux in _flux(file))
        size = file.id.get_filesize()
        if error > tolerance or size + beside > MAX_BYTES:
            raise PackError(
                f"{path}: not written; {size / 1e6:.1f} MB beside {beside / 1e6:.1f} MB of other packs, with an error "
                f"of {error:.1e}, allowed are {MAX_BYTES / 1e6:.0f} MB together and {tolerance:.1e}"
            )
    return error


def read_pack(path: str | Path) -> NodeGrid:
    """Unfold a pack.

    Raises:
        DataError: the file is absent, cut short or damaged, or breaks a rule of `NodeGrid.read`.
    """
    with hdf5.open_file(path, "a node pack") as file:
        return read_grid(file, lambda: _whole_flux(file))


def check_pack(path: str | Path, source: Source, instrument: Observe, sample: int = 4, seed: int = 0) -> float:
    """Compare a pack with the code at hand: its fingerprint, and `sample` nodes synthesised again.

    Returns:
        The largest relative difference of a flux found.

    Raises:
        PackError: the pack was made by other code or another microturbulence, or a recomputed node differs by more
            than twice the pack's tolerance.
        DataError: as `read_pack`.
    """
    grid = read_pack(path)
    with hdf5.open_file(path, "a node pack") as file:
        tolerance = _RECOMPUTED_TOLERANCE * float(hdf5.require_attribute(file, "tolerance"))
    _require_same_origin(grid, source, path)
    rows = np.sort(np.random.default_rng(seed).choice(grid.lattice.size, min(sample, grid.lattice.size), replace=False))
    worst = 0.0
    for row in rows:
        flux, zero_point = observe_nodes(source, instrument, grid.lattice.labels[row : row + 1])
        difference = float(np.abs(grid.flux[row] / flux[0].astype(np.float64) - 1.0).max())
        worst = max(worst, difference, abs(float(zero_point[0] - grid.zero_point[row])))
        if worst > tolerance:
            raise PackError(
                f"{path}: node {row} ({describe(grid.lattice.labels[row])}) synthesised again differs by {worst:.1e}, "
                f"more than {tolerance:.1e}. Make the pack anew with `repro pack build`."
            )
    return worst


def _require_same_origin(grid: NodeGrid, source: Source, path: str | Path) -> None:
    fingerprint = source.fingerprint()
    if (grid.source, grid.fingerprint) != (source.name, fingerprint):
        raise PackError(
            f"{path}: made by source {grid.source}, code {grid.fingerprint[:12]}; the code at hand is {source.name}, "
            f"{fingerprint[:12]}. Make the pack anew with `repro pack build`."
        )
    if grid.microturbulence != source.microturbulence:
        raise PackError(
            f"{path}: made with a microturbulence of {grid.microturbulence:g} km/s, asked for is "
            f"{source.microturbulence:g} km/s. Build the grid, or make the pack anew with `repro pack build`."
        )


def _fold(file: h5py.File, flux: NDArray[np.float32], tolerance: float) -> None:
    """Write the integers that stand for ln(flux), (N, 4096)."""
    n_nodes, n_pixels = flux.shape
    total = np.zeros(n_pixels)
    for rows in blocks(n_nodes):
        total += np.log(flux[rows].astype(np.float64)).sum(axis=0)
    mean = np.rint(total / n_nodes / _MEAN_STEP).astype(np.int64)

    def centred(rows: slice) -> NDArray[np.float64]:
        return np.log(flux[rows].astype(np.float64)) - mean * _MEAN_STEP

    basis = principal_directions(centred, n_nodes, n_pixels, _RANK)
    coefficients = np.concatenate([centred(rows) @ basis.T for rows in blocks(n_nodes)])
    coefficient_step = 2.0 ** round(math.log2(tolerance))
    # an error of the basis enters the flux times the coefficients: large components need fine steps
    spread = np.sqrt((coefficients**2).mean(axis=0)).clip(min=coefficient_step)
    basis_step = 2.0 ** np.rint(np.log2(0.04 * tolerance / spread))
    arrays = {
        "coefficients": np.rint(coefficients.T / coefficient_step).astype(np.int64),
        "basis": np.rint(basis / basis_step[:, None]).astype(np.int64),
    }
    residual_step = _RESIDUAL_STEP * tolerance
    residual = np.empty(flux.shape, dtype=np.int32)
    for rows in blocks(n_nodes):
        kept = _product(arrays["coefficients"][:, rows], arrays["basis"], coefficient_step, basis_step)
        residual[rows] = np.rint((centred(rows) - kept) / residual_step)
    file.attrs["coefficient_step"] = coefficient_step
    file.attrs["residual_step"] = residual_step
    hdf5.write_array(file, "basis_step", basis_step)
    _write_integers(file, "mean", mean, chunk_rows=len(mean))
    for name, values in arrays.items():
        _write_integers(file, name, values, chunk_rows=1)
    _write_integers(file, "residual", residual, chunk_rows=_CHUNK_ROWS)


def _whole_flux(file: h5py.File) -> NDArray[np.float32]:
    flux = np.empty((len(file["zero_point"]), N_PIXELS), dtype=np.float32)
    for rows, part in _flux(file):
        flux[rows] = part
    return flux


def _flux(file: h5py.File) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Blocks of rows and their fluxes, (b, 4096)."""
    rank = len(hdf5.require_dataset(file, "basis_step", (None,)))
    n_nodes = len(file["zero_point"])
    shapes = {"mean": (N_PIXELS,), "coefficients": (rank, n_nodes), "basis": (rank, N_PIXELS)}
    for name, shape in (shapes | {"residual": (n_nodes, N_PIXELS)}).items():
        hdf5.require_dataset(file, name, shape)
    mean, coefficients, basis = (_read_integers(file, name) for name in ("mean", "coefficients", "basis"))
    steps = float(hdf5.require_attribute(file, "coefficient_step")), hdf5.read_array(file, "basis_step")
    residual_step = float(hdf5.require_attribute(file, "residual_step"))
    for rows in blocks(n_nodes):
        log_flux = _product(coefficients[:, rows], basis, *steps)
        log_flux += mean * _MEAN_STEP
        log_flux += _read_integers(file, "residual", rows) * residual_step
        yield rows, np.exp(log_flux).astype(np.float32)


def _product(
    coefficients: NDArray[np.int64],
    basis: NDArray[np.int64],
    coefficient_step: float,
    basis_step: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(N, 4096) from coefficients (rank, N) and basis (rank, 4096); exact, see the module's head."""
    product: NDArray[np.float64] = (coefficients.T * coefficient_step) @ (basis * basis_step[:, None])
    return product


def _write_integers(file: h5py.File, name: str, values: NDArray[np.signedinteger], *, chunk_rows: int) -> None:
    """Store 0, -1, 1, -2, 2, ... as 0, 1, 2, 3, 4, ... in the narrowest type: high bytes stay zero and compress."""
    largest = max(2 * int(values.max()), -2 * int(values.min()) - 1)
    narrow = np.where(values < 0, -2 * values - 1, 2 * values).astype(np.min_scalar_type(largest))
    hdf5.write_array(file, name, narrow, chunk_rows=chunk_rows, compressed=True)


def _read_integers(file: h5py.File, name: str, rows: slice = slice(None)) -> NDArray[np.int64]:
    folded = hdf5.read_array(file, name, rows).astype(np.int64)
    return np.where(folded % 2 == 1, -(folded + 1) // 2, folded // 2)
