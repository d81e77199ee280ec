"""The line list, and the line opacity against a plain sum with scipy's Voigt function."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import gamma, wofz

from repro.errors import DataError
from repro.physics import lines
from repro.physics.atmosphere import Atmosphere, model_atmosphere
from repro.physics.data import read_table
from repro.physics.line_opacity import LineOpacity, Pixels
from repro.physics.lines import LineList, line_list
from repro.physics.transfer import emergent_flux

F64 = torch.float64
PIXELS = Pixels(8530.0, 0.05, 501)


def every_fifth_line() -> LineList:
    """Of 8520-8565 A, with Ca II 8544."""
    table = line_list()
    near = torch.nonzero((table.wave > 8520.0) & (table.wave < 8565.0))[:, 0]
    strongest = int((table.wave - 8544.438).abs().argmin())
    some = torch.unique(torch.cat([near[::5], torch.tensor([strongest])]))
    columns = {
        name: getattr(table, name)[some]
        for name in ("wave", "species_index", "energy", "gf", "radiative", "width", "exponent", "stark")
    }
    return replace(table, **columns)


SOME = every_fifth_line()


@pytest.fixture(scope="module")
def atmosphere() -> Atmosphere:
    return model_atmosphere(torch.tensor([[5200.0, 3.2, -0.3, 0.1, 0.0], [3800.0, 4.9, 0.2, 0.0, 0.0]], dtype=F64))


def plain_opacity(atmosphere: Atmosphere, star: int, depth: int, threshold: float) -> np.ndarray:
    """Sum over all lines of the recipe's formula, term by term in numpy, over the reference opacity."""
    table = SOME
    kelvin = float(atmosphere.temperature[star, depth])
    density = atmosphere.number_over_partition(table.species)[star, depth].numpy()[table.species_index.numpy()]
    mass = table.species_mass.numpy()[table.species_index.numpy()]
    speed = np.sqrt(2.0 * 1.380649e-16 * kelvin / mass + atmosphere.microturbulence**2)
    wave, energy = table.wave.numpy(), table.energy.numpy()
    doppler = speed / (wave * 1e-8)
    strength = 0.0265400 * table.gf.numpy() * density * np.exp(-energy * 11604.518 / kelvin)
    strength *= (1.0 - np.exp(-1.438776877e8 / (wave * kelvin))) / (math.sqrt(math.pi) * doppler)
    perturbers = float((atmosphere.n_h1 + 0.42 * atmosphere.n_he1 + 0.85 * atmosphere.n_h2)[star, depth])
    width = table.radiative.numpy() + table.width.numpy() * (kelvin / 1e4) ** table.exponent.numpy() * perturbers
    width = width + table.stark.numpy() * (kelvin / 1e4) ** (1 / 6) * float(atmosphere.n_electron[star, depth])
    reference = float(atmosphere.reference_opacity[star, depth])
    total = np.zeros(PIXELS.count)
    pixels = PIXELS.wave().numpy()
    for i in np.nonzero(strength > threshold * reference)[0]:
        distance = (pixels - wave[i]) / (wave[i] * speed[i] / 2.99792458e10)
        total += strength[i] / reference * wofz(distance + 1j * width[i] / (4.0 * math.pi * doppler[i])).real
    return total


@pytest.mark.parametrize(("star", "depth"), [(0, 15), (0, 47), (1, 20), (1, 50)])
def test_opacity_is_the_plain_sum(atmosphere: Atmosphere, star: int, depth: int) -> None:
    opacity = LineOpacity(SOME, PIXELS, device=torch.device("cpu"), dtype=F64, threshold=1e-7)
    background = torch.ones(2, 71, len(SOME.wave), dtype=F64)
    zero = torch.zeros(2, 71, PIXELS.count, dtype=F64)
    found = opacity.add(zero, atmosphere, background)[star, depth, 1:-1].numpy()
    expected = plain_opacity(atmosphere, star, depth, 1e-9)[1:-1]
    # Every ignored line takes away at most the threshold: 1e-7, and 32 / tau times that where light is not formed.
    assert np.abs(found - expected).max() < 1e-4 * expected.max()
    assert np.median(np.abs(found / expected - 1.0)) < 2e-3


def test_threshold_costs_what_it_promises(atmosphere: Atmosphere) -> None:
    """The opacity left out is below the threshold times the number of lines that overlap, and fades in smoothly."""
    background = torch.ones(2, 71, len(SOME.wave), dtype=F64)
    zero = torch.zeros(2, 71, PIXELS.count, dtype=F64)
    all_lines, some = (
        LineOpacity(SOME, PIXELS, device=torch.device("cpu"), dtype=F64, threshold=threshold).add(
            zero, atmosphere, background
        )
        for threshold in (1e-6, 1e-3)
    )
    lost = (all_lines - some)[:, (atmosphere.log_tau > -1.0) & (atmosphere.log_tau <= 1.2), 1:-1]
    assert float(lost.min()) > -1e-6 * float(all_lines.max())
    assert 0.0 < float(lost.mean()) < 1e-2


