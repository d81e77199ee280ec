"""R2 and errors of every model on the test stars, and around the SNRs and magnitudes that claims name.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.scores.bins import FEWEST, mae, r2, rmse
from repro.scores.bootstrap import Scored, Statistic, scored
from repro.scores.efficiency import Ceiling
from repro.scores.predictions import PredictionTable

# claims name one SNR; test stars within 10 % of it stand for it (at 5 that is the published bin 4.5 to 5.5)
SNR_POINTS: Final = ("3.0", "4.6", "5", "7.1")
WITHIN: Final = 0.10
SNR_HIGH: Final = 7.0  # "high SNR" of the published efficiency gate
MAGNITUDE_POINT: Final = 20.0  # of a published statement; test stars lie between 20.5 and 22.5
MAGNITUDE_WITHIN: Final = 0.25

Array = NDArray[np.float64]
Metric = Callable[[Array, Array], float]

_METRICS: Final[dict[str, Metric]] = {"r2": r2, "rmse": rmse, "mae": mae}


def windows(snr: Array, mag: Array) -> dict[str, NDArray[np.bool_]]:
    """Members (n,) of the parts of the test set that claims name: `snr_5`, `snr_7_up`, `mag_20` and so on."""
    around = {f"snr_{point}": np.abs(snr / float(point) - 1.0) <= WITHIN for point in SNR_POINTS}
    around["snr_7_up"] = snr >= SNR_HIGH
    around[f"mag_{MAGNITUDE_POINT:g}"] = np.abs(mag - MAGNITUDE_POINT) <= MAGNITUDE_WITHIN
    return around


def summarise_models(table: PredictionTable, curve: Ceiling | None = None) -> dict[str, float | Scored]:
    """Evidence values of every model under Gaussian noise: address -> value.

    efficiency/<model>/r2, /rmse, /mae over all stars; efficiency/<model>/r2_<window>, see `windows`. With a published
    median curve efficiency/<its name>/r2max_<window>, its mean over the same stars. A window of fewer than 20 stars
    has no value (nan).
    """
    everywhere = np.ones(len(table.truth), dtype=bool)
    parts = windows(table.snr, table.mag)
    values: dict[str, float | Scored] = {}
    for model in table.models:
        runs = table.of(model)
        for name, metric in _METRICS.items():
            values[f"efficiency/{model}/{name}"] = over_runs(metric, table.truth, runs, everywhere)
        for name, members in parts.items():
            values[f"efficiency/{model}/r2_{name}"] = over_runs(r2, table.truth, runs, members)
    if curve is not None:
        loss = curve.loss[np.searchsorted(curve.stars, table.stars)]
        for name, members in parts.items():
            values[f"efficiency/{curve.name}/r2max_{name}"] = _scored(
                lambda rows: 1.0 - float(np.mean(loss[rows])), members
            )
    return values


def over_runs(metric: Metric, truth: Array, runs: Array, members: NDArray[np.bool_]) -> Scored:
    """A metric of truth (n,) and each of the runs' predictions (R, n) over some of the stars: the mean over the runs.

    The number of each run is given too where there are several. nan for fewer than 20 stars.
    """

    def mean(rows: NDArray[np.intp]) -> float:
        return float(np.mean([metric(truth[rows], run[rows]) for run in runs]))

    result = _scored(mean, members)
    if len(runs) == 1:
        return result
    chosen = np.flatnonzero(members)
    each = (metric(truth[chosen], run[chosen]) for run in runs) if len(chosen) >= FEWEST else ()
    return replace(result, runs=tuple(each))


def _scored(statistic: Statistic, members: NDArray[np.bool_]) -> Scored:
    if members.sum() < FEWEST:
        return Scored(float("nan"), ())
    return scored(statistic, len(members), members)
