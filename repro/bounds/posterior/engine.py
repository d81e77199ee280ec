"""The posterior of log g of observed stars under the simulator's own prior, in the sampling mode `paper`.

The prior is a mixture over the intervals between neighbouring models on the lattice's lines (`law`). For each star:

1. Start (`Search._screen`). A template near the star, from a first look at all nodes with common weights.
2. Scatter (`nodes`). S(k) = ln p of the star's residuals from that template in the noise of node k, magnitude and
   observing conditions integrated over their law: what the scatter alone says of the labels, about 1 dex^-2.
3. Lines (`templates`). At any place of an interval Q(t) = sum w (x - mu_t)^2, with the weights w of the starting
   template at its best conditions, and

    ln p(x | t) = -(P/2) ln (Q(t) / P) + S(t) + constant,

where S, smooth in the labels, is interpolated straight between nodes, and the noise level has been integrated out
(where the limits of the magnitude hold the level, the slope is less steep than -P/2; it is taken at the start). w and
the start are functions of x alone. What is neglected is the product of two small things: the difference of t's own
weights from w, and the part of the misfit that is not scatter. `direct` does without, and measures it.

Observer `weights` knows 1/error^2 in place of w and takes -Q/2. Intervals that cannot carry mass are left out, for each
star, with a margin.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.bounds.posterior.conditions import ConditionRule
from repro.bounds.posterior.law import Law, intervals
from repro.bounds.posterior.medians import row_medians
from repro.bounds.posterior.moments import Moments
from repro.bounds.posterior.nodes import NodeFits, blocks_of, fit_nodes
from repro.bounds.posterior.screen import Screen
from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.posterior.templates import Group, Templates, group_members, products
from repro.bounds.scaling import MEDIAN
from repro.errors import ParameterError
from repro.instrument.noise import NoiseModel
from repro.labels import LABELS
from repro.progress import Report, silent
from repro.spectra.nodes import NodeGrid
from repro.spectra.presentation import ObservedStars

OBSERVERS: Final = ("flux", "weights")
REFINEMENT: Final = 16  # templates an interval
MARGIN: Final = 22.0  # in ln p, below the best, of the intervals looked at
NEGLIGIBLE: Final = 20.0  # in ln p, below the best, of those not summed

_GRAVITY: Final = LABELS.index("log_g")


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
    search = Search(grid, observed, noise, rule, refinement, margin, device)
    gravity = torch.tensor(grid.lattice.labels[search.intervals.ends, _GRAVITY], device=device)
    moments = Moments(search.truth.repeat(len(OBSERVERS)), gravity)
    search.run(moments, report)
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


class Search:
    """Finds the intervals that carry mass for each star, and sums over them."""

    def __init__(
        self,
        grid: NodeGrid,
        observed: ObservedStars,
        noise: float,
        rule: ConditionRule,
        refinement: int,
        margin: float,
        device: torch.device,
    ) -> None:
        self._grid = grid
        self._rule, self._noise, self._margin, self._refinement = rule, noise, margin, refinement
        self._x = torch.tensor(observed.x, device=device)
        self._error = torch.tensor(observed.error, device=device)
        self.truth = torch.tensor(observed.table["log_g"].astype(np.float64), device=device)
        median = row_medians(grid.flux)
        scale = MEDIAN / median
        self._flux = torch.tensor(grid.flux * scale[:, None].astype(np.float32), device=device)
        self._zero_point = torch.tensor(grid.zero_point - 2.5 * np.log10(scale), device=device)
        self.intervals = intervals(grid.lattice)
        self._groups = group_members(grid.lattice, self.intervals)
        self._templates = Templates(grid.lattice, grid.flux, median, self.intervals, self._groups, refinement, device)
        self.share = 0.0

    def run(self, sums: Moments, report: Report) -> None:
        """Add to `sums` the intervals that carry mass, group after group; row o n + i is star i for observer o."""
        screen = Screen(
            self._x,
            self._grid,
            self._flux,
            self._zero_point,
            self.intervals,
            self._groups,
            self._typical(),
            self._margin,
        )
        block = blocks_of(self._grid.lattice)
        blocks = self._blocks(screen.wanted, block)
        steps = blocks.shape[1] + len(self._groups)
        fits = fit_nodes(
            self._x,
            screen.start,
            self._flux,
            self._zero_point,
            block,
            blocks,
            self._rule,
            self._noise,
            lambda done, _: report(done, steps),
        )
        looked_at = 0
        for number, members in enumerate(self._groups):
            stars = screen.wanted[:, number].nonzero()[:, 0]
            if len(stars):
                pairs = screen.pairs(members, stars)
                looked_at += len(pairs)
                group = self._templates.group(members)
                for observer in range(len(OBSERVERS)):
                    self._add(observer, group, stars, pairs, fits, sums)
            report(blocks.shape[1] + number + 1, steps)
        self.share = looked_at / (len(self._x) * len(self.intervals.axis))

    def _add(self, observer: int, group: Group, stars: Tensor, pairs: Tensor, fits: NodeFits, sums: Moments) -> None:
        n, pixels = self._x.shape
        x = self._x[stars]
        weights = fits.weights[stars] if observer == 0 else self._error[stars] ** -2
        result = products(group, x, weights)
        some = self.intervals.part(group.members)
        prior = torch.tensor(some.log_prior, device=x.device)
        fit = fits.scatter[stars][:, group.nodes][:, group.ends].double() if observer == 0 else None

        def log_density(rows: Tensor, columns: Tensor, places: Tensor) -> Tensor:
            misfit = result.misfit(group, rows, columns, places)
            if fit is None:
                return prior[columns, None] - 0.5 * misfit
            reference = fits.slope[stars][rows, None] * torch.log(misfit / pixels)
            return prior[columns, None] + reference + _straight(fit[rows, columns], places, r)

        r = self._refinement
        few = torch.arange(0, r + 1, max(1, r // 8), device=x.device)
        look = log_density(pairs[:, 0], pairs[:, 1], few)
        owner = stars + observer * n
        highest = look.max(dim=1).values
        best = sums.top[owner].scatter_reduce(0, pairs[:, 0], highest, "amax")
        # of a parabola, what the peak has over the places on both sides of it is at most this part of their range
        highest = highest + (highest - look.min(dim=1).values) / 32
        bar = best - NEGLIGIBLE
        kept = pairs[highest >= bar[pairs[:, 0]]]
        rows, columns = kept[:, 0], kept[:, 1]
        density = log_density(rows, columns, torch.arange(r + 1, device=x.device))
        sums.add(owner[rows], torch.tensor(group.members, device=x.device)[columns], density)

    def _blocks(self, wanted: Tensor, block: NDArray[np.intp]) -> Tensor:
        """Blocks of nodes at the ends of the groups that are wanted, (n, blocks) bool."""
        touches = np.zeros((len(self._groups), block.max() + 1), dtype=np.float32)
        for number, members in enumerate(self._groups):
            touches[number, block[self.intervals.ends[members]]] = 1.0
        return wanted.float() @ torch.tensor(touches, device=wanted.device) > 0

    def _typical(self) -> Tensor:
        """1 / variance of the mean spectrum at the middle of the law, (P,)."""
        middle = self._rule.at(np.zeros((1, 1 + self._rule.others.shape[1])))
        spectrum, zero_point = self._flux.mean(dim=0, keepdim=True), self._zero_point.mean()[None]
        return 1.0 / middle.variance(spectrum, zero_point, 0, self._noise)[0]


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
