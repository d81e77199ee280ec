import importlib

import numpy as np
import pytest
from click.testing import CliRunner

from repro.cli.main import main
from repro.errors import DataError
from repro.files import sha256
from repro.spectra.lattice import Lattice
from repro.spectra.pack import read_pack


def tiny_5d():
    """Twelve of the published nodes, one of them without a model."""
    axes = {"T_eff": (3750.0, 6000.0), "log_g": (1.0,), "M_H": (0.0,), "a_M": (0.0, 0.25, 0.5), "C_M": (0.0, 0.5)}
    return Lattice(axes, (3,))


@pytest.fixture
def run(source, instrument, lattice, tmp_path, monkeypatch):
    """`repro pack ...` in an empty folder, with the smooth source in place of the physics."""
    monkeypatch.chdir(tmp_path)

    def make_source(device, microturbulence):
        assert device == "cpu"
        source.microturbulence = microturbulence
        return source

    for module, name, stand_in in (
        ("repro.sources.lte", "LteSource", make_source),
        ("repro.instrument.observe", "Instrument", lambda: instrument),
        ("repro.spectra.pack", "LATTICES", {"3d": lambda: lattice, "5d": tiny_5d}),
        ("os", "cpu_count", lambda: 1),
    ):
        monkeypatch.setattr(importlib.import_module(module), name, stand_in)

    def run(*arguments, code=0):
        result = CliRunner().invoke(main, ["pack", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    return run


def test_build_check_and_show(run, tmp_path, grid):
    built = run("build")
    assert "nodes_3d.h5: 100 nodes" in built and "nodes_5d.h5: 11 nodes" in built
    folder = tmp_path / "data/pack"
    assert sorted(entry.name for entry in folder.iterdir()) == ["nodes_3d.h5", "nodes_5d.h5"]
    assert not list((tmp_path / "data/work/pack").iterdir())
    np.testing.assert_allclose(read_pack(folder / "nodes_3d.h5").flux, grid.flux, rtol=1e-4)
    assert read_pack(folder / "nodes_5d.h5").lattice == tiny_5d()
    checked = run("check", "--sample", "3", "--seed", "9").splitlines()
    assert len(checked) == 2 and all("3 nodes synthesised again differ by at most" in line for line in checked)


def test_show_lists_what_is_missing_of_the_published_lattice(run):
    run("build", "--grid", "5d")
    shown = run("show", "--grid", "5d")
    assert "code one" in shown and "7100.21 to 8849.79 A" in shown
    assert "nodes            11 of the published 30240" in shown
    assert "without a model  1 nodes of the axes below" in shown
    assert "  T_eff            2   3750, 6000\n    not in it      8   4000, 4250, 4500, 4750," in shown
    assert "  a_M              3   0, 0.25, 0.5\n    not in it      1   -0.25\n" in shown


@pytest.mark.slow
def test_the_bytes_of_a_pack_do_not_depend_on_the_number_of_workers(run, tmp_path, instrument, source):
    hashes = set()
    for workers in ("1", "2"):
        run("build", "--grid", "5d", "--workers", workers, "--folder", workers)
        hashes.add(sha256(tmp_path / workers / "nodes_5d.h5"))
    assert len(hashes) == 1
    assert source.calls == 2  # 11 nodes in two blocks, here; those of the two workers were made elsewhere


def test_a_pack_that_does_not_fit_or_is_absent_exits_with_two(run, source):
    assert "nodes_3d.h5: no such file (a node pack)" in run("check", code=2)
    run("build", "--grid", "3d")
    assert "microturbulence of 2 km/s, asked for is 1 km/s" in run("check", "--microturbulence", "1", code=2)
    source._code = "code two"
    assert "made by source smooth, code code one" in run("check", code=2)


def test_a_build_that_stopped_goes_on(run, source, monkeypatch):
    original = source.spectra

    def failing(labels):
        if source.calls == 4:
            raise DataError("power cut")
        return original(labels)

    monkeypatch.setattr(source, "spectra", failing)
    assert "power cut" in run("build", "--grid", "3d", code=2)
    monkeypatch.setattr(source, "spectra", original)
    run("build", "--grid", "3d")
    assert source.calls == 13  # every block once
