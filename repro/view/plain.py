"""Spectra of others in plain files: wavelength and flux, as text, CSV or FITS."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError

_WAVE_NAMES: Final = ("wave", "wavelength", "lambda", "wave_vac", "wave_air", "loglam")
_FLUX_NAMES: Final = ("flux", "f_lambda", "flam", "norm_flux")
_ERROR_NAMES: Final = ("error", "err", "sigma", "uncertainty", "flux_error")
_TO_ANGSTROM: Final = {"angstrom": 1.0, "angstroms": 1.0, "a": 1.0, "0.1nm": 1.0, "nm": 10.0, "um": 1e4, "m": 1e10}
_FITS: Final = (".fits", ".fit", ".fits.gz")
_OPTICAL: Final = (2000.0, 30000.0)  # A: wavelengths outside are most likely in another unit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PlainSpectrum:
    """Content of a file.

    wave (W,) [A, in `medium`], strictly increasing; flux (W,), NaN where the file has no value; error (W,) or None;
    medium `air` or `vacuum` where the file itself says so, else None.
    """

    wave: Array
    flux: Array
    error: Array | None
    medium: str | None


def read_plain(path: Path) -> PlainSpectrum:
    """Read a text file of two or three columns (wavelength, flux, error), or a FITS table or one-dimensional image.

    Text: columns by comma, semicolon or white space; lines that start with # and one line of column names are skipped.
    FITS: the first table with columns for wavelength and flux, or the first image with a linear or log-linear axis.

    Raises:
        DataError: the file is absent or not of this form, with its line, or its wavelengths do not increase, or are
            not those of light in Angstrom.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    spectrum = _read_fits(path) if path.name.lower().endswith(_FITS) else _read_text(path)
    wave = spectrum.wave
    if wave.size < 2:
        raise DataError(f"{path}: {wave.size} row(s); a spectrum has at least two")
    bad = np.flatnonzero(~(np.diff(wave) > 0))
    if bad.size:
        row = int(bad[0])
        raise DataError(
            f"{path}: wavelengths must increase strictly; row {row + 1} has {wave[row + 1]:g} A after {wave[row]:g} A"
        )
    if not (_OPTICAL[0] <= wave[0] and wave[-1] <= _OPTICAL[1]):
        raise DataError(
            f"{path}: wavelengths run from {wave[0]:g} to {wave[-1]:g}; Angstrom are expected, convert them first"
        )
    if not np.isfinite(spectrum.flux).any():
        raise DataError(f"{path}: not one flux is finite")
    return spectrum


def _read_text(path: Path) -> PlainSpectrum:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text ({error.reason}); FITS files end in .fits") from None
    rows: list[list[float]] = []
    names = 0
    for number, line in enumerate(lines, 1):
        words = [word for word in re.split(r"[,;\s]+", line.strip()) if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            values = [float(word) for word in words]
        except ValueError:
            names += 1
            if not rows and names == 1:
                continue
            raise DataError(f"{path}: line {number}: {line.strip()[:60]!r} is not a row of numbers") from None
        if not 2 <= len(values) <= 3 or (rows and len(values) != len(rows[0])):
            expected = f"{len(rows[0])} columns as in the rows above" if rows else "wavelength, flux and maybe error"
            raise DataError(f"{path}: line {number}: {len(values)} columns; expected {expected}")
        rows.append(values)
    if not rows:
        raise DataError(f"{path}: holds no row of numbers")
    columns = np.array(rows).T
    return PlainSpectrum(columns[0], columns[1], columns[2] if len(columns) == 3 else None, None)


def _read_fits(path: Path) -> PlainSpectrum:
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as units:
            for unit in units:
                if isinstance(unit, (fits.BinTableHDU, fits.TableHDU)) and _column(unit, _WAVE_NAMES):
                    return _from_table(path, unit)
            for unit in units:
                if unit.is_image and unit.data is not None and np.squeeze(unit.data).ndim == 1:
                    return _from_image(path, unit)
    except (OSError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as FITS ({str(error).splitlines()[0]})") from error
    raise DataError(
        f"{path}: no table with a column named {' or '.join(_WAVE_NAMES)}, and no one-dimensional image with a "
        "wavelength axis"
    )


def _column(unit: Any, names: tuple[str, ...]) -> str | None:
    """The unit's column with one of the names, in any case."""
    known = {name.lower(): name for name in unit.columns.names}
    return next((known[name] for name in names if name in known), None)


def _from_table(path: Path, unit: Any) -> PlainSpectrum:
    wave_name, flux_name, error_name = (_column(unit, names) for names in (_WAVE_NAMES, _FLUX_NAMES, _ERROR_NAMES))
    if wave_name is None or flux_name is None:
        raise DataError(
            f"{path}: the table has no column named {' or '.join(_FLUX_NAMES)}; it has {', '.join(unit.columns.names)}"
        )
    wave = np.ravel(unit.data[wave_name]).astype(np.float64)
    if wave_name.lower() == "loglam":
        wave = 10.0**wave
    else:
        wave *= _unit(path, unit.columns[wave_name].unit)
    flux = np.ravel(unit.data[flux_name]).astype(np.float64)
    error = np.ravel(unit.data[error_name]).astype(np.float64) if error_name else None
    return PlainSpectrum(wave, flux, error, {"wave_air": "air", "wave_vac": "vacuum"}.get(wave_name.lower()))


def _from_image(path: Path, unit: Any) -> PlainSpectrum:
    """Axis keywords of FITS Paper III (Greisen et al. 2006, A&A 446, 747) and of IRAF (DC-FLAG)."""
    header, flux = unit.header, np.squeeze(unit.data).astype(np.float64)
    step = header.get("CDELT1", header.get("CD1_1"))
    if step is None or "CRVAL1" not in header:
        raise DataError(f"{path}: the image has no wavelength axis (CRVAL1 with CDELT1 or CD1_1)")
    kind = str(header.get("CTYPE1", "")).upper()
    pixel = np.arange(flux.size) + 1.0 - float(header.get("CRPIX1", 1.0))
    start, step = float(header["CRVAL1"]), float(step)
    if kind.endswith("-LOG"):
        wave = start * np.exp(step * pixel / start)  # Paper III, equation 5
    elif header.get("DC-FLAG", 0) == 1:
        wave = 10.0 ** (start + step * pixel)
    else:
        wave = start + step * pixel
    medium = {"AWAV": "air", "WAVE": "vacuum"}.get(kind[:4]) if kind != "WAVELENGTH" else None
    return PlainSpectrum(wave * _unit(path, header.get("CUNIT1")), flux, None, medium)


def _unit(path: Path, name: str | None) -> float:
    factor = _TO_ANGSTROM.get((name or "Angstrom").strip().lower().replace(" ", ""))
    if factor is None:
        raise DataError(f"{path}: wavelength unit {name!r} is not known; use Angstrom, nm, um or m")
    return factor
