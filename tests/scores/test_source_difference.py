"""Rank by rank, a known change of a known distribution is found where it was made."""

from dataclasses import replace

import numpy as np
import pytest

from repro.scores.published import PAPER_3D, PAPER_5D
from repro.scores.source_difference import rank_difference, summarise_difference
from repro.spectra.lattice import paper_3d, paper_5d
from tests.plots.ceiling_tables import ceiling_table

ROW = 2  # magnitude 21.5


@pytest.fixture(scope="module")
def table():
    """Bounds with exactly the published distribution."""
    return ceiling_table(paper_3d(), PAPER_3D)


def values_of(table, quantile=PAPER_3D.quantile):
    return summarise_difference(rank_difference(table, ROW, quantile), "x")


def test_the_published_distribution_differs_from_itself_by_nothing(table):
    difference = rank_difference(table, ROW, PAPER_3D.quantile)
    np.testing.assert_allclose(difference.log_ratio, 0.0, atol=1e-12)
    assert difference.upper.sum() == 126
    assert values_of(table)["x/mean_ratio"] == pytest.approx(1.0)


def test_a_factor_on_all_bounds_is_found_at_every_rank(table):
    values = values_of(replace(table, crlb=0.8 * table.crlb))
    for part in ("median", "lower_half", "upper_tenth"):
        assert values[f"x/log_ratio_{part}"] == pytest.approx(np.log10(0.8))
    assert values["x/mean_ratio"] == pytest.approx(0.8)
    # the change of the mean is shared as the mean itself
    assert values["x/upper_tenth_share_of_change"] == pytest.approx(values["x/upper_tenth_share_of_mean"])


def test_a_change_of_the_tail_alone_is_found_in_the_tail_and_at_its_place(table):
    bound = table.crlb[ROW]
    tail = bound > np.sort(bound)[-127]
    values = values_of(replace(table, crlb=table.crlb * np.where(tail, 1.5, 1.0)))
    assert values["x/log_ratio_median"] == pytest.approx(0.0, abs=1e-12)
    assert values["x/log_ratio_upper_tenth"] == pytest.approx(np.log10(1.5))
    assert values["x/upper_tenth_share_of_change"] == pytest.approx(1.0)
    metals, temperature = table.label("M_H")[tail], table.label("T_eff")[tail]
    assert values["x/upper_tenth_metal_poor"] == pytest.approx(np.mean(metals <= -1.5))
    assert values["x/upper_tenth_T_eff_median"] == np.median(temperature)


def test_cells_hold_means_of_their_nodes_and_empty_ones_nothing(table):
    lost = (table.label("T_eff") == 4000.0) & (table.label("M_H") == -2.0)
    identifiable = np.broadcast_to(~lost, table.crlb.shape)
    difference = rank_difference(replace(table, identifiable=identifiable), ROW, PAPER_3D.quantile)
    metals, temperature, means = difference.per_cell(difference.crlb, "M_H", "T_eff")
    assert means.shape == (14, 10) and np.isnan(means).sum() == 1
    inside = (table.label("T_eff") == 5000.0) & (table.label("M_H") == -0.5)
    place = np.flatnonzero(metals == -0.5)[0], np.flatnonzero(temperature == 5000.0)[0]
    assert means[place] == pytest.approx(table.crlb[ROW, inside].mean())


def test_no_bound_at_all_gives_no_value(table):
    nothing = replace(table, identifiable=np.zeros(table.crlb.shape, dtype=bool))
    assert values_of(nothing) == {}


def test_a_grid_that_leaves_nodes_out_is_compared_as_the_whole_one():
    whole = ceiling_table(paper_5d(), PAPER_5D)
    metals, carbon = whole.label("M_H"), whole.label("C_M")
    kept = np.isin(metals, (-2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.75)) & np.isin(carbon, (-0.75, -0.25, 0.0, 0.5))
    shape = {"labels": whole.labels[kept], "crlb": whole.crlb[:, kept], "identifiable": whole.identifiable[:, kept]}
    thinned = replace(whole, **shape)
    assert values_of(thinned, PAPER_5D.quantile)["x/mean_ratio"] == pytest.approx(1.0, abs=0.05)
    # the nodes left are metal poorer on average: counted alike they would not agree
    assert abs(thinned.crlb[ROW].mean() / whole.crlb[ROW].mean() - 1.0) > 0.1


def test_published_3d_and_5d_differ_as_their_medians_do(table):
    difference = rank_difference(table, ROW, PAPER_5D.quantile)
    middle = np.argmin(np.abs(difference.rank - 0.5))
    assert 10.0 ** difference.log_ratio[middle] == pytest.approx(0.181 / 0.2097, abs=0.015)
