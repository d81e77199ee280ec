"""Ceilings on R2 over the test stars themselves, and those of van Trees type, from the tables of bounds.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.leak_table import LeakTable
from repro.bounds.star_table import StarBounds
from repro.bounds.van_trees_table import VanTreesTable
from repro.labels import BOX
from repro.scores.bins import FEWEST, magnitude_bins, r2, rmse, snr_bins
from repro.scores.bootstrap import Scored, scored

Array = NDArray[np.float64]

# of bounds C and a label variance V
_STATISTICS: Final[dict[str, Callable[[Array, float], float]]] = {
    "r2_aggregate": lambda crlb, v: 1.0 - float(crlb.mean()) / v,  # an unbiased estimator
    "r2_local_prior": lambda crlb, v: local_prior(crlb, v),  # the posterior mean of a Gaussian prior of that variance
    "r2_min": lambda crlb, v: 1.0 - float(np.minimum(crlb, v).mean()) / v,  # the better of the first and the mean label
    "sigma_median": lambda crlb, _: float(np.median(np.sqrt(crlb))),
}


def summarise_stars(table: StarBounds) -> dict[str, float | Scored]:
    """Evidence values of the bounds at test stars, e.g. "5D/test_set/r2_local_prior", with their resamples.

    The same stand under "5D/test_set/snr_2.5_3.5/..." and "5D/test_set/mag_20.5_21/..." for the stars of each bin that
    holds enough of them. V is always the variance of the labels of the stars that a number is given for, as in the R2
    of every model. Under "3D/test_set/..." [a/M] and [C/M] are known; under "5D/test_set/flux/..." the scatter of the
    flux also tells the size of the noise. "leak/<scatter>/r2_local_prior" adds an error array of that scatter.

    A star whose bound does not exist counts as an infinite bound.
    """
    dimension = f"{len(table.free)}D"
    truth = table.label(table.target)
    count = len(truth)
    everyone = np.ones(count, dtype=bool)
    bins = {"": everyone, **snr_bins(table.snr), **magnitude_bins(table.mag)}
    values: dict[str, float | Scored] = {
        f"{dimension}/test_set/n_stars": float(count),
        f"{dimension}/test_set/label_variance": scored(lambda rows: float(np.var(truth[rows])), count),
        f"{dimension}/test_set/n_not_identifiable": float(np.isnan(table.crlb).sum()),
    }

    def add(address: str, crlb: Array, chosen: NDArray[np.bool_], names: tuple[str, ...] = tuple(_STATISTICS)) -> None:
        for name in names:
            values[f"{address}/{name}"] = scored(_statistic(name, crlb, truth), count, chosen)

    for name, members in bins.items():
        place = f"test_set/{name}".rstrip("/")
        if members.sum() >= min(FEWEST, count):
            add(f"{dimension}/{place}", table.crlb, members)
        values[f"{dimension}/{place}/n"] = float(members.sum())
    if dimension != "3D":
        add("3D/test_set", table.crlb_3d, everyone)
    add(f"{dimension}/test_set/flux", table.crlb_flux, everyone)
    for scatter, crlb in zip(table.error_scatter, table.crlb_error, strict=True):
        add(f"leak/{scatter:g}", crlb, everyone, ("r2_local_prior",))
    ratio = table.crlb / table.crlb_3d
    values[f"{dimension}/test_set/crlb_ratio_to_3d_median"] = scored(lambda rows: float(np.median(ratio[rows])), count)
    values[f"{dimension}/test_set/sigma_times_snr_median"] = scored(
        lambda rows: float(np.median(np.sqrt(table.crlb[rows]) * table.snr[rows])), count
    )
    return values


def local_prior(crlb: Array, variance: float) -> float:
    """1 - mean of C / (C + V) over stars (n,): R2 of posterior means in the linear-Gaussian limit; C may be inf."""
    return float(np.mean(variance / (crlb + variance)))


def summarise_van_trees(table: VanTreesTable) -> dict[str, float]:
    """Evidence values "van_trees/<prior>/<magnitude>/r2" and "van_trees/<prior>/test_law/r2" (and rmse).

    R2 is relative to the variance of its own prior, and binds estimators of stars drawn from that prior alone. Prior
    `box_unbiased` is the mean Cramer-Rao bound over the box, for unbiased estimators.
    """
    priors = {
        "box": (table.variance_box, table.box, table.law_box),
        "taper": (table.variance_taper, table.taper, table.law_taper),
        "box_unbiased": (table.variance_box, table.unbiased, table.law_unbiased),
    }
    values = {}
    for prior, (variance, at, law) in priors.items():
        errors = {f"{m:g}": float(error) for m, error in zip(table.magnitudes, at, strict=True)}
        errors["test_law"] = float(law @ table.law_weights)
        for place, error in errors.items():
            values[f"van_trees/{prior}/{place}/r2"] = 1.0 - error / variance
            values[f"van_trees/{prior}/{place}/rmse"] = float(np.sqrt(error))
    return values


def error_over_bound(table: VanTreesTable, mean_squared_error: float, mode: str) -> float:
    """Mean squared error of an estimator on a test set over the smallest one under prior `box` and the test law.

    At least 1 up to the sampling of the test stars, for every estimator, the exact posterior mean included. nan for
    sampling mode `paper`: its gravities lie on nodes with a probability of 1 - 1/k, so that its stars are not drawn
    from the box and may be told apart better than the bound allows for the box.
    """
    return mean_squared_error / float(table.law_box @ table.law_weights) if mode == "continuous" else float("nan")


def summarise_leak(table: LeakTable) -> dict[str, float | Scored]:
    """Evidence values of log g read from the error array alone: "mmse/flux+error/r2" and "leak/...".

    What one observer does bounds from below what the best can: the R2 of the observer `flux+error` is at least this.
    leak/share_identified: of stars whose errors are met up to rounding; all others count with the middle of the axis.
    leak/share_right: of stars all of whose labels are found to a hundredth of their range.
    """
    truth, estimate, count = table.truth, table.estimate, len(table.stars)
    ranges = np.array([high - low for low, high in BOX.values()])
    right = np.all(np.abs(table.found_labels - table.labels) < 0.01 * ranges, axis=1) & table.identified

    def share(members: NDArray[np.bool_]) -> Scored:
        return scored(lambda rows: float(np.mean(members[rows])), count)

    return {
        "mmse/flux+error/r2": scored(lambda rows: r2(truth[rows], estimate[rows]), count),
        "mmse/flux+error/rmse": scored(lambda rows: rmse(truth[rows], estimate[rows]), count),
        "leak/n_stars": float(count),
        "leak/share_identified": share(table.identified),
        "leak/share_right": share(right),
        "leak/largest_error": float(np.abs(estimate - truth).max()),
        "leak/residual_median": float(np.median(table.rms)),
        "leak/residual_max": float(table.rms.max()),
    }


def _statistic(name: str, crlb: Array, truth: Array) -> Callable[[NDArray[np.intp]], float]:
    bounds = np.where(np.isnan(crlb), np.inf, crlb)

    def statistic(rows: NDArray[np.intp]) -> float:
        variance = float(np.var(truth[rows])) if len(rows) else 0.0
        return _STATISTICS[name](bounds[rows], variance) if variance > 0 else float("nan")

    return statistic
