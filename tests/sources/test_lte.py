import shutil
from pathlib import Path

import numpy as np
import pytest

from repro.instrument.observe import Instrument
from repro.sources import lte
from repro.sources.lte import LteSource
from repro.spectra.build import observe_nodes

SUN = np.array([[5750.0, 4.5, 0.0, 0.0, 0.0]])


@pytest.fixture(scope="module")
def sun():
    return observe_nodes(LteSource(), Instrument(), SUN)


def test_a_node_is_observed_on_the_pixels(sun):
    flux, zero_point = sun
    assert flux.shape == (1, 4096) and flux.dtype == np.float32
    # absolute magnitude 4.53 (AB, i; Willmer 2018, ApJS 236, 47), from 10 pc to the surface
    distance = -5.0 * np.log10(10 * 3.0857e18 / 6.957e10)
    assert zero_point[0] == pytest.approx(4.53 + distance, abs=0.1)


def test_the_microturbulence_reaches_the_synthesizer(sun):
    stronger = observe_nodes(LteSource(microturbulence=4.0), Instrument(), SUN)[0]
    assert stronger.mean() < sun[0].mean()  # more turbulence, stronger lines


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the rooms whose code shapes a node."""
    root = Path(lte.__file__).parents[1]
    for room in ("physics", "instrument"):
        shutil.copytree(root / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(lte, "_PACKAGE", tmp_path)
    return tmp_path


def fingerprint():
    lte._fingerprint.cache_clear()
    try:
        return lte._fingerprint()
    finally:
        lte._fingerprint.cache_clear()


def test_the_fingerprint_follows_the_code_that_shapes_a_node(package):
    before = fingerprint()
    assert len(before) == 64

    def append(path, text):
        with open(package / path, "a") as handle:
            handle.write(text)

    append("physics/synthesize.py", "\n# a comment\n")
    append("physics/tables/README.md", "\nA remark.\n")
    append("instrument/noise.py", "\nLOUDER = 2\n")
    assert fingerprint() == before
    changed = [before]
    for path, text in {
        "physics/continuum.py": "\nA = 1\n",
        "physics/molecules/tio.py": "\nA = 1\n",
        "instrument/pixels.py": "\nA = 1\n",
        "physics/tables/hminus.json": " ",
        "instrument/tables/pfs_mr.json": " ",
    }.items():
        append(path, text)
        changed.append(fingerprint())
    assert len(set(changed)) == 6


def test_an_operator_in_the_physics_changes_the_fingerprint(package):
    before = fingerprint()
    path = package / "physics" / "transfer.py"
    code = path.read_text()
    path.write_text(code.replace(" * ", " / ", 1))
    assert fingerprint() != before
    path.write_text(code)
    assert fingerprint() == before
