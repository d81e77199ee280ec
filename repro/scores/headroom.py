"""Tuned models against the exact Bayes optimum at noise level 1, each at its largest size, on identical stars.

Evidence addresses:

ceiling/mmse/r2                               R2 of the posterior mean of noisy flux
headroom/<model>/r2                           that minus the model's R2
efficiency/<model>/mmse_flux/eta, mse_ratio   R2 over that of the optimum, squared error of the optimum over the model's
efficiency/<model>/r2, rmse, mae, r2_snr_5, ...  over all test stars and around the SNRs that claims name
efficiency/<model>/leak, efficiency/n_leaks   alarms for models that do better than is possible
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.posterior.table import PosteriorTable
from repro.scores.arms import ArmScores, Array, Rows
from repro.scores.bins import r2
from repro.scores.board import Optimum
from repro.scores.bootstrap import Scored
from repro.scores.choice import candidates, uses_error
from repro.scores.efficiency import efficiency, posterior_mean
from repro.scores.interval import Measured
from repro.scores.leak import summarise_leaks
from repro.scores.models import summarise_models
from repro.scores.predictions import GAUSSIAN, PredictionTable
from repro.scores.sensitivity import Item

LEVEL: Final = 1.0  # at which the optimum was computed


class Headroom:
    """Tuned models and the optimum on the stars for which it is known."""

    def __init__(self, scores: ArmScores, posterior: PosteriorTable) -> None:
        self._rows = _largest(scores)
        self._whole = prediction_table(scores, self._rows)
        self._table = _kept(self._whole, np.isin(self._whole.stars, posterior.stars))
        flux = posterior.mean[posterior.observers.index("flux")]
        self._result = efficiency(self._table, (posterior_mean(posterior.stars, posterior.truth, flux, "flux"),))
        self._seeded = {model: scores.seeded(rows) for model, rows in self._rows.items()}
        self._sizes = {model: int(scores.table.n_train[rows[0]]) for model, rows in self._rows.items()}

    def optimum(self) -> Optimum:
        """R2 of the exact Bayes optimum."""
        samples = self._result.ceiling_r2[0, 0]
        measured = Measured((float(samples[0]),), samples, seeded=False)
        return Optimum(LEVEL, measured.value, measured.half_width, len(self._table.stars))

    def items(self) -> Iterator[Item]:
        """Evidence values, see above."""
        result, stars = self._result, {"n_test": len(self._table.stars), "level": LEVEL}
        best = result.ceiling_r2[0, 0]
        yield "ceiling/mmse/r2", _scored(best), stars
        for m, model in enumerate(result.models):
            where = stars | self._conditions(model)
            runs = np.array([r2(self._table.truth, run) for run in self._table.of(model)])
            address = f"efficiency/{model}/mmse_flux"
            ratio = (1.0 - best[0]) / (1.0 - runs)
            yield f"headroom/{model}/r2", self._with_runs(model, best - result.r2[m, 0], best[0] - runs), where
            yield f"{address}/eta", self._with_runs(model, result.eta[m, 0, 0], runs / best[0]), where
            yield f"{address}/mse_ratio", self._with_runs(model, result.ratio[m, 0, 0], ratio), where
        alarms = summarise_leaks(result)
        for address, alarm in {**alarms, "efficiency/n_leaks": sum(alarms.values())}.items():
            yield address, alarm, stars
        for address, value in summarise_models(self._whole).items():
            yield address, value, {"level": LEVEL, **self._conditions(address.split("/")[1])}

    def _conditions(self, model: str) -> dict[str, int]:
        return {"n_train": self._sizes[model], "seeds": len(self._rows[model])}

    def _with_runs(self, model: str, samples: Array, runs: Array) -> Scored:
        return replace(_scored(samples), runs=tuple(map(float, runs)) if self._seeded[model] else ())


def _scored(samples: Array) -> Scored:
    return Scored(float(samples[0]), tuple(map(float, samples[1:])))


def _largest(scores: ArmScores) -> dict[str, Rows]:
    """Tuned arms at noise level 1 of every model at its largest size."""
    found: dict[str, tuple[int, Rows]] = {}
    for (model, level, n), rows in candidates(scores).items():
        if level == LEVEL and n >= found.get(model, (0, rows))[0]:
            found[model] = (n, rows)
    return {model: rows for model, (_, rows) in found.items()}


def prediction_table(scores: ArmScores, models: Mapping[str, Rows]) -> PredictionTable:
    """What the arms of each model say of the test stars, one run an arm."""
    table = scores.table
    runs = max(map(len, models.values()))
    values = np.full((len(models), 1, runs, len(table.truth)), np.nan)
    for row, arms in enumerate(models.values()):
        values[row, 0, : len(arms)] = table.predictions[arms]
    observers = tuple("flux+error" if uses_error(model) else "flux" for model in models)
    return PredictionTable(
        tuple(models), observers, (GAUSSIAN,), values, table.stars, table.truth, table.labels, table.mag, table.snr
    )


def _kept(table: PredictionTable, stars: NDArray[np.bool_]) -> PredictionTable:
    return replace(
        table,
        predictions=table.predictions[..., stars],
        **{name: getattr(table, name)[stars] for name in ("stars", "truth", "labels", "mag", "snr")},
    )
