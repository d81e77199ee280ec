"""Ceilings on R2: published numbers as regression input, hand-made distributions, and the law of the labels."""

import subprocess
import sys

import numpy as np
import pytest

from repro.bounds.table import CeilingTable
from repro.scores.ceilings import aggregate, law_variance, law_weights, local_prior, r2max, snr_at, summarise
from repro.scores.published import PAPER_3D, SNR
from repro.spectra.lattice import Lattice, pack_5d, paper_3d, paper_5d

MAGNITUDES = (18.0, 20.0, 21.5, 22.0, 22.5, 23.0)


def make_table(crlb, lattice, magnitudes=(21.5,), **others):
    """A table of given bounds (M, N) whose other columns hold plain values."""
    crlb = np.atleast_2d(crlb)
    m, n = crlb.shape
    k = len(lattice.free)
    arrays = {
        "crlb_inverse": crlb,
        "crlb_second_order": crlb,
        "crlb_richardson": crlb,
        "crlb_spline": crlb,
        "conditional": 0.7 * crlb,
        "schur": np.full((m, n), 0.7),
        "condition_raw": np.full((m, n), 2e5),
        "condition_scaled": np.full((m, n), 9.0),
        "correlations": np.zeros((m, n, k)),
        "rank": np.full((m, n), k),
        "identifiable": np.isfinite(crlb),
        "snr": np.full((m, n), 7.0),
        "snr_percentiles": np.tile([1.8, 7.1, 8.4], (m, 1)),
        "error_median": np.full(m, 0.07),
        "interior": np.ones(n, dtype=bool),
    }
    return CeilingTable("log_g", lattice.free, np.array(magnitudes), lattice.labels, crlb=crlb, **(arrays | others))


def published_bounds():
    """1260 bounds with the published histogram, spread evenly (in log) inside each bin."""
    edges = np.log10(PAPER_3D.edges)
    inside = [
        10.0 ** (low + (np.arange(n) + 0.5) / n * (high - low))
        for low, high, n in zip(edges[:-1], edges[1:], PAPER_3D.histogram, strict=True)
        if n
    ]
    return np.concatenate(inside)


def test_published_histogram_returns_the_published_numbers():
    assert sum(PAPER_3D.histogram) == 1260
    values = summarise(make_table(published_bounds(), paper_3d()))
    of = {address.removeprefix("3D/21.5/"): value for address, value in values.items()}
    assert of["r2max_mean"] == pytest.approx(0.7369, abs=2e-4)
    assert of["r2max_std"] == pytest.approx(0.3168, abs=3e-4)
    assert of["r2max_median"] == pytest.approx(0.8914, abs=1e-3)
    assert of["r2max_p10"] == pytest.approx(0.048, abs=5e-3)
    assert of["r2max_p90"] == pytest.approx(0.9804, abs=2e-4)
    assert of["sigma_median"] == pytest.approx(0.4255, abs=2e-3)
    assert of["sigma_p10"] == pytest.approx(0.1809, abs=2e-3) and of["sigma_p90"] == pytest.approx(1.2597, abs=5e-3)
    assert of["crlb_span_decades"] == pytest.approx(2.88, abs=0.03)
    # what the same bounds say about a population (derived from the published histogram)
    assert of["r2_aggregate"] == pytest.approx(0.665, abs=5e-4)
    assert of["rmse_min"] == pytest.approx(0.747, abs=5e-4)
    assert of["r2max_share_zero"] == pytest.approx(0.093, abs=1e-3)
    assert values["3D/n_nodes"] == 1260 and values["3D/n_not_identifiable"] == 0
    assert local_prior(published_bounds(), 1.38) == pytest.approx(0.798, abs=5e-4)


