"""How much worse a model is on stars of the sky than at home: bias, scatter and R2 on stars with known gravity.

Stars of the sky have other signal-to-noise ratios than the reference stars. The error to expect of a star is therefore
that of the reference stars of its group at its own SNR, and the gap is the root mean square of the residuals over that
of the errors to expect: 1 at home.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.labels import BOX, LABELS
from repro.observed.apply import Estimate
from repro.observed.domain import SNR_PARTS, Scored, expected_rmse
from repro.scores.bins import FEWEST, METALLICITY_EDGES, SNR_EDGES, TEMPERATURE_EDGES, r2, rmse

GRAVITY_EDGES: Final = (1.0, 2.5, 3.5, 5.0)  # giants, subgiants, dwarfs of the published tables
RESAMPLES: Final = 1000
INTERVAL: Final = (5.0, 95.0)
_MOST_BYTES: Final = 100_000_000
_NAME: Final = "spectrum"

Array = NDArray[np.float64]
Labels = Mapping[str, float]
Values = Callable[[Scored], Array]


@dataclass(frozen=True)
class Group:
    """Scores of some stars.

    Attributes:
        name: which.
        count: how many.
        bias: mean residual [dex]. scatter: standard deviation of the residuals [dex].
        rmse: [dex]. r2: of the estimates; NaN of fewer than 20 stars, and within a slice of log g.
        gap: rmse over that to expect at home, NaN without a reference.
        interval: of the gap, 90 per cent, over resampled stars.
    """

    name: str
    count: int
    bias: float
    scatter: float
    rmse: float
    r2: float
    gap: float
    interval: tuple[float, float]


def read_truth(path: str | Path) -> dict[str, Labels]:
    """Known labels by spectrum from a CSV table with columns `spectrum`, `log_g` and any other of the labels.

    A spectrum is named as `repro predict` prints it, or by its file's name with or without folder and endings.

    Raises:
        DataError: the file is absent or no such table, or a value is no gravity in dex; names line and column.
    """
    path = Path(path)
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise DataError(f"{path}: no such file, or no table of stars; it must be CSV with columns {_NAME},log_g")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in (_NAME, "log_g") if name not in (rows.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: column {missing[0]} is missing; it has {', '.join(rows.fieldnames or ())}")
            return dict(_labels(path, rows.line_num, row) for row in rows)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not CSV ({error})") from None


def with_truth(estimates: Sequence[Estimate], truth: Mapping[str, Labels]) -> Scored:
    """Estimates of the stars that a table knows.

    Raises:
        DataError: it knows none of them.
    """
    known = [(one, labels) for one in estimates if not one.refused and (labels := _find(one.name, truth)) is not None]
    if not known:
        example = ", ".join(list(truth)[:3])
        raise DataError(f"the table of known gravities names none of the spectra that were estimated; it has {example}")
    return _scored(known)


def own_truth(estimates: Sequence[Estimate]) -> Scored | None:
    """Estimates of the stars whose files know their gravity; None where there are none."""
    known = [(one, one.labels) for one in estimates if not one.refused and "log_g" in one.labels]
    return _scored(known) if known else None


def gap(stars: Scored, home: Scored | None) -> list[Group]:
    """Scores of all stars, then by SNR, log g, T_eff and [M/H], as far as groups have stars."""
    found = [_group("all", stars, home)]
    for name, values, edges in _axes():
        for low, high in zip(edges, edges[1:], strict=False):
            part = _between(stars, values, low, high)
            if len(part.estimate):
                known = home if name == "SNR" or home is None else _between(home, values, low, high)
                group = _group(_named(name, low, high), part, known)
                # within a slice of log g the truth hardly varies: an R2 of it says nothing
                found.append(replace(group, r2=math.nan) if name == "log_g" else group)
    return found


def outside(stars: Scored) -> list[str]:
    """Labels of which some stars lie outside the box that models are trained on, and how many."""
    found = []
    for column, (label, (low, high)) in enumerate(BOX.items()):
        values = stars.labels[:, column]
        count = int(np.count_nonzero((values < low) | (values > high)))
        if count:
            found.append(f"{count} of {len(values)} stars have {label} outside {low:g} to {high:g}")
    return found


def _labels(path: Path, line: int, row: Mapping[str, str | None]) -> tuple[str, Labels]:
    labels = {}
    for name in LABELS:
        text = (row.get(name) or "").strip()
        try:
            labels[name] = float(text) if text else math.nan
        except ValueError:
            raise DataError(f"{path}: line {line}, column {name}, value {text!r}: must be a number") from None
    if not -1.0 <= labels["log_g"] <= 9.0:
        raise DataError(f"{path}: line {line}, column log_g, value {labels['log_g']}: must be a gravity in dex (cgs)")
    return str(row[_NAME]).strip(), labels


def _find(name: str, truth: Mapping[str, Labels]) -> Labels | None:
    base = Path(name).name
    return next((truth[key] for key in (name, base, base.split(".")[0]) if key in truth), None)


def _scored(known: Sequence[tuple[Estimate, Labels]]) -> Scored:
    return Scored(
        np.array([one.log_g for one, _ in known]),
        np.array([one.snr for one, _ in known]),
        np.array([[labels.get(name, math.nan) for name in LABELS] for _, labels in known]),
    )


def _axes() -> Iterator[tuple[str, Values, tuple[float, ...]]]:
    yield "SNR", lambda stars: stars.snr, (0.0, *SNR_EDGES, math.inf)
    edges = {"log_g": GRAVITY_EDGES, "T_eff": TEMPERATURE_EDGES, "M_H": METALLICITY_EDGES}
    for label, limits in edges.items():
        column = LABELS.index(label)
        yield label, partial(_column, column), (-math.inf, *limits[1:-1], math.inf)


def _column(column: int, stars: Scored) -> Array:
    return stars.labels[:, column]


def _between(stars: Scored, values: Values, low: float, high: float) -> Scored:
    members = (values(stars) >= low) & (values(stars) < high)
    return Scored(stars.estimate[members], stars.snr[members], stars.labels[members])


def _named(name: str, low: float, high: float) -> str:
    if math.isinf(low):
        return f"{name} below {high:g}"
    return f"{name} from {low:g}" if math.isinf(high) else f"{name} {low:g} to {high:g}"


def _group(name: str, stars: Scored, home: Scored | None) -> Group:
    count, residual = len(stars.estimate), stars.residual
    ratio, interval = math.nan, (math.nan, math.nan)
    if home is not None and len(home.snr) >= SNR_PARTS * 2 and not np.isnan(stars.snr).any():
        ratio, interval = _ratio(residual**2, expected_rmse(home, stars.snr) ** 2)
    scatter = float(residual.std(ddof=1)) if count > 1 else math.nan
    score = r2(stars.truth, stars.estimate) if count >= FEWEST else math.nan
    error = rmse(stars.truth, stars.estimate)
    return Group(name, count, float(residual.mean()), scatter, error, score, ratio, interval)


def _ratio(found: Array, wanted: Array) -> tuple[float, tuple[float, float]]:
    """Root of the mean squared residual over that to expect, and its interval where stars suffice."""
    ratio, count = float(np.sqrt(found.mean() / wanted.mean())), len(found)
    if count < FEWEST:
        return ratio, (math.nan, math.nan)
    drawn = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    low, high = np.percentile(np.sqrt(found[drawn].mean(axis=1) / wanted[drawn].mean(axis=1)), INTERVAL)
    return ratio, (float(low), float(high))