def test_single_precision_is_enough(atmosphere: Atmosphere) -> None:
    results = []
    for dtype in (torch.float32, F64):
        opacity = LineOpacity(SOME, PIXELS, device=torch.device("cpu"), dtype=dtype)
        background = torch.ones(2, 71, len(SOME.wave), dtype=dtype)
        results.append(opacity.add(torch.ones(2, 71, PIXELS.count, dtype=dtype), atmosphere, background).to(F64))
    assert float((results[0] / results[1] - 1.0).abs().max()) < 4e-5


def row(**values: str) -> dict[str, str]:
    return {"wavelength_vac_A": "8664.520", "E_low_eV": "1.692", "vdw_b": "", **values}


def test_van_der_waals_widths() -> None:
    """ABO: Barklem et al. (2000) tabulate log width = -7.678 for Ca II 8662 at 10 000 K; Unsold: Gray's formula."""
    calcium = 40.078 * 1.66053907e-24
    width, exponent = lines._van_der_waals(row(vdw_kind="abo", vdw_a="291.", vdw_b="0.275"), calcium, 11.87, 2)
    assert exponent == pytest.approx((1 - 0.275) / 2)
    speed = math.sqrt(8 * 1.380649e-16 * 1e4 / math.pi / 1.66053907e-24 * (1 / 1.008 + 1 / 40.078))
    section = 291.0 * 5.29177e-9**2 * (speed / 1e6) ** -0.275
    assert width == pytest.approx(2 * (4 / math.pi) ** 0.1375 * gamma(2 - 0.1375) * speed * section, rel=1e-5)
    assert math.log10(width) == pytest.approx(-7.678, abs=0.01)

    iron = 55.845 * 1.66053907e-24
    width, exponent = lines._van_der_waals(row(vdw_kind="log_gamma6_10kK", vdw_a="-7.54"), iron, 7.9, 1)
    assert (width, exponent) == (pytest.approx(10**-7.54), 0.3)

    # Unsold (1955): 17 v^(3/5) C6^(2/5) with v = 1.47e6 cm/s for iron and hydrogen at 10 000 K.
    width, exponent = lines._van_der_waals(row(vdw_kind="unsold", vdw_a="2.5"), iron, 7.9025, 1)
    upper = 1.692 + 12398.42 / 8664.520
    c6 = 0.3e-30 * (1.0 / (7.9025 - upper) ** 2 - 1.0 / (7.9025 - 1.692) ** 2)
    assert width == pytest.approx(2.5 * 17.0 * 1.4625e6**0.6 * c6**0.4, rel=1e-3)
    assert exponent == 0.3


def test_unknown_kind_of_width_is_named() -> None:
    with pytest.raises(DataError, match="vdw_kind 'guess'"):
        lines._van_der_waals(row(vdw_kind="guess", vdw_a="1.0"), 1e-22, 7.0, 1)


def test_line_list_holds_what_its_description_says() -> None:
    table = line_list()
    assert len(table.wave) == 9836 + 3 * 3  # three more isotopes of each line of the calcium triplet
    assert bool((table.wave.diff() >= 0.0).all())
    for values in (table.gf, table.radiative, table.width):
        assert bool((values > 0.0).all())
    strongest = torch.argmin((table.wave - 8544.438).abs())
    assert table.species[int(table.species_index[strongest])] == "Ca II"
    assert {name.split()[0] for name in table.species} <= set(read_table("atomic_partition")["elements"])
    assert sum(lines._ISOTOPES.values()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("wave", "g_upper", "fraction", "lifetime"),
    [(8500.358, 4, 0.00661, 6.639), (8544.438, 4, 0.0587, 6.639), (8664.520, 2, 0.06435, 6.904)],
)
def test_calcium_triplet_is_that_of_the_laboratory(wave: float, g_upper: int, fraction: float, lifetime: float) -> None:
    """gf = m c / (8 pi^2 e^2) wave^2 g A, with A the branching fraction over the lifetime [ns], of all isotopes."""
    table = line_list()
    own = table.species_index == table.species.index("Ca II")
    parts = torch.nonzero(own & (table.wave > wave - 0.01) & (table.wave < wave + 0.22))[:, 0]
    gf = 1.49919e-16 * wave**2 * g_upper * fraction / (lifetime * 1e-9)
    assert float(table.gf[parts].sum()) == pytest.approx(gf, rel=2e-3)
    # The list itself has 0.05 dex less.
    assert 0.04 < math.log10(gf) - {8500.358: -1.416, 8544.438: -0.463, 8664.520: -0.723}[wave] < 0.06
    # Calcium 48 stands 0.20 A to the red (Castelli & Hubrig 2004, A&A 421, L1), and holds 0.187 % of the element.
    assert float(table.wave[parts[-1]]) - wave == pytest.approx(0.20, abs=0.01)
    assert float(table.gf[parts[-1]]) / gf == pytest.approx(0.00187, rel=3e-3)


