"""A training that was interrupted at any update, or killed, ends in the bits of one that was not."""

import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from repro.errors import DataError
from repro.training import checkpoint as checkpoints
from repro.training.loop import train
from repro.training.recipe import Recipe
from repro.training.state import read_state
from tests.training.learnable import Halting, dropping, source, validation

RECIPE = Recipe(epochs=3, batch=32, learning_rate=1e-2, warmup=3)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(path=None, halt=10_000, recipe=RECIPE, every=0.0):
    spectra, y = source(100)  # four updates an epoch, the last of 4 spectra
    network = Halting(dropping(), halt)
    trained = train(network, spectra, y - 3.0, validation(50), recipe, seed=1, checkpoint=path, every=every)
    return trained, network


@pytest.mark.parametrize("settings", [{}, {"optimizer": "muon", "average": 0.8}])
def test_an_interruption_before_any_update_changes_nothing(tmp_path, settings):
    """With dropout and statistics of batches, at each of 12 updates; the weights of every kind and the history."""
    recipe = replace(RECIPE, **settings)
    whole, network = run(recipe=recipe)
    for halt in range(12):
        path = tmp_path / f"{halt}.npz"
        with pytest.raises(KeyboardInterrupt):
            run(path, halt, recipe)
        if halt:
            about = read_state(path, "checkpoint")[1]
            assert 4 * len(about["history"]) + about["updates"] == halt
        again, resumed = run(path, recipe=recipe)
        assert resumed.left == 10_000 - (12 - halt)  # what was done is not done again
        assert again.history == whole.history
        assert list(again.weights) == list(whole.weights)
        for name, weights in whole.weights.items():
            assert all(torch.equal(again.weights[name][key], value) for key, value in weights.items())
        assert all(torch.equal(resumed.state_dict()[key], value) for key, value in network.state_dict().items())


def test_states_within_an_epoch_are_written_now_and_then(tmp_path, monkeypatch):
    """Updates of ten seconds each, a state every twenty, and one after each epoch."""
    now, written = [0.0], []
    monkeypatch.setattr(
        checkpoints,
        "write_state",
        lambda _path, _arrays, about: written.append((len(about["history"]), about["updates"])),
    )
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda *_: now.__setitem__(0, now[0] + 10.0))
    run(tmp_path / "checkpoint.npz", every=20.0)
    assert written == [(0, 2), (1, 0), (1, 2), (2, 0), (2, 2), (3, 0)]


@pytest.mark.parametrize("patience", [0, 2])
def test_short_epochs_share_a_state_and_the_last_one_has_its_own(tmp_path, monkeypatch, patience):
    """Epochs of 40 seconds, a state every hundred, also where patience ends the training; what has none is redone."""
    now, written, real = [0.0], [], checkpoints.write_state
    path, recipe = tmp_path / "checkpoint.npz", replace(RECIPE, epochs=5, patience=patience)
    whole = run(recipe=recipe)[0]

    def kept(where, arrays, about):
        written.append(4 * len(about["history"]) + about["updates"])
        real(where, arrays, about)

    monkeypatch.setattr(checkpoints, "write_state", kept)
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    step = torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda *a: (now.__setitem__(0, now[0] + 10.0), step(*a))[1])
    with pytest.raises(KeyboardInterrupt):
        run(path, 11, recipe, every=100.0)
    assert written == [10]
    again, network = run(path, recipe=recipe, every=100.0)
    assert written == [10, 4 * len(whole.history)]
    assert 10_000 - network.left == 4 * len(whole.history) - 10
    assert again.history == whole.history
    assert all(torch.equal(again.weights["last"][name], value) for name, value in whole.weights["last"].items())


def test_a_checkpoint_that_was_damaged_is_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        run(path, 6)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in (bytes(content), bytes(content[:-200]), b""):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"checkpoint.npz: not a stored checkpoint .*; remove it and run again"):
            run(path)


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    left, other = tmp_path / ".checkpoint.npz.12345678.tmp", tmp_path / ".other.npz.12345678.tmp"
    for file in (left, other):
        file.write_bytes(b"half")
    run(tmp_path / "checkpoint.npz")
    assert not left.exists()
    assert other.exists()


@pytest.mark.slow
def test_a_killed_training_continues_to_the_same_bits(tmp_path):
    """SIGKILL at two moments of one training in a process of its own, each continued by the next."""
    command = [sys.executable, "-m", "tests.training.learnable"]
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    checkpoint = tmp_path / "killed" / "checkpoint.npz"
    kills = []
    for epochs in (1, 5):
        process = subprocess.Popen([*command, str(tmp_path / "killed")])
        while process.poll() is None and _done(checkpoint)[0] < epochs:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        kills.append(_done(checkpoint))
    assert 1 <= kills[0][0] < 5 <= kills[1][0] < 12
    subprocess.run([*command, str(tmp_path / "killed")], check=True)
    for name in ("model.safetensors", "model.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def _done(checkpoint):
    """Epochs, and updates of the next one."""
    if not checkpoint.exists():
        return 0, 0
    about = read_state(checkpoint, "checkpoint")[1]
    return len(about["history"]), about["updates"]
