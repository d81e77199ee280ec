"""Parts of the test set, such as SNR bins, and what arms of experiments score on them, paired over stars and seeds.

R2 of a part is relative to the label variance of that part: it says what a spectrum adds to knowing the part.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from repro.experiments.attention_table import classes_of
from repro.scores.arms import ArmScores, Cell, Rows, over_runs
from repro.scores.bins import FEWEST, SNR_EDGES
from repro.scores.bootstrap import Scored, Undefined
from repro.scores.interval import Measured

Array = NDArray[np.float64]
Members = NDArray[np.bool_]
Metric = Literal["r2", "rmse", "mae", "bias", "scatter", "slope"]

QUANTILES: Final = 8  # of the first published core figure

_LEAST_VARIANCE: Final = 1e-12  # [dex^2], of labels that are not all the same


def fixed_snr(snr: Array, family: str = "snr") -> dict[str, Members]:
    """Members (n,) of the published SNR bins by name, `snr/2.5-3.5` and so on; half-open, the last one closed."""
    edges = zip(SNR_EDGES, SNR_EDGES[1:], strict=False)
    last = SNR_EDGES[-1]
    return {
        f"{family}/{low:g}-{high:g}": (snr >= low) & ((snr < high) | ((high == last) & (snr == last)))
        for low, high in edges
    }


def quantile_snr(snr: Array) -> dict[str, Members]:
    """Members (n,) of eight groups of equally many stars (within one) by rising SNR, `quantile/1` to `quantile/8`."""
    groups = np.array_split(np.argsort(snr, kind="stable"), QUANTILES)
    return {f"quantile/{k}": np.isin(np.arange(len(snr)), group) for k, group in enumerate(groups, start=1)}


def stellar_types(truth: Array) -> dict[str, Members]:
    """Members (n,) by true log g [dex]: `type/giants` below 2.5, `type/subgiants` below 3.5, `type/dwarfs` above."""
    return {f"type/{name}": members for name, members in classes_of(truth).items()}


@dataclass(frozen=True)
class Part:
    """Some of the test stars (`members`, (n,)) as the arms of a table see them."""

    scores: ArmScores
    members: Members

    @property
    def count(self) -> int:
        """Number of stars."""
        return int(self.members.sum())

    def measured(self, metric: Metric, of: Cell | Rows) -> Measured | Undefined:
        """A score of a cell, or of arms of other seeds each; none for fewer than `FEWEST` stars."""
        rows = self.scores.rows(of) if isinstance(of, Cell) else of
        return self._enough() or over_runs(self.runs(metric, rows), self.scores.seeded(rows))

    def difference(self, metric: Metric, first: Cell | Rows, second: Cell | Rows) -> Measured | Undefined:
        """A score of the first minus that of the second, paired as in `ArmScores.combined`."""
        (one, other), seeded = self.scores.aligned(first, second)
        return self._enough() or over_runs(self.runs(metric, one) - self.runs(metric, other), seeded)

    def runs(self, metric: Metric, rows: Rows | list[int]) -> Array:
        """(R, 1 + B): a score of each of R arms on the members, then on the members of each resample.

        r2; rmse, mae, bias (mean residual), scatter (standard deviation of the residual) [dex]; slope, that of the
        least squares line of the prediction over the truth, 1 where nothing is drawn towards the mean. nan for a
        resample without two different truths.
        """
        truth, draws = self._truth, self._draws
        predictions = self.scores.table.predictions[rows][:, self.members].astype(np.float64)
        residual = predictions - self.scores.table.truth[self.members]
        with np.errstate(divide="ignore", invalid="ignore"):
            if metric == "mae":
                return self._means(np.abs(residual))
            if metric == "bias":
                return self._means(residual)
            if metric == "slope":
                first = draws @ truth / self._number
                product = self._means(predictions * truth) - self._means(predictions) * first
                return product / self._variance
            squared = self._means(residual**2)
            if metric == "rmse":
                return np.sqrt(squared)
            if metric == "scatter":
                return np.sqrt(np.maximum(squared - self._means(residual) ** 2, 0.0))
            return 1.0 - squared / self._variance

    def mean_of(self, values: Array) -> Measured | Undefined:
        """Mean of a number (n,) of each star, which no seed enters."""
        return self._enough() or over_runs(self._means(values[self.members][None]), seeded=False)

    def _enough(self) -> Undefined | None:
        return Undefined(f"{self.count} stars, fewer than {FEWEST}") if self.count < FEWEST else None

    def _means(self, values: Array) -> Array:
        """(R, 1 + B) means of values (R, m) of the members."""
        with np.errstate(divide="ignore", invalid="ignore"):
            means: Array = (self._draws @ values.T / self._number[:, None]).T
        return means

    @cached_property
    def _draws(self) -> Array:
        return self.scores.draws[:, self.members]

    @cached_property
    def _truth(self) -> Array:
        """log g of the members less their mean, (m,)."""
        truth = self.scores.table.truth[self.members]
        return truth - truth.mean() if len(truth) else truth

    @cached_property
    def _number(self) -> Array:
        return self._draws.sum(axis=1)

    @cached_property
    def _variance(self) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            first = self._draws @ self._truth / self._number
            variance: Array = self._draws @ self._truth**2 / self._number - first**2
            return np.where(variance > _LEAST_VARIANCE, variance, np.nan)


def parts_of(scores: ArmScores, families: Mapping[str, Members]) -> Iterator[tuple[str, Part]]:
    """Name and part of each group of stars."""
    for name, members in families.items():
        yield name, Part(scores, members)


def plain(value: Measured | Undefined) -> Scored | Undefined:
    """A value of evidence."""
    return value if isinstance(value, Undefined) else value.scored()