def test_stark_widths() -> None:
    """Kurucz has log width = -5.55 for Ca II 8542 at 10 000 K; n*^2 of a level is 13.6 Z^2 over its binding energy."""
    assert math.log10(lines._stark(1.70, 8544.438, 11.872, 2)) == pytest.approx(-5.55, abs=0.15)
    binding = 5.139 - 2.104 - 12398.42 / 8197.076
    assert lines._stark(2.104, 8197.076, 5.139, 1) == pytest.approx(2.2591e-7 * (13.5984 / binding) ** 2, rel=1e-4)
    above, close = lines._stark(7.0, 8000.0, 7.9, 1), lines._stark(6.3, 8000.0, 7.9, 1)
    assert above == close == pytest.approx(2.2591e-7 * 625.0, rel=1e-4)


def test_width_by_electrons_over_that_by_hydrogen() -> None:
    """In the Sun at optical depth 0.1 electrons matter for levels near the limit, not for the calcium triplet."""
    sun = model_atmosphere(torch.tensor([[5777.0, 4.44, 0.0, 0.0, 0.0]], dtype=F64))
    depth = int((sun.log_tau + 1.0).abs().argmin())
    table = line_list()

    def ratio(wave: float) -> float:
        index = int((table.wave - wave).abs().argmin())
        electrons = float(table.stark[index] * sun.n_electron[0, depth])
        return electrons / float(table.width[index] * sun.n_h1[0, depth])

    assert ratio(8544.438) < 0.03
    assert ratio(8738.418) > 0.1


def lonely_iron(gf: float, damping: float) -> LineList:
    """One Fe I line at 8540 A of 3 eV, whose widths are `damping` times those of a common line."""
    one = torch.ones(1, dtype=F64)
    return LineList(
        wave=8540.0 * one,
        species=("Fe I",),
        species_index=torch.zeros(1, dtype=torch.int64),
        species_mass=55.845 * 1.66053907e-24 * one,
        energy=3.0 * one,
        gf=gf * one,
        radiative=1e8 * damping * one,
        width=10**-7.5 * damping * one,
        exponent=0.3 * one,
        stark=1e-5 * damping * one,
    )


def equivalent_width(turbulence: float, gf: float, damping: float = 1e-6) -> float:
    """Of the line [A], in a star of 5200 K with a grey background; turbulence in km/s."""
    star = model_atmosphere(torch.tensor([[5200.0, 3.2, -0.3, 0.1, 0.0]], dtype=F64), 1e5 * turbulence)
    pixels = Pixels(8530.0, 0.02, 1001)
    opacity = LineOpacity(lonely_iron(gf, damping), pixels, device=torch.device("cpu"), dtype=F64, threshold=1e-7)
    grey = torch.ones(1, 71, pixels.count, dtype=F64)
    flux = emergent_flux(opacity.add(grey, star, grey[..., :1]), star.log_tau, star.temperature, pixels.wave())[0]
    # The slope of the black body is far below the depth of a line.
    return 0.02 * float((1.0 - flux / torch.lerp(flux[0], flux[-1], torch.linspace(0, 1, len(flux), dtype=F64))).sum())


def test_curve_of_growth_and_microturbulence() -> None:
    """Turbulence does not change a weak line, nor one of damping wings, and widens a saturated one.

    Without damping, theory has one curve for all: W over the Doppler width, against gf over the Doppler width.
    """
    weak = [equivalent_width(turbulence, 1e-5) for turbulence in (0.0, 2.0, 4.0)]
    assert weak[0] == pytest.approx(weak[1], rel=0.02) and weak[1] == pytest.approx(weak[2], rel=0.01)
    saturated = [equivalent_width(turbulence, 0.1) for turbulence in (0.0, 2.0, 4.0)]
    assert saturated[0] < 0.7 * saturated[1] < 0.7 * 0.7 * saturated[2]
    damped = [equivalent_width(turbulence, 300.0, 1.0) for turbulence in (0.0, 2.0, 4.0)]
    assert damped[0] == pytest.approx(damped[2], rel=0.03)

    thermal = 2.0 * 1.380649e-16 * 4700.0 / (55.845 * 1.66053907e-24) / 1e10  # km^2/s^2, where the line forms
    wider = math.sqrt((thermal + 16.0) / (thermal + 4.0))
    for gf in (1e-3, 1e-2, 0.1):
        scaled = equivalent_width(4.0, wider * gf) / wider
        assert scaled == pytest.approx(equivalent_width(2.0, gf), rel=0.01)
