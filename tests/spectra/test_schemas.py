import shutil

import h5py
import numpy as np
import pytest

from repro.errors import DataError
from repro.instrument.noise import NoiseModel
from repro.labels import LABELS
from repro.spectra import schemas
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.schemas import validate_set, validate_splits

SIZES = {"train": 130, "val": 20, "test": 40}


@pytest.fixture(scope="module")
def made(grid, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    for split, n in SIZES.items():
        generate_set(grid, SetRecipe("paper", n, split, 42), NoiseModel("paper"), folder / f"{split}.h5")
    return folder


@pytest.fixture
def paths(made, tmp_path):
    """Copies that a test may damage."""
    return {split: shutil.copy(made / f"{split}.h5", tmp_path / f"{split}.h5") for split in SIZES}


def labels(path):
    with h5py.File(path) as file:
        return file["labels"][:]


def set_label(column, row, value):
    def change(file):
        table = file["labels"][:]
        table[column][row] = value
        file["labels"][:] = table

    return change


def set_pixel(name, row, pixel, value):
    return lambda file: file[name].__setitem__((row, pixel), value)


def damage(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def test_sound_sets_pass_and_are_summarised(paths):
    summaries = validate_splits(paths)
    assert {split: summary["n"] for split, summary in summaries.items()} == SIZES
    snr = labels(paths["train"])["snr"]
    assert summaries["train"]["snr_p50"] == pytest.approx(np.median(snr))
    assert summaries["train"]["snr_p5"] == pytest.approx(np.percentile(snr, 5))


PIXELS = [
    (set_pixel("flux", 17, 99, np.nan), r"row 17, column flux, pixel 99, value nan: every flux must be finite \(1 of"),
    (set_pixel("flux", 0, 4095, np.inf), r"row 0, column flux, pixel 4095, value inf: every flux must be finite"),
    (set_pixel("error", 18, 5, 0.0), r"row 18, column error, pixel 5, value 0.0: every error must be finite and pos"),
    (set_pixel("error", 39, 5, -1.0), r"row 39, column error, pixel 5, value -1.0: every error must be finite and p"),
    (set_pixel("error", 39, 6, np.nan), r"row 39, column error, pixel 6, value nan: every error must be finite and"),
    (
        lambda file: file["flux"].__setitem__(4, 2 * file["flux"][4]),
        r"row 4, column median, value 1.0: the median flux",
    ),
    (
        lambda file: file["error"].__setitem__(4, 2 * file["error"][4]),
        r"row 4, column snr, value 1.0: must be the 95th",
    ),
]
RECORDS = [
    (set_label("log_g", 3, 5.5), "row 3, column log_g, value 5.5: must lie in 1 to 5"),
    (set_label("T_eff", 3, 3749.0), "row 3, column T_eff, value 3749.0: must lie in 3750 to 6000"),
    (set_label("M_H", 12, np.nan), "row 12, column M_H, value nan: must be a number"),
    (set_label("snr", 12, np.nan), "row 12, column snr, value nan: must be a number"),
    (set_label("snr", 12, 0.0), "row 12, column snr, value 0.0: must be positive"),
    (set_label("mag", 12, 99.0), "row 12, column mag, value 99.0: must lie in 15 to 25"),
    (set_label("seeing", 12, -1.0), "row 12, column seeing, value -1.0: must lie in 0.5 to 1.5"),
    (set_label("id", 7, 8), "row 7, column id, value 8: must be the row's number"),
    (set_label("interp_param", 7, b"v_turb"), "row 7, column interp_param, value v_turb: must be one of T_eff"),
]


@pytest.mark.parametrize(("change", "message"), PIXELS + RECORDS)
def test_a_violation_names_file_row_column_value_and_rule(paths, change, message):
    damage(paths["test"], change)
    with pytest.raises(DataError, match=rf"test.h5: \d+ violations of the schema\n  {message}"):
        validate_splits(paths)


def test_rows_are_counted_over_all_blocks(paths, monkeypatch):
    blocks = schemas.SpectrumSet.blocks
    monkeypatch.setattr(schemas.SpectrumSet, "blocks", lambda spectra: blocks(spectra, rows=16))
    damage(paths["test"], set_pixel("flux", 35, 1, np.nan))
    with pytest.raises(DataError, match="row 35, column flux, pixel 1"):
        validate_set(paths["test"])


def test_many_violations_are_cut_short_and_counted(paths):
    damage(paths["test"], lambda file: file["error"].__setitem__((slice(0, 30), 5), 0.0))
    with pytest.raises(DataError, match=r"30 violations(?s:.*)row 4, column error(?s:.*)and 25 more$"):
        validate_set(paths["test"])


def test_a_repeated_star_within_a_set_is_named(paths):
    damage(paths["test"], set_label("random_seed", 9, labels(paths["test"])["random_seed"][2]))
    with pytest.raises(DataError, match=r"row 9, column random_seed, value \d+: must be unique"):
        validate_set(paths["test"])


def test_shuffled_wavelengths_are_named(paths):
    def shuffle(file):
        wave = file["wave"][:]
        wave[[10, 20]] = wave[[20, 10]]
        file["wave"][:] = wave

    damage(paths["val"], shuffle)
    with pytest.raises(DataError, match=r"val.h5: wave\[10\] = 7108.75854 A, .* is 7104.48608 A \(2 of 4096 pixels"):
        validate_splits(paths)


@pytest.mark.parametrize("column", ["random_seed", "labels"])
def test_a_star_in_two_splits_is_named_with_both_rows(paths, column):
    def copy_star(file):
        table = file["labels"][:]
        for name in LABELS if column == "labels" else (column,):
            table[name][5] = labels(paths["train"])[name][101]
        file["labels"][:] = table

    damage(paths["test"], copy_star)
    message = rf"train.h5: row 101 is the same star as row 5 of .*test.h5, column {column}, value .*\(1 shared\)"
    with pytest.raises(DataError, match=message):
        validate_splits(paths)


def test_a_set_under_another_splits_name_is_refused(paths):
    with pytest.raises(DataError, match=r"val.h5: says it is split 'val', expected 'test'"):
        validate_splits({"train": paths["train"], "test": paths["val"]})


def test_labels_out_of_step_with_spectra_are_noticed(paths):
    def turn(file):
        table = file["labels"][:]
        table["mag"] = table["mag"][::-1].copy()
        file["labels"][:] = table

    damage(paths["train"], turn)
    with pytest.raises(DataError, match=r"train.h5: column snr, correlation of ln snr with mag .* must be below -0.5"):
        validate_set(paths["train"])


def test_a_set_cut_in_the_middle_or_without_a_column_is_named(paths):
    def drop_column(file):
        table = file["labels"][:]
        del file["labels"]
        file["labels"] = table[[name for name in table.dtype.names if name != "mag"]]

    damage(paths["val"], drop_column)
    with pytest.raises(DataError, match="val.h5: the label table lacks the column mag"):
        validate_set(paths["val"])
    with open(paths["test"], "r+b") as handle:
        handle.truncate(200_000)
    with pytest.raises(DataError, match="test.h5: cannot be read as a spectrum set; the file is cut short"):
        validate_set(paths["test"])


def test_a_missing_row_is_named(paths):
    def shorten(file):
        table = file["labels"][:-1]
        del file["labels"]
        file["labels"] = table

    damage(paths["val"], shorten)
    with pytest.raises(DataError, match=r"dataset labels has shape \(19,\), the layout asks for 20"):
        validate_set(paths["val"])
