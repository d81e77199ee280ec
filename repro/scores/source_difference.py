"""Where the bounds of a node grid differ from a published distribution of which only the histogram is known.

Nodes are matched by rank: the bound of rank q beside the published bound of rank q. That says by how much each part of
the distribution is off and which nodes make it up; it does not say what the published bound of a node is.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import CeilingTable
from repro.labels import LABELS
from repro.scores.population import published_rows

Array = NDArray[np.float64]

UPPER: Final = 0.9  # rank from which a bound belongs to the upper tail: the tenth that carries most of the mean
METAL_POOR: Final = -1.5  # [M/H] up to which a star is called so, as in `ceilings`


@dataclass(frozen=True)
class RankDifference:
    """Bounds of n nodes beside the published bounds of the same rank.

    A node that stands for several of the published lattice, which a smaller grid leaves out, is there as many times.

    Attributes:
        labels: (n, 5).
        rank: share of the nodes below each, halves counted, (n,).
        crlb: bound of each node, (n,) [dex^2].
        published: published bound of the same rank, (n,) [dex^2].
    """

    labels: Array
    rank: Array
    crlb: Array
    published: Array

    @property
    def log_ratio(self) -> Array:
        """log10 of bound over published bound, (n,) [dex]."""
        return np.log10(self.crlb / self.published)

    @property
    def upper(self) -> NDArray[np.bool_]:
        """Whether a node is among the tenth with the largest bounds, (n,)."""
        return self.rank > UPPER

    def per_cell(self, values: Array, rows: str, columns: str) -> tuple[Array, Array, Array]:
        """Nodes of two labels (r,) and (c,), and the mean of `values` (n,) at each pair, (r, c); nan without nodes."""
        first, row = np.unique(self.labels[:, LABELS.index(rows)], return_inverse=True)
        second, column = np.unique(self.labels[:, LABELS.index(columns)], return_inverse=True)
        total, number = np.zeros((first.size, second.size)), np.zeros((first.size, second.size))
        np.add.at(total, (row, column), values)
        np.add.at(number, (row, column), 1.0)
        return first, second, np.where(number > 0, total / np.maximum(number, 1.0), np.nan)


def rank_difference(table: CeilingTable, row: int, quantile: Callable[[Array], Array]) -> RankDifference:
    """Compare the identifiable nodes of one magnitude with a published distribution.

    quantile: share of nodes (n,) in [0, 1] -> published bound (n,) [dex^2] below which that share lies.
    """
    rows = published_rows(table.labels)
    rows = rows[table.identifiable[row, rows]]
    crlb = table.crlb[row, rows]
    rank = np.empty(crlb.size)
    rank[np.argsort(crlb, kind="stable")] = (np.arange(crlb.size) + 0.5) / crlb.size
    return RankDifference(table.labels[rows], rank, crlb, quantile(rank))


def summarise_difference(difference: RankDifference, prefix: str) -> dict[str, float]:
    """Evidence values under `prefix`/, for example "source/3D/21.5".

    log_ratio_median, _lower_half, _upper_tenth: log10 of bound over published bound, median of all ranks and means of
    the two parts. mean_ratio: E[C] over the published E[C]. upper_tenth_share_of_mean: what the largest tenth of the
    bounds contributes to E[C]; upper_tenth_share_of_change: to its difference from the published one (nan: none).
    upper_tenth_T_eff_median, upper_tenth_metal_poor: where that tenth sits, temperature [K] and share with
    [M/H] <= -1.5.
    """
    if not difference.crlb.size:
        return {}
    ratio, upper = difference.log_ratio, difference.upper
    change = difference.crlb - difference.published
    temperature, metals = (difference.labels[upper, LABELS.index(name)] for name in ("T_eff", "M_H"))
    values = {
        "log_ratio_median": np.median(ratio),
        "log_ratio_lower_half": ratio[difference.rank < 0.5].mean(),
        "log_ratio_upper_tenth": ratio[upper].mean(),
        "mean_ratio": difference.crlb.mean() / difference.published.mean(),
        "upper_tenth_share_of_mean": difference.crlb[upper].sum() / difference.crlb.sum(),
        "upper_tenth_share_of_change": change[upper].sum() / change.sum() if change.sum() else np.nan,
        "upper_tenth_T_eff_median": np.median(temperature),
        "upper_tenth_metal_poor": np.mean(metals <= METAL_POOR),
    }
    return {f"{prefix}/{name}": float(value) for name, value in values.items()}
