"""How R2 grows with the number of training spectra: gains, slopes, a power law with an asymptote, and crossings.

Evidence addresses; <model> is the main model under its own name, or a baseline; A < B follow each other, or are the
first and the last size:

scaling/<model>/n<N>/r2, rmse, mae, mae_z        at a size [dex; mae_z over the deviation of the training labels]
scaling/<model>/n<A>-<B>/r2_gain                 R2 with B training spectra minus that with A, paired
scaling/<model>/per_decade                       (R2 at the last size - R2 at the first) / log10 of their ratio, of the
                                                 sizes that the model and the main model have in common
scaling/<model>/per_decade_fit                   slope of the least squares line of R2 over log10 N, of the same sizes
scaling/<main>-<model>/per_decade_ratio          ratio of two slopes of the first kind
scaling/<model>/fit/asymptote, exponent, rms     R2(N) = asymptote - amplitude * N^-exponent, least squares over all
                                                 sizes; rms: of what the fit leaves. None for fewer than four sizes
crossover/<main>-<model>/log10_n, n              where the curves cross first, linear in log N between common sizes
crossover/<main>-<model>/share                   of the resamples in which they cross at all
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.scores.arms import over_runs
from repro.scores.bootstrap import Scored, Undefined
from repro.scores.contenders import BASELINES, Contenders
from repro.scores.headline import NO_LABEL_STD, scaled
from repro.scores.sensitivity import Conditions, Item, conditions

Array = NDArray[np.float64]

FEWEST_SIZES: Final = 4  # one more than the power law has parameters
EXPONENTS: Final = np.linspace(0.05, 2.0, 391)  # searched; learning curves of the literature have 0.1 to 1


@dataclass(frozen=True)
class PowerLaw:
    """R2(N) = asymptote - amplitude * (N / `unit`)^-exponent; each (K,) for K curves fitted together.

    asymptote is nan where the best exponent is the smallest of `EXPONENTS`: the curve then still rises like a logarithm
    and says nothing of where it ends.
    """

    asymptote: Array
    amplitude: Array
    exponent: Array
    rms: Array
    unit: float

    def at(self, n: Array) -> Array:
        """R2 (K, len(n)) with n training spectra each."""
        return self.asymptote[:, None] - self.amplitude[:, None] * (n / self.unit) ** -self.exponent[:, None]


def power_laws(sizes: Sequence[int], r2: Array) -> PowerLaw:
    """Least squares fits of K curves (K, S) at S sizes: linear in two parameters for each exponent on a grid."""
    unit = float(np.exp(np.mean(np.log(sizes))))
    x = (np.array(sizes, dtype=np.float64) / unit)[None] ** -EXPONENTS[:, None]  # (E, S)
    centred = x - x.mean(axis=1, keepdims=True)
    rest = r2 - r2.mean(axis=1, keepdims=True)
    slope = (rest @ centred.T) / np.sum(centred**2, axis=1)  # (K, E)
    left = np.sum(rest**2, axis=1)[:, None] - slope**2 * np.sum(centred**2, axis=1)
    best = np.argmin(left, axis=1)
    rows = np.arange(len(r2))
    amplitude = -slope[rows, best]
    asymptote = r2.mean(axis=1) + amplitude * x.mean(axis=1)[best]
    return PowerLaw(
        asymptote=np.where(best == 0, np.nan, asymptote),
        amplitude=amplitude,
        exponent=EXPONENTS[best],
        rms=np.sqrt(np.maximum(left[rows, best], 0.0) / len(sizes)),
        unit=unit,
    )


def first_crossing(sizes: Sequence[int], difference: Array) -> Array:
    """log10 N (K,) at which differences (K, S) change their sign first; nan where they do not."""
    x = np.log10(np.array(sizes, dtype=np.float64))
    low, high = difference[:, :-1], difference[:, 1:]
    crosses = (low < 0) != (high < 0)
    place = np.argmax(crosses, axis=1)
    rows = np.arange(len(difference))
    a, b = low[rows, place], high[rows, place]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = x[place] + (x[place + 1] - x[place]) * a / (a - b)
    return np.where(crosses.any(axis=1), found, np.nan)


@dataclass(frozen=True)
class Crossing:
    """log10 of the size at which two curves cross: of their means over the runs (1 + B,), and of each run (R,); nan
    where they do not.
    """

    samples: Array
    runs: Array


@dataclass(frozen=True)
class Curve:
    """R2 of a model against the number of training spectra: `r2` (S, R, 1 + B), paired over runs, at S `sizes`."""

    model: str
    sizes: tuple[int, ...]
    r2: Array
    seeded: bool

    @property
    def mean(self) -> Array:
        """Over the runs, (S, 1 + B)."""
        mean: Array = self.r2.mean(axis=1)
        return mean

    @property
    def fit(self) -> PowerLaw | Undefined:
        """Of the mean curve and of each resample."""
        if len(self.sizes) < FEWEST_SIZES:
            return Undefined(f"{len(self.sizes)} sizes; a power law with an asymptote needs {FEWEST_SIZES} at least")
        return power_laws(self.sizes, self.mean.T)


def curves(known: Contenders) -> dict[str, Curve]:
    """Of the main model and of every baseline that learns from spectra."""
    return {model: _curve(known, model, list(sizes)) for model, sizes in known.by_size.items() if 0 not in sizes}


def growth_items(known: Contenders) -> Iterator[Item]:
    """Evidence values, see above."""
    for model, curve in curves(known).items():
        yield from _sizes(known, model)
        yield from _fit(curve)
        for pair in _steps(curve.sizes):
            gain = known.scores.difference(known.at(model, pair[1]), known.at(model, pair[0]))
            where = conditions(known.scores, known.at(model, pair[1]))
            yield f"scaling/{model}/n{pair[0]}-{pair[1]}/r2_gain", gain.scored(), where
        yield from _slopes(known, model)
    for model in BASELINES:
        if model in known.by_size:
            yield from _crossing(known, model)


def _curve(known: Contenders, model: str, sizes: Sequence[int]) -> Curve:
    aligned, seeded = known.scores.aligned(*(known.at(model, n) for n in sizes))
    return Curve(model, tuple(sizes), np.stack([known.scores.r2[rows] for rows in aligned]), seeded)


def _sizes(known: Contenders, model: str) -> Iterator[Item]:
    scores = known.scores
    for n, rows in known.by_size[model].items():
        where = conditions(scores, rows)
        for metric in ("r2", "rmse", "mae"):
            yield f"scaling/{model}/n{n}/{metric}", scores.measured(rows, metric).scored(), where
        if model not in BASELINES:
            deviation = scores.facts(rows).get("label_std")
            value = scaled(scores.measured(rows, "mae"), deviation) if deviation else Undefined(NO_LABEL_STD)
            yield f"scaling/{model}/n{n}/mae_z", value, where


def _steps(sizes: Sequence[int]) -> list[tuple[int, int]]:
    ends = [(sizes[0], sizes[-1])] if len(sizes) > 1 else []
    return list(dict.fromkeys([*zip(sizes, sizes[1:], strict=False), *ends]))


def _fit(curve: Curve) -> Iterator[Item]:
    fit, where = curve.fit, {"sizes": len(curve.sizes)}
    each = None if isinstance(fit, Undefined) else power_laws(curve.sizes, curve.r2[:, :, 0].T)
    for name in ("asymptote", "exponent", "rms"):
        address = f"scaling/{curve.model}/fit/{name}"
        if isinstance(fit, Undefined):
            yield address, fit, where
        elif np.isnan(getattr(fit, name)[0]):
            yield address, Undefined("the curve still rises like a logarithm of the size: no end is in sight"), where
        else:
            yield address, _with_runs(getattr(fit, name), getattr(each, name), curve.seeded), where


def _with_runs(samples: Array, runs: Array, seeded: bool) -> Scored:
    """A number (1 + B,) of the mean curve with that of each run, where every run has one."""
    every = seeded and bool(np.isfinite(runs).all())
    return Scored(float(samples[0]), tuple(samples[1:].tolist()), tuple(runs.tolist()) if every else ())


def _slopes(known: Contenders, model: str) -> Iterator[Item]:
    sizes = known.common(known.name, model)
    names = ("per_decade", "per_decade_fit")
    if len(sizes) < 2:
        reason = Undefined(f"{known.name} and {model} have {len(sizes)} sizes in common; a slope needs two")
        yield from ((f"scaling/{model}/{name}", reason, {}) for name in names)
        if model != known.name:
            yield f"scaling/{known.name}-{model}/per_decade_ratio", reason, {}
        return
    where: Conditions = {"n_train": sizes[-1], "n_train_first": sizes[0], "sizes": len(sizes)}
    own = _curve(known, model, sizes)
    x = np.log10(np.array(sizes, dtype=np.float64))
    weights = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    for name, slope in zip(names, (_ends(own), np.tensordot(weights, own.r2, axes=1)), strict=True):
        yield f"scaling/{model}/{name}", over_runs(slope, own.seeded).scored(), where
    if model != known.name:
        ends = [known.at(name, n) for name in (known.name, model) for n in (sizes[0], sizes[-1])]
        ratio = known.scores.combined(lambda a, b, c, d: (b - a) / (d - c), *ends)
        yield f"scaling/{known.name}-{model}/per_decade_ratio", ratio.scored(), where


def _ends(curve: Curve) -> Array:
    """(R, 1 + B) rise a decade from the first to the last size."""
    rise: Array = (curve.r2[-1] - curve.r2[0]) / np.log10(curve.sizes[-1] / curve.sizes[0])
    return rise


def crossing(known: Contenders, model: str) -> Crossing | Undefined:
    """Where the curves of the main model and of a baseline cross first, between sizes that both have."""
    sizes = known.common(known.name, model)
    if len(sizes) < 2:
        return Undefined(f"{known.name} and {model} have {len(sizes)} sizes in common; a crossing needs two")
    every = [known.at(name, n) for name in (known.name, model) for n in sizes]
    aligned, _ = known.scores.aligned(*every)
    r2 = np.stack([known.scores.r2[rows] for rows in aligned])  # (2 S, R, 1 + B)
    difference = r2[: len(sizes)] - r2[len(sizes) :]
    samples = first_crossing(sizes, difference.mean(axis=1).T)
    return Crossing(samples, first_crossing(sizes, difference[:, :, 0].T))


def _crossing(known: Contenders, model: str) -> Iterator[Item]:
    address, found = f"crossover/{known.name}-{model}", crossing(known, model)
    if isinstance(found, Undefined):
        yield from ((f"{address}/{name}", found, {}) for name in ("log10_n", "n", "share"))
        return
    sizes = known.common(known.name, model)
    where: Conditions = {"n_train": sizes[-1], "n_train_first": sizes[0], "sizes": len(sizes)}
    yield f"{address}/share", float(np.mean(np.isfinite(found.samples[1:]))), where
    if np.isnan(found.samples[0]):
        gain = known.scores.difference(known.at(known.name, sizes[0]), known.at(model, sizes[0])).value
        side = "above" if gain > 0 else "below"
        reason = Undefined(f"{known.name} is {side} {model} at all of {len(sizes)} sizes, {sizes[0]} to {sizes[-1]}")
        yield from ((f"{address}/{name}", reason, where) for name in ("log10_n", "n"))
        return
    for name, function in (("log10_n", lambda x: x), ("n", lambda x: 10.0**x)):
        yield f"{address}/{name}", _with_runs(function(found.samples), function(found.runs), True), where
