"""Spectra in tables: columns of wavelength, flux and what goes with them, one sample a row or one spectrum a row.

This covers LAMOST's low-resolution spectra from DR8 on (extension 1, one row of vectors FLUX, IVAR, WAVELENGTH,
ANDMASK, ORMASK), SDSS's (flux, loglam, ivar, and_mask), the table of PFS's own pfsObject files (lambda, flux,
fluxVariance, mask, later wavelength, flux, error, mask; nanometres in vacuum and nJy) and whoever names columns so.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.observed.headers import Header, medium_of, redshift_of, resolution_of
from repro.observed.spectrum import MOST_SAMPLES, Medium, Observed, checked

_WAVE: Final = ("wavelength", "wave", "lambda", "lam", "wave_vac", "wave_air", "loglam")
_FLUX: Final = ("flux", "flam", "f_lambda", "flux_lambda")
_ERROR: Final = ("error", "err", "sigma", "uncertainty", "flux_error", "flux_err")
_INVERSE: Final = ("ivar", "inverse_variance")
_VARIANCE: Final = ("variance", "var", "fluxvariance")
_MASK: Final = ("andmask", "and_mask", "mask")  # LAMOST, SDSS: flagged in every exposure; 0 = good
_TO_ANGSTROM: Final = {"angstrom": 1.0, "angstroms": 1.0, "a": 1.0, "0.1nm": 1.0, "nm": 10.0, "um": 1e4, "m": 1e10}
_PFS: Final = {"wavelength": "nm", "lambda": "nm", "flux": "nJy"}  # where its columns say no unit
_PER_FREQUENCY: Final = ("jy", "hz")  # in units of flux per unit frequency
_MOST_SPECTRA: Final = 1_000_000

Columns = Mapping[str, NDArray[Any]]


def is_spectrum(names: list[str]) -> bool:
    """Whether columns of these names hold a spectrum."""
    return _named(names, _WAVE) is not None and _named(names, _FLUX) is not None


def read_columns(name: str, table: Any, header: Header) -> Iterator[Observed]:
    """Spectra of a FITS table whose columns `is_spectrum` knows.

    Args:
        table: a FITS table extension.
        header: keywords of the file, see `headers`.

    Raises:
        DataError: a unit that is not of length, a flux per unit frequency without wavelengths, vectors that do not
            fit, or what `checked` refuses.
    """
    names = list(table.columns.names)
    pfs = table.name == "FLUX_TABLE" or "fluxVariance" in names
    implied = _PFS if pfs else {}
    units = {each.name: str(each.unit or implied.get(each.name.lower(), "")) for each in table.columns}
    wave_name, flux_name = str(_named(names, _WAVE)), str(_named(names, _FLUX))
    wave = _column(name, table, wave_name)
    rows = 1 if wave.ndim == 1 else len(wave)
    if wave.size > MOST_SAMPLES * max(rows, 1) or rows > _MOST_SPECTRA:
        raise DataError(f"{name}: {wave.size} samples in {rows} spectra; that is not a table of spectra")
    columns = {each: _column(name, table, each) for each in names if _role(each)}
    for row in range(rows):
        here = {each: values if wave.ndim == 1 else values[row] for each, values in columns.items()}
        called = name if rows == 1 else f"{name}#{row}"
        yield _spectrum(called, here, (wave_name, flux_name), units, {"VACUUM": True, **header} if pfs else header)


def _spectrum(name: str, columns: Columns, pair: tuple[str, str], units: Mapping[str, str], header: Header) -> Observed:
    wave_name, flux_name = pair
    wave = np.asarray(columns[wave_name], dtype=np.float64)
    flux = np.asarray(columns[flux_name], dtype=np.float64)
    if wave_name.lower() == "loglam":
        with np.errstate(over="ignore"):
            wave = 10.0**wave
    else:
        wave = wave * _angstroms(name, wave_name, units[wave_name])
    error = _error(columns)
    if any(word in units[flux_name].lower() for word in _PER_FREQUENCY):
        flux, error = flux / wave**2, None if error is None else error / wave**2
    mask = _named(list(columns), _MASK)
    return checked(
        name,
        wave,
        flux,
        error,
        None if mask is None else np.asarray(columns[mask]) != 0,
        medium=_medium(wave_name) or medium_of(header),
        redshift=redshift_of(header),
        resolution=resolution_of(header),
        layout=f"table with columns {', '.join(columns)}",
    )


def _role(name: str) -> bool:
    return name.lower() in (*_WAVE, *_FLUX, *_ERROR, *_INVERSE, *_VARIANCE, *_MASK)


def _named(names: list[str], wanted: tuple[str, ...]) -> str | None:
    known = {name.lower(): name for name in reversed(names)}
    return next((known[name] for name in wanted if name in known), None)


def _column(name: str, table: Any, column: str) -> NDArray[Any]:
    values = np.asarray(table.data[column])
    if values.dtype.kind not in "fiu" or values.ndim > 2:
        raise DataError(
            f"{name}: column {column} is of type {values.dtype} and shape {values.shape}; it must hold numbers, one "
            "sample or one spectrum a row"
        )
    return values


def _error(columns: Columns) -> NDArray[np.float64] | None:
    """1-sigma errors; an inverse variance of 0 says that nothing is known."""
    names = list(columns)
    for wanted, power in ((_INVERSE, -0.5), (_VARIANCE, 0.5), (_ERROR, 1.0)):
        column = _named(names, wanted)
        if column is not None:
            values = np.asarray(columns[column], dtype=np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(values > 0, values, np.nan) ** power
    return None


def _angstroms(name: str, column: str, unit: str) -> float:
    word = unit.strip().lower().replace(" ", "")
    if word and word not in _TO_ANGSTROM:
        raise DataError(f"{name}: column {column} is in {unit!r}; known are {', '.join(_TO_ANGSTROM)}")
    return _TO_ANGSTROM.get(word, 1.0)


def _medium(column: str) -> Medium | None:
    known: dict[str, Medium] = {"wave_air": "air", "wave_vac": "vacuum", "loglam": "vacuum"}
    return known.get(column.lower())
