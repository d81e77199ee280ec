"""Files of the original layout as pandas and h5py write them are read by name; each kind of broken file is named."""

import contextlib

import h5py
import numpy as np
import pandas as pd
import pytest

from repro.errors import DataError
from repro.labels import LABELS
from repro.sources.hdf5.reader import open_file, read_set
from repro.spectra.sampling import COLUMNS, CONDITIONS
from tests.project.imports import import_closure
from tests.sources import author

BANNED = ("pandas", "tables", "pickle")
ABSENT = {*CONDITIONS, "moon_phase"}
NUMBERS = [name for name in COLUMNS.names if name not in ("id", "interp_param")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dataset.h5"


def read(*paths, **options):
    blocks = list(read_set(paths, **options))
    return np.concatenate([block.table for block in blocks]), blocks


@pytest.mark.parametrize(
    "to_hdf",
    [
        {},  # all columns of one type packed in one field
        {"data_columns": True},  # each a field of its own
        {"data_columns": ["log_g", "mag"]},
        {"min_itemsize": {"interp_param": 50}},
        {"index": False},
    ],
)
def test_labels_agree_with_pandas_however_it_packs_them(path, to_hdf):
    author.write(path, 23, **to_hdf)
    expected = pd.read_hdf(path)
    table, _ = read(path, rows=10)
    for name in NUMBERS:
        np.testing.assert_array_equal(table[name], expected[name].to_numpy(), err_msg=name)
    assert table["interp_param"].astype(str).tolist() == expected["interp_param"].tolist()
    assert table["id"].tolist() == list(range(23))


@pytest.mark.parametrize("shuffle", [7, 8])
def test_labels_are_found_by_name_in_any_order_of_columns(path, shuffle):
    order = np.random.default_rng(shuffle).permutation(author.params(3).columns)
    author.write(path, 5, frame=author.params(5)[order])
    table, _ = read(path)
    for name in NUMBERS:
        np.testing.assert_array_equal(table[name], author.params(5)[name].to_numpy())


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("edges", [author.EDGES, np.stack([author.EDGES[:-1], author.EDGES[1:]]), author.CENTRES, None])
def test_spectra_of_either_precision_and_every_form_of_edges(path, dtype, edges):
    author.write(path, 5, dtype=dtype, edges=edges)
    flux, error = author.spectra(5)
    _, blocks = read(path, rows=3)
    assert [len(block.flux) for block in blocks] == [3, 2]
    assert blocks[0].flux.dtype == blocks[0].error.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate([block.flux for block in blocks]), flux.astype("f4"))
    np.testing.assert_array_equal(np.concatenate([block.error for block in blocks]), error.astype("f4"))


def test_the_conventions_of_the_loaders(path):
    flux, error = author.spectra(4)
    flux[1, 100] = -0.25
    error[:, 0], error[2, -1] = np.nan, np.nan
    author.write(path, 4, arrays={"flux": flux, "error": error})
    _, (block,) = read(path)
    assert block.flux[1, 100] == 0 and (block.flux >= 0).all()
    np.testing.assert_array_equal(block.error[:, 0], error[:, 1].astype("f4"))
    np.testing.assert_array_equal(block.error[2, -2:], error[2, [-2, -2]].astype("f4"))
    np.testing.assert_array_equal(block.error[[0, 1, 3], -1], error[[0, 1, 3], -1].astype("f4"))


def test_noisy_spectra_come_where_they_are_and_are_missed_where_not(path):
    noisy = author.spectra(8, seed=9)[0]
    author.write(path, arrays={"noisy": noisy})
    assert next(read_set([path])).noisy is None
    np.testing.assert_array_equal(next(read_set([path], noisy=True)).noisy, noisy.astype("f4"))
    author.write(path.with_name("plain.h5"))
    with pytest.raises(DataError, match=r"plain.h5: dataset dataset/arrays/noisy/value is missing"):
        next(read_set([path.with_name("plain.h5")], noisy=True))


def test_shards_are_read_in_order_as_one_set(path):
    shards = [author.write(path.with_name(f"{k}.h5"), n, seed=k) for k, n in enumerate((5, 3, 6))]
    table, blocks = read(*shards, rows=4)
    assert table["id"].tolist() == list(range(14))
    expected = np.concatenate([author.params(n, seed=k)["log_g"] for k, n in enumerate((5, 3, 6))])
    np.testing.assert_array_equal(table["log_g"], expected)
    assert [len(block.table) for block in blocks] == [4, 1, 3, 4, 2]


