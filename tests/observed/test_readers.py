"""Files in the layouts of others, and files that only pretend."""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits

from repro.errors import DataError
from repro.instrument.pixels import pixel_centres
from repro.observed.prepare import Wishes, prepare
from repro.observed.readers import read
from repro.observed.spectrum import Observed
from repro.spectra.noise import standard_normal
from repro.spectra.store import open_set
from repro.view.air import to_air
from tests.observed import files
from tests.observed.stars import star_set


def one(path: Path) -> Observed:
    (found,) = read(path)
    return found


@pytest.mark.parametrize("build", [files.lamost_image, files.lamost_table], ids=["image", "table"])
def test_both_layouts_of_lamost(build: object, tmp_path: Path) -> None:
    found = one(build(tmp_path / "spec-55939-GAC_061N46_V3_sp07-078.fits"))  # type: ignore[operator]
    assert np.abs(found.wave / files.lamost_wave() - 1.0).max() < 1e-6
    assert np.allclose(found.flux, files.smooth(found.wave) * 1000.0, rtol=1e-4)
    # no inverse variance, flagged in every exposure; a flag in one exposure alone does not count
    assert np.flatnonzero(~found.good).tolist() == [3000, 3100]
    assert found.error is not None
    assert np.allclose(found.error[found.good], 5.0)
    assert (found.medium, found.redshift, found.resolution) == ("vacuum", 1e-4, 1800.0)


@pytest.mark.parametrize(
    ("changes", "medium", "redshift"),
    [({"VACUUM": False}, "air", 1e-4), ({"VACUUM": None}, None, 1e-4), ({"Z": -9999.0}, "vacuum", None)],
)
def test_what_lamosts_header_says_decides(
    changes: dict, medium: str | None, redshift: float | None, tmp_path: Path
) -> None:
    found = one(files.lamost_table(tmp_path / "spec.fits", **changes))
    assert (found.medium, found.redshift) == (medium, redshift)


@pytest.mark.parametrize(
    ("origin", "redshift"),
    [
        ({"TELESCOP": "SDSS 2.5-M"}, 2e-4),
        ({"TELESCOP": "LAMOST"}, 2e-4),
        ({"ORIGIN": "NAOC-LAMOST"}, 2e-4),
        ({"TELESCOP": "Subaru"}, None),
        ({}, None),
    ],
)
def test_z_is_a_redshift_in_files_of_two_surveys_alone(origin: dict, redshift: float | None, tmp_path: Path) -> None:
    """Elsewhere it may be a metallicity; the star is then taken to be at rest, with a warning."""
    wave = np.arange(7080.0, 8870.0, 0.2)
    path = files.star(tmp_path / "star.fits", files.smooth(wave), 0.01 + 0 * wave, wave, VACUUM=True, Z=2e-4, **origin)
    found = one(path)
    assert found.redshift == redshift
    told = "no velocity known" in " ".join(prepare(found, Wishes(any_resolution=True)).warnings)
    assert told == (redshift is None)


def test_the_pilot_surveys_order_of_rows_is_not_taken_for_wavelengths(tmp_path: Path) -> None:
    path = files.lamost_image(tmp_path / "pilot.fits")
    with fits.open(path, mode="update") as units:
        units[0].data[2] = 3.0  # the continuum-subtracted spectrum stands there
    with pytest.raises(DataError, match=r"pilot.fits: image row 3, sample .*, value 3: COEFF0 and COEFF1 make it"):
        one(path)


def test_sdss_columns_are_understood(tmp_path: Path) -> None:
    wave = 10.0 ** np.arange(3.58, 3.96, 1e-4)
    columns = {"flux": files.smooth(wave), "loglam": np.log10(wave), "ivar": np.full(wave.size, 25.0)}
    found = one(files.table(tmp_path / "spec-1678-53433-0425.fits", columns | {"and_mask": wave * 0}))
    assert np.allclose(found.wave, wave)
    assert found.medium == "vacuum"
    assert found.error is not None
    assert np.allclose(found.error, 0.2)


def test_units_of_wavelengths_and_of_flux_per_frequency_are_converted(tmp_path: Path) -> None:
    wave = np.linspace(7000.0, 8900.0, 3000)
    columns = {"wave": wave / 10.0, "flux": files.smooth(wave) * wave**2, "variance": (0.1 * wave**2) ** 2}
    found = one(files.table(tmp_path / "nano.fits", columns, {"wave": "nm", "flux": "nJy"}, AIRORVAC="vac"))
    assert np.allclose(found.wave, wave)
    assert np.allclose(found.flux, files.smooth(wave))
    assert found.error is not None
    assert np.allclose(found.error, 0.1)
    assert found.medium == "vacuum"


