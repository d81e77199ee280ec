"""Spectra in files that other readers know: plain text and images (the kit's), everything specutils loads."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from repro.errors import DataError
from repro.observed.headers import medium_of, redshift_of, resolution_of
from repro.observed.spectrum import MOST_SAMPLES, Observed, checked
from repro.view.plain import read_plain

_VACUUM = ("SDSS", "DESI", "APOGEE", "PFS", "MaNGA")  # surveys of specutils' readers that give vacuum wavelengths


def read_text(path: Path) -> Observed:
    """A text file or one-dimensional FITS image as `view.plain` reads it.

    Raises:
        DataError: it is neither, or breaks a rule of its form.
    """
    plain = read_plain(path)
    medium = "air" if plain.medium == "air" else "vacuum" if plain.medium == "vacuum" else None
    return checked(
        str(path),
        plain.wave,
        plain.flux,
        plain.error,
        medium=medium,
        redshift=None,
        resolution=None,
        layout="wavelength and flux",
    )


def read_with_specutils(path: Path) -> list[Observed]:
    """What the library specutils makes of a file; fluxes per unit frequency become fluxes per unit wavelength.

    Raises:
        DataError: the library is not installed, does not know the file, or returns what is no spectrum.
    """
    try:
        from specutils import SpectrumList
    except ImportError:
        raise DataError(
            f"{path}: not in a layout that the kit knows, and specutils, which knows others, is not installed"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units and headers; what matters is checked below
            spectra = SpectrumList.read(path)
            rows = [(row, one) for one in spectra for row in range(_rows(path, one))]
            return [_from_specutils(path, one, row, len(rows) > 1) for row, one in rows]
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 (its readers raise whatever their own code meets)
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path}: in no layout that the kit or specutils knows ({reason})") from None


def _rows(path: Path, spectrum: Any) -> int:
    samples = int(spectrum.spectral_axis.size)
    if not 2 <= samples <= MOST_SAMPLES:
        raise DataError(f"{path}: {samples} samples; a spectrum has 2 to {MOST_SAMPLES}")
    return int(np.prod(spectrum.flux.shape[:-1], dtype=int))


def _from_specutils(path: Path, spectrum: Any, row: int, several: bool) -> Observed:
    from astropy import units
    from astropy.nddata import StdDevUncertainty

    axis = spectrum.spectral_axis
    wave = np.asarray(axis.to_value(units.AA, equivalencies=units.spectral()), dtype=np.float64)
    order = slice(None) if wave[-1] > wave[0] else slice(None, None, -1)  # wavenumbers run the other way
    unit = spectrum.flux.unit
    remarks: tuple[str, ...] = ()
    flux = np.asarray(spectrum.flux.value, dtype=np.float64).reshape(-1, wave.size)[row][order]
    error, mask = None, None
    if spectrum.uncertainty is not None:
        sigma = np.asarray(spectrum.uncertainty.represent_as(StdDevUncertainty).array, dtype=np.float64)
        error = sigma.reshape(-1, wave.size)[row][order]
    if spectrum.mask is not None:
        mask = np.broadcast_to(spectrum.mask, spectrum.flux.shape).reshape(-1, wave.size)[row][order] != 0
    wave = wave[order]
    if unit.is_equivalent(units.Jy):
        flux, error = flux / wave**2, None if error is None else error / wave**2
    elif not unit.is_equivalent(units.Unit("erg / (s cm2 AA)")):
        remarks = (f"flux in {str(unit) or 'no unit'}, taken to be per unit wavelength",)
    header = dict(spectrum.meta.get("header") or {})
    survey = " ".join(str(header.get(key, "")) for key in ("TELESCOP", "SURVEY", "INSTRUME"))
    medium = medium_of(header) or ("vacuum" if any(name in survey for name in _VACUUM) else None)
    return checked(
        f"{path}#{row}" if several else str(path),
        wave,
        flux,
        error,
        mask,
        medium=medium,
        redshift=redshift_of(header),
        resolution=resolution_of(header),
        layout="read by specutils",
        remarks=remarks,
    )
