"""Paschen lines: Stark profiles, their merging towards the series limit, and the grid they are computed on."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import exp1

from repro.physics.atmosphere import Atmosphere, model_atmosphere
from repro.physics.background import Background, Interpolation, line_nodes, relative_continuum
from repro.physics.continuum import continuum_opacity
from repro.physics.hydrogen import (
    SERIES_LIMIT,
    PaschenLines,
    _Plasma,
    _profile,
    _Transitions,
    exponential_integral,
    field_distribution,
    field_polynomials,
    line_share,
    lower_population,
    paschen_wave,
    pseudo_continuum,
)

F64 = torch.float64
LIGHT = 2.99792458e18  # A/s
STRENGTHS = {10: 0.0069797, 11: 0.0049964, 12: 0.0037115, 13: 0.0028388, 14: 0.0022236, 15: 0.0017763} | {
    16: 0.0014428,
    17: 0.0011887,
    18: 0.0009916,
}  # f from level 3
LABELS = torch.tensor([[6000.0, 2.0, -0.5, 0.0, 0.0]], dtype=F64)

# Corrections to the Holtsmark-like profile of Balmer 18 as published in SYNTHE (SOFBET), rows beta = 10^0 ... 10^1.4
# in steps of 0.1, columns P = 0, 0.2, 0.4, 0.6, 0.8.
CORRECTIONS = np.array(
    [
        [0.005, 0.128, 0.260, 0.389, 0.504],
        [0.004, 0.109, 0.220, 0.318, 0.389],
        [-0.007, 0.079, 0.162, 0.222, 0.244],
        [-0.018, 0.041, 0.089, 0.106, 0.080],
        [-0.026, -0.003, 0.003, -0.023, -0.086],
        [-0.025, -0.048, -0.087, -0.148, -0.234],
        [-0.008, -0.085, -0.165, -0.251, -0.343],
        [0.018, -0.111, -0.223, -0.321, -0.407],
        [0.032, -0.130, -0.255, -0.354, -0.431],
        [0.014, -0.148, -0.269, -0.359, -0.427],
        [-0.005, -0.140, -0.243, -0.323, -0.386],
        [0.005, -0.095, -0.178, -0.248, -0.307],
        [-0.002, -0.068, -0.129, -0.187, -0.241],
        [-0.007, -0.049, -0.094, -0.139, -0.186],
        [-0.010, -0.036, -0.067, -0.103, -0.143],
    ]
)
SHIELDING = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
BETA = 10.0 ** (0.1 * np.arange(15))
ASYMPTOTIC = np.array([[511.318, 1.532, 4.044, 19.266, 41.812], [-6.070, -4.528, -8.759, -14.984, -23.956]])


@pytest.fixture(scope="module")
def atmosphere() -> Atmosphere:
    return model_atmosphere(LABELS)


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=F64)


def field(beta: NDArray[np.float64] | float, shielding: float) -> NDArray[np.float64]:
    return field_distribution(torch.as_tensor(beta, dtype=F64), field_polynomials(number(shielding))).numpy()


def published_field(beta: float, shielding: float) -> float:
    """SOFBET of SYNTHE."""
    if beta > BETA[-1]:
        near, far = (np.interp(shielding, SHIELDING, row) for row in ASYMPTOTIC)
        return (1.5 / math.sqrt(beta) + 27.0 / beta**2) / beta**2 * (1.0 + far / (near + beta**1.5))
    corrections = [np.interp(shielding, SHIELDING, row) for row in CORRECTIONS]
    inner = 8.0 / (83.0 + (2.0 + 0.95 * beta**2) * beta)
    outer = (1.5 / math.sqrt(beta) + 27.0 / beta**2) / beta**2
    weight = min(max(0.5 * (10.0 - beta), 0.0), 1.0)
    correction = float(np.interp(beta, BETA, corrections))
    if beta < 1.0:  # continued with the first slope
        correction += (corrections[1] - corrections[0]) * (beta - 1.0) / (BETA[1] - 1.0)
    return (weight * inner + (1.0 - weight) * outer) * (1.0 + correction)


def synthe_profile(level: int, offset: float, atmosphere: Atmosphere, depth: int) -> tuple[float, bool]:
    """HPROF4 of SYNTHE [1/Hz], step by step, for levels 3 to n > 10; offset in A. False where it is about to jump."""
    kelvin, density = float(atmosphere.temperature[0, depth]), float(atmosphere.n_electron[0, depth])
    hydrogen, helium = float(atmosphere.n_h1[0, depth]), float(atmosphere.n_he1[0, depth])
    gnm = (level**2 - 9.0) / (9.0 * level**2)
    frequency, square = 3.2880515e15 * gnm, float(level**2)
    wave = LIGHT / frequency
    xknm = 5.5e-5 / gnm * 9.0 * square / (1.0 + 0.13 / (level - 3))
    dbeta = LIGHT / frequency**2 / xknm
    fo, t4 = 1.25e-9 * density ** (2.0 / 3.0), kelvin / 1e4
    resonance = 0.0791 / 3.0 / (1.0 - 1.0 / 9.0) * 3.579e-24 / gnm * hydrogen
    helium_width = 4.45e-26 / gnm * (square * (7.0 * square + 5.0)) ** 0.4 * t4**0.3 * helium
    lorentz = resonance + helium_width
    doppler = math.sqrt(2.0 * 1.380649e-16 * kelvin / (1.008 * 1.66053907e-24) + 4e10) / 2.99792458e10
    stark = 1.6678e-18 * frequency * xknm * fo
    detuning = abs(offset) / wave * frequency
    y1b = 2.0 / (1.0 + 0.012 / kelvin * math.sqrt(density / kelvin))
    y1s = t4**0.3 / density ** (1.0 / 6.0)
    weight = 1.0 / (1.0 + density / 1e13)
    c1 = fo * 78940.0 / kelvin * xknm / wave * gnm * (square - 9.0) * (320.0 * y1s * weight + y1b * (1.0 - weight))
    c2 = fo**2 / 5.96e-23 / density * (xknm / wave) ** 2
    beta = detuning / fo * dbeta
    y1, y2 = c1 * beta, c2 * beta**2
    gcon1 = 0.2 + 0.09 * math.sqrt(t4) / (1.0 + density / 1e13)
    gcon2 = 0.2 / (1.0 + density / 1e15)
    gam = 6.77 * math.sqrt(c1) * (0.5 * math.exp(-y1) + exp1(y1) - 0.5 * exp1(y2))
    gam = max(gam * (1.0 - gcon1 / (1.0 + (90.0 * y1) ** 3) - gcon2 / (1.0 + 2000.0 * y1)), 0.0)
    fns = ((0.9 * y1) ** 2 + 0.03 * math.sqrt(y1)) / ((0.9 * y1) ** 2 + 1.0)
    shielding = 0.08989 * density ** (1.0 / 6.0) / math.sqrt(kelvin)
    parts = {
        "doppler": math.exp(-((detuning / (frequency * doppler)) ** 2)) / (math.sqrt(math.pi) * frequency * doppler),
        "lorentz": frequency * lorentz / math.pi / (detuning**2 + (frequency * lorentz) ** 2),
        "stark": published_field(beta, shielding) * (1.0 + fns) + gam / math.pi / (gam**2 + beta**2),
    }
    parts["stark"] *= dbeta / fo
    widths = {"doppler": doppler, "lorentz": lorentz, "stark": stark}
    widest = max(widths, key=lambda name: widths[name])
    inside = detuning <= frequency * widths[widest]
    profile = parts[widest] if inside else sum(parts.values())
    smooth = not 0.7 < detuning / (frequency * widths[widest]) < 1.4 and not 0.7 < stark / doppler < 1.4
    return profile, smooth


def test_wavelengths_of_the_series() -> None:
    levels = torch.tensor([9.0, 11.0, 14.0, 17.0], dtype=F64)
    assert paschen_wave(levels).tolist() == pytest.approx([9231.5, 8865.2, 8600.8, 8469.6], abs=0.11)
    assert pytest.approx(8205.87, abs=0.01) == SERIES_LIMIT


def test_exponential_integral_against_scipy() -> None:
    x = np.geomspace(1e-9, 60.0, 500)
    assert np.abs(exponential_integral(torch.from_numpy(x)).numpy() / exp1(x) - 1.0).max() < 6e-5


@pytest.mark.parametrize("shielding", [0.0, 0.2, 0.4])
def test_field_distribution_has_half_the_area_and_falls_as_holtsmark(shielding: float) -> None:
    inner = quad(lambda x: float(field(x, shielding)), 0.0, 50.0, limit=200)[0]
    outer = quad(lambda t: float(field(math.exp(t), shielding)) * math.exp(t), math.log(50.0), 30.0)[0]
    assert inner + outer == pytest.approx(0.5, rel=0.01)
    assert float(field(1e6, shielding)) == pytest.approx(1.5e-15, rel=5e-3)


def test_field_distribution_against_the_published_numbers() -> None:
    grid = [(beta, shielding) for beta in np.geomspace(0.01, 1000.0, 80) for shielding in (0.0, 0.1, 0.3, 0.5)]
    ratio = np.array([float(field(*point)) / published_field(*point) for point in grid])
    assert np.abs(ratio - 1.0).max() < 0.03
    assert ratio.std() < 0.01


@pytest.mark.parametrize("depth", [20, 45, 50, 55])
@pytest.mark.parametrize("level", [11, 14, 17])
def test_opacity_is_that_of_synthe(atmosphere: Atmosphere, depth: int, level: int) -> None:
    """Cores and wings of a line and of its neighbours, except where SYNTHE jumps from one form to another."""
    centre = float(paschen_wave(number(level)))
    waves = centre + np.array([-6.0, -2.0, -0.5, -0.1, 0.03, 0.2, 1.0, 4.0, 8.0])
    found = PaschenLines(torch.from_numpy(waves), F64).opacity(atmosphere)[0, depth].numpy()
    kelvin = float(atmosphere.temperature[0, depth])
    share = line_share(atmosphere, torch.from_numpy(waves))[0, depth].numpy()
    factor = 0.0265400 * float(lower_population(atmosphere)[0, depth]) * share
    factor *= 1.0 - np.exp(-1.438776877e8 / (waves * kelvin))
    compared = 0
    for wave, value, weight in zip(waves, found, factor, strict=True):
        uppers = (level, level + 1 if wave < centre else level - 1)
        offsets = (wave - float(paschen_wave(number(upper))) for upper in uppers)
        parts = [synthe_profile(n, offset, atmosphere, depth) for n, offset in zip(uppers, offsets, strict=True)]
        if all(smooth for _, smooth in parts):
            expected = sum(STRENGTHS[n] * profile for n, (profile, _) in zip(uppers, parts, strict=True))
            assert value == pytest.approx(weight * expected, rel=0.03)
            compared += 1
    assert compared >= 3


def uniform(atmosphere: Atmosphere, kelvin: float, density: float) -> Atmosphere:
    """Another temperature and electron density at all depths."""
    like = torch.full_like(atmosphere.temperature, 1.0)
    return replace(atmosphere, temperature=kelvin * like, n_electron=density * like)


def line_profile(level: int, offsets: NDArray[np.float64], atmosphere: Atmosphere) -> NDArray[np.float64]:
    """Profile [1/Hz] of one line at the first depth, whatever its neighbours."""
    upper = torch.full((len(offsets),), float(level), dtype=F64)
    line = _Transitions(paschen_wave(upper) + torch.from_numpy(offsets), upper, torch.ones_like(upper), F64)
    return _profile(line, _Plasma(atmosphere, F64))[0, 0].numpy()


def frequencies(level: int, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Detuning [Hz] for offsets in A."""
    centre = float(paschen_wave(number(level)))
    return LIGHT / centre - LIGHT / (centre + offsets)


