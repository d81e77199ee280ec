"""What FITS headers say of a spectrum: air or vacuum, redshift, resolving power."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from repro.observed.spectrum import Medium

Header = Mapping[str, Any]

LAMOST_RESOLUTION: Final = 1800.0  # at 5500 A, as its documentation gives it
_MISSING: Final = -9000.0  # LAMOST writes -9999 where it has no value
_LARGEST: Final = 0.01  # redshift of a star: 3000 km/s
_SURVEYS: Final = ("LAMOST", "SDSS")  # whose Z is the redshift of heliocentric wavelengths


def is_lamost(header: Header) -> bool:
    """Whether the file says that it comes from LAMOST, in TELESCOP or in the pipeline's own keywords."""
    return _is_of(header, "LAMOST")


def medium_of(header: Header) -> Medium | None:
    """Air or vacuum, from VACUUM (LAMOST, SDSS), AIRORVAC (IRAF, DESI) or the axis type of FITS Paper III."""
    vacuum = header.get("VACUUM")
    if isinstance(vacuum, bool | int | str) and not (isinstance(vacuum, str) and not vacuum.strip()):
        return "vacuum" if str(vacuum).strip().upper() in ("T", "TRUE", "1", "YES") else "air"
    word = str(header.get("AIRORVAC", "")).strip().lower()
    if word[:3] in ("air", "vac"):
        return "air" if word[:3] == "air" else "vacuum"
    kind = str(header.get("CTYPE1", "")).strip().upper()
    if kind == "WAVELENGTH":  # a word, not the type WAVE
        return None
    types: dict[str, Medium] = {"AWAV": "air", "WAVE": "vacuum"}
    return types.get(kind[:4])


def redshift_of(header: Header) -> float | None:
    """z of a star from the keyword Z of LAMOST or SDSS, None where there is none or it is not that of a star.

    In files of others Z may be a height, a metallicity or a redshift that was taken out already.
    """
    value = header.get("Z") if any(_is_of(header, survey) for survey in _SURVEYS) else None
    if not isinstance(value, int | float) or not np.isfinite(value) or value < _MISSING or abs(value) > _LARGEST:
        return None
    return float(value)


def resolution_of(header: Header) -> float | None:
    """Resolving power from SPEC_RES, SPECRES or RESOLUTN; that of LAMOST's low-resolution spectra is known."""
    for key in ("SPEC_RES", "SPECRES", "RESOLUTN", "RESOLUTI"):
        value = header.get(key)
        if isinstance(value, int | float) and np.isfinite(value) and value > 0:
            return float(value)
    return LAMOST_RESOLUTION if is_lamost(header) else None


def _is_of(header: Header, survey: str) -> bool:
    """Whether the telescope (SDSS's is `SDSS 2.5-M`) or the pipeline bears the name of a survey."""
    return any(survey in str(header.get(key, "")).upper() for key in ("TELESCOP", "ORIGIN"))
