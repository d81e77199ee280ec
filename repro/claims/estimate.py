"""A measured number with its interval, and two-sided equivalence against a margin.

Of n independent runs with mean m and standard deviation s, and a standard error b of the paired bootstrap over test
stars, the interval is m +- h with h = t(0.95, n-1) sqrt(s^2/n + b^2). Two one-sided tests at 5 % each: Schuirmann
(1987), J. Pharmacokin. Biopharm. 15, 657.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

LEVEL = 0.95
MOST_RUNS = 10_000  # beyond this, more runs are no advice
_ROUNDING = 1e-12  # 0.8814 - 0.8914 is not exactly -0.01


@dataclass(frozen=True)
class Estimate:
    """One measured number.

    Attributes:
        values: one number per run; one in all when the computation is deterministic.
        seeded: whether runs with other seeds would differ.
        bootstrap: b, standard error over test stars.
        replicates: the number on each bootstrap sample of the test stars, the same samples for every number of a file.
        borrowed: (s, its n) of the nearest experiment, for a seeded experiment that ran once.
    """

    values: tuple[float, ...]
    seeded: bool = False
    bootstrap: float = 0.0
    replicates: tuple[float, ...] = ()
    borrowed: tuple[float, int] | None = None

    @property
    def runs(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    @property
    def spread(self) -> float:
        """s: between runs (n-1 in the denominator), borrowed if there is one run, infinite if it is unknown."""
        if not self.seeded:
            return 0.0
        if self.runs == 1:
            return self.borrowed[0] if self.borrowed else math.inf
        return standard_deviation(self.values)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of `spread`; infinite where there is no spread to estimate."""
        if not self.seeded:
            return math.inf
        if self.runs == 1:
            return self.borrowed[1] - 1 if self.borrowed else 1
        return self.runs - 1

    @property
    def half_width(self) -> float:
        """h, the half width of the two-sided 90 % interval."""
        return self.half_width_with()

    def half_width_with(self, runs: int | None = None, stars: float = 1.0) -> float:
        """The half width that `runs` runs on `stars` times the test stars would have at the present spread."""
        n = runs or self.runs
        freedom = self.freedom if runs is None else float(runs - 1)
        error = math.hypot(self.spread / math.sqrt(n), self.bootstrap / math.sqrt(stars))
        return t_quantile(LEVEL, freedom) * error if error else 0.0


