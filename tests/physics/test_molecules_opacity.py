"""Cross-sections against plain sums over lines, their expansion in temperature, their cache, and what they do."""

from collections.abc import Iterator
from math import pi
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch.autograd import forward_ad

from repro.errors import EnvironmentProblem
from repro.instrument.observe import Instrument
from repro.physics.atmosphere import model_atmosphere
from repro.physics.constants import (
    ATOMIC_MASS_UNIT,
    BOLTZMANN,
    ELECTRON_MASS,
    ELEMENTARY_CHARGE,
    SECOND_RADIATION,
    SPEED_OF_LIGHT,
)
from repro.physics.molecules import cache, cn, opacity
from repro.physics.molecules.build import build_cross_section, interpolation_error
from repro.physics.molecules.cross_section import LineSum
from repro.physics.molecules.line_list import isotopologues, ln_partition
from repro.physics.molecules.opacity import COOLEST, HOTTEST, MolecularOpacity, coefficients, temperature_basis
from repro.physics.synthesize import Synthesizer

F64 = torch.float64
WAVE = 7117.0 + 0.05 * np.arange(401)  # with the head of the gamma 0-0 band of TiO at 7127.2 A
TURBULENCE = 2.0e5
STARS = torch.tensor([[4300.0, 1.5, 0.0, 0.0, 0.2], [3800.0, 4.5, 0.0, 0.0, 0.0]], dtype=F64)


