"""What every stage shares: exit codes, messages, the parameter audit, timings."""

import errno
import json
from pathlib import Path

import pytest

from repro.errors import DataError, ParameterError
from repro.stages.runner import Run, declared_parameters, run_stage, write_json

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def exit_code(stage: str, main: object) -> int:
    with pytest.raises(SystemExit) as caught:
        run_stage(stage, main)  # type: ignore[arg-type]
    return int(str(caught.value.code))


def test_a_user_error_is_one_line_and_exit_2(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def main(run: Run) -> None:
        raise DataError("file x, row 3: flux is NaN")

    assert exit_code("nodes", main) == 2
    assert capsys.readouterr().err == "stage nodes: file x, row 3: flux is NaN\n"


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), OSError("Can't write data (No space left on device)")]
)
def test_a_full_disk_is_explained(project: Path, capsys: pytest.CaptureFixture[str], error: OSError) -> None:
    def main(run: Run) -> None:
        raise error

    assert exit_code("spectra", main) == 2
    assert "the disk is full" in capsys.readouterr().err


def test_a_programming_error_keeps_its_traceback(project: Path) -> None:
    def main(run: Run) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_stage("nodes", main)


def test_an_undeclared_parameter_stops_the_stage(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def main(run: Run) -> None:
        assert run.params.noise > 0

    assert exit_code("nodes", main) == 2
    assert "reads the parameter 'noise'" in capsys.readouterr().err


def test_the_scale_is_resolved_in_declared_keys(project: Path) -> None:
    assert {"scale", "nodes", "lab.grid"} <= declared_parameters("nodes", "lab")
    with pytest.raises(ParameterError, match="there is no stage 'nothing'"):
        declared_parameters("nothing", "ci")


def test_what_a_killed_run_left_is_removed(project: Path) -> None:
    leftover = project / "data" / ".nodes.h5.deadbeef.tmp"
    leftover.parent.mkdir()
    leftover.write_text("half")
    run_stage("nodes", lambda run: None)
    assert not leftover.exists()


def test_durations_are_kept_per_stage(project: Path) -> None:
    run_stage("nodes", lambda run: None)
    run_stage("spectra", lambda run: None)
    assert set(json.loads((project / ".dvc/tmp/repro-timings.json").read_text())) == {"nodes", "spectra"}


def test_json_is_deterministic_and_finite(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    write_json(tmp_path / "b.json", {"a": 2, "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    with pytest.raises(DataError, match="not a finite number"):
        write_json(tmp_path / "c.json", {"a": float("nan")})
    assert not (tmp_path / "c.json").exists()