@pytest.mark.parametrize(("density", "low", "high"), [(1e8, 0.99, 1.01), (3e12, 1.6, 2.0), (1e14, 1.6, 2.0)])
def test_area_of_the_profile(atmosphere: Atmosphere, density: float, low: float, high: float) -> None:
    """1 where the Doppler effect rules; up to 2 where the Stark effect does, as SYNTHE adds ions and impacts."""
    offsets = np.concatenate([np.linspace(0.0, 1.0, 2001), np.geomspace(1.0, 100.0, 1000)[1:]])
    profile = line_profile(12, offsets, uniform(atmosphere, 5500.0, density))
    assert low < 2.0 * np.trapezoid(profile, frequencies(12, offsets)) < high


def test_wings_agree_with_another_theory(atmosphere: Atmosphere, validation_dir: Path) -> None:
    """Stehle & Hutcheon 1999, beyond three half-widths and five Doppler widths."""
    tables = np.load(validation_dir / "paschen_stark_tables.npz")
    found = []
    for level in (11, 14, 18):
        for density in (11.5, 12.5, 13.5):
            column = int(np.flatnonzero(np.isclose(tables[f"log10_ne_{level}"], density))[0])
            strength = 1.25e-9 * 10.0 ** (2.0 / 3.0 * density)
            width = 5.5e-5 * 5.0 * 9.0 * level**2 * 9.0 * level**2 / (level**2 - 9.0) * strength
            offsets = np.geomspace(max(3.0 * width, 1.5), 100.0, 20)
            alpha = np.log10(frequencies(level, offsets) / strength)
            table = np.interp(alpha, tables[f"log10_alpha_{level}"], tables[f"log10_profile_{level}"][:, column, 1])
            ours = np.log10(line_profile(level, offsets, uniform(atmosphere, 5000.0, 10.0**density)))
            found.append(ours - table)
    assert np.abs(np.concatenate(found)).max() < 0.12  # dex
    assert abs(np.median(np.concatenate(found))) < 0.06


