"""Spectra in FITS files.

LAMOST's low-resolution spectra come in two layouts. Up to DR7 v1 the primary image has five rows: flux, inverse
variance, wavelength, and-mask, or-mask; the wavelengths are log-linear, 10^(COEFF0 + COEFF1 i), as the header repeats.
Later a table in extension 1 has one row of vectors FLUX, IVAR, WAVELENGTH, ANDMASK, ORMASK (see `columns`). Wavelengths
are heliocentric, in vacuum where VACUUM is true; Z is the pipeline's redshift, -9999 where it found none (data
production descriptions of DR3, DR8; the pilot survey's order of rows, with the continuum-subtracted spectrum third, is
refused). A sample is flagged where the and-mask is set: in every exposure.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from repro.errors import DataError
from repro.observed.columns import is_spectrum, read_columns
from repro.observed.headers import Header, medium_of, redshift_of, resolution_of
from repro.observed.spectrum import Observed, checked

ENDINGS: Final = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz")
_MOST_BYTES: Final = 1 << 29  # of an extension: no file of single spectra is larger
_LOG_STEP: Final = 2e-5  # relative: stored wavelengths are of 32 bits


def is_fits(path: Path) -> bool:
    """Whether a file's name is that of a FITS file."""
    return path.name.lower().endswith(ENDINGS)


def read_fits(path: Path) -> Iterator[Observed] | None:
    """Spectra of a FITS file in a layout that is known here, or None where it is of another.

    Raises:
        DataError: the file cannot be read as FITS, is cut short, claims to be larger than any file of spectra, or
            breaks a rule of its layout.
    """
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="File may have been truncated")
            with fits.open(path, memmap=False) as units:
                return _known(path, units)
    except DataError:
        raise
    except (OSError, TypeError, ValueError, LookupError, MemoryError, UserWarning, fits.VerifyError) as error:
        raise DataError(f"{path}: cannot be read as FITS ({_first_line(error)}); is it cut short?") from None


def _known(path: Path, units: Any) -> Iterator[Observed] | None:
    from astropy.io import fits

    _check_size(path, units)
    header = _merged(units)
    for number, unit in enumerate(units):
        if isinstance(unit, fits.BinTableHDU | fits.TableHDU) and is_spectrum(unit.columns.names):
            return iter(list(read_columns(str(path), unit, {**header, **dict(unit.header)})))
        if number == 0 and unit.is_image and _is_rows(unit):
            return iter([_from_rows(path, unit, header)])
    return None


def _check_size(path: Path, units: Any) -> None:
    for number, unit in enumerate(units):
        if unit.size > _MOST_BYTES:
            raise DataError(
                f"{path}: extension {number} claims {unit.size / 1e6:.0f} MB; files of spectra have at most "
                f"{_MOST_BYTES / 1e6:.0f} MB an extension"
            )


def _merged(units: Any) -> Header:
    """Keywords of the primary header, the first of those that stand twice."""
    return {key: value for key, value in reversed(list(units[0].header.items())) if key}


def _is_rows(unit: Any) -> bool:
    header = unit.header
    return header.get("NAXIS") == 2 and header.get("NAXIS2") == 5 and "COEFF0" in header and "COEFF1" in header


def _from_rows(path: Path, unit: Any, header: Header) -> Observed:
    data = np.asarray(unit.data, dtype=np.float64)
    flux, inverse, wave, flagged = data[0], data[1], data[2], data[3]
    first, step = float(header["COEFF0"]), float(header["COEFF1"])
    told = 10.0 ** (first + step * np.arange(wave.size))
    off = np.abs(wave / told - 1.0)
    if not (off < _LOG_STEP).all():
        at = int(np.argmax(np.where(np.isfinite(off), off, np.inf)))
        raise DataError(
            f"{path}: image row 3, sample {at}, value {wave[at]:g}: COEFF0 and COEFF1 make it {told[at]:.3f} A; row 3 "
            "must hold the wavelengths (files of the pilot survey have another order of rows)"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(inverse > 0, inverse, np.nan) ** -0.5
    return checked(
        str(path),
        told,  # of more digits than the stored ones
        flux,
        error,
        flagged != 0,
        medium=medium_of(header),
        redshift=redshift_of(header),
        resolution=resolution_of(header),
        layout="LAMOST image of five rows",
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
