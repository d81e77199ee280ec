"""Files written in the original layout are read by pandas, h5py and a stand-in for the author's loader."""

import os
import signal

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from repro.bounds.ceiling import lattice_ceiling
from repro.errors import DataError, ParameterError
from repro.instrument.noise import Conditions, NoiseModel
from repro.labels import LABELS
from repro.sources.hdf5.export import Draw, export_nodes, export_set
from repro.sources.hdf5.importer import import_nodes, import_set
from repro.sources.hdf5.layout import COLUMNS
from repro.sources.hdf5.reader import read_set
from repro.spectra import hdf5
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise import standard_normal
from repro.spectra.store import open_set
from tests.sources import author
from tests.spectra.conftest import exact, small_lattice

N = 40


@pytest.fixture(scope="module")
def grid():
    lattice = small_lattice()
    flux, zero_point = exact(lattice.labels)
    return NodeGrid(lattice, author.CENTRES, flux.astype("f4"), zero_point, "smooth", "code one", 2.0)


@pytest.fixture(scope="module")
def made(grid, tmp_path_factory):
    """A spectrum set of the kit."""
    path = tmp_path_factory.mktemp("set") / "test.h5"
    generate_set(grid, SetRecipe("paper", N, "test", 42), NoiseModel("paper"), path)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "test_40/dataset.h5"


def stored(path):
    with open_set(path) as spectra:
        return spectra.labels, *spectra.read()


class AuthorLoader:
    """The steps of the author's loaders, label_distribution's section on the layout: h5py, pandas without a key."""

    def __init__(self, path, n=None):
        with h5py.File(path, "r") as file:
            self.wave = torch.tensor(file["spectrumdataset/wave"][()], dtype=torch.float32)
            self.flux = torch.tensor(file["dataset/arrays/flux/value"][:n], dtype=torch.float32)
            self.error = torch.tensor(file["dataset/arrays/error/value"][:n], dtype=torch.float32)
        self.flux = self.flux.clip(min=0.0)
        if self.error.isnan().any():
            for edge, neighbour in ((0, 1), (-1, -2)):
                if self.error[:, edge].isnan().any():
                    self.error[:, edge] = self.error[:, neighbour]
        self.norm_snr = self.flux.norm(dim=-1) / self.error.norm(dim=-1)
        frame = pd.read_hdf(path)[:n]
        self.labels = {name: frame[name].values for name in (*LABELS, "redshift", "mag", "snr")}


@pytest.mark.parametrize("float32", [False, True])
def test_the_authors_loader_reads_what_the_kit_wrote(made, out, float32):
    export_set(made, out, float32=float32)
    table, flux, error = stored(made)
    loader = AuthorLoader(out)
    np.testing.assert_array_equal(loader.wave.numpy(), author.CENTRES.astype("f4"))
    np.testing.assert_array_equal(loader.flux.numpy(), flux)
    np.testing.assert_array_equal(loader.error.numpy(), error)
    for name in (*LABELS, "mag", "snr"):
        np.testing.assert_array_equal(loader.labels[name], table[name])
    assert (loader.labels["redshift"] == 0).all()
    norm = np.sqrt((flux.astype("f8") ** 2).sum(axis=1) / (error.astype("f8") ** 2).sum(axis=1))
    np.testing.assert_allclose(loader.norm_snr.numpy(), norm, rtol=1e-5)


def test_the_layout_is_that_of_the_original(made, out):
    export_set(made, out)
    frame = pd.read_hdf(out)  # without a key: there is one pandas object
    assert len(COLUMNS) == len(frame.columns) == 35 and list(frame.columns) == list(COLUMNS)
    assert frame.index.tolist() == frame["id"].tolist() == list(range(N))
    assert (frame[["redshift", "ext", "moon_phase"]] == 0).all(axis=None)
    assert (frame["exp_count"] == 12).all() and (frame["exp_time"] == 900).all()
    empty = [name for name in COLUMNS if name.endswith("_err")] + ["Fe_H", "O_M", "N_He", "v_turb", "L_H"]
    assert frame[empty].isna().all(axis=None) and set(frame["interp_param"]) == {"T_eff", "log_g", "M_H"}
    assert frame["id"].dtype == frame["exp_count"].dtype == frame["random_seed"].dtype == np.int64
    assert {str(frame[name].dtype) for name in (*LABELS, "mag", "snr", "Fe_H")} == {"float64"}
    with h5py.File(out) as file:
        arrays = file["dataset/arrays"]
        assert set(arrays) == {"flux", "error", "mask"} and set(file["dataset"]) == {"arrays", "params"}
        assert {name: str(arrays[name]["value"].dtype) for name in arrays} == {
            "flux": "float64", "error": "float64", "mask": "int64",
        }  # fmt: skip
        assert all(arrays[name]["value"].shape == (N, 4096) for name in arrays) and not arrays["mask/value"][:].any()
        assert file["spectrumdataset/wave"].dtype == file["spectrumdataset/wave_edges"].dtype == np.float64
        np.testing.assert_array_equal(file["spectrumdataset/wave"], 7100 + 0.42724609375 * (np.arange(4096) + 0.5))
        np.testing.assert_array_equal(file["spectrumdataset/wave_edges"], author.EDGES)
        flux, error = (arrays[name]["value"][:] for name in ("flux", "error"))
    np.testing.assert_allclose(np.median(flux, axis=1), 0.5, rtol=0, atol=1e-6)
    np.testing.assert_allclose(frame["snr"], np.percentile(flux / error, 95, axis=1), rtol=1e-4)


