"""What a spectrum set must fulfil: a pandera schema for its labels, the same for per-spectrum figures of its pixels.

Pixels are reduced block by block to one record a spectrum, and those records pass through a schema like the labels: a
schema column per pixel would take minutes. Violations name the row, the column, the value and the rule.
"""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray

from repro.errors import DataError
from repro.labels import BOX, LABELS
from repro.spectra.generate import MEDIAN, snr_column
from repro.spectra.nodes import require_pixel_grid
from repro.spectra.sampling import CONDITIONS, Table, labels_of
from repro.spectra.store import SpectrumSet, open_set

_MAGNITUDES: Final = (15.0, 25.0)  # a star's HSC-i; all published sets lie well inside
_MEDIAN_TOLERANCE: Final = 1e-6
_SNR_TOLERANCE: Final = 1e-4
_SHOWN: Final = 5

# Fainter stars are noisier: asked of sets large and wide enough for the correlation to mean something.
_ENOUGH_ROWS, _ENOUGH_MAGNITUDES, _LARGEST_CORRELATION = 100, 0.5, -0.5

Summary = dict[str, float]


def validate_splits(paths: Mapping[str, str | Path]) -> dict[str, Summary]:
    """Validate the set of each split, and that no star is in two of them.

    Returns:
        For each split `validate_set`'s summary.

    Raises:
        DataError: a violation, with file, row, column, value and rule.
    """
    summaries = {split: validate_set(path, split) for split, path in paths.items()}
    tables: dict[str, Table] = {}
    for split, path in paths.items():
        with open_set(path) as spectra:
            tables[split] = spectra.labels
    for one, other in combinations(paths, 2):
        _require_disjoint((paths[one], tables[one]), (paths[other], tables[other]))
    return summaries


def validate_set(path: str | Path, split: str | None = None) -> Summary:
    """Validate one set.

    Args:
        split: the split that the file must say it is, if given.

    Returns:
        n, and percentiles of snr and mag.

    Raises:
        DataError: a violation, with file, row, column, value and rule.
    """
    with open_set(path) as spectra:
        name = str(path)
        if split is not None and spectra.attributes.get("split") != split:
            raise DataError(f"{name}: says it is split {spectra.attributes.get('split')!r}, expected {split!r}")
        require_pixel_grid(spectra.wave, name)
        table = spectra.labels
        absent = [name for name in str(spectra.attributes.get("absent", "")).split(",") if name]
        schema = _label_schema(len(table)).remove_columns(absent)  # what the files of others do not say
        violations = _violations(schema, _frame(table)) + _bad_spectra(spectra, table)
        if violations:
            shown = "\n  ".join(violations[:_SHOWN])
            more = f"\n  and {len(violations) - _SHOWN} more" if len(violations) > _SHOWN else ""
            raise DataError(f"{name}: {len(violations)} violations of the schema\n  {shown}{more}")
        _require_fainter_is_noisier(table, name)
    return _summary(table)


def _label_schema(n: int) -> pa.DataFrameSchema:
    def between(low: float, high: float) -> pa.Column:
        return pa.Column(float, pa.Check.in_range(low, high, error=f"must lie in {low:g} to {high:g}"))

    return pa.DataFrameSchema(
        {
            "id": pa.Column(
                "int64", pa.Check(lambda ids: ids == np.arange(n), error="must be the row's number, counted from 0")
            ),
            **{name: between(*BOX[name]) for name in LABELS},
            "mag": between(*_MAGNITUDES),
            **{name: between(*limits) for name, limits in CONDITIONS.items()},
            "moon_phase": between(0.0, 1.0),
            "snr": pa.Column(float, pa.Check.greater_than(0.0, error="must be positive")),
            "random_seed": pa.Column(
                "int64", pa.Check(lambda seeds: ~seeds.duplicated(), error="must be unique: one spectrum a star")
            ),
            "interp_param": pa.Column(
                str, pa.Check.isin((*LABELS, "all"), error=f"must be one of {', '.join(LABELS)} or all")
            ),
        }
    )


def _pixel_schema() -> pa.DataFrameSchema:
    def none(rule: str) -> pa.Column:
        return pa.Column("int64", pa.Check.equal_to(0, error=rule))

    return pa.DataFrameSchema(
        {
            "flux": none("every flux must be finite"),
            "error": none("every error must be finite and positive"),
            "median": pa.Column(
                float,
                pa.Check.in_range(
                    MEDIAN - _MEDIAN_TOLERANCE, MEDIAN + _MEDIAN_TOLERANCE, error=f"the median flux must be {MEDIAN}"
                ),
            ),
            "snr": pa.Column(
                float,
                pa.Check.less_than_or_equal_to(
                    _SNR_TOLERANCE, error="must be the 95th percentile of flux/error (value: relative difference)"
                ),
            ),
        }
    )


