"""Two processes train as one does: the same weights, files by the first alone, exact resume."""

import os
import socket
import subprocess
import sys

import pytest
import torch

from repro.training import parallel
from tests.training.together import plain, trained


def test_alone_everything_is_as_it_was():
    rows = torch.arange(5)
    assert (parallel.processes(), parallel.process(), parallel.main_process()) == (1, 0, True)
    assert parallel.share(rows) is rows
    assert parallel.same("text") == "text"
    with parallel.together():
        parallel.wait()
    assert not torch.distributed.is_initialized()


def test_shares_are_parts_of_a_batch_and_too_small_a_batch_is_everyones(monkeypatch):
    rows, shares = torch.arange(7), []
    monkeypatch.setattr(parallel, "processes", lambda: 3)
    for number in range(3):
        monkeypatch.setattr(parallel, "process", lambda number=number: number)
        shares.append(parallel.share(rows))
        assert torch.equal(parallel.share(rows[:2]), rows[:2])
    assert torch.equal(torch.cat(shares), rows)
    assert [len(share) for share in shares] == [3, 2, 2]


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path):
    """Under torchrun, by gloo: but for rounding, the network of one process; resumed or not, the same bits in both."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    subprocess.run([*command, "-m", "tests.training.together", str(tmp_path)], check=True)
    first, second = (torch.load(tmp_path / f"process{number}.pt", weights_only=False) for number in (0, 1))
    alone = trained(plain())
    assert list(first["plain"]["weights"]) == list(alone["weights"]) == ["best", "last", "average"]
    for name, weights in alone["weights"].items():
        for key, value in weights.items():
            assert torch.allclose(first["plain"]["weights"][name][key], value, rtol=1e-4, atol=1e-6)
    for ours, theirs in zip(first["plain"]["history"], alone["history"], strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
        assert ours.validation_mae == pytest.approx(theirs.validation_mae, rel=1e-5)
    for name in ("plain", "whole", "resumed"):
        assert first[name]["history"] == second[name]["history"]
        assert _same(first[name], second[name])
    assert _same(first["whole"], first["resumed"])
    assert first["whole"]["history"] == first["resumed"]["history"]
    assert (first["updates"], second["updates"]) == (12 - 7, 12 - 7)  # what was done is not done again
    assert first["reports"][-1] == (303, 303)
    assert second["reports"] == []


@pytest.mark.slow
@pytest.mark.parametrize("place", ["wait", "summed"])
def test_a_process_that_fails_leaves_no_other_waiting(place):
    """Nobody looks after the two; the first waits at its place, where the second never comes. Six hours are allowed."""
    program = (
        "import torch\n"
        "from repro.training import parallel\n"
        "with parallel.together():\n"
        "    parallel.wait()\n"
        "    if not parallel.main_process(): raise SystemExit('the second fails')\n"
        f"    parallel.{'wait()' if place == 'wait' else 'summed(torch.ones(1))'}\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **place, "RANK": number, "LOCAL_RANK": number, "CUDA_VISIBLE_DEVICES": ""},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in "01"
    ]
    try:
        messages = [process.communicate(timeout=120)[1] for process in both]
    finally:
        for process in both:
            process.kill()
    assert all(process.returncode not in (0, None) for process in both)
    assert "the second fails" in messages[1]
    assert "the second fails" not in messages[0]


def _same(one, two):
    return all(
        torch.equal(two["weights"][name][key], value)
        for name, weights in one["weights"].items()
        for key, value in weights.items()
    )
