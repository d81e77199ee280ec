"""Continuous opacity: published values, constants of nature, and a plain sum written out source by source."""

import math
from dataclasses import dataclass, fields
from functools import cache

import pytest
import torch

from repro.physics.atmosphere import Atmosphere, model_atmosphere
from repro.physics.constants import (
    BOHR_RADIUS,
    BOLTZMANN,
    ELECTRON_MASS,
    ELECTRON_VOLT,
    ELEMENTARY_CHARGE,
    PLANCK,
    SPEED_OF_LIGHT,
)
from repro.physics.continuum import continuum_opacity, h_minus_bound_free, h_minus_free_free, hydrogen_bound_free
from repro.physics.data import read_table

F64 = torch.float64
WAVES = torch.tensor([6600.0, 7100.0, 8000.0, 8205.0, 8207.0, 8850.0], dtype=F64)


@dataclass
class Gas:
    """One point with given densities (1, 1)."""

    temperature: torch.Tensor
    electron_pressure: torch.Tensor
    n_electron: torch.Tensor
    n_h1: torch.Tensor
    n_he1: torch.Tensor
    n_h2: torch.Tensor


def point(temperature: float, **densities: float) -> Gas:
    values = {field.name: 0.0 for field in fields(Gas)} | {"temperature": temperature} | densities
    return Gas(**{name: torch.tensor([[value]], dtype=F64) for name, value in values.items()})


def opacity(gas: Gas, wave: float) -> float:
    return float(continuum_opacity(gas, torch.tensor([wave], dtype=F64)))


@pytest.mark.parametrize(("temperature", "bound_free", "free_free"), read_table("hminus")["self_check_8000A"]["rows"])
def test_h_minus_at_8000_a_is_the_checked_value(temperature, bound_free, free_free):
    """An electron pressure so large that every other source vanishes beside H-."""
    value = opacity(point(temperature, n_h1=1.0, electron_pressure=1e20), 8000.0) / 1e20
    assert value == pytest.approx(bound_free + free_free, rel=1e-4)


def test_h_minus_free_free_at_8000_a_is_the_checked_value():
    for temperature, _, expected in read_table("hminus")["self_check_8000A"]["rows"]:
        theta = 5040.0 / temperature
        factors = h_minus_free_free(torch.tensor([8000.0], dtype=F64))[:, 0].tolist()
        value = sum(factor * theta ** ((n + 1) / 2) for n, factor in enumerate(factors, start=1))
        assert value == pytest.approx(expected, rel=1e-4)


def test_h_minus_cross_section_peaks_where_and_as_high_as_wishart_has_it():
    """About 4e-17 cm^2 near 8400 A (Wishart 1979, MNRAS 187, 59P); none beyond the threshold."""
    wave = torch.arange(6600.0, 17000.0, 10.0, dtype=F64)
    sigma = h_minus_bound_free(wave)
    assert float(sigma.max()) == pytest.approx(4.0e-17, rel=0.03)
    assert float(wave[sigma.argmax()]) == pytest.approx(8400.0, abs=200.0)
    assert float(sigma[wave > 16419.0].abs().max()) == 0.0


def test_kramers_cross_section_follows_from_the_constants():
    """64 pi^4 m e^10 / (3 sqrt(3) c h^6 n^5 nu^3); the Gaunt factor is 1 at half the wavelength of the edge."""
    level = torch.tensor(3.0, dtype=F64)
    wave = torch.tensor([0.5 * 9.0 / 109677.58 * 1e8], dtype=F64)
    frequency = SPEED_OF_LIGHT * 1e8 / float(wave)
    kramers = 64.0 * math.pi**4 * ELECTRON_MASS * ELEMENTARY_CHARGE**10
    kramers /= 3.0 * math.sqrt(3.0) * SPEED_OF_LIGHT * PLANCK**6 * 3.0**5 * frequency**3
    assert float(hydrogen_bound_free(level, wave)) == pytest.approx(kramers, rel=2e-3)


@pytest.mark.parametrize(("level", "exact_gaunt"), [(1, 0.7973), (2, 0.8762), (3, 0.9075)])
def test_gaunt_factor_at_threshold_is_near_the_exact_one(level, exact_gaunt):
    """Exact factors: Karzas & Latter (1961, ApJS 6, 167); n = 1 is 6.304e-18 cm^2 / (7.907e-18 cm^2)."""
    wave = torch.tensor([level**2 / 109677.58 * 1e8], dtype=F64)
    gaunt = float(hydrogen_bound_free(torch.tensor(float(level), dtype=F64), wave)) / (7.907e-18 * level)
    assert gaunt == pytest.approx(exact_gaunt, rel=0.04)