def _bad_spectra(spectra: SpectrumSet, table: Table) -> list[str]:
    schema = _pixel_schema()
    violations = []
    for start, flux, error in spectra.blocks():
        bad_flux, bad_error = ~np.isfinite(flux), ~(np.isfinite(error) & (error > 0))
        whole = ~(bad_flux.any(axis=1) | bad_error.any(axis=1))
        median, snr = np.full(len(flux), MEDIAN), np.zeros(len(flux))
        median[whole] = np.median(flux[whole], axis=1)
        stored = table["snr"][start : start + len(flux)]
        # a stored snr that is not a number is the label schema's to report
        comparable = whole & np.isfinite(stored)
        snr[comparable] = np.abs(stored[comparable] / snr_column(flux[comparable], error[comparable]) - 1.0)
        frame = pd.DataFrame(
            {"flux": bad_flux.sum(axis=1), "error": bad_error.sum(axis=1), "median": median, "snr": snr},
            index=np.arange(start, start + len(flux)),
        )
        places = {"flux": (start, flux, bad_flux), "error": (start, error, bad_error)}
        violations += _violations(schema, frame, places)
    return violations


def _violations(
    schema: pa.DataFrameSchema, frame: pd.DataFrame, places: Mapping[str, tuple[int, Any, Any]] | None = None
) -> list[str]:
    """One line for each value that breaks a rule; `places` gives (first row, pixels, bad ones) of array columns."""
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases.drop_duplicates(["column", "index"]).sort_values("index", kind="stable")
        return [
            _line(int(case.index_), case.column, case.failure_case, case.check, (places or {}).get(case.column))
            for case in cases.rename(columns={"index": "index_"}).itertuples(index=False)
        ]
    return []


def _line(row: int, column: str, value: object, rule: str, place: tuple[int, Any, Any] | None) -> str:
    if rule == "not_nullable":
        rule = "must be a number"
    if place is None:
        return f"row {row}, column {column}, value {value}: {rule}"
    start, pixels, bad = place
    pixel = int(np.flatnonzero(bad[row - start])[0])
    count = f"{value} of {bad.shape[1]} pixels break it"
    return f"row {row}, column {column}, pixel {pixel}, value {pixels[row - start, pixel]}: {rule} ({count})"


def _frame(table: Table) -> pd.DataFrame:
    columns = {name: table[name] for name in table.dtype.names or ()}
    columns["interp_param"] = table["interp_param"].astype(str)
    return pd.DataFrame(columns)


def _require_fainter_is_noisier(table: Table, name: str) -> None:
    magnitudes, snr = table["mag"], table["snr"]
    if len(table) < _ENOUGH_ROWS or np.ptp(magnitudes) < _ENOUGH_MAGNITUDES:
        return
    correlation = np.corrcoef(magnitudes, np.log(snr))[0, 1]
    if not correlation < _LARGEST_CORRELATION:
        raise DataError(
            f"{name}: column snr, correlation of ln snr with mag {correlation:.2f}: it must be below "
            f"{_LARGEST_CORRELATION}, fainter stars are noisier. Labels and spectra may be out of step."
        )


def _require_disjoint(one: tuple[str | Path, Table], other: tuple[str | Path, Table]) -> None:
    (one_path, one_table), (other_path, other_table) = one, other
    for column, stars in (("random_seed", _seeds), ("labels", _label_bytes)):
        _, rows, other_rows = np.intersect1d(
            stars(one_table), stars(other_table), assume_unique=False, return_indices=True
        )
        if not rows.size:
            continue
        value = one_table[rows[0]][list(LABELS) if column == "labels" else column]
        raise DataError(
            f"{one_path}: row {rows[0]} is the same star as row {other_rows[0]} of {other_path}, column {column}, "
            f"value {value}: no star may be in two splits ({rows.size} shared)"
        )


def _seeds(table: Table) -> NDArray[np.int64]:
    return table["random_seed"]


def _label_bytes(table: Table) -> NDArray[np.void]:
    labels = np.ascontiguousarray(labels_of(table))
    return labels.view(np.dtype((np.void, labels.dtype.itemsize * labels.shape[1])))[:, 0]


def _summary(table: Table) -> Summary:
    percentiles = {
        f"{column}_p{level}": float(np.percentile(table[column], level))
        for column in ("snr", "mag")
        for level in (5, 25, 50, 75, 95)
    }
    return {"n": float(len(table)), **percentiles}
