"""Node grids from a source, in blocks that survive a kill at any moment."""

import hashlib
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError
from repro.files import atomic_path, remove_leftovers
from repro.instrument.pixels import N_PIXELS, pixel_centres
from repro.progress import Report, silent
from repro.sources.protocol import Observe, Source
from repro.spectra.lattice import Lattice, describe
from repro.spectra.nodes import NodeGrid

_Block = tuple[NDArray[np.float32], NDArray[np.float64]]  # flux (b, 4096), zero_point (b,)


def build_node_file(
    source: Source,
    instrument: Observe,
    lattice: Lattice,
    path: str | Path,
    work_dir: str | Path,
    *,
    block: int = 8,
    progress: Report = silent,
) -> NodeGrid:
    """Build a grid, write it to `path` and delete the finished blocks. Arguments and errors as `build_nodes`."""
    grid = build_nodes(source, instrument, lattice, work_dir, block=block, progress=progress)
    grid.write(path)
    shutil.rmtree(work_dir)
    return grid


def build_nodes(
    source: Source,
    instrument: Observe,
    lattice: Lattice,
    work_dir: str | Path,
    *,
    block: int = 8,
    progress: Report = silent,
) -> NodeGrid:
    """Synthesise and observe all nodes.

    Each finished block is one file in `work_dir`, named after the code, the labels and the microturbulence that made
    it: a rerun takes it up, code of another fingerprint does not, and a damaged one is made again.

    Args:
        block: nodes synthesised together; the result may depend on it in the last float32 digit.
        progress: called with the number of nodes done and in all.

    Raises:
        DataError: the source gave a flux that is not finite and positive, or the disk is full.
    """
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    fingerprint = source.fingerprint()
    flux = np.empty((lattice.size, N_PIXELS), dtype=np.float32)
    zero_point = np.empty(lattice.size)
    for start in range(0, lattice.size, block):
        rows = slice(start, min(start + block, lattice.size))
        labels = lattice.labels[rows]
        path = folder / f"{_key(source, fingerprint, labels)}.npz"
        done = _load(path, len(labels))
        if done is None:
            done = observe_nodes(source, instrument, labels)
            _save(path, done)
        flux[rows], zero_point[rows] = done
        progress(rows.stop, lattice.size)
    return NodeGrid(lattice, pixel_centres(), flux, zero_point, source.name, fingerprint, source.microturbulence)


def observe_nodes(source: Source, instrument: Observe, labels: NDArray[np.float64]) -> _Block:
    """Flux (b, 4096) float32 and zero points (b,) of the models at labels (b, 5).

    Raises:
        DataError: a value is not finite or a flux not positive; names the labels.
    """
    with torch.no_grad():
        flux_tensor, zero_tensor = instrument(source.spectra(labels))
    flux, zero_point = _array(flux_tensor, np.float32), _array(zero_tensor, np.float64)
    good = np.isfinite(flux).all(axis=1) & (flux > 0).all(axis=1) & np.isfinite(zero_point)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise DataError(
            f"source {source.name}: the spectrum at {describe(labels[row])} has a flux that is not finite and positive"
        )
    return flux, zero_point


def _key(source: Source, fingerprint: str, labels: NDArray[np.float64]) -> str:
    digest = hashlib.sha256(f"{source.name} {fingerprint} {source.microturbulence!r} ".encode())
    digest.update(np.ascontiguousarray(labels, dtype="<f8").tobytes())
    return digest.hexdigest()[:32]


def _save(path: Path, block: _Block) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, flux=block[0], zero_point=block[1])


def _load(path: Path, n_nodes: int) -> _Block | None:
    """The block, or None where it is absent, damaged or of another shape."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            flux, zero_point = stored["flux"], stored["zero_point"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        path.unlink(missing_ok=True)
        return None
    if flux.shape != (n_nodes, N_PIXELS) or zero_point.shape != (n_nodes,):
        path.unlink()
        return None
    return flux, zero_point


def _array(values: torch.Tensor, dtype: Any) -> NDArray[Any]:
    return values.detach().cpu().numpy().astype(dtype)