def test_published_medians_follow_one_power_law():
    snr = np.stack([np.array(SNR) / 4, SNR, np.array(SNR) * 1.2], axis=1)
    bounds = np.repeat(np.array(PAPER_3D.sigma_median)[:, None] ** 2, 4, axis=1)
    schur = np.repeat(np.array([0.6641, 0.6842, 0.6906, 0.6921, 0.6922, 0.6923])[:, None], 4, axis=1)
    lattice = Lattice({"T_eff": (5000.0,), "log_g": (1.0, 2.0, 3.0, 4.0), "M_H": (0.0,), "a_M": (0.0,), "C_M": (0.0,)})
    values = summarise(make_table(bounds, lattice, MAGNITUDES, snr_percentiles=snr, schur=schur))
    assert values["1D/sigma_snr_slope"] == pytest.approx(-1.017, abs=0.002)
    assert values["1D/snr_at_r2max_half"] == pytest.approx(3.3, abs=0.1)
    assert values["1D/snr_at_r2max_zero"] == pytest.approx(2.35, abs=0.05)
    assert values["1D/schur_range"] == pytest.approx(0.0282)
    assert values["1D/21.5/sigma_times_snr"] == pytest.approx(3.02, abs=0.01)
    for magnitude, median in zip(MAGNITUDES, (0.9994, 0.9906, 0.8914, 0.7396, 0.3658, 0.0), strict=True):
        assert values[f"1D/{magnitude:g}/r2max_median"] == pytest.approx(median, abs=1e-4)
    assert values["1D/23/r2max_median_unclipped"] == pytest.approx(-0.56, abs=0.005)


def test_the_median_hides_a_tail_that_the_aggregate_sees():
    # nine nodes in ten are perfect, one is useless: the median says 1, the population says 1 - 0.1 * 100 / V
    crlb = np.full(90, 1e-9)
    crlb[::10] = 100.0
    lattice = Lattice(
        {"T_eff": tuple(range(10)), "log_g": tuple(range(1, 10)), "M_H": (0.0,), "a_M": (0.0,), "C_M": (0.0,)}
    )
    values = summarise(make_table(crlb, lattice))
    assert values["2D/21.5/r2max_median"] == pytest.approx(1.0)
    assert values["2D/21.5/r2max_mean"] == pytest.approx(0.9)
    assert values["2D/21.5/r2_aggregate"] == pytest.approx(1.0 - 10.0 / (5.0 / 3.0))
    assert values["2D/21.5/r2max_share_zero"] == pytest.approx(0.1)


def test_equal_bounds_make_all_definitions_simple():
    crlb = np.full(1260, 0.25)
    table = make_table(crlb, paper_3d())
    values = summarise(table)
    v = law_variance(table)
    assert values["3D/21.5/r2_aggregate"] == pytest.approx(1.0 - 0.15)
    assert values["3D/21.5/r2max_median"] == pytest.approx(0.85)
    assert values["3D/21.5/r2_aggregate_label_variance"] == pytest.approx(1.0 - 0.25 / v)
    assert values["3D/21.5/r2max_median_label_variance"] == pytest.approx(1.0 - 0.25 / v)
    assert values["3D/21.5/r2_local_prior"] == pytest.approx(v / (v + 0.25))
    assert values["3D/21.5/rmse_min"] == pytest.approx(0.5) and values["3D/21.5/sigma_median"] == pytest.approx(0.5)


def test_local_prior_is_what_a_posterior_mean_reaches():
    """Second route: labels from a normal prior, measured with variance C, estimated by shrinkage."""
    rng = np.random.default_rng(4)
    variance, bounds = 1.4, np.array([0.1, 0.5, 3.0])
    truth = rng.normal(0.0, np.sqrt(variance), size=(3, 200_000))
    seen = truth + np.sqrt(bounds)[:, None] * rng.normal(size=truth.shape)
    estimate = seen * (variance / (variance + bounds))[:, None]
    reached = 1.0 - np.mean((estimate - truth) ** 2) / variance
    assert local_prior(bounds, variance) == pytest.approx(reached, abs=3e-3)
    unbiased = 1.0 - np.mean((seen - truth) ** 2) / variance
    assert aggregate(bounds, variance) == pytest.approx(unbiased, abs=1e-2)
    assert unbiased < reached


