"""`repro fetch`: what a user types and sees."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from repro.cli.main import main
from repro.sources.bosz.fetch import nodes_of
from repro.sources.bosz.settings import Settings
from tests.sources import bosz_fakes as fakes
from tests.sources.server import serve

NODES = ("5000,2,0,0,0", "5000,2.5,0,0,0", "5000,2,0.75,0,0")
WAVE = fakes.wave2017(2000)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive with the first two nodes, and an empty folder to work in."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    with serve() as archive:
        labels = np.array([[float(value) for value in node.split(",")] for node in NODES[:2]])
        for node in nodes_of(Settings(resolution=2000).open(), labels):
            archive.files[f"/{node.path}"] = fakes.fits2017(WAVE, *fakes.spectrum(WAVE))
        yield archive


def run(*arguments, code=0):
    result = CliRunner().invoke(main, ["fetch", *arguments])
    assert result.exit_code == code, result.output
    return result


def choice(archive):
    nodes = [word for node in NODES for word in ("--nodes", node)]
    return ["--resolution", "2000", "--base-url", archive.address, *nodes]


def test_plan_fetch_status_and_verify(archive, tmp_path):
    plan = run("bosz", "--dry-run", *choice(archive))
    assert len(plan.stdout.splitlines()) == 3 and plan.stdout.splitlines()[0].startswith(archive.address)
    assert "3 files, about 0.00 GB" in plan.stderr and not archive.requests
    assert run("status", *choice(archive)).stdout == "present 0, missing in the archive 0, to go 3\n"
    shown = run("bosz", *choice(archive)).stdout
    assert "bosz2017: 3 nodes asked for\n  0 here already\n  2 downloaded (0.8 MB in" in shown
    assert "  1 missing in the archive (404)\n    amp08cp00op00t5000g20v20modrt0b2000rs.fits\n  0 slices" in shown
    assert len(list((tmp_path / "data/bosz/2017").glob("*.npz"))) == 2
    assert len(json.loads((tmp_path / "data/manifests/bosz2017.json").read_text())["files"]) == 3
    again = json.loads(run("bosz", "--json", *choice(archive)).stdout)
    assert (again["present"], again["fetched"], len(again["missing"]), again["failed"]) == (2, [], 1, {})
    assert run("status", *choice(archive)).stdout == "present 2, missing in the archive 1, to go 0\n"
    assert run("bosz", "--dry-run", *choice(archive)).stdout == ""
    assert run("verify").stdout == "sound 2, absent 0, damaged 0\n"


def test_a_damaged_slice_fails_verify_and_is_named(archive, tmp_path):
    run("bosz", *choice(archive))
    path = sorted((tmp_path / "data/bosz/2017").glob("*.npz"))[0]
    path.write_bytes(path.read_bytes()[:1000])
    result = run("verify", code=2)
    assert "sound 1, absent 0, damaged 1" in result.stdout and path.name in result.stdout
    assert json.loads(run("verify", "--json", code=2).stdout)["damaged"] == [path.stem]


def test_a_failed_file_fails_the_command(archive):
    path = next(iter(archive.files))
    archive.files[path] = archive.files[path][:5000]
    result = run("bosz", *choice(archive), code=2)
    assert "  1 failed\n" in result.stdout and "cannot be read as a FITS table" in result.stdout


def test_what_is_accepted_is_asked_for_and_nothing_else(archive, tmp_path):
    path, other = archive.files
    archive.files[path] = fakes.fits2017(WAVE, *fakes.spectrum(WAVE, lines=(8400.0,)))
    result = run("bosz", *choice(archive), code=2)
    name = path.rpartition("/")[2]
    assert f"repro fetch bosz --accept {name} (with --release and --resolution" in result.stdout.replace("`", "")
    archive.requests.clear()
    options = ["--resolution", "2000", "--base-url", archive.address]
    assert "bosz2017: 1 nodes asked for" in run("bosz", "--accept", name, *options).stdout
    assert [asked for asked, _ in archive.requests] == [path]
    assert "is not the name of a file of BOSZ 2017" in run("bosz", "--accept", "x", *options, code=2).stderr
    assert "not the name of a file of the nodes" in run("bosz", "--accept", name, code=2).stderr  # R = 50000


def test_the_papers_lattices(archive):
    plan = json.loads(run("bosz", "--dry-run", "--json").stdout)
    assert len(plan["files"]) == 1260 and plan["bytes"] == pytest.approx(11.6e9, rel=0.01)
    assert all(
        file["address"].startswith("https://archive.stsci.edu/missions/hlsp/bosz/fits/") for file in plan["files"]
    )
    temperatures = "3700,3800,4000,4250,4500,4750,5000,5250,5500,5750,6000"
    plan = json.loads(run("bosz", "--dry-run", "--json", "--release", "2024", "--t-eff", temperatures).stdout)
    assert len(plan["files"]) == 1260 + 126


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--release", "2024"),
            "bosz2024: T_eff = 3750 K is not a node of the release; the nodes next to it: 3700 K",
        ),
        (("--nodes", "5000,2"), "--nodes 5000,2: a node is 3d, 5d or 5 numbers, T_eff,log_g,M_H,a_M,C_M"),
        (("--nodes", "sun"), "--nodes sun: numbers separated by commas are expected"),
        (("--resolution", "high"), "bosz2017: no files at R = high"),
        (("--base-url", "ftp://x"), "must start with http:// or https://"),
    ],
)
def test_what_cannot_be_fetched_is_said_in_one_line(archive, arguments, message):
    result = run("bosz", *arguments, code=2)
    assert result.stderr.startswith("repro: ") and message in result.stderr and result.stderr.count("\n") == 1
    assert not archive.requests