def test_line_share_between_the_merged_level_and_its_end(atmosphere: Atmosphere) -> None:
    """The last level stands near that of Inglis & Teller 1939, log n_e = 23.26 - 7.5 log n."""
    density = 1e13
    gas = uniform(atmosphere, 5500.0, density)
    last = 1600.0 * density ** (-2.0 / 15.0) - 1.5
    assert last / 10.0 ** ((23.26 - 13.0) / 7.5) == pytest.approx(1.0, abs=0.25)
    edge = 1e8 / float(paschen_wave(number(last)))
    waves = torch.tensor([SERIES_LIMIT, 1e8 / edge, 1e8 / (edge - 250.0), 1e8 / (edge - 500.0), 9000.0], dtype=F64)
    share = line_share(gas, waves)[0, 0].tolist()
    assert share[:2] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert share[2] == pytest.approx(0.49, abs=0.01)  # linear in wavelength, not in wavenumber
    assert share[3:] == pytest.approx([1.0, 1.0], abs=1e-9)
    deeper = line_share(uniform(atmosphere, 5500.0, 10.0 * density), waves)[0, 0]
    assert bool((deeper <= line_share(gas, waves)[0, 0]).all())


def test_opacity_joins_at_the_series_limit(atmosphere: Atmosphere) -> None:
    around = torch.tensor([SERIES_LIMIT - 1e-4, SERIES_LIMIT + 1e-4], dtype=F64)
    blue, red = relative_continuum(atmosphere, around)[0].unbind(dim=-1)
    assert float((blue / red - 1.0).abs().max()) < 1e-6
    bare = continuum_opacity(atmosphere, around)[0]
    assert float((bare[:, 0] / bare[:, 1])[50]) > 1.02
    assert not pseudo_continuum(atmosphere, around)[0, :, 0].any()
    assert not PaschenLines(torch.tensor([8000.0, SERIES_LIMIT], dtype=F64), F64).opacity(atmosphere).any()


