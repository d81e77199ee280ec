"""What models predict of the test stars, under one noise law after another, and its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import check_shapes, read_table, write_table
from repro.errors import ParameterError
from repro.labels import LABELS

if TYPE_CHECKING:
    from repro.models.protocol import Predictor
    from repro.spectra.presentation import ObservedStars

GAUSSIAN = "gaussian"  # the law of all spectrum sets, and that which models are trained under

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PredictionTable:
    """Predictions of log g for n test stars by M models under L noise laws; run r of a model has a seed of its own.

    All models and laws see the same stars, and `gaussian` is the common presentation of them.
    """

    models: tuple[str, ...]
    observers: tuple[str, ...]  # of each model: `flux`, or `flux+error` where it is shown the error array
    noise_laws: tuple[str, ...]
    predictions: Array  # (M, L, R, n) [dex]; nan where a model was not run
    stars: NDArray[np.intp]  # (n,) rows of the test set
    truth: Array  # (n,) log g [dex]
    labels: Array  # (n, 5)
    mag: Array  # (n,) HSC-i, AB
    snr: Array  # (n,) median over the pixels of noise-free flux / error
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def of(self, model: str, law: str = GAUSSIAN) -> Array:
        """Predictions (runs, n) of a model under a law, without the runs that it did not have.

        Raises:
            ParameterError: no such model or law in this table, or no run of the model under the law.
        """
        for name, known in ((model, self.models), (law, self.noise_laws)):
            if name not in known:
                raise ParameterError(f"predictions: there is no '{name}' in this table; it has {', '.join(known)}")
        values = self.predictions[self.models.index(model), self.noise_laws.index(law)]
        runs: Array = values[np.isfinite(values).all(axis=1)]
        if not len(runs):
            raise ParameterError(f"predictions: model '{model}' was not run under the law '{law}'")
        return runs

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> PredictionTable:
        """Read a table and check that it is whole. Raises DataError as `CeilingTable.read`."""
        table = read_table(cls, path)
        n = len(table.stars)
        runs = table.predictions.shape[2] if table.predictions.ndim == 4 else 1
        shape = (len(table.models), len(table.noise_laws), runs, n)
        shapes = {"predictions": shape, "labels": (n, len(LABELS))} | dict.fromkeys(("truth", "mag", "snr"), (n,))
        check_shapes(table, shapes, path)
        return table


def predictions(
    models: Mapping[str, Sequence[Predictor]],
    stars: ObservedStars,
    shown: Mapping[str, Callable[[], NDArray[np.float32]]] | None = None,
    conditions: Mapping[str, Any] | None = None,
) -> PredictionTable:
    """Let every run of every model predict log g of test stars under every noise law.

    Args:
        models: runs of each model by its name.
        stars: the stars as the Gaussian law shows them.
        shown: for each further law what makes its noisy flux (n, P) of the same stars; one is held at a time.
        conditions: what else belongs to the table.
    """
    laws: dict[str, Callable[[], NDArray[np.float32]]] = {GAUSSIAN: lambda: stars.x, **(shown or {})}
    runs = max(len(members) for members in models.values())
    values = np.full((len(models), len(laws), runs, len(stars.rows)), np.nan)
    for column, show in enumerate(laws.values()):
        flux = show()
        for row, members in enumerate(models.values()):
            for run, model in enumerate(members):
                error = stars.error if model.uses_error else None
                values[row, column, run] = model.predict(flux, error=error)
    return PredictionTable(
        models=tuple(models),
        observers=tuple("flux+error" if members[0].uses_error else "flux" for members in models.values()),
        noise_laws=tuple(laws),
        predictions=values,
        stars=stars.rows,
        truth=stars.labels[:, LABELS.index("log_g")],
        labels=stars.labels,
        mag=stars.table["mag"].astype(np.float64),
        snr=stars.snr,
        conditions={"noise": stars.noise, "seed": stars.seed, **(conditions or {})},
    )
