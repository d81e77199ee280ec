"""What is done to views before they are laid over each other, against closed forms."""

import numpy as np
import pytest

from repro.errors import DataError, ParameterError
from repro.view.spectrum import Slope, View, continua, on_one_grid, scaled


def view(wave, flux, **more):
    return View("star", np.asarray(wave, float), np.asarray(flux, float), "flux", "as made", **more)


def test_coarser_pixels_hold_the_mean_of_the_finer_ones():
    fine = np.arange(7100.0, 7200.0, 0.1)
    coarse = np.arange(7110.0, 7190.0, 1.0)  # edges in the middle of fine pixels
    flux = 1.0 + 0.1 * np.sin(fine / 3.0)
    one = view(coarse, np.ones(coarse.size))
    other = view(fine, flux, slopes={"log_g": Slope(flux**2, "exact")}, error=np.full(fine.size, 0.1))
    for a, b in (on_one_grid(one, other), on_one_grid(other, one)[::-1]):
        np.testing.assert_allclose(a.wave, coarse)
        np.testing.assert_allclose(b.wave, coarse)
        edges = np.array([np.abs(fine - centre) < 0.501 for centre in coarse])
        # 11 fine pixels touch a coarse one, the outer two by half
        weights = edges * np.where(np.abs(np.abs(fine - coarse[:, None]) - 0.5) < 0.01, 0.5, 1.0)
        np.testing.assert_allclose(b.flux, weights @ flux / weights.sum(axis=1), rtol=1e-9)
        np.testing.assert_allclose(b.slopes["log_g"].values, weights @ flux**2 / weights.sum(axis=1), rtol=1e-9)
        np.testing.assert_allclose(b.error, 0.1)


def test_gaps_stay_gaps_and_shared_ranges_are_cut():
    wave = np.arange(7100.0, 7200.0, 0.25)
    holes = np.where(np.abs(wave - 7150.0) < 2.0, np.nan, 1.0)
    one, other = on_one_grid(view(np.arange(7120.0, 7300.0, 1.0), np.ones(180)), view(wave, holes))
    assert one.wave[0] == 7120.0 and one.wave[-1] == 7199.0
    lost = np.abs(one.wave - 7150.0) < 2.3
    assert np.isnan(other.flux[lost]).all() and np.isfinite(other.flux[np.abs(one.wave - 7150.0) > 2.7]).all()
    with pytest.raises(DataError, match=r"star .7100.* and star .8000.* have no wavelengths in common"):
        on_one_grid(view(wave, holes), view(wave + 900.0, holes))


def test_equal_grids_are_left_alone():
    wave = np.arange(7100.0, 7200.0)
    one, other = on_one_grid(view(wave, wave), view(wave[10:], wave[10:] ** 2))
    assert one.wave.tolist() == other.wave.tolist() == wave[10:].tolist()
    assert other.flux.tolist() == (wave[10:] ** 2).tolist()


def test_a_change_of_brightness_alone_leaves_no_slope():
    wave = np.linspace(7100.0, 8850.0, 4001)
    flux = 3e6 * (1.0 - 0.2 * (wave - 7975.0) / 875.0)
    median = scaled(view(wave, flux, slopes={"T_eff": Slope(0.01 * flux, "exact")}), "median")
    assert np.median(median.flux) == 1.0 and median.unit == "flux / median"
    np.testing.assert_allclose(median.slopes["T_eff"].values, 0.0, atol=1e-6)
    same = scaled(view(wave, flux), "absolute")
    assert same.flux is flux and same.unit == "flux"


def test_slope_of_the_scaled_spectrum_against_differences():
    """F = exp(g x): F / median has a closed form, since the median is at x = 0."""
    wave = np.linspace(7100.0, 8850.0, 4001)
    x = (wave - 7975.0) / 875.0
    slope = Slope((2.0 + x) * 5.0 * np.exp(0.3 * x), "exact")
    found = scaled(view(wave, 5.0 * np.exp(0.3 * x), slopes={"log_g": slope}), "median").slopes["log_g"].values
    np.testing.assert_allclose(found, x * np.exp(0.3 * x), atol=1e-3)


def test_continua():
    wave = np.linspace(7100.0, 8850.0, 4000)
    true = 2.0 - 0.5 * (wave - 7100.0) / 1750.0
    lines = 1.0 - 0.6 * np.exp(-0.5 * ((wave - 8544.0) / 3.0) ** 2) - 0.3 * np.exp(-0.5 * ((wave - 7701.0) / 1.0) ** 2)
    known = view(wave, true * lines, continuum=true)
    assert continua(known, known) == ([true, true], "synthesised")
    levels, kind = continua(known, view(wave, true * lines))
    assert kind == "fitted"
    assert levels[0].tolist() == levels[1].tolist()
    np.testing.assert_allclose(levels[0], true, rtol=0.005)
    divided = scaled(known, "continuum", true)
    np.testing.assert_allclose(divided.flux, lines)
    assert divided.unit == "flux / continuum"


def test_a_range_without_pixels_names_what_there_is():
    with pytest.raises(ParameterError, match=r"star: nothing between 9000 and 9100 A .vacuum.; it covers 7100.0 to"):
        view(np.arange(7100.0, 7200.0), np.ones(100)).between(9000.0, 9100.0)
