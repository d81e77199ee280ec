"""`repro spectra` from the command line to files and numbers, and its errors."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from repro.cli.main import main
from tests.view.conftest import grid_path as grid_path
from tests.view.conftest import set_path as set_path

NODE = "T_eff=5000,log_g=3,M_H=0"


def run(*words):
    return CliRunner().invoke(main, ["spectra", *map(str, words)])


def test_show_draws_a_picture(grid_path, set_path, tmp_path):
    out = tmp_path / "s.png"
    result = run("show", f"{grid_path}:{NODE}", f"{set_path}#0", "--noise", 1, "--from", 8400, "--to", 8700, "-o", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_compare_draws_a_page_and_prints_numbers(grid_path, set_path, tmp_path):
    out = tmp_path / "c.html"
    spectra = f"{grid_path}:{NODE}", f"{grid_path}:T_eff=5000,log_g=4,M_H=0"
    result = run("compare", *spectra, "--derivative", "log_g", "--derivative", "M_H", "-o", out, "--json")
    assert result.exit_code == 0, result.output
    assert b"Plotly.newPlot" in out.read_bytes()
    found = json.loads(result.stdout)
    assert (found["A"], found["B"]) == spectra
    whole = found["windows"]["all"]
    assert whole["pixels"] == 4096 and whole["rms_percent"] > 0.1
    assert set(whole["derivatives"]) == {"log_g", "M_H"}
    assert 0.9 < whole["derivatives"]["M_H"]["correlation"] <= 1.0


def test_a_spectrum_is_like_itself(grid_path, set_path):
    for text in (f"{grid_path}:{NODE}", f"{set_path}#2"):
        result = run("compare", text, text, "--json", "--continuum")
        assert result.exit_code == 0, result.output
        whole = json.loads(result.stdout)["windows"]["all"]
        assert whole["rms_percent"] == 0.0 and whole["explained_variance"] == 1.0
        assert whole["share"] is None  # of nothing
        if "log_g" in whole["derivatives"]:
            assert whole["derivatives"]["log_g"]["amplitude"] == pytest.approx(1.0)


def test_a_range_in_air(grid_path):
    numbers = [
        json.loads(run("compare", f"{grid_path}:{NODE}", f"{grid_path}:{NODE}", "--json", *more).stdout)["windows"]
        for more in (["--from", "8498.02", "--to", "8542.09", "--air"], ["--from", "8500.36", "--to", "8544.44"])
    ]
    assert abs(numbers[0]["all"]["pixels"] - numbers[1]["all"]["pixels"]) <= 1
    assert numbers[0]["all"]["pixels"] == pytest.approx(44.08 / 0.42725, abs=2)


def test_absolute_fluxes_keep_their_level(grid_path):
    cool, hot = (f"{grid_path}:T_eff={t},log_g=3,M_H=0" for t in (5000, 6000))
    plain, absolute = (
        json.loads(run("compare", cool, hot, "--json", *more).stdout)["windows"]["all"]["median_offset_percent"]
        for more in ([], ["--absolute"])
    )
    assert abs(plain) < 8.0 and absolute == pytest.approx(100.0 * (np.exp(0.5) - 1.0), abs=5.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "{grid}:{node}"], "say with -o where the picture goes"),
        (["compare", "{grid}:{node}", "{grid}:{node}"], "say with -o where the picture goes"),
        (["show", "{grid}:{node}", "-o", "a.pdf"], "a.pdf: pictures end in .png"),
        (["show", "{grid}", "-o", "a.png"], "say which spectrum of the file"),
        (["show", "{set}#9", "-o", "a.png"], "the set has 3 rows, 0 to 2"),
        (["show", "{grid}:{node}", "--from", "9", "--to", "8", "-o", "a.png"], "from 9 to 8 A there is nothing"),
        (["show", "{grid}:{node}", "--from", "9000", "-o", "a.png"], "nothing between 9000"),
        (["show", "{grid}:{node}", "--resolution", "x", "-o", "a.png"], "resolution 'x' is neither pfs"),
        (["show", "{set}#0", "--noise", "-1", "-o", "a.png"], "noise -1 must be positive"),
        (["show", "{set}#0", "--derivative", "none", "--derivative", "M_H", "-o", "a.png"], "none excludes other"),
    ],
)
def test_errors_are_one_line_and_exit_2(words, said, grid_path, set_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*(word.format(grid=grid_path, set=set_path, node=NODE) for word in words))
    assert result.exit_code == 2 and said in result.stderr
    assert result.stderr.startswith("repro: ") and result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_names_every_form():
    for words in (["--help"], ["show", "--help"], ["compare", "--help"]):
        text = run(*words).stdout
        assert all(form in text for form in ("lte:T_eff=", "NODES.h5:T_eff=", "SET.h5#12", "FILE:air"))


@pytest.mark.slow
def test_a_source_beside_a_node(grid_path, tmp_path):
    result = run("compare", f"{grid_path}:{NODE}", f"lte:{NODE}", "--json", "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert "log_g" in json.loads(result.stdout)["windows"]["all"]["derivatives"]