def test_interpolated_background_is_the_background(atmosphere: Atmosphere) -> None:
    wave = 7070.0 + 0.05 * torch.arange(36201, dtype=F64)
    background = Background(wave, F64)
    some = wave[::17].contiguous()
    found = Interpolation(background.nodes, some, F64)(background.opacity(atmosphere))
    direct = PaschenLines(some, F64).opacity(atmosphere) / atmosphere.reference_opacity[..., None]
    direct = direct + relative_continuum(atmosphere, some)
    error = (found / direct - 1.0).abs()
    assert float(error.max()) < 0.03  # beside the centres, where the profiles have an edge
    assert float(error.mean()) < 5e-5


def test_derivatives_to_the_labels_are_those_of_small_steps() -> None:
    """Of the opacity at and between lines: nothing jumps when the half-widths move with the labels."""
    waves = 8250.0 + 7.3 * torch.arange(80, dtype=F64)
    lines = PaschenLines(waves, F64)

    def opacity(labels: torch.Tensor) -> torch.Tensor:
        return torch.log(lines.opacity(model_atmosphere(labels))[0, 20:56])

    direction, step = torch.tensor([[200.0, 0.5, 0.1, 0.1, 0.1]], dtype=F64), 1e-4
    exact = torch.func.jvp(opacity, (LABELS,), (direction,))[1]
    differences = (opacity(LABELS + step * direction) - opacity(LABELS - step * direction)) / (2.0 * step)
    inside = torch.isfinite(exact) & torch.isfinite(differences)  # elsewhere all levels are merged
    assert float(inside.double().mean()) > 0.7
    error = (exact - differences)[inside]
    assert float(error.square().mean().sqrt() / exact[inside].square().mean().sqrt()) < 1e-4


def test_thin_cold_gas_has_finite_derivatives_in_single_precision() -> None:
    """1e5 electrons per cm^3 at 2000 K: the top of the coolest metal-poor giant."""
    labels = torch.tensor([[3750.0, 1.0, -2.5, 0.5, 0.5]], dtype=F64)
    lines = PaschenLines(line_nodes(7069.0, 8880.0), torch.float32)
    value, slope = torch.func.jvp(lambda x: lines.opacity(model_atmosphere(x)), (labels,), (torch.ones_like(labels),))
    assert bool(torch.isfinite(value).all())
    assert bool(torch.isfinite(slope).all())


def test_nodes_ascend_and_cover() -> None:
    nodes = line_nodes(7069.0, 8880.05)
    assert bool((nodes.diff() > 0.0).all())
    assert float(nodes[0]) <= 7069.0 and float(nodes[-1]) > 8880.05