@pytest.mark.parametrize(
    ("species", "polarisability"), [("n_h1", 4.5), ("n_he1", 1.3838), ("n_h2", 5.43)], ids=["H", "He", "H2"]
)
def test_rayleigh_scattering_in_the_infrared_follows_from_the_polarisability(species, polarisability):
    """sigma = (128 pi^5 / 3) alpha^2 / lambda^4 far from resonances; cold, so that hydrogen does not absorb."""
    wave = 20000.0
    alpha = polarisability * BOHR_RADIUS**3
    expected = 128.0 * math.pi**5 / 3.0 * alpha**2 / (wave * 1e-8) ** 4
    assert opacity(point(1500.0, **{species: 1.0}), wave) == pytest.approx(expected, rel=0.03)


def test_electrons_scatter_with_the_thomson_cross_section():
    radius = ELEMENTARY_CHARGE**2 / (ELECTRON_MASS * SPEED_OF_LIGHT**2)
    assert opacity(point(6000.0, n_electron=1.0), 8000.0) == pytest.approx(8.0 * math.pi / 3.0 * radius**2, rel=1e-4)


@cache
def models() -> Atmosphere:
    labels = [[5777.0, 4.44, 0.0, 0.0, 0.0], [3750.0, 1.0, -2.5, 0.4, 0.0], [6000.0, 1.0, 0.5, 0.0, 0.3]]
    return model_atmosphere(torch.tensor(labels, dtype=F64))


def hydrogen_by_hand(temperature: float, n_h1: float, wave: float) -> float:
    """Bound-free and free-free opacity of hydrogen [cm^-1] from Gray's formulae, with a loop over the levels."""
    h_c, rydberg = PLANCK * SPEED_OF_LIGHT, 109677.58
    cm = wave * 1e-8
    gaunt = 0.3456 / (cm * rydberg) ** (1.0 / 3.0)
    stimulated = 1.0 - math.exp(-h_c / (cm * BOLTZMANN * temperature))
    bound_free = 0.0
    for n in range(3, 21):
        if cm < n * n / rydberg:
            kramers = 1.0449e-26 * wave**3 / n**5 * (1.0 - gaunt * (cm * rydberg / n**2 - 0.5))
            bound_free += (
                kramers * n * n * math.exp(-13.5984 * (1 - 1 / n**2) * ELECTRON_VOLT / BOLTZMANN / temperature)
            )
    # 4 e^6 / (3 h c) sqrt(2 pi / (3 k m^3)) from first principles stands for 3.692e8.
    coefficient = 4.0 * ELEMENTARY_CHARGE**6 / (3.0 * h_c)
    coefficient *= math.sqrt(2.0 * math.pi / (3.0 * BOLTZMANN * ELECTRON_MASS**3))
    saha = (2.0 * math.pi * ELECTRON_MASS * BOLTZMANN * temperature / PLANCK**2) ** 1.5
    pairs = saha * math.exp(-13.5984 * ELECTRON_VOLT / BOLTZMANN / temperature)
    free_free = coefficient * pairs * temperature**-0.5 * (cm / SPEED_OF_LIGHT) ** 3
    free_free *= 1.0 + gaunt * (cm * BOLTZMANN * temperature / h_c + 0.5)
    return n_h1 * stimulated * (bound_free + free_free)


@pytest.mark.parametrize("model", [0, 1, 2])
def test_opacity_of_a_model_is_the_sum_of_its_sources(model):
    atmosphere = models()
    total = continuum_opacity(atmosphere, WAVES)
    for depth in (0, 30, 50, 70):
        t, p_e, n_e, n_h1, n_he1, n_h2 = (float(getattr(atmosphere, field.name)[model, depth]) for field in fields(Gas))
        for column, wave in enumerate(WAVES.tolist()):
            expected = opacity(point(t, electron_pressure=p_e, n_h1=n_h1), wave) - opacity(point(t, n_h1=n_h1), wave)
            expected += hydrogen_by_hand(t, n_h1, wave) + 6.652e-25 * n_e
            expected += n_h1 * (5.799e-13 / wave**4 + 1.422e-6 / wave**6 + 2.784 / wave**8)
            expected += n_h2 * (8.14e-13 / wave**4 + 1.28e-6 / wave**6 + 1.61 / wave**8)
            expected += n_he1 * 5.484e-14 / wave**4 * (1 + (2.44e5 + 5.94e10 / (wave**2 - 2.9e5)) / wave**2) ** 2
            assert float(total[model, depth, column]) == pytest.approx(expected, rel=3e-4)


def test_reference_opacity_is_the_continuum_at_8000_a():
    atmosphere = models()
    there = continuum_opacity(atmosphere, torch.tensor([8000.0], dtype=F64))[..., 0]
    torch.testing.assert_close(atmosphere.reference_opacity, there, rtol=1e-14, atol=0.0)


def test_linear_interpolation_over_20_a_costs_less_than_3e_minus_5():
    """What callers that interpolate may rely on, on each side of the Paschen edge."""
    for low, high in ((6600.0, 8200.0), (8210.0, 8890.0)):
        fine = torch.arange(low, high + 1.0, 10.0, dtype=F64)
        exact = continuum_opacity(models(), fine)
        middle = (exact[..., 0:-2:2] + exact[..., 2::2]) / 2.0
        assert float((middle / exact[..., 1:-1:2] - 1.0).abs().max()) < 3e-5
