"""`repro molecules`: what it prints, writes and refuses."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from repro.cli.main import main
from repro.physics.molecules.listing import COLUMNS

RANGE = ("--from", "7895", "--to", "7899")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["molecules", *arguments])


def test_lines_are_printed_as_csv_json_and_into_a_file(tmp_path: Path) -> None:
    printed = list(csv.DictReader(run("lines", "--molecule", "CN", *RANGE).stdout.splitlines()))
    listed = json.loads(run("lines", "--molecule", "CN", *RANGE, "--json").stdout)
    path = tmp_path / "cn.csv"
    assert run("lines", "--molecule", "CN", *RANGE, "--csv", str(path)).stdout == f"{path}: {len(printed)} lines\n"
    with open(path, newline="") as file:
        assert list(csv.DictReader(file)) == printed
    assert [{name: str(value) for name, value in row.items()} for row in listed] == printed
    assert tuple(printed[0]) == COLUMNS
    waves = [row["wave_vac_A"] for row in listed]
    assert waves == sorted(waves) and waves[0] >= 7895.0 and waves[-1] <= 7899.0


def test_the_strongest_lines_are_chosen() -> None:
    every = json.loads(run("lines", "--molecule", "CN", *RANGE, "--json").stdout)
    few = json.loads(run("lines", "--molecule", "CN", *RANGE, "--json", "--strongest", "3").stdout)
    assert len(few) == 3 and all(row in every for row in few)
    # 2-0 of 12CN, whose origin is at 7895.4 A, is by far the strongest band here.
    assert {row["band"] for row in few} == {"2-0"} and {row["isotopologue"] for row in few} == {"12C14N"}


@pytest.mark.slow
def test_systems_are_listed_with_their_sources() -> None:
    content = json.loads(run("list", "--json").stdout)
    assert {entry["system"] for entry in content["TiO"]["systems"]} == {"gamma", "gamma'", "epsilon", "delta"}
    assert len({entry["isotopologue"] for entry in content["TiO"]["systems"]}) == 5
    assert any("Brooke" in source for source in content["CN"]["sources"])
    assert sum(entry["weight"] for entry in content["TiO"]["systems"] if entry["system"] == "gamma") == pytest.approx(
        1, 0.01
    )
    assert all(entry["lines"] > 1000 for molecule in content.values() for entry in molecule["systems"])


@pytest.mark.slow
def test_build_fills_the_cache_once(cache_folder: Path) -> None:
    first = json.loads(run("build", "--wave-step", "0.5", "--json").stdout)
    times = {path: path.stat().st_mtime_ns for path in cache_folder.iterdir()}
    assert {Path(entry["path"]) for entry in first} == set(times)
    assert all(entry["largest_error"] < 1e-3 for entry in first)
    text = run("build", "--wave-step", "0.5").stdout
    assert {path: path.stat().st_mtime_ns for path in cache_folder.iterdir()} == times
    assert [line.split()[0] for line in text.splitlines()] == ["CN", "TiO"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lines", "--molecule", "C2", *RANGE), "molecule 'C2' has no lines here: choose CN or TiO"),
        (("lines", "--molecule", "CN", "--from", "8000", "--to", "7000"), "wavelengths 8000 to 7000 A: the range must"),
        (("lines", "--molecule", "CN", "--from", "5000", "--to", "6000"), "lie within 7000 to 8950 A"),
        (("lines", "--molecule", "TiO", "--from", "7500", "--to", "8000"), "narrow the range"),
        (("build", "--microturbulence", "-1"), "microturbulence -1.0 km/s or wave_step 0.05 A out of range"),
    ],
)
def test_mistakes_are_explained(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr and "Traceback" not in result.output
