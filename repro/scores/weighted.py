"""What weights from the bounds do to models: weighted against unweighted, run by run, on identical stars.

The papers planned a loss weighted by 1 / CRLB and expected it to help (Gate-2: at least as good as Ridge). Theory says
what it can do to a model with spectra enough: see `bounds.star_crlb.loss_weights`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.star_table import StarBounds
from repro.errors import DataError
from repro.scores.bins import r2, rmse
from repro.scores.bootstrap import Scored
from repro.scores.models import over_runs
from repro.scores.predictions import PredictionTable

MARK: Final = "_weighted"  # in the name of a model trained with weights, after that of the model without

Array = NDArray[np.float64]


def weighted_names(table: PredictionTable) -> dict[str, str]:
    """Models of a table that were trained with weights, and the same models without: `mlp_weighted` -> `mlp`."""
    return {name: name.split(MARK)[0] for name in table.models if MARK in name and name.split(MARK)[0] in table.models}


def summarise_weighted(table: PredictionTable, stars: StarBounds) -> dict[str, float | Scored]:
    """Evidence values of models trained with weights: address -> value.

    weighted/<model>/r2 and /rmse (1 / C weights), weighted/<model>_prior/... (1 / (C + V) weights), and
    r2_gain, that minus the R2 of the same model and seeds without weights; all over all test stars, and with
    `_informative` over the half with the smaller bounds C, on which the weights put their stress.
    """
    halves = {"": np.ones(len(table.truth), dtype=bool), "_informative": informative_half(table, stars)}
    values: dict[str, float | Scored] = {}
    for name, plain in weighted_names(table).items():
        address = f"weighted/{name.replace(MARK, '')}"
        runs, others = table.of(name), table.of(plain)
        if len(runs) != len(others):
            raise DataError(f"weighted: {len(runs)} runs of '{name}' cannot be paired with {len(others)} of '{plain}'")
        for half, members in halves.items():
            values[f"{address}/r2{half}"] = over_runs(r2, table.truth, runs, members)
            values[f"{address}/rmse{half}"] = over_runs(rmse, table.truth, runs, members)
            both = np.stack((runs, others), axis=-1)
            values[f"{address}/r2_gain{half}"] = over_runs(_gain, table.truth, both, members)
    return values


def informative_half(table: PredictionTable, stars: StarBounds) -> NDArray[np.bool_]:
    """Members (n,) of the half of a table's stars whose bound is smaller.

    Raises:
        DataError: the bounds are not known for all stars of the table.
    """
    order = np.argsort(stars.stars)
    place = np.searchsorted(stars.stars, table.stars, sorter=order)
    if (place >= len(order)).any() or (stars.stars[order[place]] != table.stars).any():
        raise DataError("weighted: some stars have predictions and no bound; make both tables from one test set")
    crlb = stars.crlb[order[place]]
    bound = np.where(np.isfinite(crlb), crlb, np.inf)
    return bound <= np.median(bound)


def _gain(truth: Array, pair: Array) -> float:
    return r2(truth, pair[:, 0]) - r2(truth, pair[:, 1])
