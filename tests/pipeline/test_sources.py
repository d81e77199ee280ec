"""The pipeline on the other sources: files as an archive serves them, and files as the author's code reads them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from repro.labels import LABELS
from repro.sources.bosz.fetch import nodes_of
from repro.sources.bosz.settings import Settings
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from tests.pipeline.few_nodes import AXES, small_project
from tests.project.copies import run, set_parameters
from tests.sources import bosz_fakes as fakes
from tests.sources.server import serve

pytestmark = pytest.mark.slow

RESOLUTION = 2000
HOLE = (5000.0, 2.5, 0.75, 0.0, 0.0)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def values(project: Path) -> dict[str, float]:
    evidence = json.loads((project / "results/trackC/evidence.json").read_text())["values"]
    return {address: entry["value"] for address, entry in evidence.items() if "value" in entry}


def test_the_author_s_files_give_the_results_of_the_sets_they_hold(tmp_path: Path) -> None:
    project = small_project(tmp_path)
    run("dvc repro trackC-evaluate", project)
    own = values(project)
    commands = [f"repro export --split {split} -o data/hdf5/{split}/dataset.h5" for split in ("train", "val", "test")]
    commands.append("repro export --nodes data/nodes_5d.h5 --mag 21.5 -o data/hdf5/nodes/dataset.h5")
    run(" && ".join(commands), project)
    files = {f"hdf5__{split}": [f"data/hdf5/{split}/dataset.h5"] for split in ("train", "val", "test")}
    set_parameters(project, source="hdf5", hdf5__nodes="data/hdf5/nodes/dataset.h5", **files)
    run("dvc repro trackC-evaluate", project)
    found = values(project)
    assert json.loads((project / "results/trackC/evidence.json").read_text())["conditions"]["source"] == "hdf5"
    assert not [address for address in found if "autodiff" in address], "exact derivatives are those of the synthesizer"
    for address in ("3D/21.5/sigma_median", "3D/20/crlb_median", "3D/22.5/schur_median", "test_set/snr_p50"):
        assert found[address] == pytest.approx(own[address], rel=2e-3), address
    # a file that is not there stops before anything is made of it
    set_parameters(project, hdf5__val=["data/hdf5/lost.h5"])
    answer = run("dvc repro trackC-evaluate", project, check=False)
    assert answer.returncode != 0
    assert "data/hdf5/lost.h5" in answer.stdout + answer.stderr


def test_downloaded_spectra_run_through_the_pipeline(tmp_path: Path) -> None:
    lattice = Lattice(AXES)
    with serve() as archive:
        project = small_project(
            tmp_path, source="bosz", bosz__base_url=archive.address, bosz__resolution=RESOLUTION, bosz__connections=2
        )
        settings = Settings(release=2017, resolution=RESOLUTION, base_url=archive.address)
        wave = fakes.wave2017(RESOLUTION)
        for node in nodes_of(settings.open(), lattice.labels):
            if node.labels != HOLE:
                archive.files[f"/{node.path}"] = fakes.fits2017(wave, *model(wave, node.labels))
        run("dvc repro trackC-evaluate", project)
        fetched = json.loads((project / "data/fetched.json").read_text())
        assert len(fetched["missing"]) == 1
        grid = NodeGrid.read(project / "data/nodes_5d.h5")
        assert (grid.source, grid.lattice.size, len(grid.lattice.missing)) == ("bosz", lattice.size - 1, 1)
        assert NodeGrid.read(project / "data/nodes_3d.h5").lattice.size == lattice.size // 4 - 1
        requests = sum(archive.count(path) for path in archive.files)
        run("dvc repro --force nodes", project)
        assert sum(archive.count(path) for path in archive.files) == requests, "nothing is downloaded twice"
    with h5py.File(project / "data/spectra/test.h5") as file:
        assert file.attrs["source"] == "bosz"
        labels = np.stack([file["labels"][name] for name in LABELS], axis=1)
    assert np.isfinite(labels).all()
    manifest = json.loads((project / "data/manifests/bosz2017.json").read_text())
    assert manifest, "pinned hashes, for git"
    assert not yaml.safe_load(run("git status --porcelain data/bosz", project).stdout), "slices are not for git"


def model(wave: np.ndarray, labels: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Three lines whose width follows log g, whose depth follows the metallicity and alpha."""
    temperature, log_g, metals, alpha, _ = labels
    return fakes.spectrum(wave, temperature=temperature, depth=0.4 + 0.1 * metals + 0.2 * alpha, width=2.0 + log_g)
