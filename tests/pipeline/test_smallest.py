"""The smallest real pipeline: every stage, the same code and verdict logic, sizes of a few dozen."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from tests.project.copies import copy_smallest, run, set_parameters

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_smallest(ROOT, tmp_path_factory.mktemp("smallest"))
    run("dvc repro", folder)
    return folder


def stages_run(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_every_output_is_there_and_nothing_half_written(project: Path) -> None:
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    for stage in stages.values():
        for out in [*stage.get("outs", []), *stage.get("metrics", [])]:
            name = out if isinstance(out, str) else next(iter(out))
            assert (project / name).exists(), name
    assert not [path for path in project.rglob(".*.tmp") if ".dvc/" not in str(path) and path.parent.name != ".dvc"]


def test_a_second_run_does_nothing(project: Path) -> None:
    answer = run("dvc repro", project)
    assert stages_run(answer.stdout) == []


@pytest.mark.parametrize("track", ["trackC", "trackE", "trackF"])
def test_verify_judges_this_evidence(project: Path, track: str) -> None:
    answer = run(f"repro verify {track} --json", project, check=False)
    assert answer.returncode in (0, 1), answer.stderr
    claims = json.loads(answer.stdout)
    assert claims


@pytest.mark.slow
def test_doubled_noise_reruns_its_dependants_alone_and_scales_the_bound_by_four(project: Path) -> None:
    with h5py.File(project / "results/trackC/ceiling_3d.h5") as file:
        before = file["crlb"][()]
    nodes = (project / "data/nodes_3d.h5").stat().st_mtime_ns
    answer = run("dvc exp run -S noise=2.0 trackC", project)
    assert set(stages_run(answer.stdout)) == {"params", "trackC"} | {
        f"trackC-{part}" for part in ("ceiling", "stars", "posterior", "train", "evaluate", "plot")
    }
    assert (project / "data/nodes_3d.h5").stat().st_mtime_ns == nodes
    with h5py.File(project / "results/trackC/ceiling_3d.h5") as file:
        np.testing.assert_allclose(file["crlb"][()], 4.0 * before, rtol=1e-9)
    verdicts = run("repro verify trackC --json", project, check=False).stdout
    assert "NOT COMPARABLE" in verdicts
    set_parameters(project, noise=1.0)
    run("dvc repro trackC", project)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"noise": -1.0}, "noise = -1.0 is not valid", marks=pytest.mark.slow),
        ({"noise": "abc"}, "noise = 'abc' is not valid"),
        pytest.param({"noise": float("nan")}, "noise = nan is not valid", marks=pytest.mark.slow),
        pytest.param(
            {"scale": "huge"},
            "scale = 'huge' is not valid: it must be one of ci, lab, paper",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_wrong_parameter_stops_the_pipeline_before_anything_runs(
    project: Path, change: dict[str, object], message: str
) -> None:
    original = (project / "params.yaml").read_text()
    evidence = (project / "results/trackC/evidence.json").read_bytes()
    set_parameters(project, **change)
    try:
        answer = run("dvc repro trackC", project, check=False)
        assert answer.returncode != 0
        assert message in answer.stdout + answer.stderr
        assert stages_run(answer.stdout) == ["params"]
        assert (project / "results/trackC/evidence.json").read_bytes() == evidence
    finally:
        (project / "params.yaml").write_text(original)


@pytest.mark.slow
def test_push_and_pull_through_a_folder_remote(project: Path, tmp_path: Path) -> None:
    run(f"dvc remote add -f -d store '{tmp_path / 'store'}' && dvc push -q", project)
    before = (project / "data/nodes_3d.h5").read_bytes()
    for name in ("data/nodes_3d.h5", "results/trackC/ceiling_3d.h5"):
        (project / name).unlink()
    cache = project / ".dvc/cache"
    cache.rename(tmp_path / "lost-cache")
    run("dvc pull -q", project)
    assert (project / "data/nodes_3d.h5").read_bytes() == before
