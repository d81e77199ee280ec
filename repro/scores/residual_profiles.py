"""Bias and scatter of predictions against what stars are: T_eff, log g, [M/H] and SNR, bin by bin.

Evidence addresses: residual/<axis>/<low>_<high>/bias, scatter, n  [dex], of the main model at its largest size; <axis>
is T_eff, log_g, M_H or snr.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.labels import BOX, LABELS
from repro.scores.arms import ArmScores, Rows
from repro.scores.bins import SNR_EDGES
from repro.scores.bootstrap import Scored
from repro.scores.contenders import Contenders
from repro.scores.interval import Measured
from repro.scores.parts import Part
from repro.scores.sensitivity import Item, conditions

Array = NDArray[np.float64]

BINS: Final = 8  # along a label
AXES: Final = ("T_eff", "log_g", "M_H", "snr")


@dataclass(frozen=True)
class Profile:
    """Residuals (prediction minus truth) of a model in K bins of one axis; bins of too few stars are left out.

    Attributes:
        axis: T_eff [K], log_g [dex], M_H [dex] or snr.
        edges: (K, 2) of each bin.
        middle: (K,) mean of the axis over the stars of the bin.
        count: (K,) stars.
        bias, scatter: mean and standard deviation of the residual of each bin [dex], over runs and resamples.
    """

    axis: str
    edges: Array
    middle: Array
    count: NDArray[np.intp]
    bias: tuple[Measured, ...]
    scatter: tuple[Measured, ...]


def edges_of(axis: str) -> Array:
    """Edges of the bins of an axis: equal parts of the box of labels, or the published SNR bins."""
    if axis == "snr":
        return np.array(SNR_EDGES)
    return np.linspace(*BOX[axis], BINS + 1)


def values_of(scores: ArmScores, axis: str) -> Array:
    """The axis at each test star, (n,)."""
    values: Array = scores.table.snr if axis == "snr" else scores.table.labels[:, LABELS.index(axis)]
    return values


def profile(scores: ArmScores, rows: Rows, axis: str) -> Profile:
    """Residuals of some arms (one a run) along an axis of `AXES`."""
    values, edges = values_of(scores, axis), edges_of(axis)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    inside = (values >= edges[0]) & (values <= edges[-1])
    found = []
    for k, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        part = Part(scores, inside & (place == k))
        bias, scatter = (part.measured(metric, rows) for metric in ("bias", "scatter"))
        if isinstance(bias, Measured) and isinstance(scatter, Measured):
            found.append(((low, high), float(values[part.members].mean()), part.count, bias, scatter))
    if not found:
        return Profile(axis, np.empty((0, 2)), np.empty(0), np.empty(0, dtype=np.intp), (), ())
    bins, middles, counts, biases, scatters = zip(*found, strict=True)
    return Profile(axis, np.array(bins), np.array(middles), np.array(counts), biases, scatters)


def residual_items(known: Contenders) -> Iterator[Item]:
    """Evidence values, see above."""
    rows = known.scores.rows(known.main)
    where = dict(conditions(known.scores, rows)) | {"model": known.name}
    for axis in AXES:
        found = profile(known.scores, rows, axis)
        for k, (low, high) in enumerate(found.edges):
            address = f"residual/{axis}/{low:g}_{high:g}"
            numbers: dict[str, float | Scored] = {
                "bias": found.bias[k].scored(),
                "scatter": found.scatter[k].scored(),
                "n": float(found.count[k]),
            }
            yield from ((f"{address}/{name}", value, where) for name, value in numbers.items())