@pytest.fixture(scope="module", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def tio_sum() -> LineSum:
    return LineSum("TiO", WAVE)


def plain_sum(molecule: str, wave: np.ndarray, temperature: float, mass: float, turbulence: float) -> np.ndarray:
    """Cross-section [cm^2] in frequency, one line after the other."""
    total = np.zeros_like(wave)
    frequency = SPEED_OF_LIGHT / (wave * 1e-8)
    speed = np.sqrt(2.0 * BOLTZMANN * temperature / (mass * ATOMIC_MASS_UNIT) + turbulence**2)
    for isotopologue in isotopologues(molecule, wave[0] - 2.0, wave[-1] + 2.0):
        for lines in isotopologue.systems.values():
            population = isotopologue.weight * lines.gf * np.exp(-1e-8 * SECOND_RADIATION * lines.energy / temperature)
            for centre, strength in zip(SPEED_OF_LIGHT * lines.wavenumber, population, strict=True):
                width = centre * speed / SPEED_OF_LIGHT
                total += strength * np.exp(-(((frequency - centre) / width) ** 2)) / (np.sqrt(pi) * width)
    absorption = pi * ELEMENTARY_CHARGE**2 / (ELECTRON_MASS * SPEED_OF_LIGHT)
    emission = 1.0 - np.exp(-SECOND_RADIATION / (wave * temperature))
    return absorption * total * emission / float(np.exp(ln_partition(molecule, np.array(temperature))))


@pytest.mark.parametrize("turbulence", [0.0, TURBULENCE])
def test_cross_section_of_cn_is_that_of_a_plain_sum(turbulence: float) -> None:
    found = LineSum("CN", WAVE)(4500.0, turbulence)
    expected = plain_sum("CN", WAVE, 4500.0, 26.018, turbulence)
    assert np.abs(found - expected).max() < (1e-4 if turbulence else 1e-3) * expected.max()
    counts = expected > 1e-3 * expected.max()
    assert np.abs(found[counts] / expected[counts] - 1.0).max() < (1e-3 if turbulence else 1e-2)


def test_cross_section_of_tio_holds_the_strength_of_all_lines(tio_sum: LineSum) -> None:
    """Its integral over frequency is pi e^2 / (m c) times the sum of gf exp(-E / kT) / Q of the lines within."""
    temperature = 3300.0
    found = tio_sum(temperature, TURBULENCE)
    integral = float((found * SPEED_OF_LIGHT / (WAVE**2 * 1e-8)).sum() * 0.05)
    total = 0.0
    for isotopologue in isotopologues("TiO", WAVE[0], WAVE[-1]):
        for lines in isotopologue.systems.values():
            exponent = 1e-8 * SECOND_RADIATION * lines.energy / temperature
            total += float((isotopologue.weight * lines.gf * np.exp(-exponent)).sum())
    emission = 1.0 - np.exp(-SECOND_RADIATION / (WAVE.mean() * temperature))
    absorption = pi * ELEMENTARY_CHARGE**2 / (ELECTRON_MASS * SPEED_OF_LIGHT)
    partition = float(np.exp(ln_partition("TiO", np.array(temperature))))
    assert integral == pytest.approx(absorption * total * emission / partition, rel=0.01)  # of lines across the ends


def test_series_reproduces_the_cross_section_between_its_temperatures(tio_sum: LineSum) -> None:
    """To 1e-3 of itself wherever it is above 1 % of its mean, CN and TiO."""
    assert interpolation_error(coefficients("TiO", WAVE, TURBULENCE), tio_sum, TURBULENCE) < 1e-3
    assert interpolation_error(coefficients("CN", WAVE, TURBULENCE), LineSum("CN", WAVE), TURBULENCE) < 1e-3


def test_basis_is_a_chebyshev_series_and_its_derivative_is_exact() -> None:
    temperature = torch.linspace(COOLEST + 1.0, HOTTEST - 1.0, 50, dtype=F64)
    basis = temperature_basis(temperature)
    x = (1.0 / temperature - 0.5 * (1 / COOLEST + 1 / HOTTEST)) / (0.5 * (1 / COOLEST - 1 / HOTTEST))
    cosines = torch.cos(torch.arange(opacity.TERMS, dtype=F64) * torch.arccos(x)[:, None])
    assert torch.allclose(basis / basis[:, :1], cosines, atol=1e-12)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(temperature, torch.ones_like(temperature))
        slopes = forward_ad.unpack_dual(temperature_basis(dual)).tangent
    differences = (temperature_basis(temperature + 0.01) - temperature_basis(temperature - 0.01)) / 0.02
    assert float((slopes - differences).abs().max() / slopes.abs().max()) < 1e-6
    outside = torch.tensor([1000.0, COOLEST, HOTTEST, 20000.0], dtype=F64)
    ends = temperature_basis(outside)
    assert torch.equal(ends[0], ends[1]) and torch.equal(ends[2], ends[3])


def test_opacity_is_density_times_cross_section(tio_sum: LineSum) -> None:
    atmosphere = model_atmosphere(STARS)
    molecules = MolecularOpacity(torch.from_numpy(WAVE), TURBULENCE, F64)
    zero = torch.zeros(*atmosphere.temperature.shape, len(WAVE), dtype=F64)
    found = molecules.add(zero, atmosphere)
    sums = {"CN": LineSum("CN", WAVE), "TiO": tio_sum}
    for star, depth in ((0, 20), (1, 40)):
        expected = np.zeros_like(WAVE)
        for molecule, line_sum in sums.items():
            section = line_sum(float(atmosphere.temperature[star, depth]), TURBULENCE)
            expected += float(atmosphere.molecule_density(molecule)[star, depth]) * section
        expected /= float(atmosphere.reference_opacity[star, depth])
        counts = expected > 0.01 * expected.mean()
        assert np.abs(found[star, depth].numpy() / expected - 1.0)[counts].max() < 1e-3
    # Single precision changes nothing that shows, and one star does not depend on the others.
    single = MolecularOpacity(torch.from_numpy(WAVE), TURBULENCE, torch.float32).add(zero.float(), atmosphere)
    assert float((single - found).abs().max() / found.max()) < 1e-6
    alone = molecules.add(zero[:1], model_atmosphere(STARS[:1]))
    assert torch.allclose(alone[0], found[0], rtol=1e-9, atol=0.0)


def test_opacity_from_disk_is_that_computed_to_the_last_bit(own_cache: Path) -> None:
    computed = coefficients("CN", WAVE, TURBULENCE)
    assert len(list(own_cache.iterdir())) == 1
    assert np.array_equal(coefficients("CN", WAVE, TURBULENCE), computed)
    assert not np.array_equal(coefficients("CN", WAVE, 0.5 * TURBULENCE), computed)
    assert len(list(own_cache.iterdir())) == 2


@pytest.mark.parametrize("damage", ["truncated", "one bit", "empty", "other shape", "not an archive"])
def test_a_damaged_file_is_made_again(own_cache: Path, damage: str) -> None:
    computed = coefficients("CN", WAVE, TURBULENCE)
    (path,) = own_cache.iterdir()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    broken = {"truncated": whole[:-100], "one bit": bytes(flipped), "empty": b"", "not an archive": b"text"}
    if damage == "other shape":
        with open(path, "wb") as file:
            np.savez(file, values=computed[:, 1:])
    else:
        path.write_bytes(broken[damage])
    assert np.array_equal(coefficients("CN", WAVE, TURBULENCE), computed)
    assert path.read_bytes() == whole


def test_without_a_place_to_write_the_result_is_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    computed = coefficients("CN", WAVE, TURBULENCE)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "file" / "folder"))
    assert np.array_equal(coefficients("CN", WAVE, TURBULENCE), computed)
    monkeypatch.setenv("REPRO_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(EnvironmentProblem, match="REPRO_CACHE_DIR=.*file is a file: name a folder"):
        coefficients("CN", WAVE, TURBULENCE)


def test_the_key_follows_the_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = cache.key("CN", 1.0)
    assert before == cache.key("CN", 1.0) != cache.key("CN", 2.0)
    for table in cache.data.TABLES.glob("*.json"):
        (tmp_path / table.name).write_bytes(table.read_bytes())
    monkeypatch.setattr(cache.data, "TABLES", tmp_path)
    assert cache.key("CN", 1.0) == before
    (tmp_path / "cn_spectroscopy.json").write_text("{}")
    assert cache.key("CN", 1.0) != before


def test_build_reports_what_was_made(own_cache: Path) -> None:
    calls: list[tuple[int, int]] = []
    made = build_cross_section("CN", WAVE, TURBULENCE, lambda done, total: calls.append((done, total)))
    assert made.path.parent == own_cache and made.path.is_file()
    assert calls[-1] == (opacity.TERMS, opacity.TERMS)
    low, high = 1e8 / (WAVE[-1] * 1.0005), 1e8 / (WAVE[0] / 1.0005)
    assert made.lines == sum(len(cn.lines(name, low, high)["red"].gf) for name in cn.isotopologues())
    assert made.largest_error < 1e-3


def test_molecules_darken_cool_stars_alone() -> None:
    """Absorption by molecules alone beside the gamma 0-0 head at 7127.2 A (vacuum), and none to speak of at 6500 K."""
    wave = torch.from_numpy(WAVE)
    molecules = MolecularOpacity(wave, TURBULENCE, F64)
    atmosphere = model_atmosphere(torch.tensor([[3800.0, 1.5, 0.0, 0.0, 0.0], [6500.0, 4.0, 0.0, 0.0, 0.0]], dtype=F64))
    found = molecules.add(torch.zeros(2, 71, len(wave), dtype=F64), atmosphere)[:, 40]  # log tau = -1
    blue, red = found[0, wave < 7126.8].mean(), found[0, wave > 7127.4].mean()
    assert float(red) > 1.5 * float(blue) > 0.1
    assert float(found[1].max()) < 0.02


@pytest.mark.slow
def test_tio_explains_most_of_what_is_missing_in_a_cool_star(validation_dir: Path) -> None:
    """Example 4521 of the original data set at the nearest grid node, nothing fitted: rms over median of the flux."""
    with h5py.File(validation_dir / "pfs_examples.h5") as file:
        row = int(np.flatnonzero(np.asarray(file["idx"]) == 4521)[0])
        data, labels = np.asarray(file["flux"])[row], torch.from_numpy(np.asarray(file["labels_inferred"])[row, None])
    instrument = Instrument()

    def rms(synthesizer: Synthesizer) -> float:
        flux = instrument(synthesizer(labels))[0].numpy()[0]
        return float((flux / np.median(flux) - data / np.median(data)).std())

    complete = rms(Synthesizer())
    assert complete < 0.02
    assert rms(Synthesizer(molecules=False)) > 2.0 * complete
