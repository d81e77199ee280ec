from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from repro.errors import DataError
from repro.instrument import calibration
from repro.instrument.observe import Instrument
from repro.instrument.photometry import AB_ZERO, SPEED_OF_LIGHT, ZeroPoint, ab_magnitude, zero_point

WAVE = 7070 + 0.05 * torch.arange(36201, dtype=torch.float64)
BLUE = torch.linspace(6600, 7070, 48, dtype=torch.float64)
FULL = torch.linspace(6400, 9020, 2621, dtype=torch.float64)


def planck(wave: torch.Tensor, temperature: float = 5000.0) -> torch.Tensor:
    """Surface flux of a black body [erg s^-1 cm^-2 A^-1], (1, W)."""
    exponent = 1.438776877e8 / (wave * temperature)
    return (2 * np.pi * 6.62607015e-27 * (SPEED_OF_LIGHT * 1e-8) ** 2 * 1e32 / wave**5 / torch.expm1(exponent))[None]


def test_a_flat_ab_source_of_magnitude_zero() -> None:
    fine = torch.linspace(6400, 9020, 26201, dtype=torch.float64)
    assert ab_magnitude(fine, AB_ZERO * SPEED_OF_LIGHT / fine[None] ** 2) == pytest.approx(0.0, abs=1e-7)
    assert pytest.approx(3.631e-20, rel=1e-4) == AB_ZERO


def test_agrees_with_adaptive_quadrature() -> None:
    filter_wave, response = calibration.array("hsc_i_wave"), calibration.array("hsc_i_response")

    def flux(wave: float) -> float:
        return float(planck(torch.tensor(wave, dtype=torch.float64)))

    def integral(integrand: object) -> float:
        pieces = zip(filter_wave[:-1], filter_wave[1:], strict=True)
        return sum(quad(integrand, low, high, epsrel=1e-10)[0] for low, high in pieces)

    def weight(wave: float) -> float:
        return float(np.interp(wave, filter_wave, response))

    received = integral(lambda wave: flux(wave) * weight(wave) * wave)
    expected = -2.5 * np.log10(received / integral(lambda wave: SPEED_OF_LIGHT / wave * weight(wave))) - 48.60
    assert float(ab_magnitude(FULL, planck(FULL))[0]) == pytest.approx(expected, abs=1e-5)


def test_the_sun_as_a_black_body() -> None:
    """Absolute magnitude 4.53 in SDSS i (Willmer 2018, ApJS 236, 47), a filter 2 % bluer than HSC-i."""
    radius, ten_parsec = 6.957e10, 3.0857e19
    dilution = 5 * np.log10(ten_parsec / radius)
    assert float(ab_magnitude(FULL, planck(FULL, 5772.0))[0]) + dilution == pytest.approx(4.53, abs=0.08)


def test_without_lines_the_zero_point_is_the_magnitude() -> None:
    continuum = planck(WAVE)
    assert zero_point(WAVE, continuum, continuum, BLUE, planck(BLUE)) == pytest.approx(
        float(ab_magnitude(FULL, planck(FULL))), abs=1e-4
    )


def test_grey_blocking_dims_the_blue_side_alike() -> None:
    continuum = planck(WAVE)
    clear = zero_point(WAVE, continuum, continuum, BLUE, planck(BLUE))
    blocked = zero_point(WAVE, 0.8 * continuum, continuum, BLUE, planck(BLUE))
    assert float(blocked - clear) == pytest.approx(-2.5 * np.log10(0.8), abs=1e-12)


def test_only_the_bluest_200_angstrom_set_the_blocking() -> None:
    """Blocking 0.8 there dims the filter's share below 7270 A; the same redward leaves the blue side clear."""
    continuum = planck(WAVE)
    near = 1 - 0.2 * (WAVE <= 7270).double()
    share = []
    for factor in (near, 1.8 - near):
        clear, blocked = (
            zero_point(WAVE, flux, continuum, BLUE, planck(BLUE)) for flux in (continuum, factor * continuum)
        )
        share.append(float((1 - 10 ** (-0.4 * (blocked - clear))) / 0.2))
    joined = planck(FULL) * torch.where(FULL <= 7270, 0.0, 1.0)
    expected = 1 - 10 ** (-0.4 * float(ab_magnitude(FULL, joined) - ab_magnitude(FULL, planck(FULL))))
    assert share[0] == pytest.approx(expected, abs=2e-3)
    assert sum(share) == pytest.approx(1.0, abs=1e-9)


def test_derivative() -> None:
    wave = 7070 + 5 * torch.arange(363, dtype=torch.float64)
    zero = ZeroPoint(wave, BLUE)
    inputs = tuple((planck(grid) / planck(wave).mean()).clone().requires_grad_() for grid in (wave, wave * 1.001, BLUE))
    assert torch.autograd.gradcheck(zero, inputs, check_forward_ad=True)


def test_grids_that_miss_the_filter_are_refused() -> None:
    with pytest.raises(DataError, match="no continuum between 7060.00 and 7070.00"):
        ZeroPoint(WAVE, BLUE - 10)
    with pytest.raises(DataError, match="of the HSC-i filter uncovered"):
        ZeroPoint(WAVE, BLUE[30:])
    with pytest.raises(DataError, match="of the HSC-i filter uncovered"):
        ab_magnitude(WAVE, planck(WAVE))


def test_instrument_joins_pixels_and_zero_point_and_follows_a_change_of_grid() -> None:
    instrument = Instrument()
    for wave in (WAVE, 7080 + 0.1 * torch.arange(18001, dtype=torch.float64)):
        spectrum = SimpleNamespace(
            wave=wave, flux=planck(wave), continuum=planck(wave), wave_blue=BLUE + 20, continuum_blue=planck(BLUE + 20)
        )
        flux, zero = instrument(spectrum)
        assert flux.shape == (1, 4096) and zero.shape == (1,)
        assert float(flux[0, 0] / planck(torch.tensor(7100.2136230))) == pytest.approx(1, abs=1e-5)
        assert float(zero) == pytest.approx(float(ab_magnitude(FULL, planck(FULL))), abs=1e-4)
