"""Slices as spectra: from an archive on loopback to a node grid, and what the resampling costs."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from repro.errors import DataError, ParameterError
from repro.instrument.lsf import LineSpread
from repro.instrument.observe import Instrument
from repro.instrument.photometry import ab_magnitude
from repro.labels import LABELS
from repro.sources.bosz import source as module
from repro.sources.bosz import store
from repro.sources.bosz.checks import SanityError, check_spectrum
from repro.sources.bosz.fetch import fetch_bosz, nodes_of
from repro.sources.bosz.manifest import Entry, Manifest
from repro.sources.bosz.release import SLICE
from repro.sources.bosz.release2017 import wavelengths
from repro.sources.bosz.settings import Settings
from repro.sources.bosz.source import BoszSource
from repro.sources.protocol import Source
from repro.spectra.build import build_nodes
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from tests.sources import bosz_fakes as fakes
from tests.sources.server import serve

AXES = {"T_eff": (4750.0, 5000.0), "log_g": (2.0, 2.5), "M_H": (0.5, 0.75), "a_M": (0.0,), "C_M": (0.0,)}
HOLE = 5  # 5000 K, log g 2.0, [M/H] = +0.75


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def model(wave, labels):
    """A spectrum whose temperature and line depth follow the labels."""
    depth = 0.3 + 0.1 * labels[1] + 0.1 * labels[2]
    return fakes.spectrum(wave, temperature=labels[0], depth=depth, width=4.0)


def fetched(root, release, holes=(HOLE,), axes=None):
    """(source, lattice with its holes): files of both formats, served, fetched and opened."""
    resolution = 2000
    lattice = Lattice(axes or AXES)
    with serve() as archive:
        settings = Settings(release=release, resolution=resolution, base_url=archive.address, pause=0.01)
        folder, manifest = root / f"slices{release}", root / f"bosz{release}.json"
        skipped = {tuple(lattice.labels[row]) for row in holes}
        for node in nodes_of(settings.open(), lattice.labels):
            if node.labels not in skipped:
                archive.files[f"/{node.path}"] = content(release, node.labels, resolution)
        if release == 2024:
            wave = fakes.wave_file2024(fakes.wave2024(resolution))
            archive.files[f"/{settings.open().wave_path}"] = wave
        summary = fetch_bosz(settings, lattice.labels, folder, manifest)
    summary.require_success()
    source = BoszSource(settings, lattice.labels, folder, manifest)
    return source, Lattice(lattice.axes, missing=source.missing)


def content(release, labels, resolution):
    if release == 2017:
        wave = fakes.wave2017(resolution)
        return fakes.fits2017(wave, *model(wave, labels))
    air = fakes.wave2024(resolution)
    # the wavelength that the fake's continuum is to have is that of vacuum
    vacuum = air * fakes.CALCIUM[1] / fakes.CALCIUM_AIR[1]
    return fakes.text2024(*model(vacuum, labels))


@pytest.fixture(scope="module", params=[2017, 2024])
def opened(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        return fetched(tmp_path_factory.mktemp("bosz"), request.param)


def test_from_an_archive_to_a_node_grid(opened, tmp_path):
    """Both releases give the grid that the exact spectra give, on an absolute scale: pi and 4 pi, air and vacuum."""
    source, lattice = opened
    assert source.missing == (HOLE,) and lattice.size == 7
    grid = build_nodes(source, Instrument(), lattice, tmp_path / "work")
    grid.write(tmp_path / "nodes.h5")
    read = NodeGrid.read(tmp_path / "nodes.h5")
    np.testing.assert_array_equal(read.flux, grid.flux)
    assert read.lattice.missing == (HOLE,)
    assert (read.source, read.fingerprint, read.microturbulence) == ("bosz", source.fingerprint(), 2.0)
    fine = np.arange(7090.0, 8860.0, 0.05)
    line_spread = LineSpread(torch.from_numpy(fine))
    full = np.arange(6420.0, 9000.1, 0.5)
    for row, labels in enumerate(lattice.labels):
        exact = line_spread(torch.from_numpy(model(fine, labels)[0])[None])[0].numpy()
        np.testing.assert_allclose(grid.flux[row], exact, rtol=1e-3)
        magnitude = float(ab_magnitude(torch.from_numpy(full), torch.from_numpy(model(full, labels)[0])[None])[0])
        assert grid.zero_point[row] == pytest.approx(magnitude, abs=5e-4)


def test_a_source_is_what_the_pipeline_expects(opened):
    source: Source = opened[0]
    spectra = source.spectra(opened[1].labels[:3])
    assert source.name == "bosz" and source.microturbulence == 2.0 and len(source.fingerprint()) == 64
    assert spectra.wave[0] == pytest.approx(6600.0) and spectra.wave[-1] == pytest.approx(9000.0)
    assert spectra.flux.shape == spectra.continuum.shape == (3, len(spectra.wave))
    assert spectra.wave_blue.tolist() == pytest.approx([6590.0, 6600.0])
    expected = fakes.planck(spectra.wave_blue.numpy(), opened[1].labels[0, 0])
    np.testing.assert_allclose(spectra.continuum_blue[0], expected, rtol=1e-4)


def test_a_spectrum_does_not_depend_on_its_neighbours(opened):
    source, lattice = opened
    together = source.spectra(lattice.labels)
    alone = source.spectra(torch.from_numpy(lattice.labels[2:3]))
    assert torch.equal(together.flux[2], alone.flux[0])


def test_what_is_not_there_is_named(opened):
    source, _ = opened
    hole = Lattice(AXES).labels[HOLE : HOLE + 1]
    with pytest.raises(DataError, match=r"source bosz: .*t5000_?g.*: the archive has no such model \(404\)"):
        source.spectra(hole)
    with pytest.raises(DataError, match=r"source bosz: .*t5250.*: not among the nodes of this source"):
        source.spectra(np.array([[5250.0, 2.0, 0.5, 0.0, 0.0]]))
    with pytest.raises(ParameterError, match="T_eff = 4800 K is not a node"):
        source.spectra(np.array([[4800.0, 2.0, 0.5, 0.0, 0.0]]))


@pytest.fixture
def small(tmp_path):
    """A source of two nodes, with what it was made from."""
    axes = dict(AXES, T_eff=(5000.0,), log_g=(2.0,))
    labels = Lattice(axes).labels
    source, _ = fetched(tmp_path, 2017, (), axes)
    folder, manifest = tmp_path / "slices2017", tmp_path / "bosz2017.json"

    def reopen(labels=labels):
        return BoszSource(Settings(resolution=2000), labels, folder, manifest)

    return SimpleNamespace(source=source, labels=labels, folder=folder, manifest=manifest, reopen=reopen)


def test_nodes_that_were_not_fetched_are_counted(small):
    more = np.concatenate([small.labels, small.labels + [250, 0, 0, 0, 0]])
    with pytest.raises(DataError, match=r"bosz2017.json: 2 of 4 nodes were never asked for, the first is amp05.*t5250"):
        small.reopen(more)


@pytest.mark.parametrize(
    ("damage", "message"), [("absent", "is absent"), ("cut", "is damaged"), ("other", "is not that")]
)
def test_a_slice_that_is_not_sound_is_named(small, damage, message):
    first, second = sorted(small.folder.glob("*.npz"))
    if damage == "absent":
        first.unlink()
    elif damage == "cut":
        first.write_bytes(first.read_bytes()[:-5000])
    else:
        shutil.copy(second, first)
    with pytest.raises(DataError, match=f"{first.name}: the slice {message}.*Run `repro fetch bosz` again"):
        small.source.spectra(small.labels)


def rewrite(manifest, name=None, **changes):
    """Change the entries of a manifest, or one of them."""
    entries = Manifest(manifest, "bosz2017")
    for key, entry in list(entries.entries.items()):
        if name in (None, key):
            entries[key] = Entry(**(entry.as_json() | changes))
    entries.save()


def test_the_fingerprint_follows_the_files_and_the_code(small, monkeypatch, tmp_path):
    before = small.source.fingerprint()
    rewrite(small.manifest, address="https://example.org/a", date="2030-01-01T00:00:00+00:00", bytes=1)
    assert small.reopen().fingerprint() == before  # from where and when does not matter
    first = next(iter(Manifest(small.manifest, "bosz2017").entries))
    rewrite(small.manifest, first, slice_sha256="0" * 64)
    other_file = small.reopen().fingerprint()
    assert other_file != before
    assert small.reopen(small.labels[:1]).fingerprint() not in (before, other_file)
    package = tmp_path / "package"
    for room in ("sources", "instrument"):
        shutil.copytree(Path(module.__file__).parents[2] / room, package / room)
    monkeypatch.setattr(module, "_PACKAGE", package)
    assert small.reopen().fingerprint() == other_file
    found = {other_file}
    for path in ("instrument/lsf.py", "sources/bosz/release2024.py", "sources/bosz/source.py"):
        with open(package / path, "a") as handle:
            handle.write("\nA = 1\n")
        found.add(small.reopen().fingerprint())
    assert len(found) == 4
    for path in ("instrument/noise.py", "sources/bosz/download.py", "sources/bosz/text.py"):
        with open(package / path, "a") as handle:
            handle.write("\nA = 1\n")
    assert small.reopen().fingerprint() in found


def test_resampling_at_the_papers_resolution(tmp_path):
    """200 lines as narrow as the archive leaves any, on its two samples per element, against their exact profiles.

    The cubic spline is within 2e-4 of the continuum in every pixel, and conserves the flux; linear interpolation, which
    loses a tenth of each core, is 10 times worse: the comparison would notice.
    """
    random = np.random.default_rng(7)
    centres, depths = np.sort(random.uniform(7000, 8950, 200)), random.uniform(0.1, 0.95, 200)

    def transmission(wave):
        values = np.ones_like(wave)
        for centre, depth in zip(centres, depths, strict=True):
            sigma = centre / 50000 / 2.3548
            near = slice(*np.searchsorted(wave, [centre - 8 * sigma, centre + 8 * sigma]))
            values[near] *= 1 - depth * np.exp(-0.5 * ((wave[near] - centre) / sigma) ** 2)
        return values

    settings, labels = Settings(), np.array([[5000.0, 2.0, 0.0, 0.0, 0.0]])
    grid = settings.open().grid(None)
    name = nodes_of(settings.open(), labels)[0].name
    flux = transmission(grid.wave).astype(np.float32)
    arrays = {"flux": flux, "continuum": np.ones_like(flux)}
    entry = Entry("x", 200, "now", bytes=1, sha256="0" * 64, slice_sha256=store.checksum(arrays))
    store.write_slice(store.slice_path(tmp_path, name), arrays, entry.as_json())
    manifest = Manifest(tmp_path / "manifest.json", "bosz2017")
    manifest[name] = entry
    manifest.save()

    spectra = BoszSource(settings, labels, tmp_path, manifest.path).spectra(labels)
    fine = np.arange(7090.0, 8860.0, 0.01)
    exact = LineSpread(torch.from_numpy(fine))(torch.from_numpy(transmission(fine))[None])[0]
    line_spread = LineSpread(spectra.wave)
    spline = line_spread(spectra.flux)[0] - exact
    linear = line_spread(torch.from_numpy(np.interp(spectra.wave.numpy(), grid.wave, flux))[None])[0] - exact
    assert float(spline.abs().max()) < 2e-4 and float(spline.std()) < 2e-5
    assert abs(float(spline.mean())) < 2e-6  # equivalent widths are kept
    assert float(linear.abs().max()) > 1e-3
    assert grid.wave.size == pytest.approx(np.log(9020 / 6580) * 100_000, abs=1.0)  # two samples per element


def test_genuine_spectra_are_plausible_and_shifted_ones_are_not(validation_dir):
    """30 published spectra of 2017, which hold the middle of a slice; the rest of it is made up."""
    with h5py.File(validation_dir / "bosz2017_r5000_sample.h5") as file:
        genuine, labels, wave = file["flux"][:].astype(np.float64), file["labels"][:], file["wave"][:]
    order = [("M_H", "T_eff", "log_g", "C_M", "a_M").index(name) for name in LABELS]
    whole = wavelengths(5000)[(wavelengths(5000) > SLICE[0]) & (wavelengths(5000) < SLICE[1])]
    for row in range(len(genuine)):
        node = tuple(float(value) for value in labels[row][order])
        top = genuine[row].max()
        flux = np.interp(whole, wave, genuine[row], left=top, right=top).astype(np.float32)
        continuum = np.full_like(flux, top)
        check_spectrum("genuine", node, whole, flux, continuum)
        with pytest.raises(SanityError, match="air wavelengths read as vacuum"):
            check_spectrum("air", node, whole - 2.34, flux, continuum)
        with pytest.raises(SanityError, match="vacuum wavelengths taken for air"):
            check_spectrum("twice", node, whole + 2.34, flux, continuum)
