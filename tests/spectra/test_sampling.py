"""The acceptance tests of the label law, at 20000 draws."""

import numpy as np
import pytest
from scipy.stats import kstest

from repro.errors import DataError, ParameterError
from repro.labels import LABELS
from repro.spectra.interpolate import bracketed
from repro.spectra.lattice import Lattice, pack_5d, paper_3d, paper_5d
from repro.spectra.sampling import CONDITIONS, draw, draw_counted, labels_of

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


HOLES = Lattice(
    {"T_eff": (4000.0, 4500.0, 5500.0), "log_g": (1.0, 2.0, 3.0), "M_H": (0.0,), "a_M": (0.0,), "C_M": (0.0,)},
    (0, 1, 4),  # T_eff 4000 keeps one log g, T_eff 4500 the outer two
)


def test_on_holes_the_whole_sample_is_drawn_again():
    """The law is that of the whole lattice, given that there are models on both sides."""
    whole = Lattice(HOLES.axes)
    table, redraws = draw_counted("paper", N, HOLES, 5, "train")
    t, g, along = table["T_eff"], table["log_g"], table["interp_param"]
    at_4000 = (along == b"log_g") & (t == 4000.0)
    assert not at_4000.any()  # that line has one model
    assert ((along == b"log_g") & (t == 4500.0)).any()  # across the hole between the outer two
    for gravity, coolest in ((1.0, 4500.0), (2.0, 5500.0), (3.0, 4000.0)):
        line = t[(along == b"T_eff") & (g == gravity)]
        assert line.size == 0 if coolest == 5500.0 else line.min() >= coolest
    first = draw("paper", N, whole, 5, "train")
    fits = bracketed(HOLES, first["interp_param"].astype(str), labels_of(first))
    np.testing.assert_array_equal(labels_of(first)[fits], labels_of(table)[fits])
    share = 1.0 - fits.mean()
    assert 0.2 < share < 0.6
    expected = N * share / (1.0 - share)  # geometric series
    assert abs(redraws - expected) < 4 * np.sqrt(expected / (1.0 - share))
    mean, error = t[fits].mean(), t[fits].std() / np.sqrt((~fits).sum())
    assert abs(t[~fits].mean() - mean) < 4 * error  # the redrawn follow the same law


def test_a_redrawn_record_depends_on_its_number_alone():
    long, short = draw("paper", 500, HOLES, 7, "val"), draw("paper", 50, HOLES, 7, "val")
    np.testing.assert_array_equal(labels_of(long)[:50], labels_of(short))
    np.testing.assert_array_equal(long["interp_param"][:50], short["interp_param"])


def test_lattices_that_cannot_be_sampled_are_refused():
    with pytest.raises(DataError, match="sampling mode `continuous` needs every node of the lattice; 3 of 9 have no"):
        draw("continuous", 5, HOLES, 1, "train")
    diagonal = Lattice({**HOLES.axes}, (1, 2, 3, 5, 6, 7))
    with pytest.raises(DataError, match="no line with models on both sides"):
        draw("paper", 5, diagonal, 1, "train")


@pytest.mark.parametrize("name", LABELS)
def test_on_unequal_steps_a_node_weighs_its_share_of_the_axis(name):
    table = draw("paper", N, pack_5d(), 42, "train")
    nodes = np.array(pack_5d().axes[name])
    snapped = table[name][table["interp_param"] != name.encode()]
    edges = np.concatenate([nodes[:1], 0.5 * (nodes[1:] + nodes[:-1]), nodes[-1:]])
    share = np.diff(edges) / (nodes[-1] - nodes[0])
    counts = (snapped[:, None] == nodes).sum(axis=0)
    assert (np.abs(counts - len(snapped) * share) < 4 * np.sqrt(len(snapped) * share * (1 - share))).all()
