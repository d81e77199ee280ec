"""Jobs: what is finished is not done again, what is stale is, and the bytes do not tell which happened."""

from dataclasses import replace

import numpy as np
import pytest

from repro.errors import DataError
from repro.experiments import jobs as module
from repro.experiments.jobs import Job, run_jobs
from repro.experiments.table import Arm, ArmTable
from tests.experiments.small import small_data

DATA = small_data()


@pytest.fixture(autouse=True)
def code(monkeypatch):
    """The code is not read, which takes half a second each time; returns what is said of it."""
    said = ["this"]
    monkeypatch.setattr(module, "code_fingerprint", lambda *_: said[0])
    return said


class Work:
    """Three jobs of which one may fail, and the names of those that were done."""

    def __init__(self, fails=None):
        self.fails = fails
        self.done = []

    def jobs(self, names=("a", "b", "c")):
        return [Job(name, lambda name=name: self._make(name)) for name in names]

    def _make(self, name):
        if name == self.fails:
            raise KeyboardInterrupt
        self.done.append(name)
        prediction = DATA.stars.table["log_g"] + len(self.done)
        return [Arm("alpha", "ridge", f"{name}={level:g}", level, level, 10, 0, prediction) for level in (0.0, 1.0)]


def made(jobs, folder, data=DATA, **others):
    """The bytes of the table of some jobs."""
    path = folder.with_name(f"{folder.name}.h5")
    run_jobs(jobs, data, folder, path, **others)
    return path.read_bytes()


def test_all_arms_are_in_order_and_nothing_is_left_behind(tmp_path):
    work, steps = Work(), []
    made(work.jobs(), tmp_path / "kept", report=lambda done, total: steps.append((done, total)))
    table = ArmTable.read(tmp_path / "kept.h5")
    assert table.settings == ("a=0", "a=1", "b=0", "b=1", "c=0", "c=1")
    assert table.conditions == {"noise": 2.0, "seed": 42}
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert not (tmp_path / "kept").exists()


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path):
    whole = made(Work().jobs(), tmp_path / "whole")
    work = Work(fails="c")
    with pytest.raises(KeyboardInterrupt):
        made(work.jobs(), tmp_path / "kept")
    assert not (tmp_path / "kept.h5").exists()
    work.fails = None
    assert made(work.jobs(), tmp_path / "kept") == whole
    assert work.done == ["a", "b", "c"]


def test_what_is_finished_stays_until_the_table_is_written(tmp_path, monkeypatch):
    work = Work()
    with monkeypatch.context() as full, pytest.raises(OSError, match="full"):
        full.setattr(module, "joined", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
        made(work.jobs(), tmp_path / "kept")
    made(work.jobs(), tmp_path / "kept")
    assert work.done == ["a", "b", "c"]


@pytest.mark.parametrize("change", ["nothing", "settings", "data", "code", "torn"])
def test_what_is_stale_or_torn_is_done_again(tmp_path, code, change):
    work = Work(fails="c")
    with pytest.raises(KeyboardInterrupt):
        made(work.jobs(), tmp_path / "kept", settings="one")
    work.fails = None
    work.done.clear()
    data = replace(DATA, seed=43) if change == "data" else DATA
    if change == "code":
        code[0] = "other"
    if change == "torn":
        kept = (tmp_path / "kept" / "b.h5").read_bytes()
        (tmp_path / "kept" / "b.h5").write_bytes(kept[: len(kept) // 2])
    made(work.jobs(), tmp_path / "kept", data, settings="two" if change == "settings" else "one")
    assert work.done == {"nothing": ["c"], "torn": ["b", "c"]}.get(change, ["a", "b", "c"])


def test_the_key_follows_the_code_of_the_models():
    names = {path.relative_to(module._PACKAGE).as_posix() for path in module._files()}
    assert {"models/ridge.py", "training/loop.py", "experiments/table.py", "spectra/noise.py"} <= names


def test_two_jobs_of_one_name_are_refused(tmp_path):
    work = Work()
    with pytest.raises(DataError, match="same name"):
        made(work.jobs(("a", "b", "a")), tmp_path / "kept")
    assert work.done == []


def test_predictions_are_kept_as_they_are(tmp_path):
    made(Work().jobs(), tmp_path / "kept")
    table = ArmTable.read(tmp_path / "kept.h5")
    expected = np.float32([DATA.stars.table["log_g"] + number for number in (1, 1, 2, 2, 3, 3)])
    assert (table.predictions == expected).all()


class Note:
    """A model of a few bytes."""

    suffix = ".note"

    def __init__(self, text):
        self.text = text

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text)


def test_models_are_kept_through_a_kill_and_take_the_place_of_older_ones(tmp_path):
    work = Work(fails="c")
    plain = work.jobs()

    def noted(job):
        return Job(job.name, lambda: [replace(arm, kept=Note(arm.setting)) for arm in job.make()[:1]])

    jobs, models = [noted(plain[0]), plain[1], noted(plain[2])], tmp_path / "models"
    models.mkdir()
    (models / "older.note").touch()
    with pytest.raises(KeyboardInterrupt):
        made(jobs, tmp_path / "kept", models=models)
    assert [file.name for file in models.iterdir()] == ["older.note"]
    work.fails = None
    made(jobs, tmp_path / "kept", models=models)
    texts = {file.name: file.read_text() for file in models.iterdir()}
    assert texts == {"alpha_ridge_a=0.note": "a=0", "alpha_ridge_c=0.note": "c=0"}


def test_what_a_job_leaves_goes_once_its_arms_are_stored(tmp_path, monkeypatch):
    work, kept = Work(fails="b"), tmp_path / "kept"
    gone = []

    def after(name):
        gone.append((name, (kept / f"{name}.h5").exists()))

    jobs = [job._replace(after=lambda name=job.name: after(name)) for job in work.jobs(("a", "b"))]
    with monkeypatch.context() as full, pytest.raises(OSError, match="full"):
        full.setattr(ArmTable, "write", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
        made(jobs, kept)
    assert gone == []
    with pytest.raises(KeyboardInterrupt):
        made(jobs, kept)
    work.fails = None
    made(jobs, kept)
    assert work.done == ["a", "a", "b"]
    assert gone == [
        ("a", True),
        ("a", True),
        ("b", True),
    ]  # that of a finished job again: the kill may have come between
