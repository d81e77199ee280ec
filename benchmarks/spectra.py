"""Speed and memory of making spectrum sets, noise and the pack, against plain routes in the same run.

    python -m benchmarks.spectra [node grid]

Without a node grid (data/nodes.h5) the spectra are smooth ones: but for the pack's size the work does not depend on
their content. The plain route makes one spectrum at a time, as the original generator did: scipy's CubicSpline through
the line of nodes, noise model, median and percentile. Noise is held against torch's own generator, which is faster
but cannot give the noise of one presentation of one spectrum alone.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import pixel_centres
from repro.labels import LABELS
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.lattice import paper_3d
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise import standard_normal
from repro.spectra.pack import read_pack, write_pack
from repro.spectra.sampling import Table, labels_of
from repro.spectra.schemas import validate_set
from repro.spectra.store import open_set

N_PAPER, N_CONTINUOUS, N_PLAIN, N_NOISE = 4000, 500, 100, 512


def main() -> None:
    """Print rates, their ratios to the plain routes, the largest difference of the results, and peak memory."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/nodes.h5")
    grid = NodeGrid.read(path) if path.exists() else _smooth_grid()
    print(f"{grid.lattice.size} nodes of source '{grid.source}', {torch.get_num_threads()} threads")
    print(f"{'task':<44}{'a core second':>14}{'ratio to plain':>16}")
    with tempfile.TemporaryDirectory() as folder:
        _sets(grid, Path(folder))
        _noise()
        _pack(grid, Path(folder) / "pack.h5")
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def _sets(grid: NodeGrid, folder: Path) -> None:
    noise_model = NoiseModel("paper")
    path = folder / "paper.h5"
    paper = _rate(N_PAPER, lambda: generate_set(grid, SetRecipe("paper", N_PAPER, "train", 1), noise_model, path))
    with open_set(path) as spectra:
        table = spectra.labels[:N_PLAIN]
        flux, error = spectra.read(slice(0, N_PLAIN))
    peers: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    plain = _rate(N_PLAIN, lambda: peers.extend(_plain(grid, record, noise_model) for record in table))
    _line("spectra of a set, paper law", paper, plain)
    _line("  one at a time, scipy's CubicSpline", plain, plain)
    for name, ours, theirs in (("flux", flux, [f for f, _ in peers]), ("error", error, [e for _, e in peers])):
        print(f"  largest relative difference of the {name}: {np.abs(ours / np.array(theirs) - 1).max():.1e}")
    recipe = SetRecipe("continuous", N_CONTINUOUS, "train", 1)
    continuous = _rate(N_CONTINUOUS, lambda: generate_set(grid, recipe, noise_model, folder / "continuous.h5"))
    _line("spectra of a set, continuous law", continuous, plain)
    _line("spectra validated", _rate(N_PAPER, lambda: validate_set(path)))


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


def _line(task: str, rate: float, plain: float | None = None) -> None:
    print(f"{task:<44}{rate:>14.0f}" + (f"{rate / plain:>16.2f}" if plain else ""))


def _smooth_grid() -> NodeGrid:
    lattice, wave = paper_3d(), pixel_centres()
    temperature, gravity, metals = lattice.labels[:, :3].T[:, :, None]
    lines = np.exp(-0.5 * (np.sin(wave / 9.0) / 0.2) ** 2)
    depth = 1.0 / (1.0 + np.exp(-metals - 0.3 * gravity + temperature / 1000.0))
    flux = 1e6 * (temperature / 5000.0) ** 4 * np.exp((8000.0 - wave) / temperature) * (1.0 - 0.8 * depth * lines)
    zero_point = -2.5 * np.log10(flux.mean(axis=1) / 1.7e-9)
    return NodeGrid(lattice, wave, flux.astype(np.float32), zero_point, "smooth", "benchmark", 2.0)


if __name__ == "__main__":
    main()
