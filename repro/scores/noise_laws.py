"""What heavy-tailed, correlated and sky noise do to bounds, posteriors and models, at the same variance in every pixel.

Two observers: an optimal one, who knows the law of the noise, and a naive one, who takes all pixels for independent and
Gaussian, as every chi-square and every model trained on such noise does. For both there is the bound, as the R2 of the
local Gaussian prior, and the posterior of observer `weights`, which is an estimator and no ceiling.

A naive observer believes in the variance C_G of Gaussian noise and shrinks by k = V / (V + C_G), but errs with the
variance C that its least squares really have:

    E (g - estimate)^2 = (1 - k)^2 V + k^2 C,

which is C V / (C + V) of the optimal observer where C = C_G. V is the variance of the stars' (or nodes') own labels.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.noise_law_table import OBSERVERS, NoiseLawTable
from repro.labels import LABELS
from repro.scores.bootstrap import Scored, counts
from repro.scores.posterior import INTERVALS
from repro.scores.predictions import GAUSSIAN, PredictionTable

Array = NDArray[np.float64]
Values = dict[str, float | Scored]

ROOT: Final = "noise_laws"


def summarise_noise_laws(table: NoiseLawTable, predictions: PredictionTable | None = None) -> Values:
    """Evidence values: address -> value; every address begins with `noise_laws/<law>/`.

    At nodes, below `<magnitude>/`: information_ratio, of log g to that under Gaussian noise, averages over nodes; and
    below `<observer>/`: variance_ratio_median, _p10, _p90 to the Gaussian bound, sigma_median, r2_local_prior.
    At the first stars of the test set (`noise_laws/n_stars`), below `bound/<observer>/`: r2_local_prior; below
    `posterior/<observer>/`: r2, rmse, coverage_68 and _95 with the binomial standard error of a calibrated posterior
    beside them (_binomial), z_median (of |error| / sd; 0.674 if calibrated and normal), monte_carlo_r2 (expected loss
    of R2 by sampling), effective_median, effective_p5. Below `model/<model>/`: r2 on the same stars and r2_all_stars,
    squared errors averaged over the runs of a model. `r2_minus_gaussian` and `r2_minus_optimal` are paired
    differences on the same stars, as are those of `bound` and `posterior`.
    """
    values: Values = {f"{ROOT}/n_stars": float(len(table.stars))}
    for law in table.laws:
        found = _at_nodes(table, law)
        if len(table.stars):
            found |= _at_stars(table, law, predictions)
        values |= {f"{ROOT}/{law}/{name}": value for name, value in found.items()}
    return values


def naive_error(variance: float, believed: Array, true: Array) -> Array:
    """Expected squared error of an observer who believes in one variance and errs with another, see the module.

    Where there is no finite bound nothing is known but the prior.
    """
    share = variance / (variance + np.where(np.isfinite(believed), believed, np.inf))
    return (1.0 - share) ** 2 * variance + share**2 * np.where(share > 0, true, 0.0)


def _expected(bound: Array, observer: str, gaussian: Array, variance: float) -> Array:
    return naive_error(variance, bound if observer == "optimal" else gaussian, bound)


def _at_nodes(table: NoiseLawTable, law: str) -> Values:
    values: Values = {}
    column, row, first = table.free.index(table.target), table.row(law), table.row(GAUSSIAN)
    variance = float(np.var(table.labels[:, LABELS.index(table.target)]))
    for m, magnitude in enumerate(table.magnitudes):
        gaussian = table.bound[0, first, m]
        information = table.mean_information[:, m, column, column]
        values[f"{magnitude:g}/information_ratio"] = float(information[row] / information[first])
        for o, observer in enumerate(OBSERVERS):
            bound = table.bound[o, row, m]
            good = np.isfinite(bound) & np.isfinite(gaussian)
            if good.any():
                low, middle, high = np.percentile(bound[good] / gaussian[good], (10.0, 50.0, 90.0))
                expected = _expected(bound, observer, gaussian, variance)
                found = {
                    "variance_ratio_p10": low,
                    "variance_ratio_median": middle,
                    "variance_ratio_p90": high,
                    "sigma_median": np.median(np.sqrt(bound[good])),
                    "r2_local_prior": 1.0 - expected.mean() / variance,
                }
                values |= {f"{magnitude:g}/{observer}/{name}": float(value) for name, value in found.items()}
    return values


def _at_stars(table: NoiseLawTable, law: str, predictions: PredictionTable | None) -> Values:
    variance, row, first = float(np.var(table.truth)), table.row(law), table.row(GAUSSIAN)
    gaussian = table.star_bound[0, first]
    values: Values = {}
    for o, observer in enumerate(OBSERVERS):
        expected, usual = (
            _expected(table.star_bound[o, which], observer, gaussian, variance) for which in (row, first)
        )
        reached, reached_usual = _r2(table.truth, expected), _r2(table.truth, usual)
        values[f"bound/{observer}/r2_local_prior"] = _scored(reached)
        if law != GAUSSIAN:
            values[f"bound/{observer}/r2_minus_gaussian"] = _scored(reached - reached_usual)
        values |= {f"posterior/{observer}/{name}": value for name, value in _posterior(table, law, o).items()}
    optimal, naive = (_r2(table.truth, (table.mean[o, row] - table.truth) ** 2) for o in range(len(OBSERVERS)))
    values["posterior/naive/r2_minus_optimal"] = _scored(naive - optimal)
    if predictions is not None and law in predictions.noise_laws:
        values |= {f"model/{name}": value for name, value in _models(table, predictions, law).items()}
    return values


def _posterior(table: NoiseLawTable, law: str, observer: int) -> Values:
    truth, row, n = table.truth, table.row(law), len(table.stars)
    squared = (table.mean[observer] - truth) ** 2
    reached = _r2(truth, squared[row])
    sampling = table.monte_carlo_error[observer, row]
    z = np.abs(table.mean[observer, row] - truth) / np.maximum(table.sd[observer, row], 1e-12)
    values: Values = {
        "r2": _scored(reached),
        "rmse": _scored(np.sqrt(_mean(squared[row]))),
        "z_median": float(np.median(z)),
        "monte_carlo_r2": float(np.mean(sampling**2) / np.var(truth)),
        "effective_median": float(np.median(table.effective[observer, row])),
        "effective_p5": float(np.percentile(table.effective[observer, row], 5.0)),
    }
    pit = table.pit[observer, row]
    for name, (low, high) in INTERVALS.items():
        values[f"coverage_{name}"] = _scored(_mean(((pit >= low) & (pit <= high)).astype(np.float64)))
        values[f"coverage_{name}_binomial"] = math.sqrt((high - low) * (1.0 - high + low) / n)
    if law != GAUSSIAN:
        values["r2_minus_gaussian"] = _scored(reached - _r2(truth, squared[table.row(GAUSSIAN)]))
    return values


def _models(table: NoiseLawTable, predictions: PredictionTable, law: str) -> Values:
    values: Values = {}
    order = np.argsort(predictions.stars)
    same = order[np.searchsorted(predictions.stars, table.stars, sorter=order).clip(max=len(order) - 1)]
    found = predictions.stars[same] == table.stars  # the table may hold more stars than models were shown
    for number, model in enumerate(predictions.models):
        ran = np.isfinite(predictions.predictions[number]).all(axis=2).any(axis=1)  # (L,)
        if not (ran[predictions.noise_laws.index(law)] and found.all()):
            continue
        squared, usual = (
            np.mean((predictions.of(model, name) - predictions.truth) ** 2, axis=0) for name in (law, GAUSSIAN)
        )
        reached = _r2(table.truth, squared[same])
        values[f"{model}/r2"] = _scored(reached)
        values[f"{model}/r2_all_stars"] = _scored(_r2(predictions.truth, squared))
        if law != GAUSSIAN:
            values[f"{model}/r2_minus_gaussian"] = _scored(reached - _r2(table.truth, usual[same]))
    return values


def _r2(truth: Array, squared: Array) -> Array:
    """R2 (1 + B,) of squared errors (n,): of all stars, then of each resample."""
    centred = truth - truth.mean()
    first, second, error = (_mean(column) for column in (centred, centred**2, squared))
    variance = second - first**2
    return 1.0 - error / np.where(variance > 1e-12, variance, np.nan)


def _mean(values: Array) -> Array:
    """Means (1 + B,) of values (n,): of all stars, then of each resample."""
    result: Array = counts(len(values)) @ values / len(values)
    return result


def _scored(values: Array) -> Scored:
    return Scored(float(values[0]), tuple(values[1:].tolist()))
