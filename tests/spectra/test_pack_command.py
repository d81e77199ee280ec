import importlib

import numpy as np
import pytest
from click.testing import CliRunner

from repro.cli.main import main
from repro.errors import DataError
from repro.spectra.pack import read_pack


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
        ("repro.spectra.lattice", "paper_3d", lambda: lattice),
    ):
        monkeypatch.setattr(importlib.import_module(module), name, stand_in)

    def run(*arguments, code=0):
        result = CliRunner().invoke(main, ["pack", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    return run


def test_build_check_and_show(run, tmp_path, grid):
    assert "100 nodes" in run("build")
    pack = tmp_path / "data/pack/nodes_ci.h5"
    assert [entry.name for entry in pack.parent.iterdir()] == ["nodes_ci.h5"]
    assert not (tmp_path / "data/work/pack").exists()
    np.testing.assert_allclose(read_pack(pack).flux, grid.flux, rtol=1e-4)
    assert "3 nodes synthesised again differ by at most" in run("check", "--sample", "3", "--seed", "9")
    shown = run("show")
    assert "code one" in shown and "7100.21 to 8849.79 A" in shown
    assert "  T_eff            5   4000 to 6000" in shown


def test_a_pack_that_does_not_fit_or_is_absent_exits_with_two(run, source):
    assert "nodes_ci.h5: no such file (a node pack)" in run("check", code=2)
    run("build")
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
    assert "power cut" in run("build", code=2)
    monkeypatch.setattr(source, "spectra", original)
    run("build")
    assert source.calls == 13  # every block once
