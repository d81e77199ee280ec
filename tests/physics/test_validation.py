"""The synthesizer against spectra of others (REPRO_VALIDATION_DIR); nothing was fitted to them."""

from pathlib import Path

import pytest

from benchmarks.accuracy import bosz, pfs_example, turbospectrum


def test_labelled_bosz_spectra(validation_dir: Path) -> None:
    """30 BOSZ 2017 spectra (ATLAS9, SYNTHE) at R = 5000, 8000-8850 A."""
    found = bosz(validation_dir)
    assert found["rms"] <= 0.0056
    assert found["dF/dlogg correlation mean"] >= 0.96
    assert found["dF/dlogg correlation worst"] >= 0.93
    assert 0.9 <= found["dF/dlogg amplitude"] <= 1.1
    assert found["dF/d[M/H] correlation mean"] >= 0.98


@pytest.mark.parametrize("star", ["sun", "g5000", "arc"])
def test_turbospectrum(validation_dir: Path, star: str) -> None:
    assert turbospectrum(validation_dir, star) <= 0.005


@pytest.mark.slow
@pytest.mark.parametrize(("index", "rms"), [(4742, 0.0013), (576, 0.0023)])
def test_examples_of_the_original_data_set(validation_dir: Path, index: int, rms: float) -> None:
    """Five free labels, no continuum polynomial."""
    assert pfs_example(validation_dir, index)[0] <= rms
