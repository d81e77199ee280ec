import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from repro.errors import DataError, EnvironmentProblem
from repro.files import sha256
from repro.spectra import build
from repro.spectra.build import build_nodes, local_pool
from tests.spectra.smooth import SmoothSource, observe_smooth

ROOT = Path(__file__).parents[2]


class Stop(Exception):
    """Stands for a kill between two blocks."""


def stopping_after(done_at_most):
    def report(done, _total):
        if done >= done_at_most:
            raise Stop

    return report


def test_the_grid_is_what_source_and_instrument_give(grid, truth):
    flux, zero_point = truth(grid.lattice.labels)
    np.testing.assert_array_equal(grid.flux, flux.astype(np.float32))
    np.testing.assert_array_equal(grid.zero_point, zero_point)


@pytest.mark.parametrize("block", [1, 7, 100])
def test_any_block_size_gives_the_same_grid(source, instrument, lattice, tmp_path, grid, block):
    other = build_nodes(source, instrument, lattice, tmp_path, block=block)
    np.testing.assert_array_equal(other.flux, grid.flux)


def test_an_interrupted_build_goes_on_where_it_stopped(source, instrument, lattice, tmp_path, grid):
    with pytest.raises(Stop):
        build_nodes(source, instrument, lattice, tmp_path, progress=stopping_after(40))
    assert source.calls == 5
    again = build_nodes(source, instrument, lattice, tmp_path)
    assert source.calls == 13  # 13 blocks of 8 nodes in all, each synthesised once
    np.testing.assert_array_equal(again.flux, grid.flux)


@pytest.mark.parametrize("damage", [b"", b"not a zip file", None])
def test_a_damaged_block_is_made_again(source, instrument, lattice, tmp_path, grid, damage):
    build_nodes(source, instrument, lattice, tmp_path)
    block = sorted(tmp_path.iterdir())[3]
    content = block.read_bytes()
    block.write_bytes(
        content[: len(content) // 2] + b"x" + content[len(content) // 2 + 1 :] if damage is None else damage
    )
    calls = source.calls
    again = build_nodes(source, instrument, lattice, tmp_path)
    assert source.calls == calls + 1
    np.testing.assert_array_equal(again.flux, grid.flux)


def test_blocks_of_other_code_or_microturbulence_are_not_taken_up(source, instrument, lattice, tmp_path):
    build_nodes(source, instrument, lattice, tmp_path)
    for other in (type(source)(code="code two"), type(source)(microturbulence=1.0)):
        build_nodes(other, instrument, lattice, tmp_path)
        assert other.calls == 13


def test_progress_counts_every_node_once(source, instrument, lattice, tmp_path):
    reports = []
    build_nodes(source, instrument, lattice, tmp_path, block=30, progress=lambda *counts: reports.append(counts))
    assert reports == [(30, 100), (60, 100), (90, 100), (100, 100)]


def test_a_spectrum_that_is_not_finite_is_named_by_its_labels(source, instrument, lattice, tmp_path):
    def broken(labels):
        flux, zero_point = instrument(labels)
        flux[labels[:, 0] == 5000.0, 3] = float("nan")
        return flux, zero_point

    with pytest.raises(DataError, match=r"source smooth: the spectrum at T_eff 5000, log_g 1, M_H -1"):
        build_nodes(source, broken, lattice, tmp_path)


def test_a_full_disk_leaves_the_finished_blocks_alone(source, instrument, lattice, tmp_path, grid, monkeypatch):
    savez, left = np.savez, [4]

    def full(handle, **arrays):
        left[0] -= 1
        if left[0] < 0:
            handle.write(b"half a block")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        savez(handle, **arrays)

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match="the disk is full"):
        build_nodes(source, instrument, lattice, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    monkeypatch.undo()
    again = build_nodes(source, instrument, lattice, tmp_path)
    assert source.calls == 5 + 9  # the block that failed is made twice
    np.testing.assert_array_equal(again.flux, grid.flux)


KILLED = """
import sys, time
sys.path.insert(0, {root!r})
from tests.spectra.smooth import SmoothSource, observe_smooth, small_lattice
from repro.spectra.build import build_nodes

def slow(labels):
    time.sleep(0.2)
    return observe_smooth(labels)

build_nodes(SmoothSource(), slow, small_lattice(), {folder!r} + "/work").write({folder!r} + "/nodes.h5")
"""


def test_a_killed_build_leaves_no_file_and_completes_with_the_same_bytes(source, instrument, lattice, tmp_path, grid):
    process = subprocess.Popen([sys.executable, "-c", KILLED.format(root=str(ROOT), folder=str(tmp_path))])
    while len(list((tmp_path / "work").glob("[!.]*.npz"))) < 3 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "nodes.h5").exists()
    build_nodes(source, instrument, lattice, tmp_path / "work").write(tmp_path / "nodes.h5")
    assert source.calls <= 10  # of 13 blocks three or more were there
    grid.write(tmp_path / "whole.h5")
    assert sha256(tmp_path / "nodes.h5") == sha256(tmp_path / "whole.h5")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["nodes.h5", "whole.h5", "work"]


