"""Efficiencies against brute force and against a law whose optimum is known; the alarm with planted leaks."""

import numpy as np
import pytest

from repro.bounds.posterior.table import PosteriorTable
from repro.errors import DataError
from repro.scores.bootstrap import resamples
from repro.scores.efficiency import (
    Ceiling,
    efficiency,
    kit_ceilings,
    local_prior,
    median_curve,
    posterior_mean,
    summarise_efficiency,
    unbiased,
    undefined,
)
from repro.scores.leak import leaks, summarise_leaks
from repro.spectra.lattice import paper_3d
from tests.scores.stars import VARIANCE, bounds_of, gaussian_stars, table_of
from tests.scores.test_ceilings import make_table


def ceilings_of(truth, bound, mean):
    stars = np.arange(len(truth))
    return (
        unbiased(stars, bound),
        local_prior(stars, bound, VARIANCE),
        posterior_mean(stars, truth, mean, "flux"),
    )


def test_every_bin_and_resample_against_plain_loops():
    truth, bound, mean, snr = gaussian_stars(300)
    other = 3.0 + 0.4 * (mean - 3.0)
    table = table_of(truth, snr, {"one": mean, "two": np.stack((other, truth - 0.5))}, runs=2)
    ceilings = ceilings_of(truth, bound, mean)
    result = efficiency(table, ceilings)
    squared = {"one": (mean - truth) ** 2, "two": 0.5 * ((other - truth) ** 2 + 0.25)}
    rows = [np.arange(300), *resamples(300)]
    inside = {"all": np.ones(300, bool), "snr_6.5_8.5": (snr >= 6.5) & (snr < 8.5)}
    inside["mag_21_21.5"] = (table.mag >= 21.0) & (table.mag < 21.5)
    inside["T_eff_4500_5250/M_H_-1_-0.25"] = (
        (table.labels[:, 0] >= 4500)
        & (table.labels[:, 0] < 5250)
        & (table.labels[:, 2] >= -1)
        & (table.labels[:, 2] < -0.25)
    )
    for name, members in inside.items():
        k = result.bins.index(name)
        assert result.count[k] == members.sum()
        for b in (0, 1, 57, 200):
            drawn = rows[b][members[rows[b]]]
            variance = np.var(truth[drawn])
            for m, model in enumerate(table.models):
                error = squared[model][drawn].mean()
                assert result.r2[m, k, b] == pytest.approx(1.0 - error / variance)
                assert result.excess[m, k, b] == pytest.approx(error - squared["one"][drawn].mean(), abs=1e-12)
                for c, ceiling in enumerate(ceilings):
                    floor = ceiling.loss[drawn].mean()
                    eta = (variance - error) / (variance - floor) if floor < variance else np.nan
                    assert result.eta[m, c, k, b] == pytest.approx(eta, nan_ok=True)
                    assert result.ratio[m, c, k, b] == pytest.approx(floor / error)


def test_the_optimum_has_efficiency_one_against_what_holds_for_it():
    truth, bound, mean, snr = gaussian_stars(20_000)
    result = efficiency(table_of(truth, snr, {"optimum": mean}), ceilings_of(truth, bound, mean))
    _, prior, optimum = result.eta[0, :, 0, 0]
    assert optimum == 1.0
    assert prior == pytest.approx(1.0, abs=4.0 * result.error(result.eta)[0, 1, 0])
    # in the linear-Gaussian limit R2 = V / (V + C), above the bound of unbiased estimators wherever C > 0
    faint = result.bins.index("snr_2.5_3.5")
    assert result.ceiling_r2[0, faint, 0] < result.r2[0, faint, 0]


def test_an_efficiency_that_would_divide_by_nothing_says_why():
    truth, bound, mean, snr = gaussian_stars()
    table = table_of(truth, snr, {"model": mean})
    result = efficiency(table, ceilings_of(truth, bound * 4.0, mean))
    values, reasons = summarise_efficiency(result), undefined(result)
    address = "efficiency/model/crlb/snr_2.5_3.5"
    assert np.isnan(values[f"{address}/eta"])
    assert "explains nothing here: its R2 is -" in reasons[f"{address}/eta"]
    assert values[f"{address}/mse_ratio"] > 1.0
    not_a_number = {key for key, value in values.items() if isinstance(value, float) and np.isnan(value)}
    assert not_a_number <= set(reasons)
    assert values["efficiency/model/mmse_flux/eta"].value == 1.0
    assert values["efficiency/n"] == 1000


def test_a_star_without_information_leaves_the_bound_infinite_and_the_prior_finite():
    truth, bound, mean, snr = gaussian_stars()
    bound[3] = np.nan
    table = table_of(truth, snr, {"model": mean})
    result = efficiency(table, ceilings_of(truth, bound, mean))
    assert np.isneginf(result.ceiling_r2[0, 0, 0])
    assert np.isfinite(result.ceiling_r2[1]).all()
    k = [name for name, inside in zip(result.bins, result.count, strict=True) if name.startswith("snr") and inside]
    assert np.isfinite(result.ceiling_r2[0, [result.bins.index(name) for name in k], 0]).sum() == len(k) - 1


