"""Attraction to gravity nodes: none of a smooth law, all of a rounding model, and a calibrated probability."""

import numpy as np
import pytest

from repro.scores.bootstrap import Undefined
from repro.scores.node_lattice import attraction, lattice_items, node_distance, on_node, v_test
from tests.plots.vit_tables import contenders, r2_of, references, with_predictions


def test_distances_to_nodes():
    assert node_distance(np.array([1.0, 1.1, 1.25, 1.49, 4.8])) == pytest.approx([0.0, 0.1, 0.25, 0.01, 0.2])
    assert on_node(np.array([1.5, 1.500001, 1.51], dtype=np.float32).astype(float)).tolist() == [True, True, False]


def test_attraction_of_known_laws():
    assert attraction(np.array([1.0, 2.5, 4.0])) == pytest.approx(1.0)
    assert attraction(np.array([1.25, 2.75])) == pytest.approx(-1.0)
    rng = np.random.default_rng(0)
    smooth = 3.0 + 0.8 * rng.standard_normal(40_000)
    assert abs(attraction(smooth)) < 4.0 / np.sqrt(80_000)
    assert np.mean(node_distance(smooth) < 0.05) == pytest.approx(0.2, abs=0.01)  # as of all phases
    spread = 0.12  # of a normal law about a node: exp(-2 (pi spread / step)^2)
    near = 2.5 + spread * rng.standard_normal(40_000)
    assert attraction(near) == pytest.approx(np.exp(-2.0 * (np.pi * spread / 0.5) ** 2), abs=0.02)


def test_the_probability_is_uniform_without_attraction_and_small_with_it():
    rng = np.random.default_rng(1)
    p = np.array([v_test(attraction(rng.uniform(1.0, 5.0, 60)), 60) for _ in range(1000)])
    for level in (0.05, 0.25, 0.5, 0.9):
        assert np.mean(p < level) == pytest.approx(level, abs=4.0 * np.sqrt(level * (1.0 - level) / 1000))
    assert v_test(0.5, 60) < 1e-6 and v_test(0.0, 60) == pytest.approx(0.5)


@pytest.fixture(scope="module")
def known():
    return contenders(stars=200, choices=True)


def items_of(known):
    return {address: value for address, value, _ in lattice_items(known, references(known).optimum)}


def test_a_network_that_rounds_is_told_from_one_that_does_not(known):
    truth = known.scores.table.truth
    rounded = 0.5 * np.round(2.0 * (truth + 0.1))
    found = items_of(with_predictions(known, "main", rounded))
    assert found["lattice/vit_small/attraction_off"].value == pytest.approx(1.0)
    assert found["lattice/vit_small/near_node_off"].value == 1.0
    assert found["lattice/vit_small/attraction_off_p"] < 1e-6
    smooth = items_of(known)
    assert abs(smooth["lattice/vit_small/attraction_off"].value) < 0.5
    assert smooth["lattice/vit_small/attraction_off_p"] > 1e-3
    assert "lattice/vit_small/law=continuous/noise1/n8000/attraction_off" in smooth
    assert "lattice/optimum/attraction" in smooth


def test_scores_on_and_off_nodes_are_those_of_their_stars(known):
    found, table = items_of(known), known.scores.table
    nodes = on_node(table.truth)
    assert 0.7 < nodes.mean() < 0.9
    predictions = table.predictions[known.scores.rows(known.main)]
    for name, side in (("on_node", nodes), ("off_node", ~nodes)):
        each = [r2_of(table.truth[side], one[side]) for one in predictions]
        assert found[f"lattice/vit_small/{name}/r2"].runs == pytest.approx(each)
    gap = found["lattice/vit_small/r2_gap"]
    assert gap.value == pytest.approx(
        found["lattice/vit_small/on_node/r2"].value - found["lattice/vit_small/off_node/r2"].value
    )


def test_a_law_without_nodes_gives_reasons():
    few = contenders(stars=60)  # twelve stars off the nodes
    found = items_of(few)
    assert found["lattice/vit_small/r2_gap"] == Undefined("12 stars off node, fewer than 20")
    assert isinstance(found["lattice/vit_small/off_node/r2"], Undefined)