def test_several_spectra_of_one_table_are_rows(tmp_path: Path) -> None:
    wave = np.tile(np.linspace(7000.0, 8900.0, 500), (4, 1))
    path = files.table(tmp_path / "four.fits", {"WAVE": wave, "FLUX": np.arange(1.0, 5.0)[:, None] * wave})
    assert [found.name for found in read(path)] == [f"{path}#{row}" for row in range(4)]
    (second,) = read(path, slice(1, 2))
    assert np.allclose(second.flux, 2.0 * wave[0])


def test_text_and_images(tmp_path: Path) -> None:
    wave = np.linspace(7000.0, 8900.0, 400)
    text = tmp_path / "star.txt"
    np.savetxt(text, np.stack([wave, files.smooth(wave), 0.1 + 0 * wave], axis=1), header="wave flux error")
    found = one(text)
    assert np.allclose(found.flux, files.smooth(wave))
    assert found.medium is None
    gz = tmp_path / "spec.fits.gz"
    gz.write_bytes(gzip.compress(files.lamost_image(tmp_path / "spec.fits").read_bytes()))
    assert one(gz).resolution == 1800.0


def test_sets_show_the_noise_that_models_are_tested_on(tmp_path: Path) -> None:
    path = star_set(tmp_path / "test.h5", 20)
    rows = list(read(path, slice(3, 19), noise=2.0))
    with open_set(path) as spectra:
        flux, error = spectra.read()
    wanted = flux + 2.0 * error * standard_normal(5, "test", 0, range(20)).numpy()
    assert [found.name for found in rows] == [f"{path}#{row}" for row in range(3, 19)]
    assert all(np.array_equal(found.flux, wanted[3 + row].astype(float)) for row, found in enumerate(rows))
    assert rows[0].error is not None
    assert np.allclose(rows[0].error, 2.0 * error[3])
    clean = next(read(path, noise=0.0))
    assert np.array_equal(clean.flux, flux[0].astype(float))
    assert clean.remarks


def test_files_of_the_author(tmp_path: Path) -> None:
    from repro.sources.hdf5.export import Draw, export_set

    path = star_set(tmp_path / "test.h5", 20)
    plain, drawn = tmp_path / "plain" / "dataset.h5", tmp_path / "drawn" / "dataset.h5"
    export_set(path, plain)
    export_set(path, drawn, draw=Draw(1.0, 42))
    with h5py.File(drawn) as file:
        noisy = file["dataset/arrays/noisy/value"][:]
    assert np.allclose([found.flux for found in read(drawn)], noisy)
    first = next(read(plain, noise=0.0))
    assert first.own
    assert np.allclose(first.wave, pixel_centres())
    with open_set(path) as spectra:
        assert first.labels["log_g"] == spectra.labels["log_g"][0]


