"""SIGKILL in every stage: nothing half-written is left, the rerun completes with the undisturbed results."""

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro.files import md5
from tests.project.copies import copy_smallest, environment, run

ROOT = Path(__file__).resolve().parents[2]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]

# stages that keep unfinished work: blocks of nodes, and checkpoints and finished jobs of trainings
LONG = ["nodes", "trackA-train"]

VOLATILE = ("provenance.json", "data/work/trackA-train-live/")

pytestmark = pytest.mark.slow

# Python imports a module of this name at its start. This one makes a stage kill itself at the worst moment: its first
# output is complete under the temporary name but not yet renamed.
KILLER = """
import os, signal, sys
if any(word.startswith("repro.stages.") for word in sys.orig_argv):
    os.replace = lambda *paths, **options: os.kill(os.getpid(), signal.SIGKILL)
"""


@dataclass(frozen=True)
class Pipeline:
    """A finished run of the smallest pipeline."""

    folder: Path
    lock: dict[str, Any]
    hashes: dict[str, str]  # of every file under data/ and results/
    seconds: dict[str, float]  # that each stage worked


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = copy_smallest(ROOT, tmp_path_factory.mktemp("kills"))
    run("dvc repro", folder)
    seconds = json.loads((folder / ".dvc/tmp/repro-timings.json").read_text())
    assert set(seconds) == set(STAGES)
    return Pipeline(folder, read_lock(folder), hashes(folder), seconds)


def start(folder: Path, *command: str, **variables: str) -> subprocess.Popen[str]:
    """A command in a process group of its own, with its output as a stream of lines."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**environment(folder), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def forget(folder: Path, stage: str) -> None:
    """As before a stage's first run: DVC must not restore from its records what the killed stage was to make."""
    shutil.rmtree(folder / ".dvc/cache/runs", ignore_errors=True)
    lock = read_lock(folder)
    del lock["stages"][stage]
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))


def read_lock(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "dvc.lock").read_text())


def wait_for(stage: str, group: int) -> None:
    """Return when the stage's own process runs in the process group."""
    while True:
        listing = subprocess.run(["ps", "-eo", "pgid=,args="], capture_output=True, text=True, check=True).stdout
        module = f"-m repro.stages.{stage.replace('-', '_')}"
        if any(line.split()[0] == str(group) and line.endswith(module) for line in listing.splitlines()):
            return
        time.sleep(0.02)


def hashes(folder: Path) -> dict[str, str]:
    """MD5 of what the stages wrote; provenance and the pages of trainings hold dates and times and are not compared."""
    files = (path for room in ("data", "results") for path in sorted((folder / room).rglob("*")) if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: md5(path) for name, path in names.items() if not any(word in name for word in VOLATILE)}


def assert_whole_or_absent(pipeline: Pipeline) -> None:
    found = hashes(pipeline.folder)
    damaged = {name for name, value in found.items() if pipeline.hashes.get(name, value) != value}
    assert not damaged


def assert_rerun_completes(pipeline: Pipeline, *target: str) -> None:
    command = ["dvc", "repro", *target]
    rerun = subprocess.run(
        command, cwd=pipeline.folder, env=environment(pipeline.folder), capture_output=True, text=True
    )
    assert rerun.returncode == 0, rerun.stdout + rerun.stderr
    assert read_lock(pipeline.folder) == pipeline.lock
    assert hashes(pipeline.folder) == pipeline.hashes, "also: no temporary file is left"


def test_kills_before_outputs_get_their_names(pipeline: Pipeline, tmp_path: Path) -> None:
    """Every stage in turn, each on what the others had made; then everything, on what all the kills left behind."""
    (tmp_path / "sitecustomize.py").write_text(KILLER)
    variables = {**environment(pipeline.folder), "PYTHONPATH": f"{tmp_path}{os.pathsep}{pipeline.folder}"}
    for stage in STAGES:
        aside = moved_aside(pipeline.folder, stage, tmp_path / stage)  # as DVC removes them before a stage runs
        command = ["python", "-m", f"repro.stages.{stage.replace('-', '_')}"]
        killed = subprocess.run(command, cwd=pipeline.folder, env=variables, capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, stage + killed.stdout + killed.stderr
        assert_whole_or_absent(pipeline)
        for path, place in aside.items():
            remove(path)
            place.rename(path)
    shutil.rmtree(pipeline.folder / ".dvc/cache/runs")  # DVC must not restore from its records what was to be made
    (pipeline.folder / "dvc.lock").unlink()
    assert_rerun_completes(pipeline)


@pytest.mark.parametrize("stage", LONG)
def test_kill_of_stage_and_dvc_at_work(pipeline: Pipeline, stage: str) -> None:
    """Kill the whole process group after three quarters of the stage's working time, wherever that is."""
    forget(pipeline.folder, stage)
    with start(pipeline.folder, "dvc", "repro", "--force", "--single-item", stage) as process:
        wait_for(stage, process.pid)
        time.sleep(0.75 * pipeline.seconds[stage])
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode in (-signal.SIGKILL, 0)
    assert_whole_or_absent(pipeline)
    assert_rerun_completes(pipeline, "--single-item", stage)  # of all others the hashes tell that they are up to date


def moved_aside(folder: Path, stage: str, aside: Path) -> dict[Path, Path]:
    """The outputs of a stage, moved away: where each belongs, and where it is now."""
    aside.mkdir()
    outs = [*STAGES[stage].get("outs", []), *STAGES[stage].get("metrics", [])]
    names = [out if isinstance(out, str) else next(iter(out)) for out in outs]
    places = {folder / name: aside / str(number) for number, name in enumerate(names)}
    for path, place in places.items():
        path.rename(place)
    return places


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
