"""Tuned models against the exact Bayes optimum at noise level 1, each at its largest size, on identical stars.

Evidence addresses:

ceiling/mmse/r2                             R2 of the posterior mean of noisy flux
headroom/<model>/r2                         that minus the model's R2
efficiency/<model>/<ceiling>/eta, mse_ratio as Track C has them (`repro.scores.efficiency`), with the runs
efficiency/<model>/r2, rmse, mae, r2_snr_5, ... over all test stars and around the SNRs that claims name
efficiency/<model>/leak, efficiency/n_leaks alarms for models that do better than is possible
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.star_table import StarBounds
from repro.bounds.table import CeilingTable
from repro.scores.arms import ArmScores, Rows
from repro.scores.bins import r2
from repro.scores.board import Optimum
from repro.scores.bootstrap import Scored
from repro.scores.choice import candidates, uses_error
from repro.scores.efficiency import Efficiency, efficiency, kit_ceilings, median_curve, undefined
from repro.scores.interval import Measured
from repro.scores.leak import summarise_leaks
from repro.scores.models import summarise_models
from repro.scores.predictions import GAUSSIAN, PredictionTable
from repro.scores.sensitivity import Item

LEVEL: Final = 1.0  # at which the optimum was computed
OPTIMUM: Final = "mmse_flux"


class Headroom:
    """Tuned models and ceilings on the stars for which all ceilings are known."""

    def __init__(self, scores: ArmScores, posterior: PosteriorTable, stars: StarBounds, five: CeilingTable) -> None:
        self.rows = _largest(scores)
        self.whole = _predictions(scores, self.rows)
        common = np.isin(self.whole.stars, posterior.stars) & np.isin(self.whole.stars, stars.stars)
        self.table = _kept(self.whole, common)
        self.result: Efficiency = efficiency(self.table, kit_ceilings(stars, posterior, five))
        self.seeded = {model: scores.seeded(rows[0]) for model, rows in self.rows.items()}
        self.sizes = {model: int(scores.table.n_train[rows[0]]) for model, rows in self.rows.items()}
        self.curve = median_curve(stars.stars, stars.snr, five)

    def optimum(self) -> Optimum:
        """R2 of the exact Bayes optimum."""
        samples = self.result.ceiling_r2[self.result.ceilings.index(OPTIMUM), 0]
        measured = Measured((float(samples[0]),), samples, seeded=False)
        return Optimum(LEVEL, measured.value, measured.half_width, len(self.table.stars))

    def items(self) -> Iterator[Item]:
        """Evidence values, see above."""
        result, stars = self.result, {"n_test": len(self.table.stars), "level": LEVEL}
        best = result.ceiling_r2[result.ceilings.index(OPTIMUM), 0]
        yield "ceiling/mmse/r2", _scored(best), stars
        reasons = undefined(result)
        for m, model in enumerate(result.models):
            where = stars | {"n_train": self.sizes[model], "seeds": len(self.rows[model])}
            runs = np.array([r2(self.table.truth, run) for run in self.table.of(model)])
            yield f"headroom/{model}/r2", self._with_runs(model, best - result.r2[m, 0], best[0] - runs), where
            for c, ceiling in enumerate(result.ceilings):
                top = result.ceiling_r2[c, 0, 0]
                address = f"efficiency/{model}/{ceiling}"
                if f"{address}/eta" not in reasons:
                    yield f"{address}/eta", self._with_runs(model, result.eta[m, c, 0], runs / top), where
                yield (
                    f"{address}/mse_ratio",
                    self._with_runs(model, result.ratio[m, c, 0], (1.0 - top) / (1.0 - runs)),
                    where,
                )
        alarms = summarise_leaks(result)
        for address, alarm in {**alarms, "efficiency/n_leaks": sum(alarms.values())}.items():
            yield address, alarm, stars
        for address, value in summarise_models(self.whole, self.curve).items():
            model = address.split("/")[1]
            sizes = {"n_train": self.sizes[model], "seeds": len(self.rows[model])} if model in self.sizes else {}
            yield address, value, {"level": LEVEL, **sizes}

    def _with_runs(self, model: str, samples: NDArray[np.float64], runs: NDArray[np.float64]) -> Scored:
        return replace(_scored(samples), runs=tuple(map(float, runs)) if self.seeded[model] else ())


def _scored(samples: NDArray[np.float64]) -> Scored:
    return Scored(float(samples[0]), tuple(map(float, samples[1:])))


def _largest(scores: ArmScores) -> dict[str, Rows]:
    """Tuned arms at noise level 1 of every model at its largest size."""
    found: dict[str, tuple[int, Rows]] = {}
    for (model, level, n), rows in candidates(scores).items():
        if level == LEVEL and n >= found.get(model, (0, rows))[0]:
            found[model] = (n, rows)
    return {model: rows for model, (_, rows) in found.items()}


def _predictions(scores: ArmScores, models: Mapping[str, Rows]) -> PredictionTable:
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
