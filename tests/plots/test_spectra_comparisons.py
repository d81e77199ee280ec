"""The figures of the comparisons with data of others, and what they are computed with, on made-up data."""

import gzip
import sys

import h5py
import numpy as np
import pytest

from benchmarks import comparisons, figures
from benchmarks.accuracy import Comparison
from benchmarks.comparisons import CALCIUM_BANDS, CalciumWidths, CnLines, Spectrum
from repro.physics.molecules import cn
from repro.view import air

AIR = np.arange(8350.0, 8851.0)
CENTRES = (8498.02, 8542.09, 8662.14)


def star(widths, shift=0.0):
    """Gaussian lines of given equivalent widths [A] on a tilted continuum."""
    depth = sum(
        width / (2.0 * np.sqrt(2.0 * np.pi)) * np.exp(-0.5 * ((AIR - shift - centre) / 2.0) ** 2)
        for width, centre in zip(widths, CENTRES, strict=True)
    )
    return (1.0 + 2e-4 * (AIR - 8600.0)) * (1.0 - depth)


def test_equivalent_widths_of_known_lines():
    flat = comparisons._normalised(AIR, star((1.4, 3.6, 2.6)))
    np.testing.assert_allclose(comparisons._widths(AIR, flat), (1.4, 3.6, 2.6), rtol=1e-3)
    assert all(low < centre < high for (low, high), centre in zip(CALCIUM_BANDS, CENTRES, strict=True))


def test_gaps_outside_the_lines_change_no_width():
    flux = star((1.4, 3.6, 2.6))
    flux[(AIR > 8600.0) & (AIR < 8606.0)] = np.nan
    flat = comparisons._normalised(AIR, flux)
    np.testing.assert_allclose(comparisons._widths(AIR, flat), (1.4, 3.6, 2.6), rtol=1e-3)


@pytest.mark.parametrize("shift", [-2.34, 0.0, 1.27])
def test_shifts_are_found(shift):
    found = comparisons._shift(AIR, star((1.4, 3.6, 2.6), shift), star((1.4, 3.6, 2.6)))
    assert found == pytest.approx(shift, abs=0.02)


def test_ranks_and_ratios():
    observed = np.array([[1.0, 2.0, 1.5], [2.0, 3.0, 2.5], [0.5, 1.0, 0.7], [3.0, 5.0, 4.0]])
    widths = CalciumWidths(["a", "b", "c", "d"], np.zeros((4, 5)), observed, 1.1 * observed, np.zeros(4))
    assert widths.rank_correlation == pytest.approx(1.0) and widths.median_ratio == pytest.approx(1.1)
    swapped = CalciumWidths(widths.names, widths.labels, observed, observed[[1, 0, 2, 3]], widths.shift)
    assert swapped.rank_correlation == pytest.approx(0.8)  # 1 - 6 * 2 / (4 * 15)


def test_cn_lines_are_matched_by_wavelength_and_energy(tmp_path):
    """A reference made of our own lines, some moved, some changed in strength: the share is known."""
    lines = cn.lines("12C14N", 1e8 / 7950.0, 1e8 / 7900.0)["red"]
    energy = lines.energy * 1.239842e-4
    strongest = np.argsort(-lines.gf * np.exp(-energy / 0.38778))[:100]
    rows = np.column_stack([1e8 / lines.wavenumber, np.full(energy.size, 12), energy, np.log10(lines.gf)])[strongest]
    rows[:10, 0] += 0.08  # too far to count, near enough to be known
    rows[10:15, 3] += 0.15
    rows[15:18, 2] += 0.5  # no line of ours has this energy
    with gzip.open(tmp_path / "cn_reference.csv.gz", "wt") as file:
        file.write("# made up\n" + "\n".join(",".join(f"{value:.4f}" for value in row) for row in rows))
    found = comparisons.cn_lines(tmp_path)
    lost = found.wave.size - np.count_nonzero(np.isfinite(found.off))
    assert found.wave.size <= 100 and lost <= 3
    bad = np.count_nonzero(~((np.abs(found.off) < 0.05) & (np.abs(found.stronger) < 0.1)))
    assert found.matched == pytest.approx(1.0 - bad / found.wave.size)
    assert 12 <= bad <= 18  # up to three of them fell below the strength that matters, or have a twin
    assert np.nanmedian(np.abs(found.off)) < 1e-3


@pytest.fixture
def made_up(monkeypatch):
    """In place of the computations: small arrays of the same form."""
    rng = np.random.default_rng(3)
    wave = np.linspace(8000.0, 8850.0, 600)
    labels = np.array([[t, g, m, 0.0, 0.0] for t in (5500.0, 6000.0) for g in (2.0, 3.0) for m in (0.0, 0.5)])
    data = 1.0 + 0.05 * rng.normal(size=(8, 600))
    spectrum = Spectrum("576", wave, data[0], data[1])
    monkeypatch.setattr(figures, "bosz_spectra", lambda _: Comparison(labels, wave, data, data + 0.01 * data[::-1]))
    monkeypatch.setattr(figures, "pfs_fit", lambda *_: (spectrum, labels[0]))
    monkeypatch.setattr(figures, "turbospectrum_pair", lambda *_: spectrum)
    widths = 1.0 + rng.random((40, 3))
    stars = np.column_stack([rng.uniform(1, 5, (40, 4)), np.zeros(40)])
    monkeypatch.setattr(
        figures, "calcium_widths", lambda _: CalciumWidths([""] * 40, stars, widths, 1.1 * widths, stars[:, 0])
    )
    off = 0.05 * rng.normal(size=90)
    off[3] = np.nan
    monkeypatch.setattr(figures, "cn_lines", lambda _: CnLines(wave[:90], rng.random(90), off, off))


@pytest.mark.parametrize("name", list(figures.FIGURES))
def test_every_figure_is_drawn(name, made_up, tmp_path, monkeypatch):
    monkeypatch.setattr("repro.plots.style._DPI", 30)  # what is drawn counts here, not how finely
    monkeypatch.setenv("REPRO_VALIDATION_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["figures", "--out", str(tmp_path / "out"), "--only", name])
    figures.main()
    assert (tmp_path / "out" / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_without_data_it_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("REPRO_VALIDATION_DIR", raising=False)
    monkeypatch.setattr(sys, "argv", ["figures", "--out", str(tmp_path / "out")])
    figures.main()
    assert "skipped: needs --out, and REPRO_VALIDATION_DIR" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_the_published_list_is_matched(validation_dir):
    """The target: 95 % of the lines that matter within 0.05 A and 0.1 dex."""
    with h5py.File(validation_dir / "stelib_sample.h5") as file:  # air and vacuum of others, by the way
        np.testing.assert_allclose(air.to_vacuum(np.asarray(file["wave_air"])), file["wave_vac"], atol=0.003)
    assert comparisons.cn_lines(validation_dir).matched >= 0.95
