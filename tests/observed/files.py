"""Files of spectra in the layouts of others, built with astropy as their documentation describes them."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from repro.instrument.pixels import pixel_centres

Array = NDArray[np.float64]

COEFF0, COEFF1, SAMPLES = 3.5682, 1e-4, 3909  # LAMOST: 3700 to 9100 A
LINES = (7699.0, 8185.5, 8197.1, 8500.4, 8544.4, 8664.5)


def smooth(wave: Array) -> Array:
    """A spectrum that is known at every wavelength: a slope and lines 3 A wide."""
    depth = sum(0.4 * np.exp(-0.5 * ((wave - line) / 1.3) ** 2) for line in LINES)
    return (1.0 - 0.1 * (wave - 8000.0) / 1000.0) * (1.0 - depth)


def lamost_wave() -> Array:
    return 10.0 ** (COEFF0 + COEFF1 * np.arange(SAMPLES))


def lamost_header(**more: Any) -> fits.Header:
    header = fits.Header()
    cards = {"TELESCOP": "LAMOST", "ORIGIN": "NAOC-LAMOST", "VACUUM": True, "COEFF0": COEFF0, "COEFF1": COEFF1}
    for key, value in ({**cards, "DC-FLAG": 1, "Z": 1e-4, "HELIO": True} | more).items():
        if value is not None:
            header[key] = value
    return header


def lamost_image(path: Path, flux: Array | None = None, **more: Any) -> Path:
    """The layout up to DR7: five rows in the primary image."""
    wave = lamost_wave()
    flux = smooth(wave) * 1000.0 if flux is None else flux
    ivar, andmask, ormask = np.full(SAMPLES, 0.04), np.zeros(SAMPLES), np.zeros(SAMPLES)
    ivar[3000], andmask[3100], ormask[3200] = 0.0, 1.0, 1.0
    rows = np.array([flux, ivar, wave, andmask, ormask], dtype=np.float32)
    fits.PrimaryHDU(rows, lamost_header(**more)).writeto(path)
    return path


def lamost_table(path: Path, flux: Array | None = None, **more: Any) -> Path:
    """The layout from DR8 on: one row of vectors in extension 1."""
    wave = lamost_wave()
    flux = smooth(wave) * 1000.0 if flux is None else flux
    ivar, andmask, ormask = np.full(SAMPLES, 0.04), np.zeros(SAMPLES, int), np.zeros(SAMPLES, int)
    ivar[3000], andmask[3100], ormask[3200] = 0.0, 1, 1
    columns = {"FLUX": flux, "IVAR": ivar, "WAVELENGTH": wave, "ANDMASK": andmask, "ORMASK": ormask}
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, f"{SAMPLES}{'J' if 'MASK' in name else 'E'}", array=[v]) for name, v in columns.items()],
        name="COADD",
    )
    header = lamost_header(**({"COEFF0": None, "COEFF1": None} | more))
    fits.HDUList([fits.PrimaryHDU(header=header), table]).writeto(path)
    return path


def table(path: Path, columns: dict[str, Any], units: dict[str, str] | None = None, **header: Any) -> Path:
    """A FITS table of columns."""
    made = [
        fits.Column(name, "D" if np.ndim(v) == 1 else f"{np.shape(v)[1]}D", array=v, unit=(units or {}).get(name))
        for name, v in columns.items()
    ]
    primary = fits.PrimaryHDU()
    for key, value in header.items():
        primary.header[key] = value
    fits.HDUList([primary, fits.BinTableHDU.from_columns(made)]).writeto(path)
    return path


def star(path: Path, flux: Array, error: Array, wave: Array | None = None, **header: Any) -> Path:
    """One spectrum on the pixels of the arm."""
    wave = pixel_centres() if wave is None else wave
    return table(path, {"WAVELENGTH": wave, "FLUX": flux, "ERROR": error}, **header)
