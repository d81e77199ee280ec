"""Running sums over templates from which the posterior of log g follows, in log space, in float64."""

import torch
from torch import Tensor


class Moments:
    """Mean, spread and distribution function at the truth of the posterior of log g, of R rows (a star and observer).

    Templates come in intervals, each with ln of the density at r + 1 equally spaced places; the integral over an
    interval is the trapezoid rule's.

    Args:
        truth: log g of each row, (R,) float64 [dex].
        ends: log g at the ends of all intervals, (m, 2) float64: equal where another label runs.
    """

    _CENTRE = 3.0  # [dex] about which powers of log g are summed

    def __init__(self, truth: Tensor, ends: Tensor) -> None:
        self._truth, self._ends = truth, ends
        self.top = torch.full_like(truth, -torch.inf)  # largest ln density so far
        # total, first and second power of g, mass below and at the truth, squared mass, total and first power from
        # every other template
        self._sums = torch.zeros((len(truth), 8), dtype=truth.dtype, device=truth.device)

    def add(self, rows: Tensor, members: Tensor, log_density: Tensor) -> None:
        """Add k intervals.

        Args:
            rows: whose they are, (k,), in increasing order.
            members: their numbers, (k,).
            log_density: (k, r + 1) float64.
        """
        if not len(rows):
            return
        steps = log_density.shape[1] - 1
        first, last = self._ends[members].unbind(dim=1)
        here, counts = torch.unique_consecutive(rows, return_counts=True)
        highest = torch.segment_reduce(log_density.max(dim=1).values, "max", lengths=counts)
        top = torch.maximum(self.top[here], highest)
        self._sums[here] *= torch.exp(self.top[here] - top)[:, None] ** self._powers()
        self.top[here] = top
        density = torch.exp(log_density - self.top[rows, None])
        places = torch.arange(steps + 1, dtype=torch.float64, device=rows.device) / steps
        fine, coarse = _trapezoid(steps, 1, density), _trapezoid(steps, 2, density)
        g = first[:, None] + (last - first)[:, None] * places - self._CENTRE
        mass = density * fine
        below, at = self._below(rows, density, first, last, steps)
        columns = (
            mass.sum(dim=1),
            (mass * g).sum(dim=1),
            (mass * g * g).sum(dim=1),
            below,
            at,
            (mass * mass).sum(dim=1),
            (density * coarse).sum(dim=1),
            (density * coarse * g).sum(dim=1),
        )
        self._sums[here] += torch.segment_reduce(torch.stack(columns, dim=1), "sum", lengths=counts, axis=0)

    def _powers(self) -> Tensor:
        return torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0], dtype=torch.float64, device=self.top.device)

    def _below(self, rows: Tensor, density: Tensor, first: Tensor, last: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Mass below the truth and at it: within rounding of it where another label runs."""
        truth, total = self._truth[rows], density @ _trapezoid(steps, 1, density)
        runs = last != first
        at = ~runs & ((first - truth).abs() <= 1e-9)
        place = torch.where(runs, (truth - first) / (last - first).where(runs, 1.0), (first < truth).double())
        # integral of each place's hat function up to the truth
        y = place.clamp(0.0, 1.0)[:, None] * steps - torch.arange(steps + 1, device=rows.device)
        hat = torch.where(y <= 0, 0.5 * (1 + y.clamp(-1, 0)) ** 2, 1 - 0.5 * (1 - y.clamp(0, 1)) ** 2)
        hat[:, 0] -= 0.5
        part = (density * hat).sum(dim=1) / steps
        return torch.where(at, 0.0, torch.where(runs, part, place * total)), torch.where(at, total, 0.0)

    @property
    def mean(self) -> Tensor:
        """Posterior mean, (R,)."""
        return self._CENTRE + self._sums[:, 1] / self._sums[:, 0]

    @property
    def sd(self) -> Tensor:
        """Posterior standard deviation, (R,)."""
        first, second = self._sums[:, 1] / self._sums[:, 0], self._sums[:, 2] / self._sums[:, 0]
        return (second - first**2).clamp(min=0.0).sqrt()

    @property
    def coarse_mean(self) -> Tensor:
        """The mean from every other template, (R,)."""
        return self._CENTRE + self._sums[:, 7] / self._sums[:, 6]

    @property
    def effective(self) -> Tensor:
        """Effective number of templates, (R,)."""
        return self._sums[:, 0] ** 2 / self._sums[:, 5]

    @property
    def below(self) -> Tensor:
        """P(g < truth | x), (R,)."""
        return self._sums[:, 3] / self._sums[:, 0]

    @property
    def at(self) -> Tensor:
        """P(g = truth | x), (R,)."""
        return self._sums[:, 4] / self._sums[:, 0]


def _trapezoid(steps: int, stride: int, like: Tensor) -> Tensor:
    """Weights of the trapezoid rule on [0, 1] at steps + 1 places, of which every `stride`-th is used."""
    weights = torch.zeros(steps + 1, dtype=like.dtype, device=like.device)
    weights[::stride] = stride / steps
    weights[[0, -1]] *= 0.5
    return weights