def test_a_broken_last_shard_is_found_before_the_first_is_read(path):
    good = author.write(path)
    bad = author.write(path.with_name("last.h5"), arrays={"error": None})
    with pytest.raises(DataError, match=r"last.h5: dataset dataset/arrays/error/value is missing"):
        next(read_set([good, bad]))


def test_optional_columns_may_be_absent(path):
    frame = author.params(6)[[*LABELS, "mag", "snr", "redshift"]]
    author.write(path, 6, frame=frame)
    with open_file(path) as file:
        assert set(file.absent) == ABSENT
    table, _ = read(path)
    assert np.isnan(table["seeing"]).all() and (table["random_seed"] == 0).all()
    assert (table["interp_param"] == b"all").all() and table["id"].tolist() == list(range(6))


@pytest.mark.parametrize("none", ["", np.nan])
def test_a_grid_names_no_interpolated_axis(path, none):
    author.write(path, frame=author.params(8).assign(interp_param=none))
    assert (read(path)[0]["interp_param"] == b"all").all()


# --- pickles ----------------------------------------------------------------------------------------------------------


def trap(marker):
    """A pickle that creates the file `marker` when it is loaded (protocol 0: os.system with one argument)."""
    return np.bytes_(f"cposix\nsystem\np0\n(Vtouch {marker}\np1\ntp2\nRp3\n.".encode())


def test_a_pickle_that_is_not_needed_is_not_looked_at(path, tmp_path):
    author.write(path, 5)

    def plant(file):
        for name in ("info", "non_index_axes", "values_cols", "data_columns", "index_cols"):
            file["dataset/params"].attrs[name] = trap(tmp_path / "sprung")
        file["dataset/arrays/flux/value"].attrs["CLASS"] = trap(tmp_path / "sprung")
        file.attrs["TITLE"] = trap(tmp_path / "sprung")

    author.change(path, plant)
    table, _ = read(path)
    np.testing.assert_array_equal(table["T_eff"], author.params(5)["T_eff"].to_numpy())
    assert not (tmp_path / "sprung").exists()
    with contextlib.suppress(TypeError, ValueError, AttributeError, KeyError):
        pd.read_hdf(path)  # the trap is a live one: this is what the kit must never do
    assert (tmp_path / "sprung").exists()


def test_a_pickle_in_place_of_column_names_is_refused_unloaded(path, tmp_path):
    author.write(path)
    author.change(
        path, lambda file: file["dataset/params/table"].attrs.modify("values_block_1_kind", trap(tmp_path / "sprung"))
    )
    with pytest.raises(
        DataError, match=r"values_block_1_kind is not a pickled list of column names \(instruction GLOBAL"
    ):
        next(read_set([path]))
    assert not (tmp_path / "sprung").exists()


def test_reading_and_importing_use_neither_pandas_nor_pytables(project_root):
    files = [project_root / name for name in import_closure(project_root, "repro.sources.hdf5.importer")]
    assert project_root / "repro/sources/hdf5/names.py" in files
    words = [line.split()[:2] for file in files for line in file.read_text().splitlines()]
    assert not [line for line in words if line[:1] in (["import"], ["from"]) and line[1].split(".")[0] in BANNED]


# --- broken files -----------------------------------------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(change):
    return lambda path: author.change(path, change)


def set_value(name, row, pixel, value):
    return edit(lambda file: file[name].__setitem__((row, pixel), value))


def replace(name, values, group=False):
    def change(file):
        del file[name]
        if values is not None:
            file[name] = values
        if group:
            file.create_group(name)

    return edit(change)


def rewrite(**options):
    def change(path):
        path.unlink()
        author.write(path, **options)

    return change


def attribute(name, value):
    def change(file):
        attributes = file["dataset/params/table"].attrs
        del attributes[name]
        if value is not None:
            attributes[name] = value

    return edit(change)


