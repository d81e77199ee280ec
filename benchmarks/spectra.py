"""Speed and memory of making spectrum sets, noise and the pack, against plain routes in the same run.

    python -m benchmarks.spectra [node grid]
    python -m benchmarks.spectra --memory N [node grid]     peak memory of a set of N spectra, in both modes

Without a node grid (data/nodes_5d.h5) the spectra are smooth ones on the 5D lattice of the pack: but for the pack's
size the work does not depend on their content. The plain route makes one spectrum at a time, as the original generator
did: scipy's CubicSpline through the line of nodes, noise model, median and percentile. The original needed 304 hours
with 60 threads for a million spectra, flux and noise included: 0.9 a second. Writing is held against a plain file of as
many bytes, noise against torch's own generator, which is faster but cannot give the noise of one presentation of one
spectrum alone.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import pixel_centres
from repro.labels import LABELS
from repro.spectra.generate import SetMaker, SetRecipe, generate_set
from repro.spectra.lattice import pack_5d
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise import standard_normal
from repro.spectra.pack import read_pack, write_pack
from repro.spectra.sampling import Table, labels_of
from repro.spectra.schemas import validate_set
from repro.spectra.store import create_set, open_set

ORIGINAL: Final = 1_000_000 / (304 * 3600)  # spectra a second, of 60 threads

N_SET, N_PLAIN, N_NOISE, N_WRITTEN = 4000, 100, 512, 4096


def main() -> None:
    """Print rates, their ratios to the plain routes, the largest difference of the results, and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", nargs="?", type=Path, default=Path("data/nodes_5d.h5"))
    parser.add_argument("--memory", type=int, metavar="N")
    arguments = parser.parse_args()
    grid = NodeGrid.read(arguments.grid) if arguments.grid.exists() else _smooth_grid()
    print(f"{grid.lattice.size} nodes of source '{grid.source}', {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.memory:
            _memory(grid, arguments.memory, Path(folder) / "set.h5")
            return
        print(f"{'task':<44}{'a core second':>14}{'ratio to plain':>16}")
        _sets(grid, Path(folder))
        _writing(grid, Path(folder))
        _noise()
        _pack(grid, Path(folder) / "pack.h5")
    print(f"peak memory of the process {_peak():.2f} GiB")


def _sets(grid: NodeGrid, folder: Path) -> None:
    noise_model = NoiseModel("paper")
    path = folder / "paper.h5"
    paper = _rate(N_SET, lambda: generate_set(grid, SetRecipe("paper", N_SET, "train", 1), noise_model, path))
    with open_set(path) as spectra:
        table = spectra.labels[:N_PLAIN]
        flux, error = spectra.read(slice(0, N_PLAIN))
    peers: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    plain = _rate(N_PLAIN, lambda: peers.extend(_plain(grid, record, noise_model) for record in table))
    _line("spectra of a set, paper law", paper, plain)
    _line("  one at a time, scipy's CubicSpline", plain, plain)
    for name, ours, theirs in (("flux", flux, [f for f, _ in peers]), ("error", error, [e for _, e in peers])):
        print(f"  largest relative difference of the {name}: {np.abs(ours / np.array(theirs) - 1).max():.1e}")
    started = time.process_time()
    maker = SetMaker(grid, SetRecipe("continuous", N_SET, "train", 1), noise_model)
    print(
        f"  leading directions of the continuous law: {time.process_time() - started:.1f} s once, "
        f"nodes kept to {maker.attributes['rank_error']:.1e}"
    )
    rows = range(0, N_SET, 256)
    continuous = _rate(N_SET, lambda: [maker(slice(first, min(first + 256, N_SET))) for first in rows])
    _line("spectra of a set, continuous law", continuous, plain)
    print(f"  of one core, against the original's 60 threads: {paper / ORIGINAL:.0f} and {continuous / ORIGINAL:.0f}")
    _line("spectra validated", _rate(N_SET, lambda: validate_set(path)))


def _writing(grid: NodeGrid, folder: Path) -> None:
    """Clock time, with the disk in it, of a plain file, of the store alone, and of a whole set."""
    flux = np.ones((N_WRITTEN, 4096), dtype=np.float32)
    table = SetMaker(grid, SetRecipe("paper", N_WRITTEN, "train", 1), NoiseModel("paper"))(slice(0, 16))[2]
    megabytes = 2 * flux.nbytes / 1e6

    def plain() -> None:
        with open(folder / "plain", "wb") as handle:
            for first in range(0, N_WRITTEN, 256):
                handle.write(flux[first : first + 256].tobytes())
                handle.write(flux[first : first + 256].tobytes())
            handle.flush()
            os.fsync(handle.fileno())

    def store() -> None:
        with create_set(folder / "store.h5", N_WRITTEN, {}) as writer:
            for first in range(0, N_WRITTEN, 256):
                writer.write(flux[first : first + 256], flux[first : first + 256])
            writer.finish(np.resize(table, N_WRITTEN))

    def whole() -> None:
        generate_set(grid, SetRecipe("paper", N_WRITTEN, "train", 1), NoiseModel("paper"), folder / "whole.h5")

    clock = {work.__name__: min(_clock(work) for _ in range(3)) for work in (plain, store, whole)}
    rates = ", ".join(f"{name} {megabytes / seconds:.0f} MB/s" for name, seconds in clock.items())
    print(f"written to disk, clock time: {rates}; store / plain {clock['plain'] / clock['store']:.2f}")


def _memory(grid: NodeGrid, n: int, path: Path) -> None:
    before = _peak()
    modes: tuple[Literal["paper", "continuous"], ...] = ("paper", "continuous")
    for mode in modes:
        started = time.process_time()
        generate_set(grid, SetRecipe(mode, n, "train", 1), NoiseModel("paper"), path)
        rate = n / (time.process_time() - started)
        print(
            f"{mode}: {n} spectra, {path.stat().st_size / 1e9:.1f} GB written, {rate:.0f} a core second; peak memory "
            f"{_peak():.2f} GiB, {before:.2f} before"
        )
        path.unlink()


def _plain(grid: NodeGrid, record: Table, noise_model: NoiseModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Flux and error, (4096,) each, of one record of a label table."""
    name = record["interp_param"].decode()
    column, labels = LABELS.index(name), labels_of(record[None])
    line = np.repeat(labels, len(grid.lattice.axes[name]), axis=0)
    line[:, column] = grid.lattice.axes[name]
    rows = grid.lattice.index(line)
    value = labels[0, column]
    flux = CubicSpline(line[:, column], grid.flux[rows].astype(np.float64))(value)
    band = CubicSpline(line[:, column], 10 ** (-0.4 * grid.zero_point[rows]))(value)
    conditions = Conditions(
        mag=float(record["mag"]),
        zenith_angle=float(record["target_zenith_angle"]),
        field_angle=float(record["target_field_angle"]),
        seeing=float(record["seeing"]),
    )
    with torch.no_grad():
        zero_point = torch.tensor([-2.5 * np.log10(band)])
        error = noise_model(torch.from_numpy(flux[None]), zero_point, conditions)[0].numpy()
    scale = 0.5 / np.median(flux)
    np.percentile(flux / error, 95)
    return flux * scale, error * scale


def _noise() -> None:
    ours = _rate(N_NOISE, lambda: [standard_normal(1, "train", 0, range(k, k + 32)) for k in range(0, N_NOISE, 32)])
    torchs = _rate(N_NOISE, lambda: [torch.randn(32, 4096) for _ in range(0, N_NOISE, 32)])
    _line("spectra of counter-based noise", ours, torchs)
    _line("  torch.randn", torchs, torchs)


def _pack(grid: NodeGrid, path: Path) -> None:
    started = time.process_time()
    error = write_pack(grid, path)
    written = time.process_time()
    read_pack(path)
    read = time.process_time()
    size = path.stat().st_size
    print(
        f"pack: {size / 1e6:.2f} MB, 1/{grid.flux.nbytes / size:.0f} of the fluxes, error at most {error:.1e}; "
        f"written in {written - started:.1f} s, read in {read - written:.2f} s"
    )


def _rate(count: int, work: Callable[[], object]) -> float:
    """Per second of processor time, summed over threads: what other programs do at the same time matters little."""
    started = time.process_time()
    work()
    return count / (time.process_time() - started)


def _clock(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak() -> float:
    """Largest resident memory of this process so far [GiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _line(task: str, rate: float, plain: float | None = None) -> None:
    print(f"{task:<44}{rate:>14.0f}" + (f"{rate / plain:>16.2f}" if plain else ""))


def _smooth_grid() -> NodeGrid:
    lattice, wave = pack_5d(), pixel_centres()
    lines = [np.exp(-0.5 * ((wave - centre) / 1.5) ** 2) for centre in np.linspace(7110.0, 8840.0, 60)]
    flux = np.empty((lattice.size, wave.size), dtype=np.float32)
    for rows in np.array_split(np.arange(lattice.size), -(-lattice.size // 256)):
        temperature, *abundances = (values[:, None] for values in lattice.labels[rows].T)
        depth = np.zeros((len(rows), wave.size))
        for number, line in enumerate(lines):
            drive = sum(np.cos(number * (axis + 1)) * values for axis, values in enumerate(abundances))
            depth += line * 0.7 / (1.0 + np.exp((temperature - 5000.0) / 1000.0 - 0.3 * drive))
        flux[rows] = 1e6 * (temperature / 5000.0) ** 4 * np.exp((8000.0 - wave) / temperature - depth)
    zero_point = -2.5 * np.log10(flux.mean(axis=1, dtype=np.float64) / 1.7e-9)
    return NodeGrid(lattice, wave, flux, zero_point, "smooth", "benchmark", 2.0)


if __name__ == "__main__":
    main()
