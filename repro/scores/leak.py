"""The alarm for models that do better than the exact Bayes optimum of what they are shown.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.scores.bins import FEWEST
from repro.scores.efficiency import ALL, Efficiency

LEVEL: Final = 0.05  # of each one-sided test

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Leak:
    """A model that does better than the optimum of its observer: `bins` where, and the message."""

    model: str
    bins: tuple[str, ...]
    message: str


def leaks(result: Efficiency) -> dict[str, Leak | None]:
    """The alarm for every model whose observer has an optimum: None where its errors stay above it.

    One-sided test at 5 % that the mean squared error lies below the optimum's on the same stars, with the standard
    error of the paired bootstrap: overall, and per SNR bin with the correction of Holm (1979, Scand. J. Stat. 6, 65).
    """
    found: dict[str, Leak | None] = {}
    for m, model in enumerate(result.models):
        excess, error = result.excess[m, :, 0], result.error(result.excess[m])
        if np.isfinite(excess[0]):
            found[model] = _leak(model, result, excess, error)
    return found


def summarise_leaks(result: Efficiency) -> dict[str, float]:
    """Evidence values `efficiency/<model>/leak`: 1 where the alarm is raised, 0 where it is not."""
    return {f"efficiency/{model}/leak": float(leak is not None) for model, leak in leaks(result).items()}


def _leak(model: str, result: Efficiency, excess: Array, error: Array) -> Leak | None:
    # an excess without scatter is that of a model without errors, or of the optimum itself
    tails = {
        name: _normal_tail(excess[k] / error[k]) if error[k] > 0 else float(excess[k] >= 0)
        for k, name in enumerate(result.bins)
        if result.count[k] >= FEWEST and np.isfinite(excess[k])
    }
    snr = {name: tail for name, tail in tails.items() if name.startswith("snr_")}
    caught = [ALL] if tails.get(ALL, 1.0) < LEVEL else []
    caught += _holm(snr)
    if not caught:
        return None
    k = result.bins.index(caught[0])
    where = "over all stars" if caught[0] == ALL else f"in {caught[0]}"
    message = (
        f"leak: model '{model}' has a mean squared error {-excess[k]:.3g} +- {error[k]:.2g} dex^2 below that of the "
        f"exact Bayes optimum of its observer {where} ({', '.join(caught)}). No estimator can: it sees something that "
        f"its observer does not. Check that no label, error array or test star reaches it"
    )
    return Leak(model, tuple(caught), message)


def _normal_tail(z: float) -> float:
    """Probability of a value below z under N(0, 1)."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _holm(tails: Mapping[str, float]) -> list[str]:
    """Names whose hypothesis is rejected at LEVEL for the whole family."""
    ordered = sorted(tails, key=lambda name: tails[name])
    caught = []
    for rank, name in enumerate(ordered):
        if tails[name] >= LEVEL / (len(ordered) - rank):
            break
        caught.append(name)
    return caught