FLUX, ERROR = "dataset/arrays/flux/value", "dataset/arrays/error/value"
FRAME = author.params(8)
SHIFTED = author.CENTRES.copy()
SHIFTED[7:] -= 2.3
BROKEN = {
    "absent": (lambda path: path.unlink(), r"no such file \(a data set of the original layout"),
    "cut short": (cut, r"cannot be opened; the file is cut short or is not HDF5 \(.*truncated"),
    "not HDF5": (lambda path: path.write_text("labels"), "cannot be opened; the file is cut short or is not HDF5"),
    "no flux": (replace(FLUX, None), rf"dataset {FLUX} is missing"),
    "no error": (replace(ERROR, None), rf"dataset {ERROR} is missing"),
    "no wave": (replace("spectrumdataset/wave", None), "dataset spectrumdataset/wave is missing"),
    "no table": (replace("dataset/params", None), "dataset dataset/params/table is missing: it holds no label table"),
    "fixed frame": (
        rewrite(format="fixed", frame=FRAME.drop(columns="interp_param")),
        "of format 'fixed', not 'table'",
    ),
    "array for table": (replace("dataset/params/table", np.zeros((8, 5))), "is not a table: it is an array of float64"),
    "group for flux": (replace(FLUX, None, group=True), rf"dataset {FLUX} is missing"),
    "flux of integers": (replace(FLUX, np.zeros((8, 4096), int)), rf"dataset {FLUX} is of type int64"),
    "few pixels": (replace(FLUX, np.zeros((8, 4095))), rf"dataset {FLUX} has shape \(8, 4095\), .* \(N, 4096\)"),
    "few errors": (replace(ERROR, np.zeros((7, 4096))), rf"dataset {ERROR} has shape \(7, 4096\), .* has \(8, 4096\)"),
    "few noisy": (
        edit(lambda f: f.__setitem__("dataset/arrays/noisy/value", np.zeros((7, 4096)))),
        "arrays/noisy/value has shape",
    ),
    "few masks": (replace("dataset/arrays/mask/value", np.zeros((7, 4096), int)), "arrays/mask/value has shape"),
    "few labels": (rewrite(frame=author.params(7)), r"table has 7 rows, .* has 8: row i of both"),
    "air wavelengths": (
        replace("spectrumdataset/wave", SHIFTED),
        r"wave, pixel 7, value 7100.9043 A: .* 7103.2043 A in vacuum.*\(4089 of 4096 differ",
    ),
    "wave NaN": (set_value("spectrumdataset/wave", 5, ..., np.nan), r"wave, pixel 5, value nan A"),
    "other pixels": (replace("spectrumdataset/wave", author.CENTRES[:4000]), r"wave is float64 of shape \(4000,\)"),
    "wrong edges": (replace("spectrumdataset/wave_edges", author.EDGES + 1), r"wave_edges, pixel 0, value 7101.0000 A"),
    "edges of another shape": (
        replace("spectrumdataset/wave_edges", np.zeros((4096, 2))),
        r"it must be floats of \(4097,\) or",
    ),
    "flux NaN": (
        set_value(FLUX, 3, 17, np.nan),
        rf"{FLUX}, row 3, pixel 17, value nan: every flux must be finite \(1 of 8",
    ),
    "flux beyond 32 bits": (set_value(FLUX, 3, 17, 1e300), rf"{FLUX}, row 3, pixel 17, value inf"),
    "error negative": (
        set_value(ERROR, 6, 2, -0.1),
        rf"{ERROR}, row 6, pixel 2, value -0.1.*: every error must be finite and positive",
    ),
    "error zero": (set_value(ERROR, 6, 2, 0.0), rf"{ERROR}, row 6, pixel 2, value 0.0"),
    "error NaN inside": (set_value(ERROR, 6, 2, np.nan), rf"{ERROR}, row 6, pixel 2, value nan"),
    "error NaN in both edge pixels": (set_value(ERROR, 6, slice(0, 2), np.nan), rf"{ERROR}, row 6, pixel 0, value nan"),
    "label absent": (
        rewrite(frame=FRAME.rename(columns={"log_g": "logg"})),
        r"column log_g is missing; the table has .*logg",
    ),
    "label of text": (
        rewrite(frame=FRAME.astype({"T_eff": str})),
        r"column T_eff is of type \|S\d+, it must hold numbers",
    ),
    "label NaN": (
        rewrite(frame=FRAME.assign(log_g=FRAME.log_g.where(FRAME.id != 5))),
        "row 5, column log_g, value nan: must be a finite",
    ),
    "snr of text": (rewrite(frame=FRAME.astype({"snr": str})), r"column snr is of type \|S\d+"),
    "ids unsorted": (
        rewrite(frame=FRAME.assign(id=[0, 1, 2, 4, 3, 5, 6, 7])),
        "row 3, column id, value 4: must be the row's number",
    ),
    "in motion": (
        rewrite(frame=FRAME.assign(redshift=FRAME.id / 1e4)),
        "row 1, column redshift, value 0.0001: must be 0",
    ),
    "other axis": (
        rewrite(frame=FRAME.assign(interp_param=["T_eff"] * 7 + ["v_turb"])),
        "row 7, column interp_param, value v_turb: must be one of",
    ),
    "axis of numbers": (rewrite(frame=FRAME.assign(interp_param=3)), "column interp_param must hold text"),
    "seed of fractions": (
        rewrite(frame=FRAME.assign(random_seed=0.5)),
        "row 0, column random_seed, value 0.5: must be a whole",
    ),
    "names lost": (
        attribute("values_block_0_kind", None),
        "attribute values_block_0_kind with the column names of values_block_0 is missing",
    ),
    "names of other width": (
        attribute("values_block_0_kind", np.bytes_(b"(lp0\nVid\np1\na.")),
        r"values_block_0_kind names 1 columns, values_block_0 holds \d+",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_with_the_place_and_the_rule(path, kind):
    damage, message = BROKEN[kind]
    author.write(path, 8)
    damage(path)
    with pytest.raises(DataError, match=f"dataset.h5: .*{message}"):
        next(read_set([path]))


def flip(path, name):
    """Change a byte of the middle of a dataset's first chunk on disk, behind its filter."""
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info(0)
    with path.open("r+b") as handle:
        handle.seek(chunk.byte_offset + chunk.size // 3)
        byte = handle.read(1)[0]
        handle.seek(-1, 1)
        handle.write(bytes([byte ^ 0xFF]))


def test_damage_that_a_filter_notices_is_named(path):
    author.write(path, 8, arrays={"error": None})
    with h5py.File(path, "a") as file:
        file.create_dataset(ERROR, data=author.spectra(8)[1], chunks=(4, 4096), fletcher32=True)
    flip(path, ERROR)
    with pytest.raises(DataError, match=rf"dataset {ERROR}: rows 0 to 8 cannot be read .* copy it again"):
        next(read_set([path]))
    path.unlink()
    author.write(path, 8, complib="zlib", complevel=9)
    flip(path, "dataset/params/table")
    with pytest.raises(DataError, match=r"dataset/params/table: rows 0 to 8 cannot be read .* copy it again"):
        next(read_set([path], rows=8))


def test_a_table_packed_by_a_filter_that_h5py_lacks_is_told_from_a_damaged_one(path):
    author.write(path, 8, complib="blosc", complevel=5)
    with pytest.raises(DataError, match=r"rows 0 to 8 cannot be read \(.*plugin.*unpack it with `ptrepack"):
        next(read_set([path]))


@pytest.mark.parametrize("none", [np.nan, None])
def test_seeds_may_be_unknown(path, none):
    author.write(path, 8, frame=author.params(8).assign(random_seed=[none] * 4 + [1.0, 2.0, 3.0, 4.0]))
    assert read(path)[0]["random_seed"].tolist() == [0, 0, 0, 0, 1, 2, 3, 4]


def test_labels_of_objects_are_refused(path):
    author.write(path, 8, frame=False)
    fields = [(name, "f8") for name in (*LABELS, "mag")]
    fields[0] = ("T_eff", h5py.string_dtype())
    with h5py.File(path, "a") as file:
        file.create_dataset("dataset/params/table", 8, np.dtype(fields))
    with pytest.raises(DataError, match="column T_eff is of type object, it must hold numbers"):
        next(read_set([path]))


def test_a_row_is_named_by_its_place_in_the_file_not_in_the_block(path):
    author.write(path, 8)
    set_value(FLUX, 7, 4095, np.inf)(path)
    with pytest.raises(DataError, match="row 7, pixel 4095, value inf"):
        list(read_set([path], rows=3))
