"""The one noise draw of all arms: every way to it shows the common presentations."""

import numpy as np
import pytest
import torch

from repro.experiments import data as module
from repro.experiments.data import Data
from repro.spectra.presentation import observed_stars, present
from repro.spectra.store import open_set
from repro.training.spectra import FixedSpectra, StoredSpectra, blocks
from tests.experiments.small import SIZES, small_data, write_sets


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture
def data(folder):
    return Data(folder, 42, 2.0)


def whole(source, rows=16):
    return torch.cat([block for _, block in blocks(source, 0, rows)]).numpy()


@pytest.mark.parametrize(("level", "run"), [(0.5, 0), (1.0, 2), (0.0, 1)])
def test_training_spectra_are_the_common_presentations(data, level, run):
    with open_set(data.path("train")) as stars:
        rows = slice(0, 20)
        expected = present(stars, "train", 42 + run, 2.0 * level, rows).x if level else stars.read(rows)[0]
    assert (data.noisy(level, 20, run) == expected).all()
    for source in (data.source(level, 20, run), data.resident(level, 20, run), data.shown(level, 20, run)):
        assert source.shape == expected.shape
        assert (whole(source) == expected).all()


def test_validation_and_test_stars_have_one_presentation(data):
    stars = observed_stars(data.path("test"), 42, 2.0)
    assert (data.test_flux(1.0) == stars.x).all()
    assert (data.test_error(1.0) == stars.error).all()
    assert (data.stars.x == stars.x).all()
    with open_set(data.path("val")) as stars:
        expected = present(stars, "val", 42, 1.0, slice(0, SIZES["val"]))
    validation = data.validation(0.5)
    assert (validation.flux == expected.x).all()
    assert (validation.error == expected.error).all()
    assert (validation.y == expected.table["log_g"]).all()


def test_levels_share_deviates_and_runs_do_not():
    data = small_data()
    clean, error = data.train.flux, data.train.error
    deviates = [(data.noisy(level, 50) - clean[:50]) / (2.0 * level * error[:50]) for level in (0.5, 2.0)]
    assert np.abs(deviates[0] - deviates[1]).max() < 1e-3  # float32 flux of 0.5 under errors of 0.05
    assert np.abs(np.mean(deviates[0])) < 0.1
    assert np.std(deviates[0]) == pytest.approx(1.0, abs=0.05)
    other = (data.noisy(2.0, 50, run=1) - clean[:50]) / (4.0 * error[:50])
    assert abs(np.corrcoef(other.ravel(), deviates[1].ravel())[0, 1]) < 0.1
    # run 0 after run 1, whose deviates took the place of the first
    assert (data.noisy(2.0, 50) == small_data().noisy(2.0, 50)).all()
    assert (data.noisy(0.0, 50) == clean[:50]).all()


def test_nobody_alters_what_others_see():
    data = small_data()
    for flux in (data.noisy(0.0, 5), data.noisy(1.0, 5), data.test_flux(0.0), data.test_flux(1.0)):
        flux[:] = 0.0
    again = small_data()
    for level in (0.0, 1.0):
        assert (data.noisy(level, 5) == again.noisy(level, 5)).all()
        assert (data.test_flux(level) == again.test_flux(level)).all()


def test_held_out_spectra_are_the_last_of_the_training_set():
    data = small_data()
    held = data.held_out(1.0, 30)
    assert (held.flux == data.noisy(1.0, 200)[-30:]).all()
    assert (held.y == data.y[-30:]).all()


def test_a_set_too_large_to_remember_shows_the_same(data, folder, monkeypatch):
    assert isinstance(data.shown(1.0, 20), FixedSpectra)
    kept = data.noisy(1.0, 20), data.test_flux(1.0)
    monkeypatch.setattr(module, "_REMEMBERED", 1000)
    large = Data(folder, 42, 2.0)
    assert isinstance(large.shown(1.0, 20), StoredSpectra)
    assert (large.noisy(1.0, 20) == kept[0]).all()
    assert (large.test_flux(1.0) == kept[1]).all()


def test_the_digest_tells_data_apart(data, folder, tmp_path):
    assert data.digest == Data(folder, 42, 2.0).digest
    assert data.digest != Data(folder, 43, 2.0).digest
    assert data.digest != Data(folder, 42, 1.0).digest
    assert data.y.tolist() == data.train.y.tolist()
