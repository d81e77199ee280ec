"""Evidence from bounds at stars: definitions by hand, bins, resamples, and bounds that do not exist."""

import numpy as np
import pytest

from repro.bounds.leak_table import LeakTable
from repro.bounds.star_table import StarBounds
from repro.bounds.van_trees_table import VanTreesTable
from repro.scores.bins import FEWEST
from repro.scores.bootstrap import resamples
from repro.scores.stars import error_over_bound, local_prior, summarise_leak, summarise_stars

N = 120


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    labels = np.column_stack([rng.uniform(4000, 6000, N), rng.uniform(1, 5, N), *np.zeros((3, N))])
    crlb = rng.lognormal(-1.0, 1.0, N)
    return StarBounds(
        target="log_g",
        free=("T_eff", "log_g", "M_H", "a_M", "C_M"),
        stars=np.arange(N),
        labels=labels,
        mag=rng.uniform(20.5, 22.5, N),
        snr=np.where(np.arange(N) < 5, 20.0, rng.uniform(2.6, 12.0, N)),
        crlb=crlb,
        crlb_3d=0.8 * crlb,
        conditional=0.5 * crlb,
        schur=np.full(N, 0.5),
        correlations=np.zeros((N, 5)),
        crlb_flux=0.9 * crlb,
        error_scatter=np.array([1e-3, 1.0]),
        crlb_error=np.array([1e-2 * crlb, 0.89 * crlb]),
    )


def test_definitions_over_all_stars_and_their_resamples(table):
    values = summarise_stars(table)
    truth, crlb = table.labels[:, 1], table.crlb
    v = np.var(truth)
    assert values["5D/test_set/r2_aggregate"].value == pytest.approx(1.0 - crlb.mean() / v)
    assert values["5D/test_set/r2_local_prior"].value == pytest.approx(1.0 - np.mean(crlb / (crlb + v)))
    assert values["5D/test_set/r2_min"].value == pytest.approx(1.0 - np.mean(np.where(crlb < v, crlb, v)) / v)
    assert values["5D/test_set/sigma_median"].value == pytest.approx(np.median(crlb**0.5))
    assert values["5D/test_set/crlb_ratio_to_3d_median"].value == pytest.approx(1.25)
    rows = resamples(N)[7]
    again = 1.0 - crlb[rows].mean() / np.var(truth[rows])
    assert values["5D/test_set/r2_aggregate"].replicates[7] == pytest.approx(again)


def test_knowledge_orders_the_values(table):
    values = {address: value for address, value in summarise_stars(table).items() if "local_prior" in address}
    order = ["5D/test_set", "leak/1", "leak/0.001"]
    scores = [values[f"{place}/r2_local_prior"].value for place in order]
    assert scores == sorted(scores) and scores[2] > 0.99
    assert values["3D/test_set/r2_local_prior"].value > values["5D/test_set/flux/r2_local_prior"].value > scores[0]


def test_bins_use_their_own_variance_and_small_ones_are_left_out(table):
    values = summarise_stars(table)
    members = (table.mag >= 21.0) & (table.mag < 21.5)
    v, crlb = np.var(table.labels[members, 1]), table.crlb[members]
    assert values["5D/test_set/mag_21_21.5/r2_local_prior"].value == pytest.approx(np.mean(v / (crlb + v)))
    assert values["5D/test_set/snr_18_28/n"] == 5.0 < FEWEST
    assert "5D/test_set/snr_18_28/r2_local_prior" not in values


def test_a_star_without_a_bound_counts_as_unknown(table):
    from dataclasses import replace

    lost = np.arange(N) == 3
    values = summarise_stars(replace(table, crlb=np.where(lost, np.nan, table.crlb)))
    v = np.var(table.labels[:, 1])
    expected = np.where(lost, 0.0, v / (table.crlb + v)).mean()
    assert values["5D/test_set/r2_local_prior"].value == pytest.approx(expected)
    assert values["5D/test_set/r2_aggregate"].value == -np.inf
    assert values["5D/test_set/n_not_identifiable"] == 1.0


def test_local_prior_is_the_r2_of_the_posterior_mean_of_gaussian_stars():
    """Monte Carlo: g ~ N(0, V), seen with variance C, estimated by its posterior mean g' V / (V + C)."""
    rng, v = np.random.default_rng(1), 1.4
    crlb = rng.lognormal(-1.0, 1.0, 200_000)
    g = np.sqrt(v) * rng.normal(size=crlb.size)
    mean = (g + np.sqrt(crlb) * rng.normal(size=crlb.size)) * v / (v + crlb)
    assert local_prior(crlb, v) == pytest.approx(1.0 - np.mean((mean - g) ** 2) / v, abs=3e-3)


def test_a_leak_counts_what_is_right_apart_from_what_is_found():
    labels = np.tile([5000.0, 3.0, 0.0, 0.0, 0.0], (4, 1))
    labels[:, 1] = (1.0, 2.0, 4.0, 5.0)
    found = labels.copy()
    found[2, 0] += 500.0  # another star of the same gravity
    found[3] = (4875.0, 3.0, -0.875, 0.125, -0.125)
    identified = np.array([True, True, True, False])
    table = LeakTable("log_g", np.arange(4), labels, np.zeros(4), found, np.zeros(4), np.full(4, 1e-8), identified)
    values = summarise_leak(table)
    assert values["leak/share_identified"].value == 0.75 and values["leak/share_right"].value == 0.5
    assert values["mmse/flux+error/r2"].value == pytest.approx(1.0 - 1.0 / np.var([1.0, 2.0, 4.0, 5.0]))
    assert values["leak/largest_error"] == 2.0


def test_errors_are_held_against_the_bound_only_where_the_populations_agree():
    law = {"law": np.zeros((2, 3)), "law_weights": np.array([0.25, 0.75]), "law_box": np.array([0.2, 0.4])}
    rest = dict.fromkeys(("magnitudes", "box", "taper", "unbiased"), np.zeros(1))
    table = VanTreesTable("log_g", ("log_g",), 1.3, 0.5, **rest, **law, law_taper=np.ones(2), law_unbiased=np.ones(2))
    assert error_over_bound(table, 0.42, "continuous") == pytest.approx(1.2)
    assert np.isnan(error_over_bound(table, 0.42, "paper"))