def standard_deviation(values: tuple[float, ...]) -> float:
    """Sample standard deviation (n-1 in the denominator); 0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def difference(first: Estimate, second: Estimate) -> Estimate:
    """first - second, run by run and bootstrap sample by bootstrap sample where they are paired."""
    return _combine(first, second, lambda a, b: a - b, (1.0, -1.0))


def ratio(numerator: Estimate, denominator: Estimate) -> Estimate:
    """numerator / denominator, paired as in `difference`.

    Raises:
        ZeroDivisionError: a denominator is zero.
    """
    a, b = numerator.mean, denominator.mean
    return _combine(numerator, denominator, lambda x, y: x / y, (1.0 / b, -a / b**2))


def _combine(
    first: Estimate, second: Estimate, function: Callable[[float, float], float], slopes: tuple[float, float]
) -> Estimate:
    """function(first, second) of the runs both have; bootstrap errors that are not paired add in quadrature."""
    if first.replicates and len(first.replicates) == len(second.replicates):
        replicates = tuple(map(function, first.replicates, second.replicates))
        bootstrap = standard_deviation(replicates)
    else:
        replicates = ()
        bootstrap = math.hypot(slopes[0] * first.bootstrap, slopes[1] * second.bootstrap)
    runs = min((e.runs for e in (first, second) if e.seeded), default=1)
    a, b = (e.values[:runs] if e.seeded else e.values * runs for e in (first, second))
    spread = math.hypot(slopes[0] * first.spread, slopes[1] * second.spread)
    freedom = min(first.freedom, second.freedom)
    return Estimate(
        values=tuple(map(function, a, b)),
        seeded=first.seeded or second.seeded,
        bootstrap=bootstrap,
        replicates=replicates,
        borrowed=(spread, int(freedom) + 1) if math.isfinite(spread) and math.isfinite(freedom) else None,
    )


def decide(inside: float, half_width: float, scale: float, *, strict: bool = False) -> str:
    """The verdict on a number that lies `inside` its limit (negative: outside) with an interval of +-half_width.

    Args:
        inside: distance to the limit; for equivalence d - |m - c|.
        half_width: h.
        scale: size of the numbers compared, for the rounding of binary fractions.
        strict: the limit itself fails (a step of an ordering must be larger than its margin).
    """
    slack = _ROUNDING * abs(scale)
    if strict:
        slack = -slack
    if inside - half_width >= -slack:
        return "REPRODUCED"
    if inside + half_width < -slack:
        return "NOT REPRODUCED"
    return "INCONCLUSIVE"


def what_decides(estimate: Estimate, inside: float, test_stars: int | None = None) -> str:
    """What would narrow the interval of an inconclusive number below its distance to the limit, at its present spread.

    More runs if the spread between runs dominates, more test stars if the bootstrap error does.

    Args:
        estimate: the measured number.
        inside: its distance to the limit, of either sign.
        test_stars: how many stars the evidence was measured on, if stated.
    """
    gap = abs(inside)
    if math.isinf(estimate.spread):
        return "a second run with another seed would show the spread"
    runs = _runs_needed(estimate, gap) if estimate.seeded else None
    stars = _stars_needed(estimate, gap)
    seeds_dominate = estimate.spread**2 / estimate.runs >= estimate.bootstrap**2
    if runs and (seeds_dominate or not stars):
        return f"{_count(runs - estimate.runs, 'more seed')} ({runs} runs in all) would decide, at the present spread"
    if stars:
        return f"{_stars(stars, test_stars)} would decide"
    share = replace(estimate, bootstrap=0.0)
    runs = _runs_needed(share, gap / math.sqrt(2)) if estimate.seeded else None
    if runs and estimate.bootstrap:
        stars = (t_quantile(LEVEL, runs - 1) * estimate.bootstrap * math.sqrt(2) / gap) ** 2
        more = _count(runs - estimate.runs, "more seed")
        return f"{more} ({runs} runs in all) together with {_stars(stars, test_stars)} would decide"
    return "it lies so close to the limit that no practical number of runs or stars would decide"


def _runs_needed(estimate: Estimate, gap: float) -> int | None:
    """The fewest runs whose half width is below `gap`, or None. The half width falls with every run."""
    low, high = max(estimate.runs, 1), MOST_RUNS
    if estimate.half_width_with(high) >= gap:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if estimate.half_width_with(middle) < gap:
            high = middle
        else:
            low = middle
    return high


def _stars_needed(estimate: Estimate, gap: float) -> float | None:
    """By what factor more test stars bring the half width down to `gap`, or None."""
    room = (gap / t_quantile(LEVEL, estimate.freedom)) ** 2 - estimate.spread**2 / estimate.runs
    factor = estimate.bootstrap**2 / room if room > 0 else math.inf
    return factor if 1 < factor < MOST_RUNS else None


def _stars(factor: float, now: int | None) -> str:
    if now is None:
        return f"{factor:.2g} times the test stars"
    needed = factor * now
    step = 10.0 ** (math.floor(math.log10(needed)) - 1)
    return f"about {math.ceil(needed / step) * step:,.0f} test stars (now {now:,})".replace(",", " ")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


@lru_cache(maxsize=256)
def t_quantile(p: float, freedom: float) -> float:
    """Quantile of Student's t for 0.5 <= p < 1; `freedom` may be infinite (normal distribution).

    Raises:
        ValueError: `p` or `freedom` out of range.
    """
    if not (0.5 <= p < 1.0 and freedom >= 1):
        raise ValueError(f"t quantile needs 0.5 <= p < 1 and freedom >= 1, got {p} and {freedom}")
    low, high = 0.0, 1.0
    while _t_upper_tail(high, freedom) > 1.0 - p:
        low, high = high, 2.0 * high
    while high - low > 1e-15 * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if _t_upper_tail(middle, freedom) > 1.0 - p else (low, middle)
    return 0.5 * (low + high)


def _t_upper_tail(t: float, freedom: float) -> float:
    if math.isinf(freedom):
        return 0.5 * math.erfc(t / math.sqrt(2.0))
    return 0.5 * _incomplete_beta(0.5 * freedom, 0.5, freedom / (freedom + t * t))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function by Lentz's continued fraction (Abramowitz & Stegun 26.5.8)."""
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges fast on the other side
        return 1.0 - _incomplete_beta(b, a, 1.0 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1.0 / (1.0 + term * d), 1.0 + term / c
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    return math.exp(log_front) * fraction / a
