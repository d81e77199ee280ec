"""The pinned pack: a node grid in about a byte for four pixels, with a bound on the error of every one of them.

ln(flux) = mean + coefficients @ basis + residual. The first two terms are a truncated singular value decomposition,
the residual is rounded to a step of just under twice the tolerance, which bounds the error wherever the rank falls
short. Everything is stored as integers. All steps but the residual's are powers of two, so that sums of their products
are exact in float64: a pack unfolds to the same bits whatever the BLAS.
"""

import math
from pathlib import Path
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from repro.errors import PackError
from repro.instrument.pixels import N_PIXELS
from repro.labels import LABELS
from repro.sources.protocol import Observe, Source
from repro.spectra import hdf5
from repro.spectra.build import observe_nodes
from repro.spectra.nodes import NodeGrid, read_grid, write_header

TOLERANCE: Final = 1e-4  # largest relative error of the flux in any pixel
MAX_BYTES: Final = 12_000_000

_RANK: Final = 256  # the size is flat between 200 and 400: factors grow as the residual shrinks
_RESIDUAL_STEP: Final = 1.9  # of the tolerance; the rest is left for rounding to float32
_MEAN_STEP: Final = 2.0**-20
_CHUNK_ROWS: Final = 16

# Recomputed nodes may differ by the pack's own error and by the float noise of another machine.
_RECOMPUTED_TOLERANCE: Final = 2.0  # of the pack's tolerance


def write_pack(grid: NodeGrid, path: str | Path, tolerance: float = TOLERANCE) -> float:
    """Write `grid` as a pack, atomically, and return the largest relative error of its fluxes.

    Zero points are kept exactly. Equal grids give equal bytes on one machine.

    Raises:
        PackError: the pack would exceed `MAX_BYTES`.
        DataError: the disk is full.
    """
    with hdf5.create(path) as file:
        write_header(file, grid)
        hdf5.write_array(file, "zero_point", grid.zero_point)
        file.attrs["tolerance"] = tolerance
        _fold(file, np.log(grid.flux.astype(np.float64)), tolerance)
        error = float(np.abs(_flux(file) / grid.flux.astype(np.float64) - 1.0).max())
        size = file.id.get_filesize()
        if error > tolerance or size > MAX_BYTES:
            raise PackError(
                f"{path}: not written; {size / 1e6:.1f} MB with an error of {error:.1e}, "
                f"allowed are {MAX_BYTES / 1e6:.0f} MB and {tolerance:.1e}"
            )
    return error


def read_pack(path: str | Path) -> NodeGrid:
    """Unfold a pack.

    Raises:
        DataError: the file is absent, cut short or damaged, or breaks a rule of `NodeGrid.read`.
    """
    with hdf5.open_file(path, "a node pack") as file:
        return read_grid(file, lambda: _flux(file))


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
            where = ", ".join(f"{n} {v:g}" for n, v in zip(LABELS, grid.lattice.labels[row], strict=True))
            raise PackError(
                f"{path}: node {row} ({where}) synthesised again differs by {worst:.1e}, more than {tolerance:.1e}. "
                "Make the pack anew with `repro pack build`."
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


def _fold(file: h5py.File, log_flux: NDArray[np.float64], tolerance: float) -> None:
    """Write the integers that stand for ln(flux), (N, 4096)."""
    mean = np.rint(log_flux.mean(axis=0) / _MEAN_STEP).astype(np.int64)
    centred = log_flux - mean * _MEAN_STEP
    basis = _principal_directions(centred, min(_RANK, *centred.shape))
    coefficients = centred @ basis.T
    coefficient_step = 2.0 ** round(math.log2(tolerance))
    # an error of the basis enters the flux times the coefficients: large components need fine steps
    spread = np.sqrt((coefficients**2).mean(axis=0)).clip(min=coefficient_step)
    basis_step = 2.0 ** np.rint(np.log2(0.04 * tolerance / spread))
    arrays = {
        "coefficients": np.rint(coefficients.T / coefficient_step).astype(np.int64),
        "basis": np.rint(basis / basis_step[:, None]).astype(np.int64),
    }
    approximation = _product(arrays["coefficients"], arrays["basis"], coefficient_step, basis_step)
    residual_step = _RESIDUAL_STEP * tolerance
    residual = np.rint((centred - approximation) / residual_step).astype(np.int64)
    file.attrs["coefficient_step"] = coefficient_step
    file.attrs["residual_step"] = residual_step
    hdf5.write_array(file, "basis_step", basis_step)
    _write_integers(file, "mean", mean, chunk_rows=len(mean))
    for name, values in arrays.items():
        _write_integers(file, name, values, chunk_rows=1)
    _write_integers(file, "residual", residual, chunk_rows=_CHUNK_ROWS)


def _flux(file: h5py.File) -> NDArray[np.float32]:
    return np.exp(_unfold(file)).astype(np.float32)


def _unfold(file: h5py.File) -> NDArray[np.float64]:
    """ln(flux), (N, 4096)."""
    rank = len(hdf5.require_dataset(file, "basis_step", (None,)))
    n_nodes = len(file["zero_point"])
    shapes = {"mean": (N_PIXELS,), "coefficients": (rank, n_nodes), "basis": (rank, N_PIXELS)}
    for name, shape in (shapes | {"residual": (n_nodes, N_PIXELS)}).items():
        hdf5.require_dataset(file, name, shape)
    log_flux = _product(
        _read_integers(file, "coefficients"),
        _read_integers(file, "basis"),
        float(hdf5.require_attribute(file, "coefficient_step")),
        hdf5.read_array(file, "basis_step"),
    )
    log_flux += _read_integers(file, "mean") * _MEAN_STEP
    log_flux += _read_integers(file, "residual") * float(hdf5.require_attribute(file, "residual_step"))
    return log_flux


def _product(
    coefficients: NDArray[np.int64],
    basis: NDArray[np.int64],
    coefficient_step: float,
    basis_step: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(N, 4096) from coefficients (rank, N) and basis (rank, 4096); exact, see the module's head."""
    product: NDArray[np.float64] = (coefficients.T * coefficient_step) @ (basis * basis_step[:, None])
    return product


def _principal_directions(centred: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """The leading right singular vectors of (N, P), (rank, P) orthonormal; from the smaller Gram matrix."""
    n_rows, n_columns = centred.shape
    if n_columns <= n_rows:
        vectors = np.linalg.eigh(centred.T @ centred)[1]
        return np.ascontiguousarray(vectors[:, ::-1][:, :rank].T)
    vectors = np.linalg.eigh(centred @ centred.T)[1][:, ::-1][:, :rank]
    # tiny components lose their orthogonality in the Gram matrix; QR restores it
    return np.ascontiguousarray(np.linalg.qr(centred.T @ vectors)[0].T)


def _write_integers(file: h5py.File, name: str, values: NDArray[np.int64], *, chunk_rows: int) -> None:
    """Store 0, -1, 1, -2, 2, ... as 0, 1, 2, 3, 4, ... in the narrowest type: high bytes stay zero and compress."""
    folded = np.where(values < 0, -2 * values - 1, 2 * values)
    narrow = folded.astype(np.min_scalar_type(int(folded.max())))
    hdf5.write_array(file, name, narrow, chunk_rows=chunk_rows, compressed=True)


def _read_integers(file: h5py.File, name: str) -> NDArray[np.int64]:
    folded = hdf5.read_array(file, name).astype(np.int64)
    return np.where(folded % 2 == 1, -(folded + 1) // 2, folded // 2)
