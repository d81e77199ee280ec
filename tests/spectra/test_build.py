import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from repro.errors import DataError
from repro.files import sha256
from repro.spectra.build import build_node_file, build_nodes
from repro.spectra.nodes import NodeGrid

HERE = Path(__file__).parent


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


def test_finished_blocks_are_deleted_once_the_file_is_written(source, instrument, lattice, tmp_path, grid):
    build_node_file(source, instrument, lattice, tmp_path / "nodes.h5", tmp_path / "work")
    assert [entry.name for entry in tmp_path.iterdir()] == ["nodes.h5"]
    np.testing.assert_array_equal(NodeGrid.read(tmp_path / "nodes.h5").flux, grid.flux)


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
sys.path.insert(0, {here!r})
from conftest import SmoothSource, observe_smooth, small_lattice
from repro.spectra.build import build_node_file

def slow(labels):
    time.sleep(0.2)
    return observe_smooth(labels)

build_node_file(SmoothSource(), slow, small_lattice(), {folder!r} + "/nodes.h5", {folder!r} + "/work")
"""


def test_a_killed_build_leaves_no_file_and_completes_with_the_same_bytes(source, instrument, lattice, tmp_path, grid):
    process = subprocess.Popen([sys.executable, "-c", KILLED.format(here=str(HERE), folder=str(tmp_path))])
    while len(list((tmp_path / "work").glob("[!.]*.npz"))) < 3 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "nodes.h5").exists()
    build_node_file(source, instrument, lattice, tmp_path / "nodes.h5", tmp_path / "work")
    assert source.calls <= 10  # of 13 blocks three or more were there
    grid.write(tmp_path / "whole.h5")
    assert sha256(tmp_path / "nodes.h5") == sha256(tmp_path / "whole.h5")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["nodes.h5", "whole.h5"]
