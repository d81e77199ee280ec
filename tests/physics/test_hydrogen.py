"""Paschen lines: Stark profiles, their Doppler convolution, dissolution and the series limit."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from repro.physics.atmosphere import Atmosphere, model_atmosphere
from repro.physics.background import Background, Interpolation, line_nodes, relative_continuum
from repro.physics.continuum import continuum_opacity
from repro.physics.hydrogen import (
    SERIES_LIMIT,
    PaschenLines,
    occupation_probability,
    paschen_wave,
    pseudo_continuum,
    stark_norm,
    stark_shape,
)

F64 = torch.float64
LIGHT = 2.99792458e18  # A/s


@pytest.fixture(scope="module")
def atmosphere() -> Atmosphere:
    return model_atmosphere(torch.tensor([[6000.0, 2.0, -0.5, 0.0, 0.0]], dtype=F64))


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=F64)


def stark(detuning: np.ndarray, level: float, electrons: float) -> np.ndarray:
    ln_c, p, q, _ = (float(part) for part in stark_shape(number(level), number(electrons)))
    norm = float(stark_norm(number(ln_c), number(p), number(q)))
    return (1.0 + (np.abs(detuning) / math.exp(ln_c)) ** p) ** (-q / p) / norm


def test_wavelengths_of_the_series() -> None:
    levels = torch.tensor([9.0, 11.0, 14.0, 17.0], dtype=F64)
    assert paschen_wave(levels).tolist() == pytest.approx([9231.5, 8865.2, 8600.8, 8469.6], abs=0.11)
    assert pytest.approx(8205.87, abs=0.01) == SERIES_LIMIT


@pytest.mark.parametrize(("level", "electrons"), [(10.0, 1e11), (14.0, 1e13), (20.0, 3e12)])
def test_stark_profile_has_unit_area(level: float, electrons: float) -> None:
    width = math.exp(float(stark_shape(number(level), number(electrons))[0]))
    core = quad(lambda x: stark(np.array(x), level, electrons), 0.0, width)[0]
    wing = quad(lambda t: stark(np.array(math.exp(t)), level, electrons) * math.exp(t), math.log(width), 45.0)[0]
    assert 2.0 * (core + wing) == pytest.approx(1.0, rel=1e-4)


def test_stark_profile_against_the_tables_it_condenses(validation_dir: Path) -> None:
    """Stehle & Hutcheon 1999: convolved with the thermal profile, 0.02 dex rms down to 3 dex below the centre."""
    tables = np.load(validation_dir / "paschen_stark_tables.npz")
    nodes, weights = np.polynomial.hermite.hermgauss(60)
    errors = []
    for level in (10, 14, 18, 24):
        for column, log_density in enumerate(tables[f"log10_ne_{level}"]):
            if log_density < 11.9:  # the profile is Doppler alone, or too narrow for this quadrature
                continue
            table = tables[f"log10_profile_{level}"][:, column, 1]
            field = 1.25e-9 * 10.0 ** (2.0 / 3.0 * log_density)
            detuning = 10.0 ** tables[f"log10_alpha_{level}"] * field
            doppler = math.sqrt(2.0 * 1.380649e-16 * 5000.0 / 1.6735e-24) / (float(paschen_wave(number(level))) * 1e-8)
            shifted = detuning[:, None] - doppler * nodes
            found = np.log10(stark(shifted, level, 10.0**log_density) @ weights / math.sqrt(math.pi))
            errors.append((found - table)[table > table.max() - 3.0])
    assert np.concatenate(errors).std() < 0.02
    assert abs(np.concatenate(errors).mean()) < 0.01


@pytest.mark.parametrize("depth", [10, 35, 50])
def test_line_opacity_is_the_convolved_profile(atmosphere: Atmosphere, depth: int) -> None:
    """P14 alone, by adaptive quadrature over the Doppler profile, at the core, across the seam and in the wing."""
    offsets = np.array([0.0, 0.1, 0.3, 0.8, 2.0, 2.99, 3.01, 8.0, 40.0])
    centre = float(paschen_wave(number(14.0)))
    lines = PaschenLines(torch.from_numpy(centre + offsets), F64)
    keep = lines._strength.clone()
    lines._strength = torch.where(lines._level == 14.0, keep, torch.zeros_like(keep))
    found = lines.opacity(atmosphere)[0, depth].numpy()
    kelvin, electrons = float(atmosphere.temperature[0, depth]), float(atmosphere.n_electron[0, depth])
    speed = math.sqrt(2.0 * 1.380649e-16 * kelvin / (1.008 * 1.66053907e-24) + 4e10)
    doppler = speed / (centre * 1e-8)
    detuning = LIGHT / centre - LIGHT / (centre + offsets)
    t = np.linspace(-6.0, 6.0, 48_001)
    gauss = np.exp(-t * t) / math.sqrt(math.pi)
    profile = [np.trapezoid(gauss * stark(x - doppler * t, 14.0, electrons), t) for x in detuning]
    n3 = 9.0 * float(atmosphere.n_h1[0, depth]) * math.exp(-13.5984 * (1 - 1 / 9) * 11604.518 / kelvin)
    occupied = float(occupation_probability(atmosphere, torch.tensor([14.0], dtype=F64))[0, depth])
    stimulated = 1.0 - np.exp(-1.438776877e8 / ((centre + offsets) * kelvin))
    expected = 0.0265400 * 0.0022236 * n3 * occupied * stimulated * np.array(profile)
    assert np.abs(found / expected - 1.0).max() < 0.006


def test_occupation_probability_falls_with_level_and_density(atmosphere: Atmosphere) -> None:
    levels = torch.tensor([3.0, 10.0, 15.0, 20.0, 30.0], dtype=F64)
    found = occupation_probability(atmosphere, levels)[0]
    assert bool((found[:, 1:] <= found[:, :-1]).all())
    assert float(found[0, 1]) > 0.99
    assert float(found[-1, -1]) < 1e-10
    # Inglis & Teller 1939: the last line seen has log n_e = 23.26 - 7.5 log n; w falls to a half near there.
    electrons = atmosphere.n_electron[0, 50]
    last = 10.0 ** ((23.26 - torch.log10(electrons)) / 7.5)
    scan = torch.linspace(5.0, 40.0, 701, dtype=F64)
    half = scan[(occupation_probability(atmosphere, scan)[0, 50] - 0.5).abs().argmin()]
    assert float(half / last) == pytest.approx(1.0, abs=0.25)


def test_opacity_joins_at_the_series_limit(atmosphere: Atmosphere) -> None:
    around = torch.tensor([SERIES_LIMIT - 1e-4, SERIES_LIMIT + 1e-4], dtype=F64)
    blue, red = relative_continuum(atmosphere, around)[0].unbind(dim=-1)
    assert float((blue / red - 1.0).abs().max()) < 1e-6
    bare = continuum_opacity(atmosphere, around)[0]
    assert float((bare[:, 0] / bare[:, 1])[50]) > 1.02
    assert not pseudo_continuum(atmosphere, around)[0, :, 0].any()


def test_interpolated_background_is_the_background(atmosphere: Atmosphere) -> None:
    wave = 7070.0 + 0.05 * torch.arange(36201, dtype=F64)
    background = Background(wave, F64)
    some = wave[::37].contiguous()
    found = Interpolation(background.nodes, some, F64)(background.opacity(atmosphere))
    direct = PaschenLines(some, F64).opacity(atmosphere) / atmosphere.reference_opacity[..., None]
    direct = direct + relative_continuum(atmosphere, some)
    assert float((found / direct - 1.0).abs().max()) < 4e-3
    assert float((found / direct - 1.0).abs().mean()) < 2e-5


def test_nodes_ascend_and_cover() -> None:
    nodes = line_nodes(7069.0, 8880.05)
    assert bool((nodes.diff() > 0.0).all())
    assert float(nodes[0]) <= 7069.0 and float(nodes[-1]) > 8880.05
