"""Exponential integral and formal solution against scipy and analytic cases."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import expn

from repro.physics.transfer import between, emergent_flux, missing_e4

LOG_TAU = (torch.arange(71, dtype=torch.float64) - 50.0) / 10.0
WAVE = torch.tensor([7000.0, 8000.0, 9000.0], dtype=torch.float64)


def planck(temperature: float, wave: float) -> float:
    """erg s^-1 cm^-2 A^-1 sr^-1 from SI constants."""
    h, c, k, metre = 6.62607015e-34, 299792458.0, 1.380649e-23, wave * 1e-10
    return 2.0 * h * c**2 / metre**5 / math.expm1(h * c / (metre * k * temperature)) * 1e-7


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 4e-6), (torch.float32, 5e-6)])
def test_exponential_integral(dtype: torch.dtype, tolerance: float) -> None:
    x = torch.cat([torch.linspace(1e-3, 4.0, 500), torch.logspace(0.5, 2, 60)]).to(torch.float64)
    found = missing_e4(x.to(dtype)).to(torch.float64).numpy()
    exact = 1.0 / 3.0 - expn(4, x.numpy())
    assert np.abs(found / exact - 1.0).max() < tolerance


def test_exponential_integral_near_zero_keeps_its_relative_accuracy() -> None:
    x = torch.logspace(-12, -3, 40, dtype=torch.float64)
    series = x / 2 - x**2 / 2 + x**3 * (11 / 36 - 0.5772156649015329 / 6 - torch.log(x) / 6)
    assert (missing_e4(x.to(torch.float32)).to(torch.float64) / series - 1.0).abs().max() < 5e-6
    assert float(missing_e4(torch.zeros(1))) == 0.0


def test_derivative_of_the_exponential_integral_is_e3() -> None:
    x = torch.tensor([0.01, 0.3, 0.99, 1.01, 4.0], dtype=torch.float64)
    _, slope = torch.func.jvp(missing_e4, (x,), (torch.ones_like(x),))
    assert np.abs(slope.numpy() - expn(3, x.numpy())).max() < 3e-5


@pytest.mark.parametrize("ratio", [0.01, 1.0, 30.0])
def test_isothermal_atmosphere_is_a_black_body(ratio: float) -> None:
    temperature = torch.full((1, 71), 5000.0, dtype=torch.float64)
    flux = emergent_flux(torch.full((1, 71, 3), ratio, dtype=torch.float64), LOG_TAU, temperature, WAVE)
    expected = [math.pi * planck(5000.0, wave) for wave in WAVE.tolist()]
    assert flux[0].tolist() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_linear_source_function_is_seen_at_two_thirds(dtype: torch.dtype) -> None:
    """Eddington-Barbier is exact for B linear in tau: F = pi B(tau = 2/3)."""
    wave = WAVE[1:2]
    tau = 10.0**LOG_TAU - 10.0 ** float(LOG_TAU[0])
    source = planck(5000.0, 8000.0) * (0.4 + 0.9 * tau)
    scale, exponent = 2.0 * 6.62607015e-27 * 2.99792458e10**2 / 8e-5**5 * 1e-8, 1.438776877e8 / 8000.0
    temperature = exponent / torch.log1p(scale / source)
    flux = emergent_flux(torch.ones(1, 71, 1, dtype=dtype), LOG_TAU, temperature[None], wave)
    expected = math.pi * planck(5000.0, 8000.0) * (0.4 + 0.9 * 2.0 / 3.0)
    assert float(flux) == pytest.approx(expected, rel=4e-6)


def test_flux_against_adaptive_quadrature() -> None:
    """2 pi times the integral of B E2(tau) dtau, with B and the opacity ratio linear in the reference depth."""
    reference = 10.0 ** LOG_TAU.numpy()
    temperature = 4200.0 + 1500.0 * reference**0.25 / (1.0 + 0.1 * reference**0.25)
    ratio = 0.8 + 3.0 * np.exp(-((LOG_TAU.numpy() + 2.0) ** 2))
    tau = np.concatenate([[0.0], np.cumsum(0.5 * (ratio[1:] + ratio[:-1]) * np.diff(reference))])
    source = np.array([planck(t, 8000.0) for t in temperature])
    total = sum(
        quad(lambda t: np.interp(t, tau, source) * expn(2, t), low, high, epsabs=0.0, epsrel=1e-9)[0]
        for low, high in zip(tau[:-1], tau[1:], strict=True)
    )
    slope = (source[-1] - source[-2]) / (tau[-1] - tau[-2])
    total += source[-1] * expn(3, tau[-1]) + slope * expn(4, tau[-1])
    found = emergent_flux(
        torch.from_numpy(ratio)[None, :, None], LOG_TAU, torch.from_numpy(temperature)[None], WAVE[1:2]
    )
    assert float(found) == pytest.approx(2.0 * math.pi * total, rel=2e-6)


def test_every_second_depth_is_enough() -> None:
    """A ratio that changes by a factor of four over a dex, as that of strong lines does, and a power of tau."""
    depths = LOG_TAU[:63]
    temperature = (4200.0 + 1500.0 * 10.0 ** (0.25 * depths))[None]
    ratio = torch.stack([0.8 + 3.0 * torch.exp(-((depths + 2.0) ** 2)), 10.0 ** (0.4 * depths)], dim=-1)[None]
    full = emergent_flux(ratio, depths, temperature, WAVE[:2])
    half = emergent_flux(ratio[:, ::2], depths, temperature, WAVE[:2])
    assert float((half / full - 1.0).abs().max()) < 2e-5
    power = torch.stack(list(between(ratio[:, ::2, 1:])), dim=1)
    assert float((power / ratio[:, :, 1:] - 1.0).abs().max()) < 1e-12
