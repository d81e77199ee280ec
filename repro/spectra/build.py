"""Node grids from a source, in blocks that survive a kill at any moment.

A block is a pure function of its labels (`observe_nodes`), so that it may run in this process, in others of this
machine (`local_pool`) or on a cluster (any `concurrent.futures.Executor`). Only the process that calls `build_nodes`
writes to the work folder.
"""

import hashlib
import os
import signal
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError, EnvironmentProblem
from repro.files import atomic_path, remove_leftovers
from repro.instrument.pixels import N_PIXELS, pixel_centres
from repro.progress import Report, silent
from repro.sources.protocol import Observe, Source
from repro.spectra.lattice import Lattice, describe
from repro.spectra.nodes import NodeGrid

# Nodes synthesised together, by the device of the source. Neighbours in C_M and a_M share T_eff, log_g and M_H.
BLOCK: Final = {"cpu": 8, "cuda": 256}

_Block = tuple[NDArray[np.float32], NDArray[np.float64]]  # flux (b, 4096), zero_point (b,)


def build_nodes(
    source: Source,
    instrument: Observe,
    lattice: Lattice,
    work_dir: str | Path,
    *,
    block: int | None = None,
    executor: Executor | None = None,
    progress: Report = silent,
) -> NodeGrid:
    """Synthesise and observe all nodes.

    Each finished block is one file in `work_dir`, named after the code, the labels and the microturbulence that made
    it: a rerun takes it up, code of another fingerprint does not, and a damaged one is made again.

    Args:
        block: nodes synthesised together; None takes `BLOCK` of the source's device. A node does not depend on its
            company by more than 1e-6 of the flux.
        executor: where blocks are computed; None means here. Source and instrument are pickled with each block.
        progress: called with the number of nodes done and in all.

    Raises:
        DataError: the source gave a flux that is not finite and positive, or the disk is full.
        EnvironmentProblem: a process of the executor died.
    """
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    fingerprint = source.fingerprint()
    flux = np.empty((lattice.size, N_PIXELS), dtype=np.float32)
    zero_point = np.empty(lattice.size)
    todo: list[tuple[slice, Path]] = []
    done = 0
    for rows in _blocks(lattice.size, block or BLOCK[getattr(source, "device", "cpu").partition(":")[0]]):
        labels = lattice.labels[rows]
        path = folder / f"{_key(source, fingerprint, labels)}.npz"
        finished = _load(path, len(labels))
        if finished is None:
            todo.append((rows, path))
        else:
            flux[rows], zero_point[rows] = finished
            done += len(labels)
    if done:
        progress(done, lattice.size)
    for number, made in _computed(source, instrument, [lattice.labels[rows] for rows, _ in todo], executor):
        rows, path = todo[number]
        _save(path, made)
        flux[rows], zero_point[rows] = made
        done += rows.stop - rows.start
        progress(done, lattice.size)
    return NodeGrid(lattice, pixel_centres(), flux, zero_point, source.name, fingerprint, source.microturbulence)


@contextmanager
def local_pool(workers: int) -> Iterator[Executor | None]:
    """Yield an executor with this many processes of one thread each; None for one, whose work stays in this process.

    The processes end with this one, even if it is killed.
    """
    if workers == 1:
        yield None
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops in order and lets its workers go
    parent = parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _blocks(n_nodes: int, block: int) -> list[slice]:
    return [slice(start, min(start + block, n_nodes)) for start in range(0, n_nodes, block)]


def _computed(
    source: Source, instrument: Observe, labels: Sequence[NDArray[np.float64]], executor: Executor | None
) -> Iterator[tuple[int, _Block]]:
    """Number and content of each block of labels, in the order in which they are finished."""
    if executor is None:
        for number, part in enumerate(labels):
            yield number, observe_nodes(source, instrument, part)
        return
    futures: dict[Future[_Block], int] = {}
    try:
        for number, part in enumerate(labels):
            futures[executor.submit(observe_nodes, source, instrument, part)] = number
        for future in as_completed(list(futures)):
            yield futures.pop(future), future.result()
    except BrokenExecutor as error:
        raise EnvironmentProblem(
            "a process that synthesised nodes died: it was killed, or the memory was exhausted. Finished blocks are "
            "kept; run the same command again, with fewer workers if memory is short."
        ) from error
    finally:
        for future in futures:
            future.cancel()


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
