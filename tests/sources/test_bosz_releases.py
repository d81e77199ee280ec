"""Names, addresses, axes, wavelengths and formats of the BOSZ releases."""

import itertools

import numpy as np
import pytest

from repro.errors import ParameterError
from repro.sources.bosz.release import SLICE, FormatError, complete
from repro.sources.bosz.release2017 import Bosz2017, wavelengths
from repro.sources.bosz.release2024 import Bosz2024, vacuum
from repro.sources.bosz.settings import Settings
from repro.spectra.lattice import paper_3d, paper_5d
from tests.sources import bosz_fakes as fakes

SUN = np.array([5750.0, 4.5, 0.0, 0.0, 0.0])


def test_addresses_are_those_of_the_public_lists():
    """Literal addresses from the format notes."""
    base = "https://archive.stsci.edu/missions/hlsp/bosz"
    for settings, labels, address in (
        (
            Settings(resolution=2000),
            (3500, 0.0, -2.5, 0, 0),
            f"{base}/fits/insbroad_002000/metal_-2.50/carbon_+0.00/alpha_+0.00/amm25cp00op00t3500g00v20modrt0b2000rs.fits",
        ),
        (
            Settings(),
            (4750, 2.5, -0.25, 0, 0),
            f"{base}/fits/insbroad_050000/metal_-0.25/carbon_+0.00/alpha_+0.00/amm03cp00op00t4750g25v20modrt0b50000rs.fits",
        ),
        (
            Settings(file_format="ascii"),
            (3500, 0.0, 0, 0, 0),
            f"{base}/ascii/insbroad_050000/metal_+0.00/carbon_+0.00/alpha_+0.00/amp00cp00op00t3500g00v20modrt0b50000rs.asc.bz2",
        ),
        (
            Settings(),
            (6000, 5.0, 0.75, -0.25, -0.75),
            f"{base}/fits/insbroad_050000/metal_+0.75/carbon_-0.75/alpha_-0.25/amp08cm08om03t6000g50v20modrt0b50000rs.fits",
        ),
        (
            Settings(release=2024, resolution=20000),
            (5000, 4.5, 0, 0, 0),
            "https://archive.stsci.edu/hlsps/bosz/bosz2024/r20000/m+0.00/bosz2024_mp_t5000_g+4.5_m+0.00_a+0.00_c+0.00_v2_r20000_resam.txt.gz",
        ),
        (
            Settings(release=2024, resolution="orig", microturbulence=1),
            (4000, -0.5, -2.5, -0.25, 0.5),
            "https://archive.stsci.edu/hlsps/bosz/bosz2024/rorig/m-2.50/bosz2024_ms_t4000_g-0.5_m-2.50_a-0.25_c+0.50_v1_rorig_noresam.txt.gz",
        ),
        (
            Settings(release=2024, resolution=20000),
            (10000, 4.0, 0, 0, 0),
            "https://archive.stsci.edu/hlsps/bosz/bosz2024/r20000/m+0.00/bosz2024_ap_t10000_g+4.0_m+0.00_a+0.00_c+0.00_v2_r20000_resam.txt.gz",
        ),
    ):
        made = settings.address(settings.open().path(np.array(labels, dtype=float)))
        assert made == address.replace("+", "%2B")


@pytest.mark.parametrize("release", [Bosz2017(50000), Bosz2017(2000, "ascii"), Bosz2024(50000), Bosz2024("orig", 0)])
def test_every_name_gives_its_labels_back(release):
    """All metallicities, alphas and carbons at every gravity, and every temperature of the release up to 6000 K."""
    metals, alphas, carbons = np.arange(-10, 4) / 4, np.arange(-1, 3) / 4, np.arange(-3, 3) / 4
    nodes = [(5000.0, 2.5, *rest) for rest in itertools.product(metals, alphas, carbons)]
    nodes += [(t, g, -0.0, 0.0, 0.0) for t in (4000.0, 4250.0, 6000.0, 12500.0) for g in (3.0, 3.5, 5.0)]
    labels = release.on_nodes(np.array(nodes))
    names = [release.path(row).rpartition("/")[2] for row in labels]
    assert len(set(names)) == len(nodes) == 14 * 4 * 6 + 12
    assert [release.labels(name) for name in names] == [tuple(node) for node in nodes]


@pytest.mark.parametrize(
    "name", ["amm07cp00op00t5000g25v20modrt0b50000rs.fits", "x.fits", "amp00cp00op00t5000g25.fits"]
)
def test_a_foreign_name_is_refused(name):
    for release in (Bosz2017(50000), Bosz2024(50000)):
        with pytest.raises(ParameterError, match="is not the name of a file of BOSZ"):
            release.labels(name)


