"""The posterior of log g of observed stars under the simulator's own prior, in the sampling mode `paper`.

The prior is a mixture over the intervals between neighbouring models on the lattice's lines (`law`). For each star:

1. Nodes (`nodes`). L(k) = ln p(x | node k), magnitude and observing conditions integrated over their law.
2. Lines (`templates`). At any place of an interval the reference -(P/2) ln Q(t), Q = sum w (x - mu_t)^2 with the
   weights w of the star's best node at its best conditions: a function of x alone, the noise level integrated out.
3. What the reference lacks, the scatter's own information on the labels and the unknown conditions, is known at the
   nodes, C(k) = L(k) + (P/2) ln Q(k); between them it is smooth, and the straight line is taken.

    ln p(x | t) = -(P/2) ln Q(t) + C(t)

Observer `weights` knows 1/error^2 in place of w and takes -Q/2. Intervals that cannot carry mass are left out, for each
star: judged from the misfit of their end nodes, as if spectra changed along a straight line in between, with a margin.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.posterior.conditions import ConditionRule
from repro.bounds.posterior.law import Law, intervals
from repro.bounds.posterior.moments import Moments
from repro.bounds.posterior.nodes import NodeFits, blocks_of, fit_nodes, misfits
from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.posterior.templates import Group, Templates, group_members, products
from repro.bounds.scaling import unit_median
from repro.errors import ParameterError
from repro.instrument.noise import NoiseModel
from repro.labels import LABELS
from repro.progress import Report, silent
from repro.spectra.nodes import NodeGrid
from repro.spectra.presentation import ObservedStars

OBSERVERS: Final = ("flux", "weights")
REFINEMENT: Final = 32  # templates an interval
MARGIN: Final = 30.0  # in ln p, below the best, of the intervals looked at
NEGLIGIBLE: Final = 20.0  # in ln p, below the best, of those not summed

_GRAVITY: Final = LABELS.index("log_g")


@dataclass(frozen=True)
class Screen:
    """Which groups of intervals can carry mass for which star."""

    wanted: Tensor  # (n, groups) bool
    blocks: Tensor  # (n, blocks) bool: blocks of nodes at the ends of those groups
    block: NDArray[np.intp]  # (N,) block of each node


def posterior(
    grid: NodeGrid,
    observed: ObservedStars,
    noise_model: NoiseModel,
    noise: float,
    law: Law | None = None,
    *,
    refinement: int = REFINEMENT,
    device: str | torch.device = "cpu",
    report: Report = silent,
    margin: float = MARGIN,
    rule: ConditionRule | None = None,
) -> PosteriorTable:
    """Posterior mean and spread of log g of observed stars, for the observers `flux` and `weights`.

    Args:
        grid: the nodes from which the stars were made.
        noise_model: that gave the stars' errors.
        noise: its level.
        law: of magnitude and conditions.
        refinement: templates an interval; even, so that half of them tell the discretisation error.
        device: where the matrix products run; the noise model must lie there too.
        report: called with steps done and in all.
        margin: see `MARGIN`; inf leaves out nothing.
        rule: how conditions are summed over; the default is built from `law`.

    Raises:
        ParameterError: a noise level that is not positive and finite, or an odd refinement.
        DataError: no line of the lattice has two models.
    """
    _check(noise, refinement)
    device = torch.device(device)
    law = law or Law()
    rule = rule or ConditionRule(noise_model, law, device)
    search = _Search(grid, observed, noise_model, noise, rule, refinement, margin, device)
    moments = Moments(search.truth.repeat(len(OBSERVERS)))
    search.run(moments.top, moments.add, report)
    return _table(
        observed,
        moments,
        search.truth,
        {
            "mode": "paper",
            "noise": float(noise),
            "noise_model": noise_model.mode,
            "source": grid.source,
            "nodes": grid.lattice.size,
            "refinement": refinement,
            "conditions_degree": rule.degree,
            "conditions_points": rule.points,
            "margin": margin if np.isfinite(margin) else None,
            "magnitudes": list(law.magnitudes),
            "intervals_share": search.share,
        },
    )


class _Search:
    """Finds the intervals that carry mass for each star, and hands their ln densities on."""

    def __init__(
        self,
        grid: NodeGrid,
        observed: ObservedStars,
        noise_model: NoiseModel,
        noise: float,
        rule: ConditionRule,
        refinement: int,
        margin: float,
        device: torch.device,
    ) -> None:
        self._lattice = grid.lattice
        self._rule, self._noise, self._margin, self._refinement = rule, noise, margin, refinement
        self._x = torch.tensor(observed.x, device=device)
        self._error = torch.tensor(observed.error, device=device)
        self.truth = torch.tensor(observed.table["log_g"].astype(np.float64), device=device)
        normalised = unit_median(grid)
        self._flux = torch.tensor(normalised.flux, device=device)
        self._zero_point = torch.tensor(normalised.zero_point, device=device)
        self._intervals = intervals(grid.lattice)
        self._groups = group_members(grid.lattice, self._intervals)
        self._templates = Templates(grid.lattice, grid.flux, self._intervals, refinement, device)
        self.share = 0.0

    def run(self, top: Tensor, add: Any, report: Report) -> None:
        """Call `add(rows, log_density, first, last)` with intervals in which ln p is not far below `top`, (2 n,)."""
        screen = self._screen()
        steps = screen.blocks.shape[1] + len(self._groups)
        fits = fit_nodes(
            self._x,
            self._flux,
            self._zero_point,
            screen.block,
            screen.blocks,
            self._rule,
            self._noise,
            lambda done, _: report(done, steps),
        )
        looked_at = 0
        for number, members in enumerate(self._groups):
            stars = screen.wanted[:, number].nonzero()[:, 0]
            if len(stars):
                looked_at += len(stars) * len(members)
                group = self._templates.group(members)
                for observer in range(len(OBSERVERS)):
                    self._add(observer, group, stars, fits, top, add)
            report(screen.blocks.shape[1] + number + 1, steps)
        self.share = looked_at / (len(self._x) * len(self._intervals.axis))

    def _add(self, observer: int, group: Group, stars: Tensor, fits: NodeFits, top: Tensor, add: Any) -> None:
        n, pixels = self._x.shape
        x = self._x[stars]
        weights = fits.weights[stars] if observer == 0 else self._error[stars] ** -2
        result = products(group, x, weights)
        some = self._intervals.part(group.members)
        prior = torch.tensor(some.log_prior, device=x.device)
        fit = fits.log_likelihood[stars][:, group.nodes][:, group.ends].double() if observer == 0 else None

        def log_density(rows: Tensor, columns: Tensor, places: Tensor) -> Tensor:
            misfit = result.misfit(group, rows, columns, places)
            if fit is None:
                return prior[columns, None] - 0.5 * misfit
            reference = -0.5 * pixels * torch.log(misfit)
            return prior[columns, None] + reference + _straight(fit[rows, columns] + ends(rows, columns), places, r)

        def ends(rows: Tensor, columns: Tensor) -> Tensor:
            return 0.5 * pixels * torch.log(result.misfit(group, rows, columns, torch.tensor([0, r], device=x.device)))

        r = self._refinement
        every = torch.ones((len(stars), len(group.members)), dtype=torch.bool, device=x.device).nonzero()
        few = torch.arange(0, r + 1, max(1, r // 8), device=x.device)
        look = log_density(every[:, 0], every[:, 1], few)
        # the peak between two of these places is higher than both by a small part of the range that they span
        highest = look.max(dim=1).values + 0.1 * (look.max(dim=1).values - look.min(dim=1).values)
        owner = stars + observer * n
        best = highest.reshape(len(stars), -1).max(dim=1).values
        bar = torch.maximum(top[owner], best) - NEGLIGIBLE
        kept = every[highest >= bar[every[:, 0]]]
        rows, columns = kept[:, 0], kept[:, 1]
        density = log_density(rows, columns, torch.arange(r + 1, device=x.device))
        gravity = torch.tensor(self._lattice.labels[some.ends, _GRAVITY], device=x.device)[columns]
        add(owner[rows], density, gravity[:, 0], gravity[:, 1])

    def _screen(self) -> Screen:
        """Judge all intervals by the misfit of their end nodes, with weights that are the same for all stars."""
        pixels = self._x.shape[1]
        middle = self._rule.at(np.zeros((1, 1 + self._rule.others.shape[1])))
        typical = middle.variance(self._flux.mean(dim=0, keepdim=True), self._zero_point.mean()[None], 0, self._noise)
        weights = 1.0 / typical[0]
        misfit = misfits(self._x, self._flux, weights)
        likely, possible = [], []
        for members in self._groups:
            score, allowance = self._highest(members, misfit, weights, pixels)
            likely.append(score.max(dim=1).values)
            possible.append((score + allowance).max(dim=1).values)
        best = torch.stack(likely, dim=1).max(dim=1, keepdim=True).values
        wanted = torch.stack(possible, dim=1) >= best - self._margin
        block = blocks_of(self._lattice)
        touches = np.zeros((len(self._groups), block.max() + 1), dtype=bool)
        for number, members in enumerate(self._groups):
            touches[number, block[self._intervals.ends[members]]] = True
        blocks = wanted.float() @ torch.tensor(touches, dtype=torch.float32, device=wanted.device) > 0
        return Screen(wanted, blocks, block)

    def _highest(
        self, members: NDArray[np.intp], misfit: Tensor, weights: Tensor, pixels: int
    ) -> tuple[Tensor, Tensor]:
        """ln of the greatest density in each interval if spectra ran straight, and what their bow may add, (n, m)."""
        corners = torch.tensor(self._templates.corners(members), device=misfit.device)
        ends = torch.tensor(self._intervals.ends[members], device=misfit.device)
        step = self._flux[ends[:, 1]] - self._flux[ends[:, 0]]
        distance = (step * step) @ weights
        bow = 0.125 * (corners[:, 1] - corners[:, 3])
        allowance = (bow * bow) @ weights
        first, last = misfit[:, ends[:, 0]], misfit[:, ends[:, 1]]
        place = (0.5 + 0.5 * (first - last) / distance.clamp(min=1e-6)).clamp(0.0, 1.0)
        least = (1 - place) * first + place * last - place * (1 - place) * distance
        # the bow counts in units of the star's own noise
        level = misfit.min(dim=1, keepdim=True).values / pixels
        prior = torch.tensor(self._intervals.log_prior[members], device=misfit.device)
        return prior - 0.5 * pixels * torch.log(least.clamp(min=1.0)), allowance / level


def _straight(ends: Tensor, places: Tensor, steps: int) -> Tensor:
    """Straight line between values (k, 2) at the ends of intervals, at some of steps + 1 places: (k, l)."""
    fraction = places.double() / steps
    return ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * fraction


def _table(observed: ObservedStars, moments: Moments, truth: Tensor, conditions: dict[str, Any]) -> PosteriorTable:
    n = len(truth)

    def rows(values: Tensor) -> NDArray[np.float64]:
        result: NDArray[np.float64] = values.reshape(len(OBSERVERS), n).cpu().numpy()
        return result

    uniform = np.array(
        [np.random.default_rng([observed.seed, int(row)]).random(len(OBSERVERS)) for row in observed.rows]
    )
    return PosteriorTable(
        observers=OBSERVERS,
        stars=observed.rows,
        truth=observed.table["log_g"].astype(np.float64),
        labels=observed.labels,
        mag=observed.table["mag"].astype(np.float64),
        snr=observed.snr,
        mean=rows(moments.mean),
        sd=rows(moments.sd),
        pit=rows(moments.below) + uniform.T * rows(moments.at),
        coarse_mean=rows(moments.coarse_mean),
        effective=rows(moments.effective),
        monte_carlo_error=np.zeros((len(OBSERVERS), n)),
        conditions=conditions,
    )


def _check(noise: float, refinement: int) -> None:
    if not (np.isfinite(noise) and noise > 0):
        raise ParameterError(f"noise level {noise} must be positive and finite: without noise there is no posterior")
    if refinement < 2 or refinement % 2:
        raise ParameterError(f"refinement {refinement} must be an even number of templates an interval, at least 2")
