"""Blocks on a cluster of processes: the local result, whichever worker dies."""

import os
import signal
import socket
from collections.abc import Iterator

import numpy as np
import pytest
from distributed import LocalCluster

from repro.errors import DataError, EnvironmentProblem
from repro.files import sha256
from repro.instrument.noise import NoiseModel
from repro.spectra import cluster
from repro.spectra.build import build_nodes
from repro.spectra.cluster import cluster_executor
from repro.spectra.generate import RemoteMaker, SetRecipe, generate_set
from repro.spectra.nodes import NodeGrid
from tests.spectra.smooth import SmoothSource, observe_smooth, small_lattice


@pytest.fixture(scope="module")
def workers() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as local:
        yield local


def process_and_square(number: int) -> tuple[int, int]:
    return os.getpid(), number**2


@pytest.mark.slow
def test_blocks_run_in_other_processes(workers: LocalCluster) -> None:
    with cluster_executor(workers.scheduler_address) as executor:
        answers = list(executor.map(process_and_square, range(20)))
    assert [square for _, square in answers] == [number**2 for number in range(20)]
    assert os.getpid() not in {process for process, _ in answers}


@pytest.mark.slow
def test_nodes_survive_the_death_of_a_worker_and_are_those_of_a_local_run(
    workers: LocalCluster, grid: NodeGrid, tmp_path
) -> None:
    killed = []

    def kill_one(done: int, _total: int) -> None:
        if not killed:
            killed.append(next(iter(workers.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    with cluster_executor(workers.scheduler_address) as executor:
        found = build_nodes(
            SmoothSource(), observe_smooth, small_lattice(), tmp_path, executor=executor, progress=kill_one
        )
    assert killed
    np.testing.assert_array_equal(found.flux, grid.flux)
    np.testing.assert_array_equal(found.zero_point, grid.zero_point)
    assert found.fingerprint == grid.fingerprint


@pytest.mark.slow
def test_a_set_survives_the_death_of_a_worker_and_is_that_of_a_local_run(
    workers: LocalCluster, grid: NodeGrid, tmp_path
) -> None:
    recipe, noise_model = SetRecipe("paper", 400, "val", 3), NoiseModel("paper")
    grid.write(tmp_path / "nodes.h5")
    generate_set(grid, recipe, noise_model, tmp_path / "here.h5")
    killed = []

    def kill_one(done: int, _total: int) -> None:
        if not killed:
            killed.append(next(iter(workers.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    with cluster_executor(workers.scheduler_address) as executor:
        remote = (executor, tmp_path / "nodes.h5")
        generate_set(grid, recipe, noise_model, tmp_path / "there.h5", block=16, remote=remote, progress=kill_one)
        assert killed
        assert sha256(tmp_path / "there.h5") == sha256(tmp_path / "here.h5")

        (tmp_path / "nodes.h5").rename(tmp_path / "elsewhere.h5")
        gone = RemoteMaker(tmp_path / "nodes.h5", "0" * 32, recipe, "paper")
        with pytest.raises(DataError, match="no such file"):
            executor.submit(gone, slice(0, 16)).result()
        other = RemoteMaker(tmp_path / "elsewhere.h5", "0" * 32, recipe, "paper")
        with pytest.raises(DataError, match="another node grid"):
            executor.submit(other, slice(0, 16)).result()


@pytest.mark.slow
def test_a_scheduler_file_names_the_cluster(workers: LocalCluster, tmp_path) -> None:
    path = tmp_path / "scheduler.json"
    path.write_text(f'{{"address": "{workers.scheduler_address}"}}')
    with cluster_executor(str(path)) as executor:
        assert executor.submit(process_and_square, 3).result()[1] == 9


@pytest.mark.slow
def test_a_worker_with_other_code_is_refused(workers: LocalCluster, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "_code", lambda: "another revision")
    with (
        cluster_executor(workers.scheduler_address) as executor,
        pytest.raises(EnvironmentProblem, match="runs other code"),
    ):
        executor.submit(process_and_square, 3).result()


def test_a_cluster_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with (
        pytest.raises(EnvironmentProblem, match=f"cluster {address}: the scheduler does not answer"),
        cluster_executor(address, patience=1.0),
    ):
        pass
    with (
        pytest.raises(EnvironmentProblem, match="neither an address like tcp://host:8786 nor a scheduler file"),
        cluster_executor("no-such-file.json"),
    ):
        pass


def test_a_cluster_without_workers() -> None:
    with (
        LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as empty,
        pytest.raises(EnvironmentProblem, match="no worker within 1 s"),
        cluster_executor(empty.scheduler_address, patience=1.0),
    ):
        pass
