"""What trainings took: summed over restarts, forgotten when one begins anew, told of the right table alone."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from repro.stages import trainings as module
from repro.stages.trainings import Ledger, trainings_of
from repro.training.recipe import FAST

RECIPE = FAST


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: now.seconds)
    return now


def session(path, clock, *reports, job="main-8-0", killed=False, **others):
    """A process that trains: (seconds since the last report, presentations so far)."""
    ledger = Ledger(path, "cpu", **others)
    with pytest.raises(KeyboardInterrupt) if killed else nullcontext(), ledger.counting(job, RECIPE, 43) as report:
        for seconds, done in reports:
            clock.seconds += seconds
            report(done, 80)
        if killed:
            raise KeyboardInterrupt
    return ledger


def test_a_training_is_summed_over_its_restarts(tmp_path, clock):
    path = tmp_path / "took.json"
    session(path, clock, (5, 0), (2, 16), (2, 32), killed=True)
    session(path, clock, (7, 24), (10, 80))  # from a checkpoint at 24: 8 are shown again
    taken = json.loads(path.read_text())["jobs"]["main-8-0"]
    assert [row["presentations"] for row in taken["sessions"]] == [32, 56]
    assert [row["seconds"] for row in taken["sessions"]] == [4.0, 10.0]
    assert (taken["presentations"], taken["seconds"]) == (88, 14.0)
    assert taken["spectra_per_second"] == pytest.approx(88 / 14)
    assert (taken["joules"], taken["peak_gpu_bytes"]) == (None, None)
    about = {"device": "cpu", "gpu": None, "driver": None, "processes": 1, "seed": 43}
    assert taken["sessions"][0].items() >= (about | RECIPE.precision(torch.device("cpu"))).items()


def test_a_training_that_begins_anew_forgets_the_former_one(tmp_path, clock):
    path = tmp_path / "took.json"
    session(path, clock, (0, 0), (9, 80))
    session(path, clock, (0, 0), (3, 48), killed=True)
    taken = json.loads(path.read_text())["jobs"]["main-8-0"]
    assert (taken["presentations"], taken["seconds"], len(taken["sessions"])) == (48, 3.0, 1)


def test_a_kill_leaves_what_was_written_before(tmp_path, clock):
    path = tmp_path / "took.json"
    with Ledger(path, "cpu", every=10).counting("a", RECIPE, 42) as report:
        report(0, 80)
        for seconds, done in ((4, 8), (7, 16), (5, 24)):
            clock.seconds += seconds
            report(done, 80)
        taken = json.loads(path.read_text())["jobs"]["a"]
        assert (taken["presentations"], taken["seconds"]) == (16, 11.0)


def test_it_is_told_of_the_table_that_the_jobs_made_and_of_no_other(tmp_path, clock):
    path, table = tmp_path / "took.json", tmp_path / "vit.h5"
    table.write_bytes(b"one")
    assert trainings_of(table, path) is None
    session(path, clock, (0, 0), (1, 80), job="left")
    ledger = session(path, clock, (0, 0), (1, 80))
    assert trainings_of(table, path) is None
    ledger.close(table, {"main-8-0", "never run"})
    assert set(trainings_of(table, path)) == {"main-8-0"}
    table.write_bytes(b"other")
    assert trainings_of(table, path) is None


def test_gpus_of_all_processes_add_up(tmp_path, clock, monkeypatch):
    current, spent = [0], {0: 20.0, 1: 12.5}

    class Gpu:
        def __init__(self, number):
            self.number = number

        def __enter__(self):
            current[0] = self.number

        def __exit__(self, *_):
            current[0] = 0

    def energy():
        mine = current[0]
        return SimpleNamespace(joules=lambda: spent[mine])

    fakes = {"device": Gpu, "device_count": lambda: 2, "get_device_name": lambda: "H"}
    fakes |= {"reset_peak_memory_stats": lambda: None, "max_memory_allocated": lambda: 7}
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(module, "Energy", energy)
    monkeypatch.setattr(module, "processes", lambda: 2)
    monkeypatch.setattr(module, "nvidia_driver", lambda: "1.2")

    def taken():
        with Ledger(tmp_path / "took.json", "cuda").counting("a", RECIPE, 42) as report:
            report(0, 8)
            clock.seconds += 2
            report(8, 8)
        return json.loads((tmp_path / "took.json").read_text())["jobs"]["a"]

    first = taken()
    assert (first["joules"], first["peak_gpu_bytes"], first["spectra_per_second"]) == (32.5, 7, 4.0)
    (only,) = first["sessions"]
    assert (only["gpu"], only["driver"], only["processes"], only["mode"]) == ("H", "1.2", 2, "fast")
    assert only["precision"] == "bfloat16 products"
    spent[1] = None
    assert taken()["joules"] is None