@pytest.mark.parametrize("float32", [False, True])
@pytest.mark.parametrize("shards", [1, 3])
def test_out_and_back_changes_no_bit(made, out, tmp_path, float32, shards):
    paths = export_set(made, out, shards=shards, float32=float32)
    import_set(paths, tmp_path / "back.h5", split="test")
    for one, other in zip(stored(made), stored(tmp_path / "back.h5"), strict=True):
        assert one.dtype == other.dtype and one.tobytes() == other.tobytes()


def test_out_and_back_of_spectra_between_the_nodes_of_all_axes(grid, out, tmp_path):
    generate_set(grid, SetRecipe("continuous", 20, "val", 1), NoiseModel("paper"), tmp_path / "val.h5")
    export_set(tmp_path / "val.h5", out)
    assert set(pd.read_hdf(out)["interp_param"]) == {""}
    import_set([out], tmp_path / "back.h5", split="val")
    for one, other in zip(stored(tmp_path / "val.h5"), stored(tmp_path / "back.h5"), strict=True):
        assert one.tobytes() == other.tobytes()


def test_shards_lie_side_by_side_and_hold_all_rows_once(made, out):
    reported = []
    paths = export_set(made, out, shards=3, progress=lambda *counts: reported.append(counts))
    assert [path.parent.name for path in paths] == ["test_40_0", "test_40_1", "test_40_2"]
    frames = [pd.read_hdf(path) for path in paths]
    assert [len(frame) for frame in frames] == [13, 13, 14]
    assert all(frame["id"].tolist() == frame.index.tolist() == list(range(len(frame))) for frame in frames)
    np.testing.assert_array_equal(pd.concat(frames)["random_seed"], stored(made)[0]["random_seed"])
    assert reported[-1] == (N, N) and reported == sorted(reported)
    with pytest.raises(ParameterError, match="40 spectra cannot be written as 41 shards"):
        export_set(made, out, shards=41)


@pytest.mark.parametrize("shards", [1, 2])
def test_the_draw_of_noise_is_that_of_the_kit_for_the_test_presentation(made, out, shards):
    paths = export_set(made, out, shards=shards, draw=Draw(1.5, 7))
    table, flux, error = stored(made)
    noisy = np.concatenate([block.noisy for block in read_set(paths, noisy=True)])
    normal = standard_normal(7, "test", 0, range(N)).numpy()
    np.testing.assert_allclose(noisy, flux + 1.5 * error * normal, rtol=0, atol=1e-6)
    deviates = (noisy - flux) / error / 1.5
    assert abs(deviates.mean()) < 5 / np.sqrt(deviates.size) and abs(deviates.std() - 1) < 5 / np.sqrt(
        2 * deviates.size
    )
    with pytest.raises(ParameterError, match="the noise level must be positive"):
        Draw(0.0, 7)


def test_older_software_finds_what_it_asks_for(made, out):
    """pandas below 3 needs the version of the table's layout and knows text as objects; HDF5 1.8 its own structures.

    Seen with pandas 2.0.3, PyTables 3.8.0 and h5py 3.10: without the version the table cannot be read.
    """
    export_set(made, out)
    with h5py.File(out) as file:
        table, group = file["dataset/params/table"], file["dataset/params"].attrs
        assert group["pandas_version"] == b"0.15.2" and group["pandas_type"] == b"frame_table"
        (text,) = (field for field in table.dtype.names if table.dtype[field].base.kind == "S")
        assert table.attrs[f"{text}_meta"] == b"N." and table.attrs[f"{text}_dtype"].startswith(b"bytes")
        assert file.id.get_create_plist().get_version()[0] == 0  # of the superblock


