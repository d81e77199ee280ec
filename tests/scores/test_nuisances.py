"""Evidence values of the nuisance table: hand-made bounds whose summaries are known."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from repro.bounds.nuisance_table import RUNGS, NuisanceTable
from repro.bounds.table import CeilingTable
from repro.scores.nuisances import summarise_nuisances
from repro.spectra.lattice import Lattice

# neighbours of the published lattice, so that each node counts once
LATTICE = Lattice(
    {
        "T_eff": (4000.0, 4250.0, 4500.0, 4750.0),
        "log_g": (2.0, 2.5, 3.0, 3.5, 4.0),
        "M_H": (-0.25, 0.0),
        "a_M": (0.0, 0.25),
        "C_M": (-0.25, 0.0),
    }
)


def make_table(crlb_3d, crlb_5d, rungs=None):
    """A table at magnitude 21.5, (N,) bounds each; a rung not named has the bound of 5D."""
    rungs = rungs or {}
    ladder = np.array([[np.broadcast_to(rungs.get(name, crlb_5d), LATTICE.size)] for name in RUNGS])
    return NuisanceTable(
        rungs=tuple(RUNGS),
        magnitudes=np.array([21.5]),
        paired_magnitudes=np.array([21.5]),
        labels=LATTICE.labels,
        interior=LATTICE.labels[:, 1] == 3.0,
        crlb=ladder,
        crlb_3d=np.broadcast_to(crlb_3d, LATTICE.size)[None].copy(),
        crlb_5d=np.broadcast_to(crlb_5d, LATTICE.size)[None].copy(),
    )


def test_rungs_are_compared_node_by_node_with_5d():
    base = np.geomspace(0.01, 1.0, LATTICE.size)
    factor = 1.0 + np.arange(LATTICE.size) % 3  # 1, 2, 3 in turn
    table = make_table(
        base, base, {"all": base * factor**2, "none": 0.25 * base, "5D_scatter": 1.0 / (1.0 / base + 0.7)}
    )
    values = summarise_nuisances(table)
    assert values["nuisances/5D/21.5/sigma_median"] == pytest.approx(np.sqrt(0.1), rel=0.02)
    assert values["nuisances/all/21.5/sigma_ratio_median"] == pytest.approx(2.0)
    assert values["nuisances/all/21.5/sigma_ratio_p10"] == pytest.approx(1.0)
    assert values["nuisances/all/21.5/sigma_ratio_p90"] == pytest.approx(3.0)
    assert values["nuisances/5D/21.5/schur_median"] == pytest.approx(0.25)
    assert values["nuisances/all/21.5/schur_median"] == pytest.approx(0.25 / 4.0)
    assert values["nuisances/5D/21.5/r2_aggregate"] == pytest.approx(1.0 - base.mean() / (5.0 / 3.0))
    assert values["nuisances/5D/21.5/r2max_median"] == pytest.approx(1.0 - np.median(base) / (5.0 / 3.0))
    assert values["nuisances/5D_scatter/21.5/information_gain_median"] == pytest.approx(0.7)
    assert "nuisances/5D/21.5/information_gain_median" not in values


def test_scatter_rungs_take_their_schur_ratio_from_their_own_observer():
    table = make_table(0.2, 0.4, {"none": 0.1, "none_scatter": 0.05})
    values = summarise_nuisances(table)
    assert values["nuisances/5D/21.5/schur_median"] == pytest.approx(0.25)
    assert values["nuisances/5D_scatter/21.5/schur_median"] == pytest.approx(0.125)
    assert values["nuisances/none_scatter/21.5/information_gain_median"] == pytest.approx(10.0)


def test_pairs_are_ratios_on_the_same_node():
    solar = (LATTICE.labels[:, 3] == 0.0) & (LATTICE.labels[:, 4] == 0.0)
    inner = LATTICE.labels[:, 1] == 3.0
    ratio = np.where(solar, 1.5, 1.1) + np.where(inner, 0.05, 0.0)
    crlb = np.random.default_rng(0).uniform(0.01, 1.0, LATTICE.size)
    values = summarise_nuisances(make_table(crlb, crlb * ratio))
    assert values["paired/21.5/crlb_ratio_min"] == pytest.approx(1.1)
    assert values["paired/21.5/crlb_ratio_median"] == pytest.approx(1.1)
    assert values["paired/21.5/crlb_ratio_p90"] == pytest.approx(1.5)
    assert values["paired/21.5/crlb_ratio_max"] == pytest.approx(1.55)
    assert values["paired/solar/21.5/crlb_ratio_min"] == pytest.approx(1.5)
    assert values["paired/solar/21.5/sigma_ratio_median"] == pytest.approx(np.sqrt(1.5))
    assert values["paired/interior/21.5/crlb_ratio_min"] == pytest.approx(1.15)
    assert values["paired/n_nodes"] == LATTICE.size and values["paired/solar/n_nodes"] == solar.sum() == 40
    assert values["paired/crlb_ratio_median_range"] == 0.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_loss_that_grows_with_the_bound_is_told_from_one_that_shrinks(sign):
    """The percentiles of the ratio itself could not tell: they increase by definition."""
    crlb = np.geomspace(0.01, 1.0, LATTICE.size)
    ratio = 1.3 + sign * 0.1 * np.log10(crlb / 0.1)
    values = summarise_nuisances(make_table(crlb, crlb * ratio))
    best, worst = (values[f"paired/21.5/crlb_ratio_{tenth}_tenth"] for tenth in ("best", "worst"))
    assert best == pytest.approx(1.3 - 0.09 * sign, abs=0.002) and worst == pytest.approx(1.3 + 0.09 * sign, abs=0.002)
    # the order of nodes is the same in 3D and 5D here, so that percentiles compare the same nodes
    assert values["paired/21.5/p10_crlb_ratio"] == pytest.approx(1.3 - 0.08 * sign, abs=0.002)
    assert values["paired/21.5/p90_crlb_ratio"] == pytest.approx(1.3 + 0.08 * sign, abs=0.002)
    assert values["paired/21.5/crlb_ratio_p10"] < values["paired/21.5/crlb_ratio_p90"]


def ceiling(crlb_shared, crlb_other):
    """A 3D table at magnitudes 18 and 21.5 with one bound at the solar nodes of the lattice and one at others."""
    lattice = Lattice(LATTICE.axes | {"M_H": (-0.5, -0.25, 0.0, 0.25), "a_M": (0.0,), "C_M": (0.0,)})
    shared = np.isin(lattice.labels[:, 2], LATTICE.axes["M_H"])
    m, n = 2, lattice.size
    plain = {name: np.ones((m, n)) for name in ("conditional", "schur", "condition_raw", "condition_scaled", "snr")}
    crlb = np.tile(np.where(shared, crlb_shared, crlb_other), (m, 1))
    return CeilingTable(
        target="log_g",
        free=lattice.free,
        magnitudes=np.array([18.0, 21.5]),
        labels=lattice.labels,
        interior=np.ones(n, dtype=bool),
        correlations=np.zeros((m, n, 3)),
        rank=np.full((m, n), 3),
        identifiable=np.ones((m, n), dtype=bool),
        snr_percentiles=np.ones((m, 3)),
        error_median=np.ones(m),
        **plain,
        **{name: crlb for name in CeilingTable.__annotations__ if name.startswith("crlb")},
    )


def test_the_published_drop_is_a_product_of_population_and_marginalisation():
    solar = (LATTICE.labels[:, 3] == 0.0) & (LATTICE.labels[:, 4] == 0.0)
    crlb = np.where(solar, 0.2, 0.3)
    values = summarise_nuisances(make_table(crlb, 1.2 * crlb))
    v = 5.0 / 3.0
    assert values["paired/21.5/population_crlb_ratio"] == pytest.approx(1.5)
    assert values["paired/21.5/marginalisation_crlb_ratio"] == pytest.approx(1.2)
    assert values["paired/21.5/unpaired_crlb_ratio"] == pytest.approx(1.8)
    assert values["paired/21.5/unpaired_r2max_drop"] == pytest.approx(1.0 - (v - 0.36) / (v - 0.2))
    assert values["paired/21.5/population_r2max_drop"] == pytest.approx(1.0 - (v - 0.3) / (v - 0.2))
    assert "paired/21.5/step_crlb_ratio" not in values
    # half of the 3D table's nodes are shared: its median is the mean of the two bounds
    other = summarise_nuisances(make_table(crlb, 1.2 * crlb), ceiling(0.25, 0.35))
    assert other["paired/21.5/nodes_crlb_ratio"] == pytest.approx(0.25 / 0.3)
    assert other["paired/21.5/step_crlb_ratio"] == pytest.approx(0.2 / 0.25)
    assert other["paired/21.5/population_crlb_ratio"] == pytest.approx(1.5)
    assert other["paired/21.5/unpaired_crlb_ratio"] == pytest.approx(0.36 / 0.3)
    factors = [
        1.0 - other[f"paired/21.5/{name}_r2max_drop"] for name in ("nodes", "step", "population", "marginalisation")
    ]
    assert 1.0 - other["paired/21.5/unpaired_r2max_drop"] == pytest.approx(np.prod(factors))


def test_nodes_without_a_bound_are_left_out():
    crlb = np.full(LATTICE.size, 0.25)
    crlb[::5] = np.nan
    values = summarise_nuisances(make_table(np.full(LATTICE.size, 0.2), crlb))
    assert values["nuisances/5D/21.5/sigma_median"] == pytest.approx(0.5)
    assert values["paired/21.5/crlb_ratio_median"] == pytest.approx(1.25)
    unknown = np.full(LATTICE.size, np.nan)
    only_3d = summarise_nuisances(make_table(0.2, unknown, {"3D": 0.2, "none": 0.1}))
    assert only_3d["nuisances/3D/21.5/schur_median"] == pytest.approx(0.5)
    assert "nuisances/3D/21.5/sigma_ratio_median" not in only_3d
    hopeless = summarise_nuisances(make_table(unknown, unknown))
    assert not [address for address in hopeless if address.startswith("nuisances/")]


def test_only_numpy_is_loaded():
    heavy = "('torch', 'pandas', 'h5py', 'scipy')"
    code = f"import sys, repro.scores.nuisances; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_thinned_lattice_speaks_of_the_published_one():
    lattice = Lattice({"T_eff": (5000.0,), "log_g": (3.0,), "M_H": (-2.5, -2.0, 0.75), "a_M": (0.0,), "C_M": (0.0,)})
    table = make_table(0.2, 0.2)
    bounds = np.array([0.1, 0.2, 0.4])
    thinned = replace(
        table,
        labels=lattice.labels,
        interior=np.zeros(3, dtype=bool),
        crlb=np.broadcast_to(bounds, (len(RUNGS), 1, 3)),
        crlb_3d=bounds[None],
        crlb_5d=bounds[None],
    )
    values = summarise_nuisances(thinned)
    # of the 14 published [M/H] 1.5 are nearest to -2.5, 6.5 to -2 and 6 to 0.75
    mean = (1.5 * 0.1 + 6.5 * 0.2 + 6.0 * 0.4) / 14.0
    assert values["nuisances/5D/21.5/r2_aggregate"] == pytest.approx(1.0 - mean / (5.0 / 3.0))
    assert values["paired/n_nodes"] == 3.0
