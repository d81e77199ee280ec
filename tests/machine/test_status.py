"""`repro status` on a pipeline of three stages that DVC really runs."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dvc.cli import main as dvc_main

from repro.cli.main import main
from repro.cli.status import duration
from repro.errors import EnvironmentProblem
from repro.machine.status import dvc_status, execution_order, explain, producers

PIPELINE = """
stages:
  last:
    cmd: cp middle/file last.txt
    deps: [middle]
    metrics:
      - last.txt:
          cache: false
  first:
    cmd: cp source.txt first.txt
    deps: [source.txt]
    params: [scale, noise]
    outs: [first.txt]
  second:
    cmd: mkdir -p middle && head -c 1 first.txt > middle/file
    deps: [first.txt]
    outs: [middle]
"""


def dvc(folder: Path, *words: str) -> None:
    """Run a DVC command in this process, which saves its start."""
    assert dvc_main(["--cd", str(folder), *words]) == 0


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text("scale: ci\nnoise: 1.0\n")
    (folder / "source.txt").write_text("a\n")
    return folder


def status(folder: Path, *words: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(main, ["status", *words])


def states(folder: Path) -> dict[str, str]:
    return {stage["name"]: stage["state"] for stage in json.loads(status(folder, "--json").stdout)}


def test_life_of_a_pipeline(pipeline: Path) -> None:
    """Never run, run, then one change after the other; `dvc repro --dry` would be the slow second route."""
    assert states(pipeline) == {"first": "stale", "second": "stale", "last": "stale"}
    assert "it has never run" in status(pipeline).stdout

    dvc(pipeline, "repro")
    assert set(states(pipeline).values()) == {"up to date"}
    assert "All 3 stages are up to date: `dvc repro` would run nothing." in status(pipeline).stdout

    timings = pipeline / ".dvc/tmp/repro-timings.json"
    timings.write_text('{"first": 12.4, "second": 200}')
    (pipeline / "params.yaml").write_text("scale: ci\nnoise: 2.0\n")
    report = status(pipeline).stdout
    assert "noise: 1.0 -> 2.0" in report
    assert "would run first (about 12 s); then, if outputs change, second, last (about 3 min and 1 of unknown" in report
    assert states(pipeline) == {"first": "stale", "second": "waiting", "last": "waiting"}

    (pipeline / "params.yaml").write_text("scale: lab\nnoise: 1.0\n")
    first = json.loads(status(pipeline, "first", "--json").stdout)
    assert first == [
        {"name": "first", "state": "stale", "reasons": ["scale: ci -> lab"], "after": [], "seconds": None}
    ], "a duration at another scale says nothing"

    (pipeline / "params.yaml").write_text("scale: ci\nnoise: 1.0\n")
    (pipeline / "last.txt").write_text("edited")
    assert "its output last.txt changed" in status(pipeline).stdout
    (pipeline / "last.txt").unlink()
    assert "its output last.txt is absent" in status(pipeline).stdout
    assert states(pipeline) == {"first": "up to date", "second": "up to date", "last": "stale"}

    dvc(pipeline, "repro")
    (pipeline / "source.txt").write_text("b\n")
    assert "source.txt changed" in status(pipeline, "second").stdout
    assert "last" not in status(pipeline, "second").stdout
    assert status(pipeline / "middle", "second").stdout == status(pipeline, "second").stdout


def test_unknown_stage(pipeline: Path) -> None:
    answer = status(pipeline, "trackX")
    assert answer.exit_code == 2
    assert "no stage 'trackX'. The stages are: last, first, second" in answer.stderr


def test_dvc_cannot_answer(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="DVC cannot tell"):
        dvc_status(tmp_path)


def test_order_follows_dependencies_through_folders() -> None:
    stages = {
        "c": {"deps": ["data/sets/train.h5", {"other.txt": {"hash": "md5"}}]},
        "b": {"deps": ["a.txt"], "outs": ["data/sets"]},
        "a": {"outs": [{"a.txt": {"cache": False}}]},
    }
    upstream = producers(stages)
    assert upstream == {"c": ("b",), "b": ("a",), "a": ()}
    assert execution_order(upstream, ["c"]) == ["a", "b", "c"]
    assert execution_order(upstream, ["b"]) == ["a", "b"]


def test_reasons_of_upstream_are_not_the_stages_own() -> None:
    changes = [{"changed deps": {"data/nodes.h5": "deleted", "repro/bounds": "modified"}}, "changed command"]
    lock = {"cmd": "x"}
    assert explain(changes, ["data/nodes.h5"], lock, {}) == ["repro/bounds changed", "its command changed"]
    assert explain(changes, [], lock, {})[0] == "data/nodes.h5 is absent"
    assert explain(changes, [], None, {}) == ["it has never run"]
    assert explain([], [], None, {}) == []


@pytest.mark.parametrize(("seconds", "text"), [(None, "unknown"), (3.4, "3 s"), (89, "89 s"), (200, "3 min")])
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
