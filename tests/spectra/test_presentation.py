"""Noisy stars: the one presentation that everybody sees."""

import numpy as np
import pytest
import torch

from repro.errors import DataError, ParameterError
from repro.instrument.noise import NoiseModel
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.noise import standard_normal
from repro.spectra.presentation import observed_stars, present
from repro.spectra.store import open_set


@pytest.fixture(scope="module")
def path(grid, tmp_path_factory):
    file = tmp_path_factory.mktemp("set") / "test.h5"
    generate_set(grid, SetRecipe("paper", 24, "test", 5), NoiseModel("paper"), file)
    return file


def test_noise_is_that_of_the_counter_of_each_row(path):
    stars = observed_stars(path, seed=9, noise=2.0, n=20)
    with open_set(path) as file:
        flux, error = file.read(slice(0, 20))
    eps = (stars.x.astype(np.float64) - flux) / (2.0 * error)
    expected = standard_normal(9, "test", 0, torch.arange(20)).numpy()
    np.testing.assert_allclose(eps, expected, atol=2e-5)
    assert stars.x.dtype == stars.error.dtype == np.float32
    np.testing.assert_array_equal(stars.error, np.float32(2.0) * error)
    np.testing.assert_allclose(stars.snr, np.median(flux.astype(float) / (2.0 * error), axis=1), rtol=1e-6)


def test_any_rows_are_presented_alike(path):
    whole = observed_stars(path, seed=9, noise=1.0)
    assert len(whole.x) == 24
    with open_set(path) as file:
        part = present(file, "test", 9, 1.0, slice(7, 13))
    np.testing.assert_array_equal(part.x, whole.x[7:13])
    np.testing.assert_array_equal(part.rows, np.arange(7, 13))
    np.testing.assert_array_equal(whole.part(slice(7, 13)).x, part.x)
    np.testing.assert_array_equal(part.table, whole.table[7:13])
    assert part.labels.shape == (6, 5)


def test_splits_and_epochs_differ(path):
    with open_set(path) as file:
        first, second, other = (
            present(file, split, 9, 1.0, slice(0, 4), epoch).x
            for split, epoch in (("test", 0), ("test", 1), ("val", 0))
        )
        assert (first != second).mean() > 0.99 and (first != other).mean() > 0.99
        with pytest.raises(ParameterError, match="split 'dev'"):
            present(file, "dev", 9, 1.0, slice(0, 4))


def test_an_absent_set_is_named(tmp_path):
    with pytest.raises(DataError, match="none.h5"):
        observed_stars(tmp_path / "none.h5", 9, 1.0)
