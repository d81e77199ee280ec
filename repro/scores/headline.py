"""The headline of Track A: its model, the fast recipe and the baselines on the same stars, whole and in parts.

Evidence addresses; <part> is `snr/<low>-<high>` (published fixed bins, in the one SNR of the kit), `quantile/<1..8>`,
`type/<giants|subgiants|dwarfs>`, or `snr_column/<low>-<high>`: the fixed bins in the published column (95th percentile
of flux / error), the control that compares with the paper's figure like with like:

headline/r2, mae, rmse                        the main model at its largest size [dex]
headline/mae_z, rmse_z                        over the standard deviation of its training labels
headline/residual/median, std                 of prediction minus truth [dex], mean over the runs
headline/<part>/r2, rmse, mae, bias, slope    those of `METRICS`; slope is that of the prediction over the truth
headline/<part>/n, snr                        stars, and their mean SNR
fast/...                                      the same of the fast recipe
baseline/<model>/...                          the same of a tuned model of the matrix at its largest size
gain/<model>/r2, relative                     R2 of the main model minus that of a baseline, and over it, less 1; paired
                                              at the largest size that both have
gain/<model>/n<N>/r2                          the same at every size that both have
gain/<model>/<part>/r2                        the same in snr and quantile parts
validation/r2, mae_z, mae_dex, gap            of the main model on the validation stars, by which its state was chosen;
                                              gap is R2 there minus R2 of the test stars
validation/sampling_error, test/sampling_error        standard error of R2 by the choice of 1000 and of 10 000 stars:
                                              the bootstrap's over the test stars, times sqrt(their number over that)
labels/log_g/mean, std, test_mean, test_std   of the training labels and of the test stars [dex]
labels_on_node/share                          of test stars whose log g is a multiple of 0.5
invariance/r2                                 R2 of affinely transformed labels minus R2: 0 by algebra
invariance/mae_ratio                          their mean absolute error over that in dex, times their scale: 1
snr/min, median, max, mag/min, max            of the test stars
snr_definition/ratio, ratio_column, ratio_max, median_noisy   see `definition_items`
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.scores.arms import Metric, Rows, over_runs
from repro.scores.bins import mae, r2
from repro.scores.bootstrap import Scored, Undefined, resamples
from repro.scores.contenders import BASELINES, Contenders
from repro.scores.interval import Measured
from repro.scores.node_lattice import on_node
from repro.scores.parts import Members, Part, fixed_snr, parts_of, plain, quantile_snr, stellar_types
from repro.scores.parts import Metric as PartMetric
from repro.scores.sensitivity import Conditions, Item, conditions
from repro.scores.star_references import StarReferences

Array = NDArray[np.float64]

NO_LABEL_STD: Final = "its arms do not say the standard deviation of their training labels (fact label_std)"
# by family of parts; R2 within a narrow range of log g says nothing
METRICS: Final[Mapping[str, tuple[PartMetric, ...]]] = {
    "snr": ("r2", "rmse", "mae", "bias", "slope"),
    "quantile": ("r2", "rmse", "slope"),
    "type": ("mae", "rmse", "bias"),
    "snr_column": ("r2", "rmse"),
}
_SIZES: Final = {"validation/sampling_error": 1000, "test/sampling_error": 10_000}
_AFFINE: Final = (2.9975, 1.1683)  # mean and standard deviation [dex] of the published z-score, alignment card


def headline_items(known: Contenders, references: StarReferences, recipe: str) -> Iterator[Item]:
    """Evidence values, see above."""
    parts = members_of(known, references)
    for address, rows, named in _shown(known):
        where = dict(conditions(known.scores, rows)) | {"model": named}
        if address == "headline":
            where["recipe"] = recipe
        yield from _whole(known, address, rows, where)
        yield from _in_parts(known, address, rows, parts, where)
    yield from _gains(known, parts, recipe)
    yield from _validation(known, recipe)


def members_of(known: Contenders, references: StarReferences) -> dict[str, Members]:
    """Every part of the test set that the headline is given in."""
    table = known.scores.table
    column = fixed_snr(references.snr_column, "snr_column")
    return fixed_snr(table.snr) | quantile_snr(table.snr) | stellar_types(table.truth) | column


def star_items(known: Contenders) -> Iterator[Item]:
    """Evidence values of the labels and of the stars themselves."""
    table, scores = known.scores.table, known.scores
    rows = scores.rows(known.main)
    nodes = Part(scores, np.ones(len(table.truth), dtype=bool)).mean_of(on_node(table.truth).astype(np.float64))
    for name in ("mean", "std"):
        runs = scores.facts(rows).get(f"label_{name}")
        yield f"labels/log_g/{name}", float(np.mean(runs)) if runs else Undefined(NO_LABEL_STD), {}
    yield "labels/log_g/test_mean", float(table.truth.mean()), {}
    yield "labels/log_g/test_std", float(table.truth.std()), {}
    yield "labels_on_node/share", plain(nodes), {}
    for name, values in (("snr", table.snr), ("mag", table.mag)):
        yield f"{name}/min", float(values.min()), {}
        yield f"{name}/max", float(values.max()), {}
    yield "snr/median", float(np.median(table.snr)), {}
    yield from _invariance(known, rows)


def definition_items(known: Contenders, references: StarReferences) -> Iterator[Item]:
    """How much definitions of SNR differ, star by star (contradiction C21).

    snr_definition/ratio_column: median over the stars of the published column over the kit's SNR; ratio: of the
    published column over the SNR recomputed from noisy flux; ratio_max: the ratio of their largest values over the
    stars; median_noisy: median of the noisy over the kit's SNR.
    """
    column, noisy, snr = references.snr_column, references.snr_noisy, known.scores.table.snr
    yield "snr_definition/ratio", float(np.median(column / noisy)), {}
    yield "snr_definition/ratio_column", float(np.median(column / snr)), {}
    yield "snr_definition/ratio_max", float(column.max() / noisy.max()), {}
    yield "snr_definition/median_noisy", float(np.median(noisy / snr)), {}


def _shown(known: Contenders) -> Iterator[tuple[str, Rows, str]]:
    yield "headline", known.scores.rows(known.main), known.name
    for model, rows in known.headline.items():
        if model in BASELINES:
            yield f"baseline/{model}", rows, model
        elif model != known.name:
            yield "fast", rows, model


def _whole(known: Contenders, address: str, rows: Rows, where: Conditions) -> Iterator[Item]:
    scores = known.scores
    errors: tuple[Metric, ...] = ("mae", "rmse")
    for metric in ("r2", *errors):
        yield f"{address}/{metric}", scores.measured(rows, metric).scored(), where
    deviation = scores.facts(rows).get("label_std")
    for metric in errors:
        if address.startswith("baseline"):
            continue
        value = scaled(scores.measured(rows, metric), deviation) if deviation else Undefined(NO_LABEL_STD)
        yield f"{address}/{metric}_z", value, where
    everyone = Part(scores, np.ones(len(scores.table.truth), dtype=bool))
    residual = scores.table.predictions[rows] - scores.table.truth
    drawn = (np.arange(residual.shape[1]), *resamples(residual.shape[1]))
    medians = np.stack([np.median(residual[:, stars], axis=1) for stars in drawn], axis=1)
    yield f"{address}/residual/median", over_runs(medians, scores.seeded(rows)).scored(), where
    yield f"{address}/residual/std", plain(everyone.measured("scatter", rows)), where


def scaled(measured: Measured, by: tuple[float, ...]) -> Scored:
    """The same with each run over a number of its own."""
    runs = tuple(run / one for run, one in zip(measured.runs, by, strict=True))
    factor = float(np.mean(runs)) / measured.value
    return Measured(runs, measured.samples * factor, measured.seeded).scored()


def _in_parts(
    known: Contenders, address: str, rows: Rows, parts: Mapping[str, Members], where: Conditions
) -> Iterator[Item]:
    snr = known.scores.table.snr
    for name, part in parts_of(known.scores, parts):
        for metric in METRICS[name.split("/")[0]]:
            yield f"{address}/{name}/{metric}", plain(part.measured(metric, rows)), where
        yield f"{address}/{name}/n", float(part.count), where
        yield f"{address}/{name}/snr", plain(part.mean_of(snr)), where


def _gains(known: Contenders, parts: Mapping[str, Members], recipe: str) -> Iterator[Item]:
    scores = known.scores
    for model in (name for name in BASELINES if name in known.by_size):
        sizes = known.common(known.name, model)
        if not sizes:
            reason = Undefined(f"{known.name} and {model} were not trained with one number of spectra")
            yield from ((f"gain/{model}/{name}", reason, {}) for name in ("r2", "relative"))
            continue
        for n in sizes:
            pair = (known.at(known.name, n), known.at(model, n))
            where = dict(conditions(scores, pair[0])) | {"model": known.name}
            yield f"gain/{model}/n{n}/r2", scores.difference(*pair).scored(), where
        where["recipe"] = recipe
        yield f"gain/{model}/r2", scores.difference(*pair).scored(), where
        yield f"gain/{model}/relative", scores.combined(lambda own, other: own / other - 1.0, *pair).scored(), where
        for name, part in parts_of(scores, parts):
            if name.startswith(("snr/", "quantile/")):
                yield f"gain/{model}/{name}/r2", plain(part.difference("r2", *pair)), where


def _validation(known: Contenders, recipe: str) -> Iterator[Item]:
    scores, rows = known.scores, known.scores.rows(known.main)
    where = dict(conditions(scores, rows)) | {"model": known.name, "recipe": recipe}
    validated = scores.table.validation_r2[rows]
    facts = scores.facts(rows)
    error, deviation = facts.get("best_validation_mae"), facts.get("label_std")
    missing = Undefined("its arms do not say their error on the validation stars")
    yield "validation/r2", runs_of(validated), where
    yield "validation/gap", runs_of(validated - scores.r2[rows, 0]), where
    yield "validation/mae_z", runs_of(error) if error else missing, where
    both = runs_of(np.multiply(error, deviation)) if error and deviation else missing
    yield "validation/mae_dex", both, where
    stars = len(scores.table.truth)
    for address, n in _SIZES.items():
        yield address, scores.measured(rows).error * np.sqrt(stars / n), where | {"n_stars": n}


def runs_of(values: Any) -> float | Scored | Undefined:
    """A number of each run that no resampled star enters."""
    runs = np.asarray(values, dtype=np.float64)
    if not np.isfinite(runs).all():
        return Undefined("a run did not record it")
    return Scored(float(runs.mean()), (), tuple(runs.tolist()))


def _invariance(known: Contenders, rows: Rows) -> Iterator[Item]:
    table = known.scores.table
    centre, scale = _AFFINE
    plain_labels, shifted = table.truth, (table.truth - centre) / scale
    predictions = table.predictions[rows].astype(np.float64)
    difference = [r2(shifted, (p - centre) / scale) - r2(plain_labels, p) for p in predictions]
    ratio = [mae(shifted, (p - centre) / scale) * scale / mae(plain_labels, p) for p in predictions]
    yield "invariance/r2", max(difference, key=abs), {}
    yield "invariance/mae_ratio", max(ratio, key=lambda one: abs(one - 1.0)), {}
