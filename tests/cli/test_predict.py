"""`repro predict` as a stranger meets it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from repro.cli.main import main
from repro.models.mlp import Mlp
from repro.spectra.store import open_set
from repro.training.recipe import Recipe
from repro.training.spectra import Validation
from tests.observed import files
from tests.observed.stars import model, spectrum, star_set


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a reference set and three FITS files: a star, LAMOST's, and one of the H band."""
    folder = tmp_path_factory.mktemp("predict")
    model().save(folder / "line.npz")
    star_set(folder / "test.h5")
    wave = np.arange(7080.0, 8870.0, 0.2)
    noise = 0.02 * np.random.default_rng(2).standard_normal(wave.size)
    files.star(folder / "star.fits", spectrum(3.5, wave) + noise, 0.02 + 0 * wave, wave, VACUUM=True, SPEC_RES=6000.0)
    files.lamost_table(folder / "lamost.fits")
    infrared = np.linspace(15_140.0, 16_960.0, 8575)
    files.star(folder / "apogee.fits", 1.0 + 0 * infrared, 0.1 + 0 * infrared, infrared, VACUUM=True)
    return folder


def run(*words: object, code: int = 0, columns: int = 140) -> str:
    environment = {"COLUMNS": str(columns), "TERM": "dumb"}
    result = CliRunner().invoke(main, ["predict", *map(str, words)], env=environment)
    assert result.exit_code == code, result.output
    return result.output if code < 2 else result.stderr


def test_one_star_is_a_row_with_its_remarks(place: Path) -> None:
    text = run(place / "line.npz", place / "star.fits", "--velocity", 0, "--noise-draws", 8)
    row = next(line for line in text.splitlines() if "star.fits" in line)
    assert "3.5" in row or "3.4" in row
    assert "100.0 %" in text
    assert "1 of 1 spectra estimated, 0 refused." in text
    unsaid = " ".join(run(place / "line.npz", place / "star.fits").split())
    assert "taken to be at rest (--velocity)" in unsaid


def test_what_cannot_be_judged_is_refused_with_its_reason(place: Path) -> None:
    data = json.loads(
        run(place / "line.npz", *(place / f"{n}.fits" for n in ("star", "lamost", "apogee")), "--json", code=1)
    )
    star, lamost, apogee = data["spectra"]
    assert (star["refused"], lamost["log_g"], apogee["log_g"]) == (None, None, None)
    assert star["log_g"] == pytest.approx(3.5, abs=0.1)
    assert "its resolving power is 1800" in lamost["refused"]
    assert "the H band, where APOGEE observes" in apogee["refused"]
    let = json.loads(run(place / "line.npz", place / "lamost.fits", "--allow-resolution", "--json"))
    assert "do not trust" in " ".join(let["spectra"][0]["warnings"])


def test_a_model_that_masks_fills_what_is_missing_and_says_so(place: Path, tmp_path: Path) -> None:
    """A tenth of the pixels in one hole: refused, or filled with the mean spectrum by a network that declares so."""
    with open_set(place / "test.h5") as spectra:
        flux, gravity = spectra.read()[0], spectra.labels["log_g"]
    wave = np.arange(7080.0, 8870.0, 0.2)
    shown = np.where((wave > 7500.0) & (wave < 7675.0), np.nan, spectrum(3.5, wave))
    files.star(tmp_path / "hole.fits", shown, 0.02 + 0 * wave, wave, VACUUM=True, SPEC_RES=6000.0)
    for missing in ("refuse", "mask"):
        network = Mlp(Recipe(epochs=1, batch=32), widths=(4,), missing=missing)
        network.fit(flux, gravity, validation=Validation(flux, gravity)).save(tmp_path / f"{missing}.safetensors")
    words = (tmp_path / "hole.fits", "--velocity", 0, "--json")
    (refused,) = json.loads(run(tmp_path / "refuse.safetensors", *words, code=1))["spectra"]
    assert "A model that declares missing = mask would fill them" in refused["refused"]
    (filled,) = json.loads(run(tmp_path / "mask.safetensors", *words))["spectra"]
    assert (filled["refused"], np.isfinite(filled["log_g"])) == (None, True)
    assert "10.0 %) without data, set to the mean training spectrum" in " ".join(filled["warnings"])


def test_the_domain_gap_of_a_table_of_stars(place: Path, tmp_path: Path) -> None:
    with open_set(place / "test.h5") as spectra:
        gravities = spectra.labels["log_g"]
    (tmp_path / "known.csv").write_text(
        "spectrum,log_g,M_H\n" + "".join(f"{place}/test.h5#{i},{g - 1.0},-1\n" for i, g in enumerate(gravities))
    )
    words = (place / "line.npz", place / "test.h5", "--reference", place / "test.h5")
    text = run(*words, "--truth", tmp_path / "known.csv")
    assert "Domain gap" in text
    rows = {line.split("  ")[0].strip(): line.split() for line in text.splitlines() if line.strip()}
    assert float(rows["all"][2]) == pytest.approx(1.0, abs=0.05)  # estimates are 1 dex above that table
    assert rows["reference set"][-2] == "1.00"
    assert "stars have log_g outside 1 to 5" in text
    groups = json.loads(run(*words, "--truth", tmp_path / "known.csv", "--json"))["groups"]
    assert groups[0]["count"] == 96
    assert groups[0]["bias"] == pytest.approx(1.0, abs=0.05)


def test_all_columns_go_to_a_table(place: Path, tmp_path: Path) -> None:
    run(place / "line.npz", place / "test.h5", "--rows", "2:6", "--csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["spectrum"] for row in rows] == [f"{place}/test.h5#{n}" for n in range(2, 6)]
    data = json.loads(run(place / "line.npz", place / "test.h5", "--rows", "2:6", "--json"))["spectra"]
    assert [float(row["log_g"]) for row in rows] == [one["log_g"] for one in data]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--velocity", 3, "--redshift", 0), "say the same"),
        (("--noise-draws", 1), "at least 2 draws"),
        (("--rows", "5"), "say A:B"),
        (("--rows", "5:3"), "say A:B"),
        (("--velocity", 90000), "lies within 0.01"),
        (("--noise", -1), "a noise level"),
        (("--device", "warp"), "device 'warp' is not there"),
        (("--reference", "nowhere.h5"), "nowhere.h5: no such file"),
        (("--truth", "nowhere.csv"), "nowhere.csv: no such file"),
    ],
)
def test_wrong_words_are_explained(words: tuple, message: str, place: Path) -> None:
    text = run(place / "line.npz", place / "star.fits", *words, code=2)
    assert message in " ".join(text.split())
    assert "Traceback" not in text


def test_a_file_that_is_no_model_is_explained(place: Path) -> None:
    assert "star.fits" in run(place / "star.fits", place / "star.fits", code=2)
