"""How much of what can be reached a model reaches, bin by bin, on identical stars.

For the stars of a bin with label variance V, a ceiling of mean squared error M_c and a model of M_m,

    eta = (V - M_m) / (V - M_c) = R2_model / R2_ceiling      and      M_c / M_m

V is that of the bin, so that an R2 of a bin says what a model adds to knowing the bin. Unlike the
ratio of an overall R2 to the ceiling of one magnitude, both sides are measured on the same stars. eta is not defined
where a ceiling explains nothing; the ratio of errors always is.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.star_table import StarBounds
from repro.bounds.table import CeilingTable
from repro.errors import DataError
from repro.scores.bins import FEWEST, cells, magnitude_bins, snr_bins
from repro.scores.bootstrap import Scored, counts
from repro.scores.ceilings import PAPER_VARIANCE
from repro.scores.population import published_rows
from repro.scores.predictions import PredictionTable

ALL: Final = "all"

Array = NDArray[np.float64]
Members = NDArray[np.bool_]


@dataclass(frozen=True)
class Ceiling:
    """What no estimator of a kind does better than, star by star.

    Attributes:
        name: part of an address, such as `mmse_flux`.
        stars: rows of the test set that it is known for, (n,).
        loss: expected squared error, or the actual one of the optimal estimator on the same noise, (n,) [dex^2].
        relative: the loss is in units of the label variance of whatever bin the star is judged in.
        observer: of whom this is the exact optimum, so that doing better is a leak; "" for a bound of another kind.
    """

    name: str
    stars: NDArray[np.intp]
    loss: Array
    relative: bool = False
    observer: Literal["", "flux", "flux+error"] = ""


def unbiased(stars: NDArray[np.intp], crlb: Array) -> Ceiling:
    """Cramer-Rao bound C (n,) of each star: of unbiased estimators, which trained models are not."""
    return Ceiling("crlb", stars, _unlimited(crlb))


def local_prior(stars: NDArray[np.intp], crlb: Array, variance: float) -> Ceiling:
    """C V / (C + V), the posterior variance under a Gaussian prior of variance V [dex^2] about the star's own label.

    The optimum in the linear-Gaussian limit, and an approximation to it elsewhere.
    """
    return Ceiling("local_prior", stars, variance / (1.0 + variance / _unlimited(crlb)))


def posterior_mean(
    stars: NDArray[np.intp], truth: Array, mean: Array, observer: Literal["flux", "flux+error"]
) -> Ceiling:
    """The exact Bayes optimum of an observer: squared errors of its posterior mean (n,) on the same noisy spectra.

    Actual errors rather than posterior variances: a model shares the luck of the draw with them, which cancels.
    """
    return Ceiling("mmse_" + observer.replace("+", "_"), stars, (mean - truth) ** 2, observer=observer)


def median_curve(stars: NDArray[np.intp], snr: Array, table: CeilingTable) -> Ceiling:
    """The published ceiling: the median over nodes of clip(1 - C / V, 0, 1) at each star's SNR, V that of the nodes.

    Between the magnitudes of the table the median bound follows a power law of the SNR.
    """
    known = np.array([np.isfinite(row).any() for row in table.crlb])
    points = np.log(table.snr_percentiles[known, 1])
    medians = np.log(np.nanmedian(table.crlb[known][:, published_rows(table.labels)], axis=1))
    order = np.argsort(points)
    # the outermost segments are continued: test stars may be brighter or fainter than the magnitudes of the table
    bound = np.exp(power_law(np.log(snr), points[order], medians[order]))
    return Ceiling(f"ceiling_{len(table.free)}D", stars, np.clip(bound / PAPER_VARIANCE, 0.0, 1.0), relative=True)


def kit_ceilings(
    stars: StarBounds, posterior: PosteriorTable, published: CeilingTable | None = None
) -> tuple[Ceiling, ...]:
    """The ceilings of the kit: `crlb`, `local_prior` (V of the stars), `mmse_flux`, and the published median curve."""
    truth = stars.label(stars.target)
    flux = posterior.observers.index("flux")
    known = (
        unbiased(stars.stars, stars.crlb),
        local_prior(stars.stars, stars.crlb, float(np.var(truth))),
        posterior_mean(posterior.stars, posterior.truth, posterior.mean[flux], "flux"),
    )
    return known if published is None else (*known, median_curve(stars.stars, stars.snr, published))


@dataclass(frozen=True)
class Efficiency:
    """Models against ceilings on the stars for which all of them are known.

    Arrays end in the bootstrap axis: entry 0 is the measured value, the others are resamples of the stars.
    """

    models: tuple[str, ...]
    ceilings: tuple[str, ...]
    bins: tuple[str, ...]  # `all` first
    count: NDArray[np.intp]  # (K,) stars
    r2: Array  # (M, K, 1 + B) of the models, squared errors averaged over runs
    ceiling_r2: Array  # (C, K, 1 + B)
    eta: Array  # (M, C, K, 1 + B); nan where the ceiling's R2 is not positive
    ratio: Array  # (M, C, K, 1 + B) squared error of the ceiling over that of the model
    excess: Array  # (M, K, 1 + B) squared error of the model minus that of its observer's optimum [dex^2]; nan: unknown

    def error(self, values: Array) -> Array:
        """Bootstrap standard errors of one of the arrays; nan where a resample is not defined."""
        with np.errstate(invalid="ignore"):  # infinite where a star has no bound
            result: Array = np.std(values[..., 1:], axis=-1, ddof=1)
        return result


def efficiency(
    table: PredictionTable, ceilings: tuple[Ceiling, ...], extra: Mapping[str, Members] | None = None
) -> Efficiency:
    """Every model, under Gaussian noise, against every ceiling: overall, by SNR, by magnitude, by (T_eff, [M/H]) cell.

    Args:
        extra: members (n,) of further bins of the table's stars.

    Raises:
        DataError: no star has all ceilings.
    """
    chosen = _common(table, ceilings)
    truth = table.truth[chosen]
    squared = np.stack([np.mean((table.of(model)[:, chosen] - truth) ** 2, axis=0) for model in table.models])
    losses = np.stack([c.loss[_places(c.stars, table.stars[chosen])] for c in ceilings])
    bins = {name: members[chosen] for name, members in {**_bins(table), **(extra or {})}.items()}
    draws = counts(len(truth))
    centred = truth - truth.mean()
    columns = np.vstack((np.ones_like(truth), centred, centred**2, squared, losses)).T  # (n, 3 + M + C)
    columns[~np.isfinite(columns)] = np.inf
    sums = np.stack([_sums(draws, columns, members) for members in bins.values()])  # (K, 1 + B, 3 + M + C)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.moveaxis(sums[..., 1:] / sums[..., :1], -1, 0)
        variance = means[1] - means[0] ** 2
        variance[variance <= 1e-12] = np.nan
        mse, floor = means[2 : 2 + len(squared)], means[2 + len(squared) :]
        floor = np.stack([f * variance if c.relative else f for c, f in zip(ceilings, floor, strict=True)])
        r2, ceiling_r2 = 1.0 - mse / variance, 1.0 - floor / variance
        eta = r2[:, None] / np.where(ceiling_r2 > 0, ceiling_r2, np.nan)
        ratio = floor / mse[:, None]
    return Efficiency(
        models=table.models,
        ceilings=tuple(c.name for c in ceilings),
        bins=tuple(bins),
        count=sums[:, 0, 0].astype(np.intp),
        r2=r2,
        ceiling_r2=ceiling_r2,
        eta=eta,
        ratio=ratio,
        excess=np.stack([_excess(mse[m], floor, ceilings, o) for m, o in enumerate(table.observers)]),
    )


def summarise_efficiency(result: Efficiency) -> dict[str, float | Scored]:
    """Evidence values under `efficiency/<model>/<ceiling>/`: address -> value.

    eta, mse_ratio: overall, with replicates; per bin below the bin's name, with the bootstrap error as `eta_error` and
    `mse_ratio_error`. Bins of fewer than 20 stars are left out. What is not defined is nan, see `undefined`.
    """
    values: dict[str, float | Scored] = {"efficiency/n": float(result.count[0])}
    for m, c, address in _pairs(result):
        for name, array in (("eta", result.eta[m, c]), ("mse_ratio", result.ratio[m, c])):
            values[f"{address}/{name}"] = _scored(array[0])
            errors = result.error(array)
            for k in _filled(result):
                values[f"{address}/{result.bins[k]}/{name}"] = float(array[k, 0])
                values[f"{address}/{result.bins[k]}/{name}_error"] = float(errors[k])
    return values


def undefined(result: Efficiency) -> dict[str, str]:
    """Why an eta is nan: address -> reason."""
    reasons = {}
    for _, c, address in _pairs(result):
        for k in (0, *_filled(result)):
            place = address if k == 0 else f"{address}/{result.bins[k]}"
            r2 = result.ceiling_r2[c, k]
            if not r2[0] > 0:
                reason = f"this ceiling explains nothing here: its R2 is {r2[0]:.2f}, and eta would divide by it"
                reasons[f"{place}/eta"] = reasons[f"{place}/eta_error"] = reason
            elif not (r2[1:] > 0).all():
                share = float(np.mean(~(r2[1:] > 0)))
                reasons[f"{place}/eta_error"] = (
                    f"the R2 of this ceiling is not positive in {share:.0%} of the resamples"
                )
    return reasons


def _pairs(result: Efficiency) -> Iterator[tuple[int, int, str]]:
    for m, model in enumerate(result.models):
        for c, ceiling in enumerate(result.ceilings):
            yield m, c, f"efficiency/{model}/{ceiling}"


def _filled(result: Efficiency) -> list[int]:
    """Bins but `all` that have enough stars."""
    return [k for k, count in enumerate(result.count) if k and count >= FEWEST]


def _scored(values: Array) -> Scored:
    return Scored(float(values[0]), tuple(map(float, values[1:])))


def _bins(table: PredictionTable) -> dict[str, Members]:
    everywhere = {ALL: np.ones(len(table.truth), dtype=bool)}
    places = cells(table.labels[:, 0], table.labels[:, 2])
    return everywhere | snr_bins(table.snr) | magnitude_bins(table.mag) | places


def _common(table: PredictionTable, ceilings: tuple[Ceiling, ...]) -> NDArray[np.intp]:
    """Places in the table of the stars that every ceiling is known for."""
    known = np.all([np.isin(table.stars, c.stars) for c in ceilings], axis=0)
    if not known.any():
        raise DataError("efficiency: no test star has predictions and all ceilings; they belong to other test sets")
    return np.flatnonzero(known)


def _places(stars: NDArray[np.intp], wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    order = np.argsort(stars)
    return order[np.searchsorted(stars, wanted, sorter=order)]


def _sums(draws: Array, columns: Array, members: Members) -> Array:
    """Sums (1 + B, q) of the columns (n, q) over the drawn members; an infinite loss counts where it is drawn."""
    weights, inside = draws[:, members], columns[members]
    infinite = ~np.isfinite(inside)
    sums: Array = weights @ np.where(infinite, 0.0, inside)
    sums[(weights @ infinite) > 0] = np.inf
    return sums


def _excess(mse: Array, floor: Array, ceilings: tuple[Ceiling, ...], observer: str) -> Array:
    own = [row for row, ceiling in zip(floor, ceilings, strict=True) if ceiling.observer == observer]
    return mse - own[0] if own else np.full_like(mse, np.nan)


def _unlimited(crlb: Array) -> Array:
    """Bounds with infinity where log g is not identifiable."""
    return np.where(np.isfinite(crlb), crlb, np.inf)


def power_law(at: Array, points: Array, values: Array) -> Array:
    """Linear interpolation (of logarithms), continued beyond both ends."""
    segment = np.clip(np.searchsorted(points, at) - 1, 0, len(points) - 2)
    slope = np.diff(values) / np.diff(points)
    result: Array = values[segment] + slope[segment] * (at - points[segment])
    return result