class Slow(SmoothSource):
    """Takes a while, says which process makes a spectrum, and may kill it there."""

    def __init__(self, log, fatal=False):
        super().__init__()
        self._log, self._fatal = log, fatal

    def spectra(self, labels):
        (self._log / str(os.getpid())).touch()
        if self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)
        return super().spectra(labels)


@pytest.mark.slow
def test_several_processes_give_the_same_grid(lattice, tmp_path, grid):
    log = tmp_path / "log"
    log.mkdir()
    counts = []
    with local_pool(2) as executor:
        other = build_nodes(
            Slow(log), observe_smooth, lattice, tmp_path / "work", executor=executor,
            progress=lambda done, total: counts.append((done, total)),
        )  # fmt: skip
        np.testing.assert_array_equal(other.flux, grid.flux)
        np.testing.assert_array_equal(other.zero_point, grid.zero_point)
        assert str(os.getpid()) not in [entry.name for entry in log.iterdir()]
        assert counts[-1] == (100, 100) and len(counts) == 13
        with pytest.raises(EnvironmentProblem, match="a process that synthesised nodes died.*run the same command"):
            build_nodes(Slow(log, fatal=True), observe_smooth, lattice, tmp_path / "other", executor=executor)


def test_one_worker_is_this_process():
    with local_pool(1) as executor:
        assert executor is None


def test_a_graphics_card_gets_larger_blocks(instrument, lattice, tmp_path, grid):
    on_card = SmoothSource()
    on_card.device = "cuda:0"
    other = build_nodes(on_card, instrument, lattice, tmp_path)
    assert on_card.calls == 1 and build.BLOCK["cuda"] >= 64
    np.testing.assert_allclose(other.flux, grid.flux, rtol=1e-6)


KILLED_POOL = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.spectra.smooth import observe_smooth, small_lattice
from tests.spectra.test_build import Slow
from repro.spectra.build import build_nodes, local_pool

if __name__ == "__main__":
    folder = Path({folder!r})
    with local_pool(2) as executor:
        grid = build_nodes(
            Slow(folder / "log"), observe_smooth, small_lattice(), folder / "work", block=1, executor=executor
        )
        grid.write(folder / "nodes.h5")
"""


@pytest.mark.slow
def test_a_killed_pool_takes_its_processes_along_and_the_rerun_completes(source, instrument, lattice, tmp_path, grid):
    (tmp_path / "log").mkdir()
    script = tmp_path / "script.py"
    script.write_text(KILLED_POOL.format(root=str(ROOT), folder=str(tmp_path)))
    process = subprocess.Popen([sys.executable, str(script)])
    while len(list((tmp_path / "work").glob("[!.]*.npz"))) < 5 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    workers = [int(entry.name) for entry in (tmp_path / "log").iterdir()]
    assert workers
    deadline = time.monotonic() + 30.0
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived the process that started it"
        time.sleep(0.05)
    build_nodes(source, instrument, lattice, tmp_path / "work", block=1).write(tmp_path / "nodes.h5")
    assert source.calls <= 95
    grid.write(tmp_path / "whole.h5")
    assert sha256(tmp_path / "nodes.h5") == sha256(tmp_path / "whole.h5")
