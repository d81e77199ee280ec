"""Levels and lines of CN and TiO against analytic cases, sum rules, and published constants, heads and lifetimes."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from sympy.physics.wigner import clebsch_gordan as exact_clebsch_gordan

from repro.errors import ParameterError
from repro.physics.constants import SECOND_RADIATION
from repro.physics.molecules import cn, tio
from repro.physics.molecules.line_list import isotopologues, ln_partition
from repro.physics.molecules.lines import HARTREE, Lines, clebsch_gordan
from repro.physics.molecules.rotation import Levels, pi_doublet, sigma_doublet, triplet
from repro.physics.molecules.vibration import vibrational_levels

K = 1e-8 * SECOND_RADIATION  # h c / k [cm K]
EV = 8065.544  # cm^-1
HALF = np.arange(0.5, 40.0)
WHOLE = np.arange(0.0, 40.0)


def constants(**values: float) -> dict[str, np.ndarray]:
    return {name: np.array([value]) for name, value in values.items()}


def test_clebsch_gordan_coefficients() -> None:
    """Condon & Shortley's table against Wigner's formula in exact arithmetic."""
    for j in (0.5, 1.0, 2.5, 7.0):
        for omega in (-1.5, -0.5, 0.5, 1.5) if j % 1 else (-2.0, 0.0, 1.0, 3.0):
            for q in (-1, 0, 1):
                for change in (-1, 0, 1):
                    found = clebsch_gordan(np.array([j]), omega, q, change)[0]
                    exists = abs(omega) <= j and abs(omega + q) <= j + change and 2 * j + change > 0
                    exact = exact_clebsch_gordan(j, 1, j + change, omega, q, omega + q) if exists else 0.0
                    assert found == pytest.approx(float(exact), abs=1e-14)


def test_doublet_with_spin_orbit_coupling_is_that_of_hill_and_van_vleck() -> None:
    """Splitting of a 2Pi state: B sqrt(4 (J + 1/2)^2 + Y (Y - 4)), Y = A / B (Herzberg 1950, V.28)."""
    b, a = 1.7, -52.0
    zero = dict.fromkeys(("T", "D", "H", "A_D", "p", "p_D", "q", "q_D"), 0.0)
    energy = pi_doublet(constants(B=b, A=a, **zero), HALF).energy[0]
    expected = b * np.sqrt(4.0 * (HALF + 0.5) ** 2 + a / b * (a / b - 4.0))
    assert energy[0, :, 1] - energy[0, :, 0] == pytest.approx(expected)
    assert energy[0] == pytest.approx(energy[1])


def test_doublet_sigma_levels() -> None:
    """Levels of N = J -+ 1/2 are gamma (N + 1/2) apart."""
    levels = sigma_doublet(constants(T=3.0, B=1.9, D=6e-6, H=0.0, gamma=0.007), HALF)
    n = HALF[1:] - 0.5
    square = n * (n + 1.0)
    middle = 3.0 + 1.9 * square - 6e-6 * square**2
    assert levels.energy[0, 0, 1:, 0] == pytest.approx(middle + 0.5 * 0.007 * n, rel=1e-12)
    assert levels.energy[0, 1, :-1, 0] == pytest.approx(middle - 0.5 * 0.007 * (n + 1.0), rel=1e-12)


@pytest.mark.parametrize("lambda_", [1, 2, 3])
def test_triplet_without_spin_coupling_rotates_like_a_singlet(lambda_: int) -> None:
    """Levels B N (N + 1) - D [N (N + 1)]^2 with N = J - 1, J, J + 1 (Hund's case b)."""
    b, d = 0.53, 6e-7
    equal = constants(T0=0.0, T1=0.0, T2=0.0, B=b, D=d, spin_spin=0.0, spin_rotation=0.0)
    levels = triplet(equal, lambda_, (0.0, 0.0), WHOLE)
    for j in (lambda_ + 1, 20, 39):
        square = np.array([(j - 1) * j, j * (j + 1), (j + 1) * (j + 2)])
        assert levels.energy[0, 0, j] == pytest.approx(b * square - d * square**2, rel=1e-10)


def test_triplet_spin_rotation_and_spin_spin() -> None:
    """gamma N.S between N and J = N + 1, N, N - 1: gamma N, -gamma, -gamma (N + 1) (Herzberg 1950, V.19)."""
    gamma = 0.02
    equal = constants(T0=0.0, T1=0.0, T2=0.0, B=0.5, D=0.0, spin_spin=0.0, spin_rotation=gamma)
    energy = triplet(equal, 2, (0.0, 0.0), WHOLE).energy[0, 0]
    n = 20
    shifts = [energy[n + 1, 0], energy[n, 1], energy[n - 1, 2]] - np.array(0.5 * n * (n + 1))
    assert shifts == pytest.approx([gamma * n, -gamma, -gamma * (n + 1)], abs=1e-10)
    # 2/3 lambda (3 Sigma^2 - 2) without rotation: the middle component lies 2 lambda below the others.
    still = constants(T0=0.0, T1=0.0, T2=0.0, B=0.0, D=0.0, spin_spin=0.3, spin_rotation=0.0)
    assert triplet(still, 2, (0.0, 0.0), WHOLE).energy[0, 0, 5] == pytest.approx([-0.4, 0.2, 0.2])


def test_lambda_doubling_of_a_triplet_pi_state() -> None:
    """Far from its neighbours the Omega = 0 pair is 2 (o + p + q) apart, f above e for a positive one."""
    split = constants(T0=0.0, T1=1e4, T2=2e4, B=0.5, D=0.0, spin_spin=0.0, spin_rotation=0.0)
    energy = triplet(split, 1, (0.6, 0.0), WHOLE).energy[0, :, 10, 0]
    assert energy[1] - energy[0] == pytest.approx(1.2, rel=1e-3)


def test_levels_of_a_morse_potential() -> None:
    """omega (v + 1/2) - omega x (v + 1/2)^2 exactly; D_v near 4 B^3 / omega^2 (Kratzer)."""
    depth, beta, equilibrium, mass = 50000.0, 1.9, 1.62, 12.0
    potential = {"T_e": 0.0, "asymptote": depth, "r_e": equilibrium, "left_order": 0, "right_order": 0, "b": [beta]}
    kinetic = 16.857629 / mass
    omega, anharmonic = 2.0 * beta * np.sqrt(depth * kinetic), kinetic * beta**2
    found = vibrational_levels(potential, mass, 11)
    v = np.arange(11) + 0.5
    assert found.energy == pytest.approx(omega * v - anharmonic * v**2, rel=1e-6)
    assert found.rotation[0] == pytest.approx(kinetic / equilibrium**2, rel=0.005)
    assert found.distortion[0] == pytest.approx(4.0 * found.rotation[0] ** 3 / omega**2, rel=0.02)


@pytest.mark.parametrize(
    ("state", "omega", "anharmonic", "rotation"),
    [
        ("X", 1009.02, 4.498, 0.53541),
        ("A", 867.78, 3.942, 0.50739),
        ("a", 1009.3, 3.93, 0.5376),
        ("b", 911.2, 3.72, 0.51337),
    ],
)
def test_tio_against_huber_and_herzberg(state: str, omega: float, anharmonic: float, rotation: float) -> None:
    """omega_e, omega_e x_e and B_e of the NIST WebBook (Huber & Herzberg 1979); alpha_e is 0.003."""
    levels = tio.vibration(state, tio.MAIN)
    assert levels.energy[1] - levels.energy[0] == pytest.approx(omega - 2.0 * anharmonic, rel=0.015)
    assert levels.rotation[0] == pytest.approx(rotation - 0.0015, rel=0.003)


@pytest.fixture(scope="module")
def tio_lines() -> dict[str, Lines]:
    """All lines of 48TiO by system."""
    return tio.lines(tio.MAIN, 0.0, np.inf)


def strength_out_of(lines: Lines, j: float, band: tuple[int, int], parity: int, component: int) -> float:
    """Sum of gf / (2/3 nu) over the lines of one band out of one level."""
    chosen = (lines.j == j) & (lines.band == band).all(axis=1) & (lines.parity == parity)
    chosen &= lines.component[:, 1] == component
    return float((1.5 * HARTREE * lines.gf[chosen] / lines.wavenumber[chosen]).sum())


def test_strengths_of_all_lines_out_of_a_level_add_up(tio_lines: dict[str, Lines]) -> None:
    """(2J + 1) mu^2, twice that out of a Sigma state, whatever the mixture (sum rule of Whiting et al. 1980)."""
    levels = (("gamma", 2, 1), ("gamma", 2, 3), ("gamma'", 1, 2), ("epsilon", 3, 2), ("delta", 1, 1))
    for system, upper, component in levels:
        moment2 = tio.moments(system, tio.MAIN)[upper, 1]
        for j, parity in ((9.0, 0), (40.0, 1)):
            total = strength_out_of(tio_lines[system], j, (upper, 1), parity, component)
            assert total == pytest.approx((2.0 * j + 1.0) * moment2, rel=1e-9)
    red = cn.lines(cn.MAIN, 0.0, np.inf)["red"]
    assert strength_out_of(red, 0.5, (4, 1), 0, 1) == pytest.approx(2.0 * 2.0 * 0.0091005, rel=0.01)  # Herman-Wallis


@pytest.mark.parametrize(
    ("system", "band", "heads"),
    [
        ("gamma", (0, 0), (7054.19, 7087.60, 7125.51)),
        ("gamma", (0, 1), (7589.29, 7628.11, None)),
        ("gamma", (1, 2), (7666.0, 7705.23, None)),
        ("epsilon", (0, 0), (None, 8442.3, 8451.7)),
        ("delta", (0, 0), (8859.7,)),
        ("gamma'", (0, 0), (6158.5, 6186.3, 6214.9)),
    ],
)
def test_tio_band_heads(
    tio_lines: dict[str, Lines], system: str, band: tuple[int, int], heads: tuple[float | None, ...]
) -> None:
    """Heads of the R branches against those of laboratory spectra (air; Pearse & Gaydon, Phillips), within 0.6 A."""
    lines, found = tio_lines[system], []
    for component in range(1, 1 + len(heads)):
        chosen = (lines.band == band).all(axis=1) & (lines.component == component).all(axis=1) & (lines.branch == 1)
        wave = 1e8 / lines.wavenumber[chosen & (lines.j > 3)].max()
        found.append(wave / (1.0 + 2.735182e-4 + 131.4182 / wave**2 + 2.76249e8 / wave**4))  # to air, Morton 1991
    for calculated, measured in zip(sorted(found), heads, strict=True):
        assert measured is None or calculated == pytest.approx(measured, abs=0.6)


@pytest.mark.parametrize(
    ("system", "upper", "lower", "nanoseconds"), [("gamma", "A", "X", 103.3), ("gamma'", "B", "X", 65.6)]
)
def test_tio_lifetimes(system: str, upper: str, lower: str, nanoseconds: float) -> None:
    """v = 0 against the measurements of Hedgecock, Naulin & Costes 1995, A&A 304, 667, within 8 %."""
    moment2 = tio.moments(system, tio.MAIN)[0]
    wavenumber = tio.vibration(upper, tio.MAIN).energy[0] - tio.vibration(lower, tio.MAIN).energy
    rate = (2.0261e-6 * wavenumber**3 * moment2).sum()  # Einstein A [1/s] of nu in cm^-1 and mu^2 in atomic units
    assert 1e9 / rate == pytest.approx(nanoseconds, rel=0.08)


def test_isotopic_shift_of_the_gamma_heads() -> None:
    """Origins go with G(v) ~ rho (v + 1/2): 46TiO and 50TiO lie on either side of 48TiO in the 0-1 band."""
    origin = {}
    for name in ("46Ti16O", "48Ti16O", "50Ti16O"):
        ends = [tio.levels("A", name).energy[0, 0, 5, 1], tio.levels("X", name).energy[1, 0, 5, 1]]
        origin[name] = ends[0] - ends[1]
    for name in ("46Ti16O", "50Ti16O"):
        rho = (tio.reduced_mass(tio.MAIN) / tio.reduced_mass(name)) ** 0.5
        harmonic = (rho - 1.0) * (0.5 * 867.78 - 1.5 * 1009.02)
        assert origin[name] - origin[tio.MAIN] == pytest.approx(harmonic, rel=0.06)


@pytest.mark.parametrize("temperature", [2500.0, 3500.0, 4500.0, 5500.0])
def test_partition_functions_are_sums_over_these_levels(temperature: float) -> None:
    """Same convention (nuclear spin left out, e and f counted), same value within 4 %."""
    sums = {"CN": list(cn.levels(cn.MAIN)), "TiO": [tio.levels(state, tio.MAIN) for state in "XEABab"]}
    for molecule, states in sums.items():
        total = sum(boltzmann_sum(levels, temperature) for levels in states)
        assert total == pytest.approx(float(np.exp(ln_partition(molecule, np.array(temperature)))), rel=0.04)


def boltzmann_sum(levels: Levels, temperature: float) -> float:
    """Sum of (2J + 1) exp(-E / kT) over the levels that exist: those of components with Omega <= J."""
    exists = levels.j[:, None] >= np.abs(levels.omega)
    physical = np.einsum("vpjck,jc->vpjk", levels.mixture**2, exists) / (levels.mixture**2).sum(axis=-2)
    weight = (2.0 * levels.j + 1.0)[:, None] * physical
    return float((weight * np.exp(-K * levels.energy / temperature)).sum())


def test_partition_functions_continue_smoothly_outside_their_fit() -> None:
    for molecule in ("CN", "TiO"):
        for edge in (2500.0, 9000.0):
            values = ln_partition(molecule, edge * np.array([0.98, 0.99, 1.0, 1.01, 1.02]))
            assert np.abs(np.diff(values, 2)).max() < 1e-3


def test_isotopologues_are_weighted_by_fraction_and_mass() -> None:
    found = {isotopologue.name: isotopologue.weight for isotopologue in isotopologues("CN", 7900.0, 7901.0)}
    assert found["12C14N"] == pytest.approx(0.9889, abs=1e-3)
    assert found["13C14N"] == pytest.approx(0.0111 * (6.462 / 6.742) ** 1.5, rel=1e-2)
    assert sum(tio.isotopologues().values()) == pytest.approx(1.0)


def test_a_molecule_without_lines_is_refused() -> None:
    with pytest.raises(ParameterError, match="'C2' has no lines here: choose CN or TiO"):
        next(isotopologues("C2", 7000.0, 8000.0))


@pytest.fixture(scope="module")
def reference(validation_dir: Path) -> dict[int, np.ndarray]:
    """Published CN lines by mass number of carbon: wavelength [A], lower energy [eV], log gf."""
    with gzip.open(validation_dir / "cn_reference.csv.gz", "rt") as file:
        rows = np.array([line.split(",") for line in file if line[0].isdigit()], dtype=np.float64)
    return {carbon: rows[rows[:, 1] == carbon][:, [0, 2, 3]] for carbon in (12, 13)}


def generated(isotopologue: str) -> np.ndarray:
    lines = cn.lines(isotopologue, 1e8 / 8867.5, 1e8 / 7086.5)["red"]
    table = np.stack([1e8 / lines.wavenumber, lines.energy / EV, np.log10(lines.gf)], axis=-1)
    return table[np.argsort(table[:, 0])]


def boltzmann(table: np.ndarray, temperature: float) -> np.ndarray:
    return np.asarray(10.0 ** table[:, 2] * np.exp(-table[:, 1] / (8.617333e-5 * temperature)))


def matches(wanted: np.ndarray, ours: np.ndarray, window: float = 0.2) -> np.ndarray:
    """Difference in wavelength and log gf (N, 2) to the line of ours that is nearest in both; NaN without one."""
    differences = np.full((len(wanted), 2), np.nan)
    first, last = (np.searchsorted(ours[:, 0], wanted[:, 0] + side * window) for side in (-1.0, 1.0))
    for row, (start, stop) in enumerate(zip(first, last, strict=True)):
        near = ours[start:stop]
        near = near[np.abs(near[:, 1] - wanted[row, 1]) < 0.003]
        if len(near):
            change = near[:, [0, 2]] - wanted[row, [0, 2]]
            differences[row] = change[np.abs(change @ np.diag([1.0, 0.3])).sum(axis=1).argmin()]
    return differences


def test_cn_against_the_published_list(reference: dict[int, np.ndarray]) -> None:
    """Lines that matter: above a tenth of the strongest at 4500 K."""
    wanted, ours = reference[12], generated("12C14N")
    strength = boltzmann(wanted, 4500.0)
    found = matches(wanted[strength > 0.1 * strength.max()], ours)
    good = (np.abs(found[:, 0]) < 0.05) & (np.abs(found[:, 1]) < 0.1)
    assert good.mean() > 0.96
    assert np.nanmedian(np.abs(found[:, 0])) < 0.004
    assert abs(np.nanmedian(found[:, 1])) < 0.001
    assert np.nanmedian(np.abs(found[:, 1])) < 0.001
    for temperature, total in ((3500.0, 0.996), (4500.0, 0.990), (5500.0, 0.985)):
        ratio = boltzmann(ours, temperature).sum() / boltzmann(wanted, temperature).sum()
        assert ratio == pytest.approx(total, abs=0.006)


def test_13cn_against_the_published_list(reference: dict[int, np.ndarray]) -> None:
    wanted = reference[13]
    strength = boltzmann(wanted, 4500.0)
    found = matches(wanted[strength > 0.1 * strength.max()], generated("13C14N"))
    assert (np.abs(found[:, 0]) < 0.1).mean() > 0.95
    assert np.nanmedian(np.abs(found[:, 0])) < 0.03
    assert abs(np.nanmedian(found[:, 1])) < 0.01
