"""Files in the exact formats of both BOSZ releases, of spectra that are known in closed form."""

import bz2
import gzip
import io

import numpy as np
from astropy.io import fits

CALCIUM = (8500.36, 8544.44, 8664.52)  # [A, vacuum] NIST
CALCIUM_AIR = (8498.02, 8542.09, 8662.14)


def planck(wave, temperature):
    """Surface flux of a black body [erg s^-1 cm^-2 A^-1]."""
    return np.pi * 1.1910429e27 / wave**5 / np.expm1(1.438776877e8 / (wave * temperature))


def spectrum(wave, temperature=5000.0, depth=0.6, width=2.5, lines=CALCIUM):
    """Flux and continuum of a black body with three Gaussian lines of rms `width` [A]."""
    continuum = planck(wave, temperature)
    blocking = sum(depth * np.exp(-0.5 * ((wave - line) / width) ** 2) for line in lines)
    return continuum * (1 - np.minimum(blocking, 0.95)), continuum


def wave2017(resolution):
    """The recipe of the format notes, step by step in plain Python integers and floats."""
    import math

    q = math.log10(1 + 1 / 300000)
    i0 = round(math.log10(100) / q)
    if 10 ** (i0 * q) < 100:
        i0 += 1
    i1 = round(math.log10(32000) / q)
    if 10 ** (i1 * q) >= 32000:
        i1 -= 1
    stride = max(1, 300000 // resolution // 2)
    return 10 * 10 ** (q * np.arange(i0, i1 + 1, stride))


def wave2024(resolution):
    """Air wavelengths by equations 3 and 4 of Meszaros et al. 2024."""
    return np.exp(np.log(500) + np.arange(15 * resolution) * np.log(640) / (15 * resolution))


def fits2017(wave, flux, continuum, columns=("Wavelength", "SpecificIntensity", "Continuum")):
    """Bytes of a FITS file: F_lambda / pi, wavelengths rounded to 0.001 A."""
    values = (np.round(wave, 3), flux / np.pi, continuum / np.pi)
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, form, array=value) for name, form, value in zip(columns, "DEE", values, strict=True)]
    )
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(content)
    return content.getvalue()


def ascii2017(wave, flux, continuum):
    """Bytes of a bzip2 text file."""
    content = io.BytesIO()
    np.savetxt(content, np.stack([wave, flux / np.pi, continuum / np.pi], axis=1), fmt="%.3f %.5e %.5e")
    return bz2.compress(content.getvalue())


def text2024(flux, continuum, wave=None):
    """Bytes of a gzip text file: H = F_lambda / (4 pi); with the wavelengths of the original sampling, if given."""
    columns = [flux / (4 * np.pi), continuum / (4 * np.pi)]
    formats = ["%.6e", "%.6e"]
    if wave is not None:
        columns, formats = [wave, *columns], ["%.6f", *formats]
    content = io.BytesIO()
    np.savetxt(content, np.stack(columns, axis=1), fmt=formats)
    return gzip.compress(content.getvalue(), compresslevel=1)


def wave_file2024(wave):
    """Bytes of a wavelength file, eight significant digits."""
    content = io.BytesIO()
    np.savetxt(content, wave, fmt="%.7e")
    return content.getvalue()