@pytest.mark.parametrize(("lattice", "variance"), [(paper_3d(), 1.3611), (paper_5d(), 1.3667)])
def test_label_law_is_that_of_rounded_uniform_draws(lattice, variance):
    table = make_table(np.ones(lattice.size), lattice)
    weights = law_weights(table)
    # end nodes of log g carry 1/16, inner ones 1/8
    share = [weights[table.label("log_g") == node].sum() for node in lattice.axes["log_g"]]
    np.testing.assert_allclose(share, [1 / 16, *[1 / 8] * 7, 1 / 16], rtol=1e-12)
    assert law_variance(table) == pytest.approx(variance, abs=1e-4)
    rng = np.random.default_rng(0)
    draws = rng.uniform(1.0, 5.0, 400_000)
    snapped = rng.random(draws.size) > 1.0 / len(lattice.free)
    draws[snapped] = np.round(draws[snapped] / 0.5) * 0.5
    assert law_variance(table) == pytest.approx(draws.var(), rel=5e-3)


def test_on_unequal_steps_a_node_counts_by_what_snaps_to_it():
    lattice = pack_5d()
    table = make_table(np.ones(lattice.size), lattice)
    weights = law_weights(table)
    draws = np.random.default_rng(1).uniform(-2.5, 0.75, 200_000)
    nodes = np.array(lattice.axes["M_H"])
    counts = np.bincount(np.abs(draws[:, None] - nodes).argmin(axis=1)) / draws.size
    share = [weights[table.label("M_H") == node].sum() for node in nodes]
    np.testing.assert_allclose(share, counts, atol=4e-3)
    np.testing.assert_allclose(share, np.array([0.25, 0.5, 0.5, 0.5, 0.5, 0.625, 0.375]) / 3.25, rtol=1e-12)
    assert law_variance(table) == pytest.approx(1.3667, abs=1e-4)  # the axis of log g is whole


def test_nodes_without_a_bound_are_counted_and_left_out():
    crlb = np.full(1260, 0.25)
    crlb[[3, 700]] = np.nan
    values = summarise(make_table(crlb, paper_3d()))
    assert values["3D/n_not_identifiable"] == 2
    assert values["3D/21.5/r2max_mean"] == pytest.approx(0.85) and values["3D/21.5/crlb_max"] == pytest.approx(0.25)
    nothing = summarise(make_table(np.full(1260, np.nan), paper_3d()))
    finite = {address: value for address, value in nothing.items() if np.isfinite(value)}
    assert finite == {"3D/n_nodes": 1260.0, "3D/n_not_identifiable": 1260.0, "3D/n_interior": 1260.0}


def test_interior_values_leave_the_edges_out():
    inside = np.arange(1260) % 3 == 0
    values = summarise(make_table(np.where(inside, 0.1, 0.9), paper_3d(), interior=inside))
    assert values["3D/interior/21.5/crlb_median"] == pytest.approx(0.1)
    assert values["3D/21.5/crlb_median"] == pytest.approx(0.9)
    assert values["3D/n_interior"] == 420


def test_regions_hold_the_nodes_their_names_say():
    lattice = paper_3d()
    temperature, gravity, metals = lattice.labels[:, :3].T
    regions = {
        "cool": temperature <= 4250,
        "hot": temperature >= 5500,
        "giant": gravity <= 2.0,
        "dwarf": gravity > 4.0,
        "metal_poor": metals <= -1.5,
        "metal_rich": metals >= -0.25,
        "log_g=3.5": gravity == 3.5,
    }
    for name, nodes in regions.items():
        values = summarise(make_table(np.where(nodes, 0.09, 0.64), lattice, schur=np.where(nodes, 0.2, 0.9)[None]))
        assert values[f"3D/{name}/21.5/sigma_median"] == pytest.approx(0.3)
        assert values[f"3D/{name}/21.5/r2_aggregate"] == pytest.approx(1.0 - 0.09 * 0.6)
        assert values[f"3D/{name}/21.5/schur_median"] == pytest.approx(0.2)


