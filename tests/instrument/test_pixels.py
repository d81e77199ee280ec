import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from repro.instrument.pixels import N_PIXELS, STEP, pixel_centres, pixel_edges


def test_the_grid_is_the_documented_one() -> None:
    assert STEP == 0.42724609375
    assert pixel_centres().shape == (4096,) and pixel_edges().shape == (N_PIXELS + 1,)
    assert pixel_centres()[[0, -1]] == pytest.approx([7100.21362, 8849.78638], abs=5e-6)
    assert np.array_equal((pixel_edges()[1:] + pixel_edges()[:-1]) / 2, pixel_centres())


def test_the_grid_is_that_of_the_original_examples() -> None:
    folder = os.environ.get("REPRO_VALIDATION_DIR")
    if not folder or not (path := Path(folder) / "pfs_examples.h5").exists():
        pytest.skip("REPRO_VALIDATION_DIR does not hold pfs_examples.h5")
    with h5py.File(path) as file:
        assert np.array_equal(file["wave"][:], pixel_centres())
