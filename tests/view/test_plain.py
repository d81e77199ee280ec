"""Files of others: what is read, in which unit and medium, and what is said of files that break a rule."""

import numpy as np
import pytest
from astropy.io import fits

from repro.errors import DataError
from repro.view import air
from repro.view.plain import read_plain

WAVE = np.linspace(7100.0, 7200.0, 5)
FLUX = np.array([1.0, 0.9, 0.5, 0.9, 1.0])

# NIST: Ca II triplet, K I and Na I in standard air and in vacuum
AIR_AND_VACUUM = [(8498.02, 8500.35), (8542.09, 8544.44), (8662.14, 8664.52), (7698.96, 7701.08), (8194.82, 8197.08)]


@pytest.mark.parametrize(("in_air", "vacuum"), AIR_AND_VACUUM)
def test_air_and_vacuum_against_tabulated_lines(in_air, vacuum):
    assert abs(air.to_vacuum(np.array(in_air)) - vacuum) < 0.012
    assert abs(air.to_air(np.array(vacuum)) - in_air) < 0.012


def test_air_and_vacuum_against_another_dispersion_and_each_other():
    wave = np.linspace(3000.0, 10000.0, 50)
    squared = (1e4 / wave) ** 2  # Ciddor 1996, Applied Optics 35, 1566
    index = 1.0 + 0.05792105 / (238.0185 - squared) + 0.00167917 / (57.362 - squared)
    np.testing.assert_allclose(air.to_air(wave), wave / index, atol=0.002, rtol=0)
    np.testing.assert_allclose(air.to_vacuum(air.to_air(wave)), wave, atol=1e-4, rtol=0)


@pytest.mark.parametrize("separator", [",", " ", "\t", "; "])
def test_text(tmp_path, separator):
    path = tmp_path / "star.txt"
    rows = [separator.join((f"{w:.3f}", f"{f:g}", "0.01")) for w, f in zip(WAVE, FLUX, strict=True)]
    path.write_text("\n".join(["# a star", separator.join(("wave", "flux", "error")), "", *rows, ""]))
    spectrum = read_plain(path)
    np.testing.assert_allclose(spectrum.wave, WAVE)
    np.testing.assert_allclose(spectrum.flux, FLUX)
    assert spectrum.error.tolist() == [0.01] * 5 and spectrum.medium is None


@pytest.mark.parametrize(
    ("column", "unit", "values", "medium"),
    [
        ("WAVELENGTH", "nm", WAVE / 10.0, None),
        ("lambda", None, WAVE, None),
        ("wave_air", "Angstrom", WAVE, "air"),
        ("loglam", None, np.log10(WAVE), None),
    ],
)
def test_fits_table(tmp_path, column, unit, values, medium):
    columns = [fits.Column(column, "D", unit=unit, array=values), fits.Column("Flux", "E", array=FLUX)]
    columns.append(fits.Column("ERR", "D", array=0.1 * FLUX))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(tmp_path / "star.fits")
    spectrum = read_plain(tmp_path / "star.fits")
    np.testing.assert_allclose(spectrum.wave, WAVE, rtol=1e-12)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-6)
    np.testing.assert_allclose(spectrum.error, 0.1 * FLUX)
    assert spectrum.medium == medium


@pytest.mark.parametrize(
    ("cards", "wave", "medium"),
    [
        ({"CRVAL1": 7100.0, "CDELT1": 25.0, "CTYPE1": "AWAV"}, WAVE, "air"),
        ({"CRVAL1": 7150e-10, "CD1_1": 25e-10, "CRPIX1": 3.0, "CUNIT1": "m", "CTYPE1": "WAVE"}, WAVE, "vacuum"),
        ({"CRVAL1": 3.85, "CDELT1": 1e-3, "DC-FLAG": 1}, 10.0 ** (3.85 + 1e-3 * np.arange(5)), None),
        ({"CRVAL1": 7100.0, "CDELT1": 25.0, "CTYPE1": "WAVE-LOG"}, 7100.0 * np.exp(np.arange(5) / 284.0), "vacuum"),
    ],
)
def test_fits_image(tmp_path, cards, wave, medium):
    unit = fits.PrimaryHDU(FLUX)
    unit.header.update(cards)
    unit.writeto(tmp_path / "star.fits")
    spectrum = read_plain(tmp_path / "star.fits")
    np.testing.assert_allclose(spectrum.wave, wave, rtol=1e-12)
    np.testing.assert_allclose(spectrum.flux, FLUX)
    assert spectrum.medium == medium


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no row of numbers"),
        ("7100 1\n", "1 row.s.; a spectrum has at least two"),
        ("7100 1\n7101 one\n", "line 2: '7101 one' is not a row of numbers"),
        ("wave flux\nAngstrom none\n7100 1\n", "holds no row|line 2"),
        ("7100 1 0.1\n7101 1\n", "line 2: 2 columns; expected 3 columns as in the rows above"),
        ("7100\n7101\n", "line 1: 1 columns; expected wavelength, flux and maybe error"),
        ("7101 1\n7100 1\n", "must increase strictly; row 1 has 7100 A after 7101 A"),
        ("nan 1\n7100 1\n", "must increase strictly"),
        ("710 1\n711 1\n", "run from 710 to 711; Angstrom are expected"),
        ("7100 nan\n7101 nan\n", "not one flux is finite"),
    ],
)
def test_broken_text(tmp_path, content, said):
    path = tmp_path / "star.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=said) as caught:
        read_plain(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_other_broken_files(tmp_path):
    with pytest.raises(DataError, match=r"absent.csv: no such file"):
        read_plain(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x80" * 9)
    with pytest.raises(DataError, match="is not text"):
        read_plain(tmp_path / "binary.csv")
    (tmp_path / "no.fits").write_text("SIMPLE is not FITS")
    with pytest.raises(DataError, match="cannot be read as FITS"):
        read_plain(tmp_path / "no.fits")
    fits.PrimaryHDU(np.zeros((3, 4))).writeto(tmp_path / "image.fits")
    with pytest.raises(DataError, match="no table with a column named wave or"):
        read_plain(tmp_path / "image.fits")
    fits.PrimaryHDU(FLUX).writeto(tmp_path / "axis.fits")
    with pytest.raises(DataError, match="no wavelength axis .CRVAL1"):
        read_plain(tmp_path / "axis.fits")
    for name, columns, said in (
        ("a", {"wave": (None, WAVE)}, "no column named flux or"),
        ("b", {"wave": ("furlong", WAVE), "flux": (None, FLUX)}, "wavelength unit 'furlong' is not known"),
    ):
        table = [fits.Column(key, "D", unit=unit, array=values) for key, (unit, values) in columns.items()]
        fits.BinTableHDU.from_columns(table).writeto(tmp_path / f"{name}.fits")
        with pytest.raises(DataError, match=said):
            read_plain(tmp_path / f"{name}.fits")
