"""Chemical equilibrium: analytic gases, an independent count of atoms, charges and pressure, and Saha by hand."""

import math
from functools import cache

import pytest
import torch

from repro.errors import ParameterError
from repro.physics.composition import ELEMENTS, Composition, mixture
from repro.physics.constants import BOLTZMANN, BOLTZMANN_EV, ELECTRON_MASS, PLANCK
from repro.physics.data import read_table
from repro.physics.equation_of_state import (
    MOLECULES,
    STAGES,
    ChemicalEquilibrium,
    Gas,
    ln_dissociation_constants,
    ln_partition_functions,
)

F64 = torch.float64


def saha_constant(temperature: float, ratio: float, energy: float) -> float:
    """p(j+1) p_e / p(j) [dyn cm^-2], written out in CGS; `ratio` = 2 U(j+1) / U(j)."""
    states = (2.0 * math.pi * ELECTRON_MASS * BOLTZMANN * temperature / PLANCK**2) ** 1.5
    return ratio * states * BOLTZMANN * temperature * math.exp(-energy / (BOLTZMANN_EV * temperature))


def solved(temperature: torch.Tensor, ln_pressure: torch.Tensor, composition: Composition) -> Gas:
    equilibrium = ChemicalEquilibrium.at(temperature, composition)
    return Gas(equilibrium, equilibrium.solve(ln_pressure))


def pure_hydrogen(temperature: float, pressure: float) -> Gas:
    abundance = torch.full((1, len(ELEMENTS)), 1e-40, dtype=F64)
    abundance[0, ELEMENTS.index("H")] = 1.0
    composition = Composition(abundance=abundance, mass_per_hydrogen=torch.tensor([1.67e-24], dtype=F64))
    return solved(torch.tensor([[temperature]], dtype=F64), torch.tensor([[pressure]], dtype=F64).log(), composition)


@pytest.mark.parametrize("temperature", [6000.0, 8000.0, 11000.0, 16000.0])
def test_pure_hydrogen_ionises_as_saha_says(temperature):
    """With K = p_e^2 / p_H and P = p_H + 2 p_e, p_e = sqrt(K^2 + K P) - K."""
    pressure = 10.0
    k = saha_constant(temperature, 2.0 * 1.0 / 2.0, 13.5984)
    expected = k * pressure / (math.sqrt(k * k + k * pressure) + k)
    gas = pure_hydrogen(temperature, pressure)
    # H- and H2 are 1e-6 of the gas here; the partition function differs from 2 by 3e-4 at 11000 K and above.
    assert float(gas.electron_pressure) == pytest.approx(expected, rel=1e-5 if temperature < 9000.0 else 1e-3)


@pytest.mark.parametrize("pressure", [1e2, 1e5, 1e8])
def test_pure_cold_hydrogen_forms_molecules_by_mass_action(pressure):
    """p_H^2 / K + p_H = P has a closed solution."""
    temperature = 2600.0
    index = MOLECULES.index("H2")
    k = float(ln_dissociation_constants(torch.tensor([temperature], dtype=F64))[0, index].exp())
    atomic = (math.sqrt(k * k + 4.0 * k * pressure) - k) / 2.0
    gas = pure_hydrogen(temperature, pressure)
    assert float(gas.n_h1) * BOLTZMANN * temperature == pytest.approx(atomic, rel=1e-8)
    assert float(gas.n_h2) * BOLTZMANN * temperature == pytest.approx(pressure - atomic, rel=1e-8)


