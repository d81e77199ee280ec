"""The smallest real pipeline: every stage, the same code and verdict logic, sizes of a few dozen."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from tests.pipeline.conftest import Command, copy_project, runner, set_parameters

Project = tuple[Path, Command]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = copy_project(tmp_path_factory.mktemp("smallest"))
    run = runner(folder)
    answer = run("dvc", "repro", "trackC")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder, run


def stages_run(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_every_output_is_there_and_nothing_half_written(project: Project) -> None:
    folder, _ = project
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
    for stage in stages.values():
        for out in [*stage.get("outs", []), *stage.get("metrics", [])]:
            name = out if isinstance(out, str) else next(iter(out))
            assert (folder / name).exists(), name
    assert not [path for path in folder.rglob(".*.tmp") if ".dvc/" not in str(path) and path.parent.name != ".dvc"]


def test_a_second_run_does_nothing(project: Project) -> None:
    _, run = project
    answer = run("dvc", "repro", "trackC")
    assert answer.returncode == 0
    assert stages_run(answer.stdout) == []


def test_verify_judges_this_evidence(project: Project) -> None:
    _, run = project
    answer = run("repro", "verify", "trackC", "--json")
    assert answer.returncode in (0, 1), answer.stderr
    claims = json.loads(answer.stdout)
    assert claims


def test_doubled_noise_reruns_its_dependants_alone_and_scales_the_bound_by_four(project: Project) -> None:
    folder, run = project
    with h5py.File(folder / "results/trackC/ceiling.h5") as file:
        before = file["crlb"][()]
    nodes = (folder / "data/nodes.h5").stat().st_mtime_ns
    answer = run("dvc", "exp", "run", "-S", "noise=2.0", "trackC")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert set(stages_run(answer.stdout)) == {"params", "trackC-ceiling", "trackC-evaluate", "trackC-plot", "trackC"}
    assert (folder / "data/nodes.h5").stat().st_mtime_ns == nodes
    with h5py.File(folder / "results/trackC/ceiling.h5") as file:
        np.testing.assert_allclose(file["crlb"][()], 4.0 * before, rtol=1e-9)
    verdicts = run("repro", "verify", "trackC", "--json").stdout
    assert "NOT COMPARABLE" in verdicts
    set_parameters(folder, noise=1.0)
    assert run("dvc", "repro", "trackC").returncode == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": -1.0}, "noise = -1.0 is not valid"),
        ({"noise": "abc"}, "noise = 'abc' is not valid"),
        ({"noise": float("nan")}, "noise = nan is not valid"),
        ({"scale": "huge"}, "scale = 'huge' is not valid: it must be one of ci, lab, paper"),
    ],
)
def test_a_wrong_parameter_stops_the_pipeline_before_anything_runs(
    project: Project, change: dict[str, object], message: str
) -> None:
    folder, run = project
    original = (folder / "params.yaml").read_text()
    evidence = (folder / "results/trackC/evidence.json").read_bytes()
    set_parameters(folder, **change)
    try:
        answer = run("dvc", "repro", "trackC")
        assert answer.returncode != 0
        assert message in answer.stdout + answer.stderr
        assert stages_run(answer.stdout) == ["params"]
        assert (folder / "results/trackC/evidence.json").read_bytes() == evidence
    finally:
        (folder / "params.yaml").write_text(original)


def test_push_and_pull_through_a_folder_remote(project: Project, tmp_path: Path) -> None:
    folder, run = project
    for arguments in (["remote", "add", "-f", "-d", "store", str(tmp_path / "store")], ["push"]):
        answer = run("dvc", *arguments)
        assert answer.returncode == 0, answer.stderr
    before = (folder / "data/nodes.h5").read_bytes()
    for name in ("data/nodes.h5", "results/trackC/ceiling.h5"):
        (folder / name).unlink()
    cache = folder / ".dvc/cache"
    cache.rename(tmp_path / "lost-cache")
    answer = run("dvc", "pull")
    assert answer.returncode == 0, answer.stderr
    assert (folder / "data/nodes.h5").read_bytes() == before