def test_stars_are_matched_by_their_row_in_the_test_set():
    truth, bound, mean, snr = gaussian_stars()
    table = table_of(truth, snr, {"model": 0.9 * mean + 0.3})
    some = np.random.default_rng(2).permutation(1000)[:400]
    ceiling = posterior_mean(some, truth[some], mean[some], "flux")
    result = efficiency(table, (ceiling,))
    expected = np.mean((mean[some] - truth[some]) ** 2) / np.mean((0.9 * mean[some] + 0.3 - truth[some]) ** 2)
    assert result.count[0] == 400
    assert result.ratio[0, 0, 0, 0] == pytest.approx(expected)
    with pytest.raises(DataError, match="other test sets"):
        efficiency(table, (Ceiling("x", np.array([5000]), np.ones(1)),))


def test_planted_leaks_are_found_and_honest_models_are_not():
    truth, bound, mean, snr = gaussian_stars()
    rng = np.random.default_rng(3)
    models = {
        "optimum": mean,
        "worse": mean + 0.2 * rng.standard_normal(1000),
        "shrunk": 3.0 + 0.8 * (mean - 3.0),
        "leaky": 0.8 * mean + 0.2 * truth,
        "leaky_when_faint": np.where(snr < 4.5, 0.7 * mean + 0.3 * truth, mean + 0.15 * rng.standard_normal(1000)),
        "sees_errors": truth + 0.01 * rng.standard_normal(1000),
    }
    observers = ("flux",) * 5 + ("flux+error",)
    result = efficiency(table_of(truth, snr, models, observers), ceilings_of(truth, bound, mean))
    found = leaks(result)
    assert {name for name, leak in found.items() if leak} == {"leaky", "leaky_when_faint"}
    assert "sees_errors" not in found  # no optimum of that observer was given: nothing to hold it against
    assert found["leaky"].bins[0] == "all"
    assert set(found["leaky_when_faint"].bins) >= {"snr_2.5_3.5", "snr_3.5_4.5"}
    assert not set(found["leaky_when_faint"].bins) & {"snr_8.5_12.5", "snr_12.5_18"}
    assert "model 'leaky' has a mean squared error" in found["leaky"].message
    values = summarise_leaks(result)
    assert (values["efficiency/leaky/leak"], values["efficiency/worse/leak"]) == (1.0, 0.0)


def test_false_alarms_stay_at_their_level():
    """A near-optimal model: overall 5 % and, over all bins together, another 5 %."""
    alarms = []
    for seed in range(120):
        truth, bound, mean, snr = gaussian_stars(300, seed)
        near = mean + 0.03 * np.random.default_rng((seed, 1)).standard_normal(300)
        result = efficiency(table_of(truth, snr, {"near": near}), ceilings_of(truth, bound, mean))
        alarms.append(leaks(result)["near"] is not None)
    assert sum(alarms) <= 20  # 12 expected at most; P(> 20) < 1 %


def test_the_median_curve_follows_its_power_law_and_is_a_ceiling_in_units_of_the_bin():
    snr = np.array([80.0, 24.0, 7.0, 3.0])
    lattice = paper_3d()
    spread = 10.0 ** np.linspace(-2.0, 3.0, lattice.size)
    crlb = (3.25 / snr[:, None]) ** 2 * spread / np.median(spread)
    percentiles = np.stack((snr / 2, snr, snr * 2), axis=1)
    table = make_table(crlb, lattice, (18.0, 20.0, 21.5, 22.5), snr_percentiles=percentiles)
    truth, _, mean, at = gaussian_stars()
    curve = median_curve(np.arange(1000), at, table)
    expected = np.clip((3.25 / at) ** 2 / (5.0 / 3.0), 0.0, 1.0)
    assert curve.name == "ceiling_3D"
    assert curve.loss == pytest.approx(expected, rel=1e-9)
    result = efficiency(table_of(truth, at, {"model": mean}), (curve,))
    k = result.bins.index("snr_6.5_8.5")
    inside = (at >= 6.5) & (at < 8.5)
    assert result.ceiling_r2[0, k, 0] == pytest.approx(1.0 - expected[inside].mean())
    assert result.eta[0, 0, k, 0] == pytest.approx(result.r2[0, k, 0] / (1.0 - expected[inside].mean()))


def test_the_ceilings_of_the_kit_come_from_its_tables():
    truth, bound, mean, snr = gaussian_stars(200)
    table = table_of(truth, snr, {"model": mean})
    stars = bounds_of(table, bound)
    plain = np.zeros((2, 200))
    posterior = PosteriorTable(
        ("weights", "flux"), table.stars, truth, table.labels, table.mag, snr, np.stack((plain[0], mean)), *[plain] * 5
    )
    percentiles = np.array([[2.0, 24.0, 30.0], [1.0, 4.0, 5.0]])
    published = make_table(np.full((2, 1260), 0.2), paper_3d(), (20, 22), snr_percentiles=percentiles)
    crlb, prior, optimum, curve = kit_ceilings(stars, posterior, published)
    assert (crlb.loss == bound).all()
    assert prior.loss == pytest.approx(bound * truth.var() / (bound + truth.var()))
    assert optimum.loss == pytest.approx((mean - truth) ** 2)  # of observer `flux`, which is not the first
    assert [ceiling.observer for ceiling in (crlb, prior, optimum, curve)] == ["", "", "flux", ""]
    assert len(kit_ceilings(stars, posterior)) == 3