@cache
def sample() -> tuple[Gas, torch.Tensor, torch.Tensor]:
    """300 seeded points over the box of the atmospheres and beyond: gas, ln pressure, abundances."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.rand(20, 5, generator=generator, dtype=F64)
    low = torch.tensor([3500.0, 0.0, -2.5, -0.25, -0.75], dtype=F64)
    high = torch.tensor([7000.0, 5.0, 0.75, 0.5, 0.5], dtype=F64)
    composition = mixture(low + (high - low) * labels)
    temperature = 2000.0 + 10000.0 * torch.rand(20, 15, generator=generator, dtype=F64) ** 1.5
    ln_pressure = torch.log(10.0 ** (-2.0 + 10.0 * torch.rand(20, 15, generator=generator, dtype=F64)))
    return solved(temperature, ln_pressure, composition), ln_pressure, composition.abundance


def stage_densities() -> torch.Tensor:
    """Particles per cm^3 of each element in each stage (20, 15, E, 3), through the public interface."""
    gas, _, _ = sample()
    names = [f"{element} {stage}" for element in ELEMENTS for stage in STAGES]
    over_partition = gas.number_over_partition(names).unflatten(-1, (len(ELEMENTS), len(STAGES)))
    return over_partition * ln_partition_functions(gas.temperature).exp()


def h_minus_density() -> torch.Tensor:
    gas, _, _ = sample()
    ratio = [saha_constant(t, 4.0, 0.754195) for t in gas.temperature.flatten().tolist()]
    return gas.n_h1 * gas.electron_pressure / torch.tensor(ratio, dtype=F64).reshape(gas.temperature.shape)


def test_every_element_is_conserved():
    gas, _, abundance = sample()
    atoms = stage_densities().sum(dim=-1)
    atoms[..., ELEMENTS.index("H")] += h_minus_density()
    for name in MOLECULES:
        for element in read_table("molecules")["molecules"][name]["atoms"]:
            atoms[..., ELEMENTS.index(element)] += gas.molecule_density(name)
    nuclei = gas.density / gas.equilibrium.mass_per_hydrogen[:, None]
    assert float((atoms / (abundance[:, None] * nuclei[..., None]) - 1.0).abs().max()) < 1e-8


def test_the_gas_is_neutral():
    gas, _, _ = sample()
    ions = stage_densities()
    positive = (ions[..., 1] + 2.0 * ions[..., 2]).sum(dim=-1)
    assert float((positive / (gas.n_electron + h_minus_density()) - 1.0).abs().max()) < 1e-8


def test_partial_pressures_add_up_to_the_gas_pressure():
    gas, ln_pressure, _ = sample()
    particles = stage_densities().sum(dim=(-1, -2)) + gas.n_electron + h_minus_density()
    particles = particles + torch.stack([gas.molecule_density(name) for name in MOLECULES]).sum(dim=0)
    ratio = particles * BOLTZMANN * gas.temperature / ln_pressure.exp()
    assert float((ratio - 1.0).abs().max()) < 1e-8


@pytest.mark.parametrize(("carbon", "scarce"), [(-0.75, "C"), (0.0, "C"), (0.5, "O")])
def test_carbon_monoxide_takes_the_scarcer_of_carbon_and_oxygen(carbon, scarce):
    """At 2600 K and 1e4 dyn cm^-2 nearly all of it; with carbon in excess C2 and CN take the rest, without it H2O."""
    labels = torch.tensor([[4000.0, 5.0, 0.0, 0.0, carbon]], dtype=F64)
    gas = solved(torch.tensor([[2600.0]], dtype=F64), torch.log(torch.tensor([[1e4]], dtype=F64)), mixture(labels))
    nuclei = float(gas.density / gas.equilibrium.mass_per_hydrogen)
    share = float(gas.molecule_density("CO")) / (float(mixture(labels).abundance[0, ELEMENTS.index(scarce)]) * nuclei)
    assert 0.98 < share < 1.0
    water, cyanogen = float(gas.molecule_density("H2O")), float(gas.molecule_density("CN"))
    assert water < 1e-4 * cyanogen if scarce == "O" else water > 1e4 * cyanogen


def test_neutral_atoms_are_what_the_properties_say():
    gas, _, _ = sample()
    ions = stage_densities()
    torch.testing.assert_close(gas.n_h1, ions[..., ELEMENTS.index("H"), 0], rtol=1e-12, atol=0.0)
    torch.testing.assert_close(gas.n_he1, ions[..., ELEMENTS.index("He"), 0], rtol=1e-12, atol=0.0)


def test_second_ionisation_of_calcium_by_hand():
    gas, _, _ = sample()
    ions = stage_densities()[3, 7, ELEMENTS.index("Ca")]
    temperature = float(gas.temperature[3, 7])
    u = ln_partition_functions(gas.temperature)[3, 7, ELEMENTS.index("Ca")].exp()
    expected = saha_constant(temperature, float(2.0 * u[2] / u[1]), 11.872) / float(gas.electron_pressure[3, 7])
    assert float(ions[2] / ions[1]) == pytest.approx(expected, rel=2e-3)


def test_partition_function_of_ionised_calcium_from_its_levels():
    """Levels of Ca II up to 4p (NIST); the next is above 6.4 eV."""
    levels = [(2, 0.0), (4, 1.692408), (6, 1.699932), (2, 3.123349), (4, 3.150984)]
    for temperature in (3000.0, 5000.0, 7000.0):
        direct = sum(g * math.exp(-energy / (BOLTZMANN_EV * temperature)) for g, energy in levels)
        fit = ln_partition_functions(torch.tensor([temperature], dtype=F64))[0, ELEMENTS.index("Ca"), 1].exp()
        assert float(fit) == pytest.approx(direct, rel=1e-3)


def test_dissociation_constants_follow_from_partition_functions():
    """Statistical mechanics with the tabulated Q, reduced mass and D0 gives the tabulated Kp of each diatomic."""
    temperature = torch.tensor([2500.0, 3500.0, 5000.0, 8000.0], dtype=F64)
    fitted = ln_dissociation_constants(temperature)
    ln_u = ln_partition_functions(temperature)[..., 0]
    theta = 5040.0 / temperature
    for column, name in enumerate(MOLECULES):
        molecule = read_table("molecules")["molecules"][name]
        if len(molecule["atoms"]) != 2:
            continue
        log_q = sum(c * theta**k for k, c in enumerate(molecule["log10_Q_coeff"]))
        mass = molecule["reduced_mass_amu"] * 1.66053907e-24
        states = (2.0 * math.pi * mass * BOLTZMANN * temperature / PLANCK**2) ** 1.5 * BOLTZMANN * temperature
        atoms = sum(ln_u[:, ELEMENTS.index(atom)] for atom in molecule["atoms"])
        expected = states.log() + atoms - math.log(10.0) * log_q - molecule["D0_eV"] / (BOLTZMANN_EV * temperature)
        assert float((fitted[:, column] - expected).abs().max()) < math.log(10.0) * 0.01, name


@pytest.mark.parametrize("edge", [2500.0, 9000.0])
@pytest.mark.parametrize("function", [ln_partition_functions, ln_dissociation_constants])
def test_fits_continue_smoothly_at_the_ends_of_their_range(function, edge):
    low, at, high = (function(torch.tensor([edge * (1.0 + shift)], dtype=F64)) for shift in (-1e-5, 0.0, 1e-5))
    torch.testing.assert_close(high - at, at - low, rtol=2e-3, atol=1e-8)


def test_partition_functions_stay_above_one_within_3_percent_where_they_are_extrapolated():
    ln_u = ln_partition_functions(torch.tensor([1900.0, 2200.0, 12000.0, 18000.0], dtype=F64))
    assert float(ln_u.min()) > -0.03


def test_newton_step_carries_the_derivatives_of_the_solution():
    """Derivatives to pressure: implicit function theorem against differences of independent solutions."""
    gas, ln_pressure, _ = sample()
    equilibrium, h = gas.equilibrium, 1e-4
    _, derivative = torch.func.jvp(
        lambda x: equilibrium.newton_step(gas.unknowns, x), (ln_pressure,), (torch.ones_like(ln_pressure),)
    )
    difference = (equilibrium.solve(ln_pressure + h) - equilibrium.solve(ln_pressure - h)) / (2.0 * h)
    torch.testing.assert_close(derivative, difference, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(equilibrium.pressure_response(gas.unknowns), derivative, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["Xx I", "Fe", "Fe IV", "fe I", "Fe  I"])
def test_unknown_species_are_named(name):
    with pytest.raises(ParameterError, match=repr(name)):
        sample()[0].number_over_partition([name])


def test_unknown_molecules_are_named():
    with pytest.raises(ParameterError, match="'HCN' is not in the equation of state"):
        sample()[0].molecule_density("HCN")


def test_a_gas_without_solution_is_reported_with_its_temperature():
    equilibrium = ChemicalEquilibrium.at(
        torch.tensor([[5000.0]], dtype=F64), mixture(torch.tensor([[5000.0, 3.0, 0.0, 0.0, 0.0]], dtype=F64))
    )
    with pytest.raises(ParameterError, match="T = 5000 K"):
        equilibrium.solve(torch.tensor([[math.nan]], dtype=F64))
