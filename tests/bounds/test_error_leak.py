"""Stars are found from error arrays alone, and only where these say which star it is."""

import h5py
import numpy as np
import pytest

from repro.bounds import error_reader
from repro.bounds.error_leak import read_errors
from repro.bounds.error_reader import IDENTIFIED, ErrorReader
from repro.bounds.leak_table import LeakTable
from repro.bounds.line_search import LineSearch
from repro.errors import ParameterError
from repro.instrument.noise import NoiseModel
from repro.scores.stars import summarise_leak
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.sampling import labels_of
from repro.spectra.store import open_set

N = 16


@pytest.fixture(scope="module")
def noise():
    return NoiseModel("paper")


@pytest.fixture(scope="module")
def stars(grid, noise, tmp_path_factory):
    path = tmp_path_factory.mktemp("leak") / "test.h5"
    generate_set(grid, SetRecipe("paper", N, "test", 8, (38.0, 40.0)), noise, path)  # faint for these spectra
    return path


@pytest.fixture(scope="module")
def table(grid, noise, stars):
    with open_set(stars) as opened:
        return read_errors(grid, opened, noise)


def test_every_star_is_found_with_its_labels_and_magnitude(table):
    assert table.identified.all() and table.rms.max() < IDENTIFIED
    assert np.median(table.rms) < 4e-8  # nothing but the rounding to float32
    np.testing.assert_allclose(table.found_labels, table.labels, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(table.found_mag, table.mag, atol=1e-4)
    values = summarise_leak(table)
    assert values["mmse/flux+error/r2"].value > 1.0 - 1e-8
    assert values["leak/share_identified"].value == values["leak/share_right"].value == 1.0


@pytest.fixture
def few_tries(monkeypatch):
    """Where nothing fits, the search goes through all its starts."""
    monkeypatch.setattr(error_reader, "_CANDIDATES", (4,))
    monkeypatch.setattr(error_reader, "_RESCAN", 3)


def test_errors_without_information_identify_no_star(grid, noise, stars, few_tries):
    """A constant array, the error of another star's pixels in disorder, and one with a little noise of its own."""
    with open_set(stars) as opened:
        error = opened.read(slice(0, 2))[1]
    rng = np.random.default_rng(4)
    constant = np.full_like(error[:1], np.median(error[0]))
    disorder = rng.permutation(error[0])[None]
    rough = error[1:] * (1.0 + 1e-3 * rng.normal(size=error[1:].shape)).astype(np.float32)
    reading = ErrorReader(grid, noise)(np.concatenate([constant, disorder, rough, error[1:]]))
    np.testing.assert_array_equal(reading.identified, [False, False, False, True])
    assert reading.rms[2] == pytest.approx(1e-3, rel=0.05)


def test_stars_not_identified_count_with_the_middle_of_the_axis_not_with_the_truth(
    grid, noise, stars, tmp_path, few_tries
):
    constant = tmp_path / "constant.h5"
    constant.write_bytes(stars.read_bytes())
    with h5py.File(constant, "a") as file:
        file["error"][...] = np.median(file["error"][...], axis=1, keepdims=True)
    with open_set(constant) as opened:
        blind = read_errors(grid, opened, noise, limit=4)
    assert not blind.identified.any() and np.isnan(blind.found_mag).all()
    np.testing.assert_array_equal(blind.estimate, 3.0)
    values = summarise_leak(blind)
    assert values["mmse/flux+error/r2"].value <= 0.0 and values["leak/share_identified"].value == 0.0


def test_one_star_alone_is_read_as_among_others(grid, noise, stars, table):
    with open_set(stars) as opened:
        alone = ErrorReader(grid, noise)(opened.read(slice(5, 6))[1])
    np.testing.assert_allclose(alone.labels[0], table.found_labels[5], rtol=1e-6, atol=1e-6)


def test_the_line_search_finds_the_nearest_point_of_all_lines(grid):
    """Brute force over a fine division of all lines."""
    rng = np.random.default_rng(6)
    places = grid.flux[:, ::97].astype(float) / 1e6
    search = LineSearch(grid.lattice, places, grid.zero_point)
    nodes = grid.lattice.labels
    labels, axis = [], []
    for column, name in ((0, "T_eff"), (1, "log_g"), (2, "M_H")):
        ends = np.array(grid.lattice.axes[name])
        for value in np.linspace(ends[0], ends[-1], 65):
            line = nodes[nodes[:, column] == ends[0]].copy()
            line[:, column] = value
            labels.append(line)
            axis.append(np.full(len(line), name))
    labels, axis = np.concatenate(labels), np.concatenate(axis)
    points = search._on_lines(labels, axis)[:, :-1]
    wanted = points[rng.choice(len(points), 10, replace=False)] + 1e-4 * rng.normal(size=(10, points.shape[1]))
    distance = np.linalg.norm(wanted[:, None] - points, axis=2)
    found, where, _ = search.nearest(wanted, 6)
    best = search._on_lines(found[:, 0], where[:, 0])[:, :-1]
    scale = np.linalg.norm(wanted, axis=1)
    assert (np.linalg.norm(wanted / scale[:, None] - best, axis=1) <= distance.min(axis=1) + 2e-3).all()


def test_sets_off_the_lines_are_refused(grid, noise, tmp_path):
    generate_set(grid, SetRecipe("continuous", 2, "test", 8, (38.0, 40.0)), noise, tmp_path / "set.h5")
    with open_set(tmp_path / "set.h5") as opened, pytest.raises(ParameterError, match="mode 'continuous' do not lie"):
        read_errors(grid, opened, noise)


def test_files_keep_everything(table, stars, tmp_path):
    table.write(tmp_path / "a.h5")
    read = LeakTable.read(tmp_path / "a.h5")
    np.testing.assert_array_equal(read.found_labels, table.found_labels)
    with open_set(stars) as opened:
        np.testing.assert_array_equal(read.labels, labels_of(opened.labels))
