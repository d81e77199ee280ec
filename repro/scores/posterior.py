"""What posteriors of log g reach on test stars, and whether they are calibrated.

R2_Bayes = 1 - mean (g - E[g|x])^2 / V is measured on the noise that the stars were given; its Rao-Blackwell form puts
the posterior variance in place of the squared error: less scatter, but it takes the posterior's word for it. V is the
variance of the labels of the same stars: in a bin that of the bin, as for every model of the kit, so that an R2 of a
bin says what the spectrum adds to knowing the bin, and bins do not average to the whole.

Observer `flux` is the ceiling and stands under `mmse/flux`. Observer `weights` is an estimator like others and stands
under `weights`.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.posterior.table import PosteriorTable
from repro.labels import LABELS
from repro.scores.bins import FEWEST, cells, magnitude_bins, r2, snr_bins
from repro.scores.bootstrap import Scored, counts, scored

Array = NDArray[np.float64]

# central intervals by the posterior's own distribution function: name -> lower and upper limit
INTERVALS: Final = {"68": (0.16, 0.84), "95": (0.025, 0.975)}
PIT_BINS: Final = 21  # an even number of degrees of freedom: the chi-square distribution is then elementary
_LEAST_VARIANCE: Final = 1e-12  # [dex^2], of labels that are not all the same
_EXPECTED: Final = 5  # stars per bin, below which no chi-square distribution holds


def summarise_posterior(table: PosteriorTable) -> dict[str, float | Scored]:
    """Evidence values of all observers: address -> value, see the module.

    Overall and under `snr_2.5_3.5/`, `mag_20.5_21/`, `T_eff_3750_4500/M_H_-2.5_-1.75/` (bins of at least `bins.FEWEST`
    stars): r2, r2_rao_blackwell, rmse, mae, n_stars. Overall also: coverage_68 and coverage_95 with the binomial
    standard error of a calibrated posterior beside them (_binomial), pit_p_value, and error_ratio, the rms error over
    the rms posterior standard deviation (not star by star: where one node has all the mass it is 0/0); of the numerics
    discretisation_r2 (R2 lost at half the templates), discretisation_median, _p95, _max [dex], monte_carlo_r2 (expected
    loss of R2 by sampling), effective_median, effective_min. `weights/r2_below_flux` is paired.
    """
    values: dict[str, float | Scored] = {}
    for observer, name in enumerate(table.observers):
        address = "weights" if name == "weights" else f"mmse/{name}"
        found = _calibration(table, observer) | _numerics(table, observer)
        for place, scores in reach(table, observer).items():
            found |= {f"{place}/{key}" if place else key: value for key, value in scores.items()}
        values |= {f"{address}/{key}": value for key, value in found.items()}
    if {"flux", "weights"} <= set(table.observers):
        values["weights/r2_below_flux"] = _difference(table, "flux", "weights")
    return values


def reach(table: PosteriorTable, observer: int) -> dict[str, dict[str, float | Scored]]:
    """Scores of one observer by bin, over all stars under "": see `summarise_posterior`."""
    truth, mean, draws = table.truth, table.mean[observer], counts(len(table.truth))
    centred, miss = truth - truth.mean(), mean - truth
    columns = np.stack(
        [np.ones_like(truth), centred, centred**2, miss**2, np.abs(miss), table.sd[observer] ** 2], axis=1
    )
    result: dict[str, dict[str, float | Scored]] = {}
    for name, members in ({"": np.ones(len(truth), dtype=bool)} | _bins(table)).items():
        if name and members.sum() < FEWEST:
            continue
        sums = (draws[:, members] @ columns[members]).T
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample may hold no star of a bin
            first, second, squared, absolute, posterior = sums[1:] / sums[0]
            variance = second - first**2
            variance[~(variance > _LEAST_VARIANCE)] = np.nan
            scores = {
                "r2": 1.0 - squared / variance,
                "r2_rao_blackwell": 1.0 - posterior / variance,
                "rmse": np.sqrt(squared),
                "mae": absolute,
            }
        result[name] = {key: Scored(float(found[0]), tuple(found[1:].tolist())) for key, found in scores.items()}
        result[name]["n_stars"] = float(members.sum())
    return result


def coverage(pit: Array, interval: str) -> float:
    """Share of the posteriors' distribution functions at the truth (n,) that lie in an interval of `INTERVALS`."""
    low, high = INTERVALS[interval]
    return float(np.mean((pit >= low) & (pit <= high))) if len(pit) else float("nan")


def pit_p_value(pit: Array) -> float:
    """Probability of a larger chi-square of `PIT_BINS` equal bins if values (n,) are uniform; nan for too few values.

    With 2 m degrees of freedom it is exp(-x) sum_{j < m} x^j / j! at x = chi-square / 2.
    """
    expected = len(pit) / PIT_BINS
    if expected < _EXPECTED:
        return float("nan")
    counts = np.histogram(pit, bins=PIT_BINS, range=(0.0, 1.0))[0]
    half = 0.5 * float(np.sum((counts - expected) ** 2)) / expected
    return (
        math.fsum(math.exp(j * math.log(half) - half - math.lgamma(j + 1)) for j in range(PIT_BINS // 2))
        if half
        else 1.0
    )


def _bins(table: PosteriorTable) -> dict[str, NDArray[np.bool_]]:
    temperature, metallicity = (table.labels[:, LABELS.index(name)] for name in ("T_eff", "M_H"))
    return snr_bins(table.snr) | magnitude_bins(table.mag) | cells(temperature, metallicity)


def _calibration(table: PosteriorTable, observer: int) -> dict[str, float | Scored]:
    pit, n = table.pit[observer], len(table.truth)
    miss, variance = (table.truth - table.mean[observer]) ** 2, table.sd[observer] ** 2
    values: dict[str, float | Scored] = {
        "pit_p_value": pit_p_value(pit),
        "error_ratio": scored(lambda rows: float(np.sqrt(miss[rows].sum() / variance[rows].sum())), n),
    }
    for name, (low, high) in INTERVALS.items():
        values[f"coverage_{name}"] = scored(lambda rows, name=name: coverage(pit[rows], name), n)  # type: ignore[misc]
        values[f"coverage_{name}_binomial"] = math.sqrt((high - low) * (1.0 - high + low) / n)
    return values


def _numerics(table: PosteriorTable, observer: int) -> dict[str, float | Scored]:
    change = np.abs(table.coarse_mean[observer] - table.mean[observer])
    coarse = r2(table.truth, table.coarse_mean[observer])
    effective = table.effective[observer]
    sampling = float(np.mean(table.monte_carlo_error[observer] ** 2))
    return {
        "discretisation_r2": r2(table.truth, table.mean[observer]) - coarse,
        "discretisation_median": float(np.median(change)),
        "discretisation_p95": float(np.percentile(change, 95.0)),
        "discretisation_max": float(change.max()),
        "monte_carlo_r2": sampling / float(np.var(table.truth)),
        "effective_median": float(np.median(effective)),
        "effective_min": float(effective.min()),
    }


def _difference(table: PosteriorTable, better: str, worse: str) -> Scored:
    one, other = (table.mean[table.observers.index(name)] for name in (better, worse))
    truth = table.truth
    return scored(lambda rows: r2(truth[rows], one[rows]) - r2(truth[rows], other[rows]), len(truth))
