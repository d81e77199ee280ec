"""Residuals of estimators beside the ceilings of the same stars, per true gravity.

The published overlay sets the error of all stars against median bounds of two single magnitudes, 3D at one and 5D at
the other, in bins of 0.2 dex that nodes every 0.5 dex fall between. Here every star has its own bound
and posterior variance, and a group is a gravity node, or the stars between two nodes.

An unbiased bound C does not bind an estimator drawn towards its prior. With its bias b measured, the mean squared error
is at least (1 + b')^2 C + b^2, as long as b depends on log g alone among the labels. It does not:
stars that tell less are drawn in more. One curve b(g) for all stars therefore gives no bound, a curve for each eighth
of the stars by C nearly does; both are given.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.star_table import StarBounds
from repro.errors import DataError
from repro.scores.bins import FEWEST, mae, rmse
from repro.scores.bootstrap import Scored, counts, scored
from repro.scores.models import over_runs
from repro.scores.predictions import PredictionTable

Array = NDArray[np.float64]

POSTERIOR: Final = "posterior_mean"  # the estimator of observer `flux`, beside the models
STEP: Final = 0.5  # of the gravity nodes [dex]
_ALIKE: Final = 8  # groups of stars alike in C, in which a bias is measured
_LEAST_VARIANCE: Final = 1e-12  # [dex^2], of labels that are not all the same


@dataclass(frozen=True)
class Overlay:
    """Estimates of log g of n stars and what is known about how well they could be.

    Attributes:
        names: of the estimators.
        residuals: estimate minus truth of each, (R, n) [dex], R runs.
        truth: log g, (n,) [dex].
        crlb: 5D Cramer-Rao bound of each star, (n,) [dex^2]; infinite where log g is not identifiable.
        variance: posterior variance of each star as observer `flux` sees it, (n,) [dex^2].
    """

    names: tuple[str, ...]
    residuals: tuple[Array, ...]
    truth: Array
    crlb: Array
    variance: Array

    @property
    def groups(self) -> dict[str, tuple[float, NDArray[np.bool_]]]:
        """Middle [dex] and members (n,) by name: `log_g=3.5` is a node, `log_g=3.5_4` the stars between two nodes."""
        step = np.floor(self.truth / STEP) * STEP
        on_node = self.truth == step
        found = {}
        for low in np.unique(step):
            found[f"log_g={low:g}"] = (float(low), on_node & (step == low))
            between = ~on_node & (step == low)
            found[f"log_g={low:g}_{low + STEP:g}"] = (float(low + 0.5 * STEP), between)
        return {name: group for name, group in found.items() if group[1].any()}


def overlay(predictions: PredictionTable, stars: StarBounds, posterior: PosteriorTable) -> Overlay:
    """All models under Gaussian noise and the posterior mean, on the stars that the three tables share.

    Raises:
        DataError: the tables share no star, or are of different test sets.
    """
    common = np.intersect1d(np.intersect1d(predictions.stars, stars.stars), posterior.stars)
    if not common.size:
        raise DataError("overlay: predictions, bounds and posteriors share no test star; make the tables again")
    p, s, q = (_places(table.stars, common) for table in (predictions, stars, posterior))
    truth = predictions.truth[p]
    if not (np.array_equal(truth, stars.label(stars.target)[s]) and np.array_equal(truth, posterior.truth[q])):
        raise DataError("overlay: predictions, bounds and posteriors are of different test sets; make the tables again")
    flux = posterior.observers.index("flux")
    residuals = {model: predictions.of(model)[:, p] - truth for model in predictions.models}
    residuals[POSTERIOR] = (posterior.mean[flux, q] - truth)[None]
    crlb = stars.crlb[s]
    return Overlay(
        names=tuple(residuals),
        residuals=tuple(residuals.values()),
        truth=truth,
        crlb=np.where(np.isnan(crlb), np.inf, crlb),
        variance=posterior.sd[flux, q] ** 2,
    )


def summarise_overlay(table: Overlay) -> dict[str, float | Scored]:
    """Evidence values under `overlay/<estimator>/` and, of the ceilings of the same stars, `overlay/ceilings/`.

    Estimators: rmse, mae, bias (mean residual), shrinkage (slope of the mean estimate over the truth, 1 + b', by least
    squares), biased_crlb and biased_crlb_one_curve (root mean [dex], see the module); per group bias, bias_error
    (standard error) and rmse. Ceilings: root_mean_crlb, median_sigma, rmmse (root mean posterior variance) [dex], also
    per group, with n stars. Groups of fewer than 20 stars are left out.
    """
    truth, n = table.truth, len(table.truth)
    draws, everyone = counts(n), np.ones(n, dtype=bool)
    groups = {name: members for name, (_, members) in table.groups.items() if members.sum() >= FEWEST}
    sigma = np.sqrt(table.crlb)
    values: dict[str, float | Scored] = {
        "overlay/ceilings/n": float(n),
        "overlay/ceilings/root_mean_crlb": _scored(np.sqrt(_means(draws, table.crlb))),
        "overlay/ceilings/median_sigma": scored(lambda rows: float(np.median(sigma[rows])), n),
        "overlay/ceilings/rmmse": _scored(np.sqrt(_means(draws, table.variance))),
    }
    for name, members in groups.items():
        values[f"overlay/ceilings/{name}/n"] = float(members.sum())
        values[f"overlay/ceilings/{name}/root_mean_crlb"] = float(np.sqrt(table.crlb[members].mean()))
        values[f"overlay/ceilings/{name}/median_sigma"] = float(np.median(sigma[members]))
        values[f"overlay/ceilings/{name}/rmmse"] = float(np.sqrt(table.variance[members].mean()))
    for estimator, residual in zip(table.names, table.residuals, strict=True):
        place = f"overlay/{estimator}"
        mean = residual.mean(axis=0)
        for key, metric in (("rmse", rmse), ("mae", mae)):
            values[f"{place}/{key}"] = over_runs(metric, truth, truth + residual, everyone)
        values |= {f"{place}/{key}": value for key, value in _bias(table, draws, mean).items()}
        for name, members in groups.items():
            values[f"{place}/{name}/bias"] = float(mean[members].mean())
            values[f"{place}/{name}/bias_error"] = float(mean[members].std(ddof=1) / np.sqrt(members.sum()))
            values[f"{place}/{name}/rmse"] = float(np.sqrt(np.mean(residual[:, members] ** 2)))
    return values


def _bias(table: Overlay, draws: Array, residual: Array) -> dict[str, Scored]:
    """What the bias of an estimator with mean residuals (n,) over its runs says about all stars."""
    rank = np.argsort(np.argsort(table.crlb, kind="stable"), kind="stable")
    alike = [rank * _ALIKE // len(rank) == group for group in range(_ALIKE)]
    return {
        "bias": _scored(_means(draws, residual)),
        "shrinkage": _scored(1.0 + _line(draws, table.truth, residual)[1]),
        "biased_crlb": _scored(np.sqrt(_biased_bound(table, draws, residual, alike))),
        "biased_crlb_one_curve": _scored(np.sqrt(_biased_bound(table, draws, residual, [slice(None)]))),
    }


def _biased_bound(table: Overlay, draws: Array, residual: Array, parts: Sequence[NDArray[np.bool_] | slice]) -> Array:
    """Mean (1 + B,) of (1 + b')^2 C + b^2 over all stars, b linear in log g in each of the parts [dex^2]."""
    total = np.zeros(len(draws))
    for part in parts:
        drawn, truth = draws[:, part], table.truth[part]
        start, slope = _line(drawn, truth, residual[part])
        gravity, square, bound = (_means(drawn, values) for values in (truth, truth**2, table.crlb[part]))
        squared_bias = start**2 + 2.0 * start * slope * gravity + slope**2 * square
        number = drawn.sum(axis=1)
        total += np.where(number > 0, number * ((1.0 + slope) ** 2 * bound + squared_bias), 0.0)
    result: Array = total / draws.sum(axis=1)
    return result


def _line(draws: Array, truth: Array, residual: Array) -> tuple[Array, Array]:
    """Least squares line residual = start + slope * truth, both (1 + B,); level where the truths are all one."""
    first, second, mean, product = (_means(draws, v) for v in (truth, truth**2, residual, truth * residual))
    variance = second - first**2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(variance > _LEAST_VARIANCE, (product - first * mean) / variance, 0.0)
    return mean - slope * first, slope


def _means(draws: Array, values: Array) -> Array:
    """Mean (1 + B,) of values (n,) that count as often as `draws` (1 + B, n) says; infinite where one of them is."""
    infinite = ~np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        means: Array = (draws @ np.where(infinite, 0.0, values)) / draws.sum(axis=1)
    means[(draws @ infinite) > 0] = np.inf
    return means


def _scored(values: Array) -> Scored:
    return Scored(float(values[0]), tuple(values[1:].tolist()))


def _places(stars: NDArray[np.intp], wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    order = np.argsort(stars)
    return order[np.searchsorted(stars, wanted, sorter=order)]
