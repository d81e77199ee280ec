"""Speed of writing and reading the original author's file layout, against plain h5py copies of the same numbers.

    python -m benchmarks.exchange [spectrum set]

Without a set (data/spectra/test.h5) its spectra are random ones: the work does not depend on their content. At most
1000 spectra are used. The plain route moves flux and error, and nothing else, between a file and memory in the same
blocks and types; the kit adds labels, checks, normalisation and the signal-to-noise column.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from repro.instrument.pixels import N_PIXELS
from repro.sources.hdf5.export import Draw, export_set
from repro.sources.hdf5.importer import import_set
from repro.sources.hdf5.reader import read_set
from repro.spectra.generate import normalise, snr_column
from repro.spectra.lattice import paper_3d
from repro.spectra.sampling import draw
from repro.spectra.store import create_set, open_set

N_SPECTRA, BLOCK = 1000, 512


def main() -> None:
    """Print spectra per core second, megabytes per second and the ratio to the plain copy of each route."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/spectra/test.h5")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spectra = folder / "set.h5"
        _write_set(spectra, *(_stored(path) if path.exists() else _random()))
        with open_set(spectra) as opened:
            n = opened.size
        print(f"{n} spectra of {path if path.exists() else 'random numbers'}")
        print(f"{'task':<44}{'a core second':>14}{'MB/s':>8}{'of plain h5py':>15}")
        for bits in (64, 32):
            _exchange(spectra, folder / f"{bits}.h5", bits, n)
        noisy = _seconds(lambda: export_set(spectra, folder / "noisy.h5", draw=Draw(1.0, 42)))
        _line("export, 64 bits, with a draw of noise", n, noisy, 3 * 8, None)
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def _exchange(spectra: Path, path: Path, bits: int, n: int) -> None:
    width, plain = 2 * bits // 8, path.with_name("plain.h5")
    kit = _seconds(lambda: export_set(spectra, path, float32=bits == 32))
    _line(f"export, {bits} bits", n, kit, width, _seconds(lambda: _copy(spectra, plain, f"<f{bits // 8}")))
    names = ("dataset/arrays/flux/value", "dataset/arrays/error/value")
    peer = _seconds(lambda: _read(plain, ("flux", "error")))
    _line(f"read and check, {bits} bits", n, _seconds(lambda: [None for _ in read_set([path])]), width, peer)
    back = path.with_name("back.h5")
    kit = _seconds(lambda: import_set([path], back, split="test"))
    _line(f"import as a set, {bits} bits", n, kit, width, _seconds(lambda: _copy(path, plain, "<f4", names)))


def _write_set(path: Path, flux: np.ndarray, error: np.ndarray) -> None:
    table = draw("paper", len(flux), paper_3d(), 1, "test")
    table["snr"] = snr_column(flux, error)
    with create_set(path, len(flux), {"split": "test"}) as writer:
        writer.write(flux, error)
        writer.finish(table)


def _stored(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with open_set(path) as spectra:
        return spectra.read(slice(0, N_SPECTRA))


def _random() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return normalise(rng.uniform(0.5, 1.5, (N_SPECTRA, N_PIXELS)), rng.uniform(0.01, 0.1, (N_SPECTRA, N_PIXELS)))


def _copy(source: Path, target: Path, dtype: str, names: tuple[str, str] = ("flux", "error")) -> None:
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        for name, short in zip(names, ("flux", "error"), strict=True):
            array = new.create_dataset(short, old[name].shape, dtype, chunks=(16, N_PIXELS))
            for start in range(0, len(array), BLOCK):
                array[start : start + BLOCK] = old[name][start : start + BLOCK]


def _read(path: Path, names: tuple[str, str]) -> None:
    with h5py.File(path) as file:
        for name in names:
            for start in range(0, len(file[name]), BLOCK):
                np.asarray(file[name][start : start + BLOCK], dtype=np.float32)


def _seconds(work: Callable[[], object]) -> float:
    """Processor time of the faster of two runs: what other programs do at the same time matters little."""
    times = []
    for _ in range(2):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def _line(task: str, n: int, seconds: float, width: int, plain: float | None) -> None:
    ratio = f"{plain / seconds:>15.2f}" if plain is not None else ""
    print(f"{task:<44}{n / seconds:>14.0f}{n * N_PIXELS * width / 1e6 / seconds:>8.0f}{ratio}")


if __name__ == "__main__":
    main()