def test_the_papers_lattices_are_nodes_of_2017_and_3750_is_none_of_2024():
    for labels in (paper_3d().labels, paper_5d().labels[::25]):
        np.testing.assert_array_equal(Bosz2017(50000).on_nodes(labels), labels)
    with pytest.raises(ParameterError) as caught:
        Bosz2024(50000).on_nodes(paper_3d().labels)
    assert "bosz2024: T_eff = 3750 K is not a node" in str(caught.value)
    assert "3700 K and 3800 K" in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((7000, 0.5, 0, 0, 0), "log_g = 0.5 is not a node of the release; the nodes next to it: 1"),
        ((5000, 2.5, 1.0, 0, 0), "M_H = 1 is not a node of the release; the nodes next to it: 0.75"),
        ((5000, 2.5, 0, 0.1, 0), "a_M = 0.1 is not a node of the release; the nodes next to it: 0 and 0.25"),
        ((5000, 2.5, 0, np.nan, 0), "finite and of shape"),
    ],
)
def test_labels_between_nodes_are_refused_with_the_neighbours(labels, message):
    with pytest.raises(ParameterError, match=message):
        Bosz2017(50000).on_nodes(np.array([labels], dtype=float))


def test_the_complete_block_of_the_papers_3d_slice():
    """Nine gravities, 13 metallicities and ten temperatures are in the public lists; [M/H] = +0.75 is not."""
    assert complete(paper_3d().labels).sum() == 9 * 13 * 10
    assert complete(paper_5d().labels).sum() == 9 * 13 * 10


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"resolution": 1234}, "no files at R = 1234"),
        ({"resolution": "orig"}, "no files at R = orig"),
        ({"microturbulence": 1.0}, "2 km/s only"),
        ({"release": 2024, "microturbulence": 3.0}, "no files with a microturbulence of 3 km/s"),
        ({"release": 2020}, "release 2020 is not known"),
        ({"file_format": "hdf5"}, "must be fits or ascii"),
        ({"base_url": "/data/bosz"}, "base_url '/data/bosz' must start with http"),
        ({"connections": 0}, "connections 0"),
    ],
)
def test_settings_without_files_are_refused(keywords, message):
    with pytest.raises(ParameterError, match=message):
        Settings(**keywords)


@pytest.mark.parametrize(
    ("resolution", "rows", "in_range"),
    [
        (500, 5769, 246),
        (2000, 23074, 983),
        (5000, 57684, 2457),
        (10000, 115367, 4915),
        (20000, 247215, 10532),
        (50000, 576833, 24574),
    ],
)
def test_wavelengths_of_2017_are_as_many_as_in_the_archive(resolution, rows, in_range):
    wave = wavelengths(resolution)
    assert wave.size == rows
    assert ((wave >= 7000) & (wave <= 8950)).sum() == in_range
    np.testing.assert_allclose(wave, fakes.wave2017(resolution), rtol=1e-12)


def test_wavelengths_of_a_genuine_file():
    """R = 5000: first and last samples between 8000 and 9000 A, as the format notes measured them."""
    wave = wavelengths(5000)
    kept = wave[(wave >= 8000) & (wave <= 9000)]
    assert kept.size == 1178
    np.testing.assert_allclose(kept[[0, 1, -1]], [8000.457, 8001.257, 8999.765], atol=1e-3)


def test_wavelengths_of_the_validation_spectra(validation_dir):
    import h5py

    with h5py.File(validation_dir / "bosz2017_r5000_sample.h5") as file:
        genuine = file["wave"][:]
    ours = wavelengths(5000)
    ours = ours[np.searchsorted(ours, genuine[0] - 0.1) :][: genuine.size]
    assert np.abs(ours - genuine).max() < 0.002


def test_air_wavelengths_become_vacuum():
    """Against NIST pairs of the Ca II triplet, and against the inverse by another formula (Ciddor 1996, eq. 1)."""
    np.testing.assert_allclose(vacuum(np.array(fakes.CALCIUM_AIR)), fakes.CALCIUM, atol=0.006)
    wave = np.linspace(6500, 9100, 200)
    back = vacuum(wave)
    wave_number2 = (1e4 / back) ** 2
    index = 1 + 0.05792105 / (238.0185 - wave_number2) + 0.00167917 / (57.362 - wave_number2)
    np.testing.assert_allclose(back / index, wave, rtol=2e-8)
    np.testing.assert_array_equal(vacuum(np.array([1500.0, 1999.0])), [1500.0, 1999.0])


