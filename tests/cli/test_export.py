"""`repro export`: which files it takes, where it writes, what it says."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from repro.cli.main import main
from repro.files import sha256
from repro.instrument.noise import NoiseModel
from repro.sources.hdf5.reader import read_set
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.nodes import NodeGrid
from tests.sources import author
from tests.spectra.conftest import exact, small_lattice


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with a node grid and a test set where the pipeline puts them."""
    folder = tmp_path_factory.mktemp("project")
    flux, zero_point = exact(small_lattice().labels)
    grid = NodeGrid(small_lattice(), author.CENTRES, flux.astype("f4"), zero_point, "smooth", "code one", 2.0)
    grid.write(folder / "data/nodes.h5")
    generate_set(grid, SetRecipe("paper", 20, "test", 42), NoiseModel("paper"), folder / "data/spectra/test.h5")
    return folder


@pytest.fixture
def run(project, monkeypatch):
    monkeypatch.chdir(project)

    def run(*arguments, code=0):
        result = CliRunner().invoke(main, ["export", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result.output

    return run


@pytest.mark.parametrize("which", [("--split", "test"), ("data/spectra/test.h5",)])
def test_a_set_by_name_or_by_split(run, tmp_path, which):
    out = tmp_path / "test_20/dataset.h5"
    shown = run(*which, "-o", out)
    assert f"{out}: " in shown and f"MB, sha256 {sha256(out)}" in shown
    assert len(pd.read_hdf(out)) == 20


def test_noise_shards_and_precision(run, tmp_path):
    run(
        "--split", "test", "--with-noise", 2, "--seed", 5, "--shards", 2, "--float32", "-o", tmp_path / "set/dataset.h5"
    )
    blocks = list(read_set([tmp_path / f"set_{k}/dataset.h5" for k in (0, 1)], noisy=True))
    assert [len(block.flux) for block in blocks] == [10, 10]
    deviates = np.concatenate([(block.noisy - block.flux) / block.error for block in blocks])
    assert deviates.std() == pytest.approx(2.0, rel=0.02)


def test_nodes_at_a_magnitude(run, tmp_path):
    run("--nodes", "data/nodes.h5", "--mag", 21.5, "-o", tmp_path / "dataset.h5")
    frame = pd.read_hdf(tmp_path / "dataset.h5")
    assert len(frame) == 100 and (frame["mag"] == 21.5).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name one of SET, --split and --nodes"),
        (("data/spectra/test.h5", "--split", "test"), "name one of SET, --split and --nodes"),
        (("--nodes", "data/nodes.h5"), "--nodes needs --mag"),
        (("--split", "test", "--mag", "21"), "--mag is for --nodes"),
        (("--nodes", "data/nodes.h5", "--mag", "21", "--shards", "2"), "are for spectrum sets, not for --nodes"),
        (("--split", "best"), "'best' is not one of 'train', 'val', 'test'"),
        (("--split", "val"), "data/spectra/val.h5: no such file (a spectrum set)"),
        (("--split", "test", "--with-noise", "-1"), "the noise level must be positive, it is -1"),
        (("--split", "test", "--shards", "21"), "20 spectra cannot be written as 21 shards"),
        (("data/nodes.h5",), "data/nodes.h5: dataset error is missing"),
    ],
)
def test_what_cannot_be_exported_is_explained(run, tmp_path, arguments, message):
    assert message in run(*arguments, "-o", tmp_path / "out/dataset.h5", code=2)
    assert not (tmp_path / "out/dataset.h5").exists()


@pytest.mark.parametrize("which", [("--split", "test"), ("data/spectra/test.h5",)])
def test_a_set_is_not_replaced_by_its_export(run, which):
    before = sha256("data/spectra/test.h5")
    assert "is what is to be exported" in run(*which, "-o", "data/../data/spectra/test.h5", code=2)
    assert sha256("data/spectra/test.h5") == before
