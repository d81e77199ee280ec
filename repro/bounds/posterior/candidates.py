"""The templates that carry the posterior of each star, for sums under other likelihoods than the fast computation's."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.posterior.conditions import ConditionRule
from repro.bounds.posterior.direct import TemplateSet, make_templates
from repro.bounds.posterior.engine import MARGIN, OBSERVERS, Search
from repro.bounds.posterior.law import Law
from repro.instrument.noise import NoiseModel
from repro.progress import Report, silent
from repro.spectra.nodes import NodeGrid
from repro.spectra.presentation import ObservedStars

REFINEMENT: Final = 8
THRESHOLD: Final = 1e-8
CAP: Final = 4000  # templates a star: 130 MB of float64


@dataclass(frozen=True)
class Candidates:
    """Templates of one star that carry more than a threshold of its posterior.

    Attributes:
        members: number of the interval of each template in `law.intervals`, (T,).
        places: 0 to 1 in it, (T,).
        probability: its share of the posterior, (T,), in decreasing order.
        dropped: share of the posterior that the cap has cut off; 0 where it has not.
        refinement: templates an interval.
    """

    members: NDArray[np.intp]
    places: NDArray[np.float64]
    probability: NDArray[np.float64]
    dropped: float
    refinement: int


def candidates(
    grid: NodeGrid,
    observed: ObservedStars,
    noise_model: NoiseModel,
    noise: float,
    law: Law | None = None,
    *,
    observer: str = "weights",
    refinement: int = REFINEMENT,
    threshold: float = THRESHOLD,
    cap: int = CAP,
    rule: ConditionRule | None = None,
    device: str | torch.device = "cpu",
    report: Report = silent,
) -> tuple[list[Candidates], Search]:
    """For each star the templates that carry more than `threshold` of its Gaussian posterior, at most `cap`.

    The second result makes their spectra: `spectra_of`. Arguments and errors as `engine.posterior`.
    """
    device = torch.device(device)
    rule = rule or ConditionRule(noise_model, law or Law(), device)
    search = Search(grid, observed, noise, rule, refinement, MARGIN, device)
    number = OBSERVERS.index(observer)
    found = _Collector(len(observed.x) * len(OBSERVERS), threshold, device)
    search.run(found, report, (number,))
    rows = range(number * len(observed.x), (number + 1) * len(observed.x))
    return [found.of(row, cap, refinement) for row in rows], search


def spectra_of(grid: NodeGrid, search: Search, some: Candidates) -> TemplateSet:
    """Labels, prior weights and spectra of candidates, (T, ...) float64."""
    return make_templates(grid, search.intervals, some.members, some.places, some.refinement)


class _Collector:
    """Keeps the templates that are not far below the best of their row."""

    def __init__(self, rows: int, threshold: float, device: torch.device) -> None:
        self.top = torch.full((rows,), -torch.inf, dtype=torch.float64, device=device)
        self._threshold = threshold
        self._parts: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]] = []

    def add(self, rows: Tensor, members: Tensor, log_density: Tensor) -> None:
        if not len(rows):
            return
        steps = log_density.shape[1] - 1
        mass = log_density - np.log(steps)
        mass[:, [0, -1]] -= np.log(2.0)
        self.top = self.top.scatter_reduce(0, rows, log_density.max(dim=1).values, "amax")
        which, place = (mass >= self.top[rows, None] + np.log(self._threshold) - np.log(steps)).nonzero().unbind(dim=1)
        arrays = (rows[which], members[which], place, mass[which, place])
        self._parts.append(tuple(array.cpu().numpy() for array in arrays))  # type: ignore[arg-type]

    def of(self, row: int, cap: int, refinement: int) -> Candidates:
        """What was kept of a row."""
        own = [tuple(array[part[0] == row] for array in part[1:]) for part in self._parts]
        members, place, mass = (np.concatenate(arrays) for arrays in zip(*own, strict=True))
        share = np.exp(mass - mass.max())
        share /= share.sum()
        order = np.argsort(-share, kind="stable")
        order = order[share[order] > self._threshold]
        kept = order[:cap]
        dropped = float(share[order[cap:]].sum())
        return Candidates(members[kept], place[kept] / refinement, share[kept], dropped, refinement)