@pytest.mark.parametrize("file_format", ["fits", "ascii"])
def test_a_file_of_2017_is_pi_times_what_is_written(tmp_path, file_format):
    wave = fakes.wave2017(2000)
    flux, continuum = fakes.spectrum(wave)
    made = {"fits": fakes.fits2017, "ascii": fakes.ascii2017}[file_format](wave, flux, continuum)
    release = Bosz2017(2000, file_format)
    path = tmp_path / release.path(SUN).rpartition("/")[2]
    path.write_bytes(made)
    grid = release.grid(None)
    assert grid.rows == wave.size
    assert SLICE[0] <= grid.wave[0] < SLICE[0] + 3 and SLICE[1] - 3 < grid.wave[-1] <= SLICE[1]
    sliced = release.read(path, grid)
    tolerance = {"fits": 1e-6, "ascii": 1e-5}[file_format]
    np.testing.assert_allclose(sliced.flux, fakes.spectrum(grid.wave)[0], rtol=tolerance)
    np.testing.assert_allclose(sliced.continuum, fakes.spectrum(grid.wave)[1], rtol=tolerance)
    assert sliced.wave is None and sliced.flux.dtype == np.float32


def test_a_file_of_2024_is_four_pi_times_what_is_written_and_in_air(tmp_path):
    """The lines are put at their air wavelengths in the file and found at those of vacuum."""
    release = Bosz2024(2000)
    wave_file = tmp_path / release.wave_path.rpartition("/")[2]
    air = fakes.wave2024(2000)
    wave_file.write_bytes(fakes.wave_file2024(air))
    grid = release.grid(wave_file)
    assert grid.rows == 15 * 2000
    path = tmp_path / release.path(SUN).rpartition("/")[2]
    path.write_bytes(fakes.text2024(*fakes.spectrum(air, lines=fakes.CALCIUM_AIR)))
    sliced = release.read(path, grid)
    # the black body is taken at air wavelengths by the fake: 2.8e-4 of 2.3 A
    np.testing.assert_allclose(sliced.continuum, fakes.planck(grid.wave, 5000.0), rtol=1e-3)
    expected = fakes.spectrum(grid.wave)
    np.testing.assert_allclose(sliced.flux / sliced.continuum, expected[0] / expected[1], atol=3e-3)


def test_the_original_sampling_of_2024_has_its_own_wavelengths(tmp_path):
    release = Bosz2024("orig")
    assert release.wave_path is None and release.grid(None) is None
    air = np.arange(6500.0, 9100.0, 0.05) + 0.01 * np.sin(np.arange(52000))
    path = tmp_path / release.path(SUN).rpartition("/")[2]
    path.write_bytes(fakes.text2024(*fakes.spectrum(air, lines=fakes.CALCIUM_AIR), wave=air))
    sliced = release.read(path, None)
    expected = fakes.spectrum(sliced.wave)
    np.testing.assert_allclose(sliced.flux / sliced.continuum, expected[0] / expected[1], atol=3e-3)
    np.testing.assert_allclose(sliced.continuum, expected[1], rtol=1e-3)


def broken_wave(kind):
    wave = fakes.wave2024(2000)
    row = int(np.searchsorted(wave, 8000.0))
    if kind == "gap":
        return np.delete(wave, row), f"gap between rows {row} and {row + 1}"
    if kind == "order":
        wave[row] = wave[row - 1]
        return wave, f"wavelengths must increase, but row {row + 1}"
    if kind == "short":
        return wave[:row], "must cover 6580 to 9020 A"
    return np.array([]), "the file is empty"


@pytest.mark.parametrize("kind", ["gap", "order", "short", "empty"])
def test_a_broken_wavelength_file_is_named(tmp_path, kind):
    wave, message = broken_wave(kind)
    path = tmp_path / "bosz2024_wave_r2000.txt"
    path.write_bytes(fakes.wave_file2024(wave))
    with pytest.raises(FormatError, match=f"bosz2024_wave_r2000.txt: .*{message}"):
        Bosz2024(2000).grid(path)


def test_text_that_is_not_numbers_is_named_by_row(tmp_path):
    path = tmp_path / "bosz2024_wave_r500.txt"
    path.write_text("<html>\nmoved\n</html>\n")
    with pytest.raises(FormatError, match="wave_r500.txt: rows 1 to 3 are not all numbers"):
        Bosz2024(500).grid(path)
    path.write_text("500 1\n600 2\n")
    with pytest.raises(FormatError, match="expected are 1 columns"):
        Bosz2024(500).grid(path)