# --- nodes ------------------------------------------------------------------------------------------------------------


def holed(grid, missing=(3, 50)):
    lattice = Lattice(grid.lattice.axes, missing)
    return NodeGrid(lattice, grid.wave, np.delete(grid.flux, missing, 0), np.delete(grid.zero_point, missing), *(
        grid.source, grid.fingerprint, grid.microturbulence,
    ))  # fmt: skip


@pytest.mark.parametrize("mag", [18.0, 21.5, 23.0])
@pytest.mark.parametrize("float32", [False, True])
def test_nodes_out_and_back_keep_flux_and_zero_point_but_for_a_factor(grid, out, mag, float32):
    nodes = holed(grid)
    export_nodes(nodes, out, mag, NoiseModel("paper"), float32=float32)
    back = import_nodes(out, NoiseModel("paper"))
    assert back.lattice.missing == (3, 50) and back.lattice.axes == nodes.lattice.axes
    factor = 0.5 / np.median(nodes.flux.astype("f8"), axis=1)
    np.testing.assert_allclose(back.flux, nodes.flux * factor[:, None], rtol=3e-7)
    np.testing.assert_allclose(back.zero_point, nodes.zero_point - 2.5 * np.log10(factor), rtol=0, atol=1e-6)


def test_a_fisher_file_has_one_magnitude_and_the_published_conditions(grid, out):
    nodes = holed(grid)
    reported = []
    export_nodes(nodes, out, 21.5, NoiseModel("paper"), progress=lambda *counts: reported.append(counts))
    frame = pd.read_hdf(out)
    np.testing.assert_array_equal(frame[list(LABELS)].to_numpy(), nodes.lattice.labels)
    for name, value in {"mag": 21.5, "target_zenith_angle": 22.5, "target_field_angle": 0.325, "seeing": 1.0}.items():
        assert (frame[name] == value).all()
    loader = AuthorLoader(out)
    ratio = loader.flux.numpy().astype("f8") / loader.error.numpy()
    np.testing.assert_allclose(frame["snr"], np.percentile(ratio, 95, axis=1), rtol=1e-6)
    assert reported[-1] == (98, 98)
    with pytest.raises(ParameterError, match="the magnitude must be a finite number"):
        export_nodes(nodes, out, float("nan"), NoiseModel("paper"))


def test_the_ceilings_of_imported_nodes_do_not_depend_on_the_lost_scale(grid, out):
    export_nodes(grid, out, 21.5, NoiseModel("paper"))
    conditions = Conditions(mag=21.5, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
    one, other = (
        lattice_ceiling(nodes, (20.0, 21.5), NoiseModel("paper"), conditions)
        for nodes in (grid, import_nodes(out, NoiseModel("paper")))
    )
    measured = one.crlb < 1  # beyond, the smooth spectra's labels are all but degenerate and rounding decides
    assert measured.sum() > 40
    np.testing.assert_allclose(other.crlb[measured], one.crlb[measured], rtol=1e-3)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_before_anything_is_written(made, out, monkeypatch):
    monkeypatch.setattr(hdf5.shutil, "disk_usage", lambda _: type("Usage", (), {"free": N * 4096 * 16 - 1}))
    with pytest.raises(DataError, match="dataset.h5: needs 3 MB, the disk has 3 MB free. Nothing was written"):
        export_set(made, out)
    assert not out.exists()


def test_a_damaged_set_leaves_the_old_file_and_no_other(made, out, tmp_path):
    out.parent.mkdir(parents=True)
    out.write_text("old")
    copy = tmp_path / "cut.h5"
    copy.write_bytes(made.read_bytes()[:-500_000])
    with pytest.raises(DataError, match="cut.h5: cannot be read as a spectrum set"):
        export_set(copy, out)
    assert out.read_text() == "old" and list(out.parent.iterdir()) == [out]


def test_what_a_killed_export_left_is_cleared_away(made, out):
    """SIGKILL while the arrays are written: no file under the final name; the next run removes the partial one."""
    child = os.fork()
    if not child:
        export_set(made, out, progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert [path.suffix for path in out.parent.iterdir()] == [".tmp"]
    export_set(made, out)
    assert list(out.parent.iterdir()) == [out] and pd.read_hdf(out)["id"].tolist() == list(range(N))