def hostile(folder: Path) -> dict[str, tuple[Path, str]]:
    """Files that are not what they seem, and what is to be said of them."""
    wave = np.linspace(7000.0, 8900.0, 300)
    table = lambda name, **columns: files.table(folder / name, {"WAVE": wave, "FLUX": wave} | columns)  # noqa: E731
    whole = files.lamost_image(folder / "whole.fits").read_bytes()
    (folder / "short.fits").write_bytes(whole[: len(whole) // 2])
    (folder / "noise.fits").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "empty.fits").write_bytes(b"")
    header = fits.Header({"SIMPLE": True, "BITPIX": -64, "NAXIS": 2, "NAXIS1": 2_000_000_000, "NAXIS2": 5})
    (folder / "huge.fits.gz").write_bytes(gzip.compress(header.tostring().encode()))
    (folder / "torn.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with h5py.File(folder / "other.h5", "w") as file:
        file["data"] = [1.0]
    nothing = np.full(300, np.nan)
    turned = wave.copy()
    turned[150] = turned[149]
    return {
        "cut short": (folder / "short.fits", "short.fits"),
        "no FITS": (folder / "noise.fits", "noise.fits"),
        "empty": (folder / "empty.fits", "empty.fits"),
        "huge": (folder / "huge.fits.gz", "huge.fits.gz: extension 0 claims 80000 MB"),
        "torn": (folder / "torn.h5", "torn.h5: cannot be read"),
        "other HDF5": (folder / "other.h5", "other.h5: neither a spectrum set of the kit"),
        "absent": (folder / "nowhere.fits", "nowhere.fits: no such file"),
        "no flux": (table("nan.fits", FLUX=nothing), "nan.fits: no sample has a finite flux"),
        "not increasing": (table("turned.fits", WAVE=turned), "wavelengths must increase strictly; sample 150"),
        "no wave": (table("nanwave.fits", WAVE=nothing), "nanwave.fits: wavelength of sample 0 is nan"),
        "microns": (table("um.fits", WAVE=wave / 1e4), "um.fits: wavelengths run from 0.7 to 0.89; Angstrom"),
        "hertz": (files.table(folder / "hz.fits", {"WAVE": wave, "FLUX": wave}, {"WAVE": "Hz"}), "column WAVE is in"),
        "shapes": (
            files.table(folder / "shape.fits", {"WAVE": np.ones((1, 7)), "FLUX": np.ones((1, 9))}),
            "shape.fits: flux has 9 samples, the wavelengths have 7",
        ),
    }  # fmt: skip


def test_each_hostile_file_gets_one_clear_error(tmp_path: Path) -> None:
    for case, (path, message) in hostile(tmp_path).items():
        with pytest.raises(DataError) as caught:
            list(read(path))
        text = str(caught.value)
        assert message in text, f"{case}: {text}"
        assert "\n" not in text, case


def test_air_wavelengths_survive_the_plain_names(tmp_path: Path) -> None:
    wave = np.linspace(7000.0, 8900.0, 300)
    found = one(files.table(tmp_path / "air.fits", {"wave_air": to_air(wave), "flux": wave}))
    assert found.medium == "air"


@pytest.mark.slow
def test_specutils_reads_what_the_kit_does_not(tmp_path: Path) -> None:
    """An image with an axis of wavelengths in air, and a table of nanometres and flux per unit frequency."""
    pytest.importorskip("specutils")
    wave = np.linspace(7000.0, 8900.0, 3801)
    header = fits.Header(
        {"CTYPE1": "AWAV", "CUNIT1": "Angstrom", "CRVAL1": 7000.0, "CRPIX1": 1.0, "CDELT1": 0.5}
    )  # fmt: skip
    image = tmp_path / "axis.fits"
    fits.PrimaryHDU(files.smooth(wave), header).writeto(image)
    found = one(image)
    assert np.allclose(found.wave, wave)
    assert np.allclose(found.flux, files.smooth(wave))
    assert found.medium == "air"
    rows = ["# %ECSV 1.0", "# ---", "# datatype:", "# - {name: wave, unit: nm, datatype: float64}"]
    rows += ["# - {name: flux, unit: mJy, datatype: float64}", "wave flux"]
    rows += [f"{x / 10.0!r} {y!r}" for x, y in zip(wave.tolist(), (files.smooth(wave) * wave**2).tolist(), strict=True)]
    text = tmp_path / "star.ecsv"
    text.write_text("\n".join(rows))
    star = one(text)
    assert star.layout == "read by specutils"
    assert np.allclose(star.wave, wave)
    assert np.allclose(star.flux, files.smooth(wave))


def test_tables_of_pfs_are_in_nanometres_and_per_frequency(tmp_path: Path) -> None:
    wave = np.linspace(7000.0, 8900.0, 3801)
    rows = np.zeros(wave.size, [("lambda", "f8"), ("flux", "f8"), ("fluxVariance", "f8"), ("mask", "i4")])
    rows["lambda"], rows["flux"] = wave / 10.0, files.smooth(wave) * wave**2
    rows["fluxVariance"], rows["mask"][5] = (0.1 * wave**2) ** 2, 1
    path = tmp_path / "pfsObject-00001-1,1-001-00000001-01-0x00000001.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros(3)), fits.BinTableHDU(rows)]).writeto(path)
    star = one(path)
    assert star.medium == "vacuum"
    assert np.allclose(star.wave, wave)
    assert np.allclose(star.flux, files.smooth(wave))
    assert star.error is not None
    assert np.allclose(star.error, 0.1)
    assert np.flatnonzero(~star.good).tolist() == [5]
