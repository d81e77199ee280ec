"""`repro run --cluster`: the pipeline's nodes and sets from a cluster of processes are those of a local run."""

import shutil
from pathlib import Path

import pytest
from distributed import LocalCluster

from repro.files import md5
from tests.pipeline.few_nodes import small_project
from tests.project.copies import run

OUTPUTS = (
    "data/nodes_3d.h5",
    "data/nodes_5d.h5",
    "data/spectra/train.h5",
    "data/spectra/val.h5",
    "data/spectra/test.h5",
)


@pytest.mark.slow
def test_a_cluster_gives_what_this_machine_gives(tmp_path: Path) -> None:
    project = small_project(tmp_path)
    run("dvc repro spectra", project)
    here = {name: md5(project / name) for name in OUTPUTS}
    assert not (project / "data/work/nodes").exists(), "finished blocks are deleted once the grids are written"
    shutil.rmtree(project / ".dvc/cache")
    (project / "dvc.lock").unlink()
    for name in OUTPUTS:
        (project / name).unlink()
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as workers:
        run(f"repro run spectra --cluster {workers.scheduler_address}", project)
    assert {name: md5(project / name) for name in OUTPUTS} == here


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_named_by_the_stage(tmp_path: Path) -> None:
    project = small_project(tmp_path)
    answer = run("REPRO_CLUSTER=lost.json python -m repro.stages.nodes", project, check=False)
    assert answer.returncode == 2
    assert answer.stderr.strip() == (
        "stage nodes: cluster lost.json: neither an address like tcp://host:8786 nor a scheduler file that exists"
    )
