import errno
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import h5py
import numpy as np
import pytest

from repro.errors import DataError, ParameterError
from repro.files import sha256
from repro.instrument.noise import NoiseModel
from repro.spectra import hdf5
from repro.spectra.generate import SetMaker, SetRecipe, generate_set, normalise, snr_column
from repro.spectra.interpolate import spline_along_axis
from repro.spectra.lattice import Lattice
from repro.spectra.sampling import draw_counted, labels_of
from repro.spectra.store import create_set, open_set

HERE = Path(__file__).parent
N = 70  # not a multiple of the 16 rows of a chunk


@pytest.fixture(scope="module")
def noise_model():
    return NoiseModel("paper")


def recipe(mode="paper", **change):
    return SetRecipe(**({"mode": mode, "n": N, "split": "train", "seed": 42} | change))


@pytest.fixture(scope="module")
def path(grid, noise_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("set") / "train.h5"
    generate_set(grid, recipe(), noise_model, path)
    return path


def test_flux_is_the_interpolated_one_with_a_median_of_exactly_one_half(grid, path):
    with open_set(path) as spectra:
        flux, error = spectra.read()
        table = spectra.labels
    assert flux.dtype == error.dtype == np.float32
    np.testing.assert_array_equal(np.median(flux, axis=1), np.float32(0.5))
    expected, _ = spline_along_axis(grid, table["interp_param"].astype(str), labels_of(table))
    expected *= 0.5 / np.median(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(flux, expected, atol=1.3e-7)


def test_errors_are_those_of_the_noise_model_in_units_of_the_flux(grid, path, noise_model):
    """Second route: the signal-to-noise ratio does not depend on the scale, so it must survive normalisation."""
    import torch

    from repro.instrument.noise import Conditions

    with open_set(path) as spectra:
        flux, error = spectra.read(slice(0, 8))
        table = spectra.labels[:8]
    raw, zero_point = spline_along_axis(grid, table["interp_param"].astype(str), labels_of(table))
    for row, record in enumerate(table):
        conditions = Conditions(
            mag=float(record["mag"]),
            zenith_angle=float(record["target_zenith_angle"]),
            field_angle=float(record["target_field_angle"]),
            seeing=1.0,
        )
        sigma = noise_model(torch.tensor(raw[row : row + 1]), torch.tensor(zero_point[row : row + 1]), conditions)
        np.testing.assert_allclose(flux[row] / error[row], raw[row] / sigma[0].numpy(), rtol=1e-6)


def test_the_snr_column_is_the_95th_percentile(path):
    with open_set(path) as spectra:
        flux, error = spectra.read()
        snr = spectra.labels["snr"]
    np.testing.assert_allclose(snr, np.percentile(flux.astype(float) / error, 95, axis=1), rtol=1e-12)
    assert (snr > 1).all() and (snr < 100).all()


@pytest.mark.parametrize("mode", ["paper", "continuous"])
def test_the_bytes_depend_on_the_recipe_alone(grid, noise_model, tmp_path, mode):
    hashes = set()
    for number, block in enumerate((16, 33, 1000)):
        generate_set(grid, recipe(mode), noise_model, tmp_path / f"{number}.h5", block=block)
        hashes.add(sha256(tmp_path / f"{number}.h5"))
    assert len(hashes) == 1
    generate_set(grid, recipe(mode, seed=43), noise_model, tmp_path / "other.h5")
    assert sha256(tmp_path / "other.h5") not in hashes


def test_a_larger_set_begins_with_the_smaller_one(grid, path, noise_model, tmp_path):
    generate_set(grid, recipe(n=N + 20), noise_model, tmp_path / "larger.h5")
    with open_set(path) as small, open_set(tmp_path / "larger.h5") as large:
        np.testing.assert_array_equal(small.labels, large.labels[:N])
        for one, other in zip(small.read(), large.read(slice(0, N)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_file_says_how_it_was_made(path):
    with open_set(path) as spectra:
        attributes = spectra.attributes
        assert spectra.file["flux"].chunks == (16, 4096)
    expected = {
        "mode": "paper",
        "split": "train",
        "seed": 42,
        "redraws": 0,
        "rank_error": 0.0,
        "noise_model": "paper",
        "exposures": 12,
        "exposure_time": 900.0,
        "source": "smooth",
        "fingerprint": "code one",
        "microturbulence": 2.0,
        "free_axes": "T_eff,log_g,M_H",
    }
    assert attributes == expected


def test_blocks_cover_the_set_in_order(path):
    with open_set(path) as spectra:
        flux, error = spectra.read()
        blocks = list(spectra.blocks(rows=32))
    assert [start for start, _, _ in blocks] == [0, 32, 64]
    np.testing.assert_array_equal(np.concatenate([part for _, part, _ in blocks]), flux)
    np.testing.assert_array_equal(np.concatenate([part for _, _, part in blocks]), error)


def test_normalise_gives_one_half_for_any_spectrum():
    random = np.random.default_rng(3)
    flux = 10 ** random.uniform(-20, 10, (400, 1)) * random.uniform(0.01, 2.0, (400, 64))
    flux[:50, 10:40] = flux[:50, 10:11]  # ties in the middle
    flux[50] = 1.0
    scaled, error = normalise(flux, 0.1 * flux)
    np.testing.assert_array_equal(np.median(scaled, axis=1), np.float32(0.5))
    np.testing.assert_allclose(scaled, flux * 0.5 / np.median(flux, axis=1, keepdims=True), rtol=1e-7, atol=2**-24)
    np.testing.assert_allclose(error, 0.1 * scaled, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_median_that_is_not_positive_is_named(value):
    flux = np.ones((3, 8))
    flux[2] = value
    with pytest.raises(DataError, match="spectrum 2: the median flux is"):
        normalise(flux, flux)


def test_snr_column_is_numpys_percentile():
    flux = np.random.default_rng(1).random((5, 4096)).astype(np.float32)
    error = np.full_like(flux, 0.1)
    np.testing.assert_allclose(snr_column(flux, error), np.percentile(flux.astype(float) / error, 95, axis=1))


@pytest.mark.parametrize("mode", ["paper", "continuous"])
def test_any_rows_of_a_set_can_be_made_alone_and_in_any_order(grid, noise_model, tmp_path, mode):
    """What a worker of a cluster does: its own maker, some rows."""
    generate_set(grid, recipe(mode), noise_model, tmp_path / "train.h5")
    with open_set(tmp_path / "train.h5") as spectra:
        flux, error = spectra.read()
        table = spectra.labels
    for rows in (slice(48, 70), slice(0, 16), slice(3, 4)):
        made = SetMaker(grid, recipe(mode), noise_model)(rows)
        for here, there in zip(made, (flux, error, table), strict=True):
            np.testing.assert_array_equal(here, there[rows])


def test_a_set_from_a_grid_with_holes_says_how_many_samples_were_drawn_again(grid, noise_model, tmp_path):
    lattice = Lattice(grid.lattice.axes, tuple(range(17)))  # at 4000 K hardly a line is left
    holed = grid.sub(lattice)
    generate_set(holed, recipe(), noise_model, tmp_path / "train.h5")
    with open_set(tmp_path / "train.h5") as spectra:
        flux, _ = spectra.read()
        table, redraws = spectra.labels, spectra.attributes["redraws"]
    assert (table, redraws)[1] == draw_counted("paper", N, lattice, 42, "train")[1] > 0
    expected, _ = spline_along_axis(holed, table["interp_param"].astype(str), labels_of(table))
    np.testing.assert_allclose(flux, expected * 0.5 / np.median(expected, axis=1, keepdims=True), atol=1.3e-7)
    with pytest.raises(DataError, match="sampling mode `continuous` needs every node .* 17 of 100 have no model"):
        generate_set(holed, recipe("continuous"), noise_model, tmp_path / "other.h5")


def test_an_impossible_recipe_writes_nothing(grid, noise_model, tmp_path):
    with pytest.raises(ParameterError):
        generate_set(grid, recipe(n=0), noise_model, tmp_path / "train.h5")
    assert not list(tmp_path.iterdir())


def test_a_set_left_incomplete_is_not_kept(grid, noise_model, tmp_path, path):
    with open_set(path) as spectra:
        table = spectra.labels
    with (
        pytest.raises(DataError, match="70 spectra expected, 0 and 70"),
        create_set(tmp_path / "train.h5", N, {}) as writer,
    ):
        writer.finish(table)
    assert not list(tmp_path.iterdir())


def fail_writing(monkeypatch, error, after):
    """Let the `after`-th write to a dataset fail."""
    write, left = h5py.Dataset.__setitem__, [after]

    def failing(dataset, rows, values):
        left[0] -= 1
        if left[0] < 0:
            raise error
        write(dataset, rows, values)

    monkeypatch.setattr(h5py.Dataset, "__setitem__", failing)


# as h5py 3.16 reports a full disk: on a write, and on closing the file
FULL = [
    OSError(errno.ENOSPC, "Can't synchronously write data (file write failed: time = Mon Nov 23"),
    OSError("Can't write data (errno = 28, error message = 'No space left on device', buf = 0x0)"),
    RuntimeError("Can't decrement id ref count (errno = 28, error message = 'No space left on device', buf = 0x0)"),
]


@pytest.mark.parametrize("error", FULL)
@pytest.mark.parametrize("after", [0, 5])
def test_a_full_disk_is_explained_and_the_rerun_completes(grid, path, noise_model, tmp_path, monkeypatch, error, after):
    fail_writing(monkeypatch, error, after)
    with pytest.raises(DataError, match=r"train.h5: the disk is full, the file was not written"):
        generate_set(grid, recipe(), noise_model, tmp_path / "train.h5")
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    generate_set(grid, recipe(), noise_model, tmp_path / "train.h5")
    assert sha256(tmp_path / "train.h5") == sha256(path)


def test_another_failure_of_hdf5_is_not_called_a_full_disk(grid, noise_model, tmp_path, monkeypatch):
    fail_writing(monkeypatch, OSError(errno.EIO, "Input/output error"), 2)
    with pytest.raises(OSError, match="Input/output error"):
        generate_set(grid, recipe(), noise_model, tmp_path / "train.h5")
    assert not list(tmp_path.iterdir())


def test_a_set_larger_than_the_free_disk_is_refused_before_it_is_begun(grid, noise_model, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**6, 0, 10**6)
    monkeypatch.setattr(hdf5.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"train.h5: needs 2 MB, the disk has 1 MB free"):
        generate_set(grid, recipe(), noise_model, tmp_path / "train.h5")
    assert not list(tmp_path.iterdir())


REALLY_FULL = """
import sys
sys.path.insert(0, {here!r})
from collections import namedtuple
from pathlib import Path
from repro.errors import DataError
from repro.instrument.noise import NoiseModel
from repro.spectra import hdf5
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.nodes import NodeGrid

hdf5.shutil.disk_usage = lambda _: namedtuple("usage", "free")(10**12)  # another program takes the room meanwhile
grid = NodeGrid.read({grid!r})
for name, write in {{
    "nodes.h5": grid.write,
    "train.h5": lambda path: generate_set(grid, SetRecipe("paper", 100, "train", 42), NoiseModel("paper"), path),
}}.items():
    try:
        write(Path({disk!r}) / name)
    except DataError as error:
        print(error)
print([entry.name for entry in Path({disk!r}).iterdir()])
"""


@pytest.mark.slow
def test_a_disk_that_really_fills_up_is_survived(grid, tmp_path):
    """HDF5 2.0 with its chunk cache crashes at exit here, long after the error was caught."""
    grid.write(tmp_path / "nodes.h5")
    disk = tmp_path / "disk"
    disk.mkdir()
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=500k tmpfs {disk}"
    try:
        if subprocess.run([*unshare, mount], capture_output=True, check=False).returncode:
            pytest.skip("this machine lets no user mount a small disk")
    except FileNotFoundError:
        pytest.skip("no unshare on this machine")
    script = tmp_path / "fill.py"
    script.write_text(REALLY_FULL.format(here=str(HERE), grid=str(tmp_path / "nodes.h5"), disk=str(disk)))
    answer = subprocess.run(
        [*unshare, f"{mount} && exec {sys.executable} {script}"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer
    lines = answer.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines[:2]] == [str(disk / "nodes.h5"), str(disk / "train.h5")]
    assert all("the disk is full" in line for line in lines[:2]) and lines[2] == "[]"


KILLED = """
import sys, time
sys.path.insert(0, {here!r})
from repro.instrument.noise import NoiseModel
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.nodes import NodeGrid

def report(done, total):
    print(done, flush=True)
    time.sleep({pause})

recipe = SetRecipe("paper", 70, "train", 42)
generate_set(NodeGrid.read({grid!r}), recipe, NoiseModel("paper"), {target!r}, block=16, progress=report)
"""


@pytest.mark.slow
def test_a_killed_generation_leaves_no_file_and_completes_with_the_same_bytes(grid, path, noise_model, tmp_path):
    grid.write(tmp_path / "nodes.h5")
    folder = tmp_path / "spectra"
    script = KILLED.format(here=str(HERE), grid=str(tmp_path / "nodes.h5"), target=str(folder / "train.h5"), pause=60)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"16\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "train.h5").exists()
    generate_set(grid, recipe(), noise_model, folder / "train.h5", block=16)
    assert sha256(folder / "train.h5") == sha256(path)
    assert [entry.name for entry in folder.iterdir()] == ["train.h5"]
