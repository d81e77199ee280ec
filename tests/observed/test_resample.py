"""Spectra onto pixels: against the kit's own averaging, specutils, brute force and the line-spread function itself."""

import numpy as np
import pytest
import torch

from repro.errors import DataError
from repro.instrument.lsf import LineSpread
from repro.instrument.pixels import FIRST_EDGE, LAST_EDGE, N_PIXELS, STEP, pixel_centres, pixel_edges
from repro.instrument.resample import rebin
from repro.observed.resample import PER_SIGMA, instrument_width, onto_pixels, resolution_of_pixels, sample_edges
from tests.observed.files import lamost_wave, smooth

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("wave", [lamost_wave(), np.linspace(7000.0, 8900.0, 20_001)], ids=["coarse", "fine"])
def test_pixels_are_means_over_the_samples_that_overlap_them(wave: np.ndarray) -> None:
    flux = smooth(wave) + 0.1 * RNG.standard_normal(wave.size)
    found = onto_pixels(wave, flux, None, np.ones(wave.size, bool))
    edges, pixels = torch.from_numpy(sample_edges(wave)), torch.from_numpy(pixel_edges())
    assert np.abs(found.flux - rebin(edges, torch.from_numpy(flux), pixels).numpy()).max() < 1e-11
    assert np.allclose(found.covered, 1.0, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_specutils_finds_the_same_flux_and_error() -> None:
    pytest.importorskip("specutils")
    from astropy import units as u
    from astropy.nddata import VarianceUncertainty
    from specutils import Spectrum
    from specutils.manipulation import FluxConservingResampler

    wave = np.linspace(7000.0, 8900.0, 9001)
    flux, error = smooth(wave), RNG.uniform(0.01, 0.2, wave.size)
    spectrum = Spectrum(
        spectral_axis=wave * u.AA, flux=flux * u.Unit("erg/(s cm2 AA)"), uncertainty=VarianceUncertainty(error**2)
    )
    other = FluxConservingResampler()(spectrum, pixel_centres() * u.AA)
    found = onto_pixels(wave, flux, error, np.ones(wave.size, bool))
    assert np.abs(found.flux / other.flux.value - 1.0).max() < 1e-9
    sigma = np.sqrt(other.uncertainty.represent_as(VarianceUncertainty).array)
    assert found.error is not None
    assert np.abs(found.error / sigma - 1.0).max() < 1e-9


@pytest.mark.parametrize("resolution", [None, 20_000.0])
def test_errors_are_those_of_many_noisy_spectra(resolution: float | None) -> None:
    wave = np.linspace(7000.0, 8900.0, 12_000)
    error, good = RNG.uniform(0.05, 0.15, wave.size), RNG.random(wave.size) > 0.05
    draws = np.array(
        [onto_pixels(wave, error * RNG.standard_normal(wave.size), None, good, resolution).flux for _ in range(40)]
    )
    told = onto_pixels(wave, np.zeros(wave.size), error, good, resolution).error
    assert told is not None
    seen = np.isfinite(told)
    assert seen.mean() > 0.98
    ratio = (draws[:, seen] / told[seen]).std(axis=0)
    assert abs(float(np.sqrt(np.mean(ratio**2))) - 1.0) < 0.02


def test_the_samples_of_the_sets_pass_unchanged() -> None:
    flux, error = RNG.random(N_PIXELS), RNG.uniform(0.1, 0.2, N_PIXELS)
    good = np.ones(N_PIXELS, bool)
    good[[7, 8, 2000]] = False
    found = onto_pixels(pixel_centres(), flux, error, good)
    assert found.error is not None
    assert np.array_equal(np.isfinite(found.flux), good)
    assert np.abs(found.flux - flux)[good].max() < 1e-12
    assert np.abs(found.error - error)[good].max() < 1e-12


@pytest.mark.parametrize("resolution", [12_000.0, 40_000.0])
def test_higher_resolution_is_lowered_to_the_instruments(resolution: float) -> None:
    """A comb of lines seen by the kit's own line-spread function, and by another spectrograph and then here."""
    fine = np.arange(7080.0, 8870.0, 0.02)
    lines = np.arange(7150.0, 8820.0, 37.3)
    depth = {line: 0.5 * np.exp(-0.5 * ((fine - line) / 0.15) ** 2) for line in lines}
    flux = 1.0 - sum(depth.values())
    uniform = np.arange(7080.0, 8870.0, 0.1)
    wanted = LineSpread(torch.from_numpy(uniform))(torch.from_numpy(flux[::5][None, : uniform.size]))[0].numpy()
    step = 8000.0 / resolution / 3.0  # three samples a width
    wave = np.arange(7085.0, 8865.0, step)
    seen = _seen(fine, flux, wave, resolution)
    found = onto_pixels(wave, seen, None, np.ones(wave.size, bool), resolution).flux
    raw = onto_pixels(wave, seen, None, np.ones(wave.size, bool)).flux
    # lines 0.13 deep after the instrument; its wings, which no Gaussian has, are 0.7 per cent of its peak
    assert np.abs(found - wanted).max() < 0.004
    assert np.abs(raw - wanted).max() > 0.02


def _seen(fine: np.ndarray, flux: np.ndarray, wave: np.ndarray, resolution: float) -> np.ndarray:
    """Brute force: each sample is the mean under a Gaussian of width wave / R."""
    found = np.empty(wave.size)
    for at, centre in enumerate(wave):
        sigma = centre / resolution / PER_SIGMA
        near = slice(*np.searchsorted(fine, [centre - 6 * sigma, centre + 6 * sigma]))
        weight = np.exp(-0.5 * ((fine[near] - centre) / sigma) ** 2)
        found[at] = weight @ flux[near] / weight.sum()
    return found


def test_the_widths_of_the_instrument_are_those_of_its_kernels() -> None:
    width = instrument_width()
    assert np.all(np.diff(pixel_centres() / width) > 0)
    assert 1.3 < width.min() <= width.max() < 1.36
    assert 5900 < resolution_of_pixels() < 6150  # the tables' own; nominally 5000


def test_flagged_samples_leave_pixels_to_the_others() -> None:
    wave = FIRST_EDGE + STEP / 4 * (np.arange(4 * N_PIXELS) + 0.5)
    flux, good = np.ones(wave.size), np.ones(wave.size, bool)
    good[4 * 10 : 4 * 10 + 1] = good[4 * 20 : 4 * 20 + 3] = False
    flux[~good] = 1e6
    found = onto_pixels(wave, flux, None, good)
    assert found.flux[10] == pytest.approx(1.0)  # a quarter is flagged
    assert np.isnan(found.flux[20])  # three quarters are
    assert np.allclose(found.covered[[10, 20]], [0.75, 0.25])


def test_spectra_of_elsewhere_are_refused() -> None:
    wave = np.linspace(LAST_EDGE + 100.0, LAST_EDGE + 200.0, 100)
    with pytest.raises(DataError, match="no sample between 7100 and 8850 A"):
        onto_pixels(wave, wave, None, np.ones(100, bool))
