"""V1's estimate on samples where the answer is known: where it works, where it fails, and that the control does not."""

from dataclasses import fields

import numpy as np
import pytest
from scipy.spatial import KDTree

from repro.bounds import neighbours
from repro.bounds.fisher import fisher_information, marginal
from repro.bounds.neighbours import NeighbourTable, neighbour_table, regularised_bound, sided_neighbours
from repro.errors import DataError
from repro.files import sha256
from repro.labels import LABELS
from repro.scores.neighbours import summarise_neighbours
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import draw

PIXELS = 61
AXES = {
    "T_eff": (4000.0, 4250.0, 4500.0, 4750.0, 5000.0),
    "log_g": (1.0, 1.5, 2.0, 2.5, 3.0),
    "M_H": (-1.0, -0.75, -0.5, -0.25, 0.0),
}
SOLAR = {"a_M": (0.0,), "C_M": (0.0,)}
WHOLE = {"a_M": (-0.25, 0.0, 0.25), "C_M": (-0.25, 0.0, 0.25)}
SCALE = np.array([250.0, 0.5, 0.25, 0.25, 0.25])


def spectra(labels, curvature=0.01):
    """(n, 5) -> (n, P): every label has its own pattern, of equal size per lattice step, about a median of 0.5."""
    rng = np.random.default_rng(8)
    patterns = rng.normal(size=(5, PIXELS))
    patterns[:, PIXELS // 2 - 3 : PIXELS // 2 + 4] = 0.0
    base = np.linspace(0.1, 0.9, PIXELS)
    offset = (labels - np.array([4500.0, 2.0, -0.5, 0.0, 0.0])) / SCALE
    return (base + 0.002 * offset @ patterns + 0.002 * curvature * offset**2 @ patterns[::-1]).astype(np.float32)


def grid_of(lattice):
    return NodeGrid(
        lattice, np.arange(PIXELS), spectra(lattice.labels), np.full(lattice.size, -20.0), "patterns", "", 2.0
    )


def estimate(labels, lattice, **options):
    error = np.full((len(labels), PIXELS), 0.01, dtype=np.float32)
    return neighbour_table(spectra(labels), error, labels, grid_of(lattice), **options)


def sample_of(lattice, count):
    table = draw("paper", count, lattice, 3, "train")
    return np.stack([table[name] for name in LABELS], axis=1)


def spread(values):
    return np.percentile(values[np.isfinite(values)], (10.0, 50.0, 90.0))


def test_on_a_regular_lattice_v1_gives_the_lattice_s_own_secants():
    lattice = Lattice({**AXES, **SOLAR})
    table = estimate(np.concatenate([lattice.labels, lattice.labels + 0.0]), lattice, controls=10)
    assert table.succeeded.sum() == 2 * 3**3  # neighbours on both sides: the inner nodes
    np.testing.assert_allclose(table.crlb[table.succeeded], table.lattice_crlb[table.succeeded], rtol=1e-3)
    np.testing.assert_allclose(table.span[table.succeeded], [[50.0, 10.0, 10.0]] * 54)
    assert not table.other_abundances.any() and np.isnan(table.crlb[~table.succeeded]).all()


@pytest.fixture(scope="module")
def on_lines():
    """V1 on samples drawn as the papers drew theirs, with fixed and with free abundances."""
    return {
        name: estimate(sample_of(lattice, 2500), lattice, controls=200)
        for name, lattice in (("fixed", Lattice({**AXES, **SOLAR})), ("free", Lattice({**AXES, **WHOLE})))
    }


def test_lines_of_a_lattice_alone_leave_the_information_right(on_lines):
    """With fixed abundances the nearest spectra lie on the line itself: the label difference is small but harmless."""
    table = on_lines["fixed"]
    low, middle, high = spread(table.information / table.lattice_information)
    assert low > 0.99 and middle == pytest.approx(1.0, abs=0.005) and high < 1.02
    assert spread(table.crlb / table.lattice_crlb)[1] == pytest.approx(1.0, abs=0.01)
    values = summarise_neighbours(table)
    assert values["V1/cause/share_other_abundances"] == 0.0 and abs(values["V1/cause/slope"]) < 0.05


def test_abundances_that_differ_between_neighbours_are_what_breaks_it(on_lines):
    table = on_lines["free"]
    values = summarise_neighbours(table)
    assert values["V1/cause/share_other_abundances"] > 0.8
    assert values["V1/cause/information_ratio_median"] > 10.0 and values["V1/crlb_ratio_median"] < 0.5
    # the flux difference stays while the label difference shrinks: information goes as its inverse square
    assert values["V1/cause/slope"] == pytest.approx(-2.0, abs=0.5) and values["V1/cause/correlation"] < -0.7
    assert values["V1/cause/information_ratio_median_near"] > 50 * values["V1/cause/information_ratio_median_far"]
    same = table.succeeded & ~table.other_abundances[:, 1]
    assert same.sum() > 30
    assert np.median(table.information[same] / table.lattice_information[same]) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("name", ["fixed", "free"])
def test_regression_on_the_same_sample_finds_the_lattice_s_bound(on_lines, name):
    table = on_lines[name]
    low, middle, high = spread(table.control_crlb / table.control_lattice_crlb)
    assert 0.99 < low < high < 1.01 and middle == pytest.approx(1.0, abs=2e-3)


def test_continuous_labels_would_not_have_saved_it():
    """One pair of spectra may serve two axes there: the information is right in order, the matrix is singular."""
    lattice = Lattice({**AXES, **SOLAR})
    labels = np.zeros((1500, 5))
    rng = np.random.default_rng(0)
    labels[:, :3] = [4500.0, 2.0, -0.5] + rng.uniform(-1.0, 1.0, size=(1500, 3)) * [60.0, 0.6, 0.3]
    table = estimate(labels, lattice, controls=100)
    assert 1.0 < spread(table.information / table.lattice_information)[1] < 3.0
    assert spread(table.crlb / table.lattice_crlb)[1] > 100.0
    low, _, high = spread(table.control_crlb / table.control_lattice_crlb)
    assert low > 0.99 and high < 1.01


def test_neighbours_are_those_of_a_tree_on_each_side():
    labels = sample_of(Lattice({**AXES, **WHOLE}), 300)
    pairs, found = sided_neighbours(labels)
    scaled = labels[:, :3] / list(neighbours.STEPS.values())
    for row in range(0, 300, 17):
        for axis in range(3):
            sides = [np.flatnonzero(sign * (labels[:, axis] - labels[row, axis]) > 0.0) for sign in (-1.0, 1.0)]
            assert found[row, axis] == all(side.size for side in sides)
            for side, beyond in enumerate(sides if found[row, axis] else []):
                nearest = KDTree(scaled[beyond]).query(scaled[row])[0]
                assert np.linalg.norm(scaled[pairs[row, axis, side]] - scaled[row]) == pytest.approx(nearest)


def test_regularised_bound_is_the_schur_complement_with_v1_s_constants():
    rng = np.random.default_rng(1)
    jacobian = rng.normal(size=(30, 3, 50)) * np.array([1e-3, 1.0, 2.0])[:, None]
    information = fisher_information(jacobian, np.ones((30, 50)))
    got, plain = regularised_bound(information), marginal(information, 1)
    # the ridge matters where a label is in K: 1e-10 beside an information of 5e-5
    np.testing.assert_allclose(got["crlb"], plain.crlb, rtol=1e-5)
    np.testing.assert_allclose(got["schur"], plain.schur, rtol=1e-5)
    np.testing.assert_allclose(got["condition"], plain.condition_raw, rtol=1e-4)
    nothing = regularised_bound(np.zeros((1, 3, 3)))
    assert nothing["crlb"][0] == pytest.approx(1e10) and nothing["schur"][0] == pytest.approx(1.0)


def test_a_table_survives_its_file_and_keeps_the_counts(on_lines, tmp_path):
    table = on_lines["free"]
    table.write(tmp_path / "a.h5")
    read = NeighbourTable.read(tmp_path / "a.h5")
    for entry in fields(NeighbourTable):
        np.testing.assert_array_equal(getattr(read, entry.name), getattr(table, entry.name))
    read.write(tmp_path / "b.h5")
    assert sha256(tmp_path / "a.h5") == sha256(tmp_path / "b.h5")
    values = summarise_neighbours(read)
    assert values["V1/n_labels"] == 2500 and values["V1/n_succeeded"] == table.succeeded.sum()
    # a fifth of the spectra has a log g of its own; the others share the five nodes
    assert values["V1/n_unique_log_g"] == pytest.approx(2500 / 5 + 5, abs=80)
    assert values["V1/r2max_median"] == np.median(np.clip(1.0 - 0.6 * table.crlb[table.succeeded], 0.0, 1.0))


def test_too_small_a_sample_is_refused():
    lattice = Lattice({**AXES, **SOLAR})
    with pytest.raises(DataError, match="125 spectra: a local regression .* takes 128"):
        estimate(lattice.labels, lattice)


def test_progress_and_noise_level():
    lattice, seen = Lattice({**AXES, **SOLAR}), []
    labels = np.repeat(lattice.labels, 2, axis=0)
    single = estimate(labels, lattice, controls=5, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(64, 250), (128, 250), (192, 250), (250, 250)]
    double = estimate(labels, lattice, noise_level=2.0, controls=5)
    np.testing.assert_allclose(double.lattice_crlb, 4.0 * single.lattice_crlb, rtol=1e-12)
    assert double.conditions["noise"] == 2.0
