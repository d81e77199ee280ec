"""What every test may use. Hypothesis draws the same examples on every run, so that a failure can be repeated."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The working tree under test."""
    return ROOT


@pytest.fixture(scope="session")
def validation_dir() -> Path:
    """Published spectra to compare with, from the folder that REPRO_VALIDATION_DIR names."""
    folder = os.environ.get("REPRO_VALIDATION_DIR")
    if not folder:
        pytest.skip("REPRO_VALIDATION_DIR is not set: it names the folder of the published validation spectra")
    if not Path(folder).is_dir():
        pytest.skip(f"REPRO_VALIDATION_DIR={folder} is not a folder")
    return Path(folder)
