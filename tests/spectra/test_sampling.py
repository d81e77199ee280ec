"""The acceptance tests of the label law, at 20000 draws."""

import numpy as np
import pytest
from scipy.stats import kstest

from repro.errors import ParameterError
from repro.labels import LABELS
from repro.spectra.lattice import Lattice, paper_3d, paper_5d
from repro.spectra.sampling import CONDITIONS, draw, labels_of

N = 20_000


def on_nodes(table, lattice):
    """Which labels are nodes, (n, 5)."""
    return np.stack([np.isin(table[name], nodes) for name, nodes in lattice.axes.items()], axis=1)


@pytest.fixture(scope="module")
def five():
    return draw("paper", N, paper_5d(), 42, "train")


def test_one_axis_in_five_is_off_its_nodes_and_it_is_the_one_named(five):
    off = ~on_nodes(five, paper_5d())
    assert (off.sum(axis=1) == 1).all()
    np.testing.assert_allclose(off.mean(axis=0), 0.2, atol=0.01)
    named = np.array([LABELS.index(name.decode()) for name in five["interp_param"]])
    np.testing.assert_array_equal(off.argmax(axis=1), named)


@pytest.mark.parametrize("name", LABELS)
def test_end_nodes_have_half_weight(five, name):
    nodes = np.array(paper_5d().axes[name])
    snapped = five[name][five["interp_param"] != name.encode()]
    assert abs(len(snapped) / N - 0.8) < 0.01
    share = np.ones(len(nodes))
    share[[0, -1]] = 0.5
    share /= share.sum()
    counts = (snapped[:, None] == nodes).sum(axis=0)
    sigma = np.sqrt(len(snapped) * share * (1 - share))
    assert (np.abs(counts - len(snapped) * share) < 4 * sigma).all()


@pytest.mark.parametrize("name", LABELS)
def test_the_interpolated_value_is_uniform(five, name):
    low, high = paper_5d().axes[name][0], paper_5d().axes[name][-1]
    values = five[name][five["interp_param"] == name.encode()]
    assert low <= five[name].min() and five[name].max() <= high
    assert kstest((values - low) / (high - low), "uniform").pvalue > 1e-3


def test_log_g_has_the_published_spread(five):
    assert abs(five["log_g"].std() - 1.169) < 0.01


def test_continuous_labels_are_uniform_and_independent():
    table = draw("continuous", N, paper_5d(), 42, "train")
    for name, nodes in paper_5d().axes.items():
        assert kstest((table[name] - nodes[0]) / (nodes[-1] - nodes[0]), "uniform").pvalue > 1e-3
    assert abs(table["log_g"].var() - 16 / 12) < 0.03
    assert np.abs(np.corrcoef(labels_of(table).T) - np.eye(5)).max() < 0.03
    assert set(table["interp_param"].tolist()) == {b"all"}


def test_on_the_slice_only_its_three_axes_are_chosen():
    table = draw("paper", N, paper_3d(), 42, "train")
    assert (table["a_M"] == 0).all() and (table["C_M"] == 0).all()
    off = ~on_nodes(table, paper_3d())
    assert (off.sum(axis=1) == 1).all()
    np.testing.assert_allclose(off.mean(axis=0), [1 / 3, 1 / 3, 1 / 3, 0, 0], atol=0.015)


def test_observing_conditions_follow_their_laws(five):
    for name, (low, high) in {"mag": (20.5, 22.5), **CONDITIONS}.items():
        assert kstest((five[name] - low) / (high - low), "uniform").pvalue > 1e-3
    assert (five["moon_phase"] == 0).all() and np.isnan(five["snr"]).all()
    assert len(np.unique(five["random_seed"])) == N
    np.testing.assert_array_equal(five["id"], np.arange(N))


def test_a_record_depends_on_seed_split_and_number_alone():
    names = [name for name in draw("paper", 1, paper_3d(), 7, "val").dtype.names if name != "snr"]
    long, short = draw("paper", 500, paper_3d(), 7, "val"), draw("paper", 50, paper_3d(), 7, "val")
    for name in names:
        np.testing.assert_array_equal(long[name][:50], short[name])
    for other in (draw("paper", 50, paper_3d(), 8, "val"), draw("paper", 50, paper_3d(), 7, "test")):
        assert not (other["mag"] == short["mag"]).any()
        assert not np.isin(other["random_seed"], long["random_seed"]).any()


def test_labels_conditions_and_seeds_are_drawn_independently():
    base = draw("paper", 50, paper_3d(), 7, "val")
    fainter = draw("paper", 50, paper_3d(), 7, "val", magnitudes=(23.0, 23.0))
    assert (fainter["mag"] == 23.0).all()
    other_law = draw("continuous", 50, paper_5d(), 7, "val")
    for name in ("T_eff", "seeing", "random_seed"):
        np.testing.assert_array_equal(base[name], fainter[name])
    for name in ("mag", "seeing", "target_zenith_angle", "random_seed"):
        np.testing.assert_array_equal(base[name], other_law[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "beta"}, "mode 'beta'"),
        ({"split": "holdout"}, "split 'holdout'"),
        ({"n": 0}, "cannot draw 0 spectra"),
        ({"magnitudes": (22.0, 21.0)}, "not in order"),
        ({"magnitudes": (float("nan"), 21.0)}, "not in order"),
        ({"lattice": Lattice(dict.fromkeys(LABELS, (0.0,)))}, "0 free axes"),
    ],
)
def test_impossible_recipes_are_refused(change, message):
    arguments = {"mode": "paper", "n": 5, "lattice": paper_3d(), "seed": 1, "split": "train"} | change
    with pytest.raises(ParameterError, match=message):
        draw(**arguments)