def test_disagreement_of_the_two_routes_to_the_bound_shows():
    crlb = np.full(1260, 0.2)
    off = crlb[None].copy()
    off[0, 77] *= 1.0 + 3e-5
    assert summarise(make_table(crlb, paper_3d()))["checks/schur_against_inverse"] == 0.0
    wrong = summarise(make_table(crlb, paper_3d(), crlb_inverse=off))
    assert wrong["checks/schur_against_inverse"] == pytest.approx(3e-5)


def test_routes_are_compared_node_by_node():
    """Within one per cent means all four of them, and a node that only one route moves does not count."""
    crlb = np.full(1260, 0.2)
    spline, richardson = crlb[None].copy(), crlb[None].copy()
    spline[0, :126] *= 1.009
    richardson[0, 63:252] *= 0.995
    inside = np.arange(1260) >= 126
    routes = {"crlb_spline": spline, "crlb_richardson": richardson, "crlb_second_order": crlb[None] * 1.002}
    values = summarise(make_table(crlb, paper_3d(), interior=inside, **routes))
    # 1.009 / 0.995 is more than one per cent where both moved: 63 of the 126 nodes at the edges
    assert values["3D/21.5/share_routes_within_1pc"] == pytest.approx(1.0 - 63 / 1260)
    assert values["3D/edges/21.5/share_routes_within_1pc"] == pytest.approx(0.5)
    assert values["3D/interior/21.5/share_routes_within_1pc"] == 1.0
    assert values["3D/edges/21.5/share_richardson_spline_within_1pc"] == pytest.approx(0.5)
    assert values["3D/edges/21.5/crlb_spline_change_median"] == pytest.approx(0.009)
    assert values["3D/interior/21.5/crlb_spline_change_p90"] == pytest.approx(0.0)
    assert values["3D/21.5/crlb_second_order_change_median"] == pytest.approx(0.002)


def test_identities_keep_three_and_five_labels_apart():
    three = make_table(np.full(1260, 0.2), paper_3d(), identities={"crlb_noise_squared": 1e-12})
    lattice = pack_5d()
    five = make_table(np.full(lattice.size, 0.2), lattice, identities={"crlb_noise_squared": 3e-12})
    values = summarise(three) | summarise(five)
    assert values["checks/crlb_noise_squared"] == 1e-12 and values["checks/5D/crlb_noise_squared"] == 3e-12
    assert values["checks/schur_against_inverse"] == values["checks/5D/schur_against_inverse"] == 0.0
    assert {address.split("/", 1)[1] for address in values if address.startswith("3D/")} == {
        address.split("/", 1)[1] for address in values if address.startswith("5D/")
    }


def test_ill_posed_numbers_are_not_finite():
    values = summarise(make_table(np.full(1260, 0.1), paper_3d(), condition_raw=np.full((1, 1260), np.inf)))
    bad = {address for address, value in values.items() if not np.isfinite(value)}
    assert bad == {"3D/21.5/condition_median", "3D/21.5/condition_max"}
    assert "3D/sigma_snr_slope" not in values


def test_snr_at_a_value_outside_the_table_is_nan():
    snr, crlb = np.array([10.0, 1.0]), np.array([0.01, 1.0])
    assert snr_at(snr, crlb, 0.25) == pytest.approx(2.0)
    assert np.isnan(snr_at(snr, crlb, 2.0)) and np.isnan(snr_at(snr, crlb, 1e-3))


def test_paper_s_ceiling_is_clipped_at_both_ends():
    np.testing.assert_allclose(r2max(np.array([0.0, 5.0 / 6.0, 5.0 / 3.0, 9.0])), [1.0, 0.5, 0.0, 0.0])


def test_only_numpy_is_loaded():
    heavy = "('torch', 'pandas', 'h5py', 'scipy')"
    modules = ", ".join(f"repro.scores.{name}" for name in ("ceilings", "neighbours", "steps"))
    code = f"import sys, {modules}; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
