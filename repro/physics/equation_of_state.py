"""Chemical equilibrium of the stellar gas: ionisation, molecules and charge balance at given temperature and pressure.

Eleven unknowns a point, all in logarithms: the partial pressures of the neutral atoms of the nine elements that form
molecules, the electron pressure, and the fictitious pressure of all hydrogen nuclei. Every other species is a product
of powers of these (Saha's equation, mass action); the remaining elements enter through their mean charge alone.

The molecules are those with published equilibrium constants at hand: HCN, C3 and C2H2 are missing, so that CN, CH and
C2 hold too much carbon in cool models with C / O near or above 1 ([C/M] - [alpha/M] of 0.25 and more).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from math import log, pi
from typing import Final

import torch
from torch import Tensor

from repro.errors import ParameterError
from repro.physics.composition import ELEMENTS, Composition
from repro.physics.constants import BOLTZMANN, BOLTZMANN_EV, ELECTRON_MASS, PLANCK
from repro.physics.data import read_table

NETWORK: Final = ("H", "C", "N", "O", "Mg", "Si", "S", "Ca", "Ti")
DONORS: Final = tuple(element for element in ELEMENTS if element not in NETWORK)
MOLECULES: Final[tuple[str, ...]] = tuple(read_table("molecules")["molecules"])
STAGES: Final = ("I", "II", "III")

_ELECTRON: Final = len(NETWORK)
_NUCLEI: Final = _ELECTRON + 1
_UNKNOWNS: Final = _NUCLEI + 1
_ROWS: Final = [len(NETWORK), 1, 1, 1]  # what is summed: elements, positive charge, negative charge, pressure
_H_MINUS_BINDING: Final = 0.754195  # eV
# Stands for the second ionisation energy of hydrogen, which has none: finite, so that derivatives stay finite.
_NEVER_IONISED: Final = 1.0e4  # eV
_FIT_RANGE: Final = (2500.0, 9000.0)  # K, where the fits of partition functions and equilibrium constants hold
_STEP_LIMIT: Final = 1.5
_STEP_TOLERANCE: Final = 1e-6  # Newton leaves the square of the last step
_MAX_STEPS: Final = 100
_LN_10: Final = log(10.0)
# ln of 2 (2 pi m_e k / h^2)^(3/2) k: Saha's factor without T^(5/2), the partition functions and the exponential.
_LN_SAHA: Final = log(2.0) + 1.5 * log(2.0 * pi * ELECTRON_MASS * BOLTZMANN / PLANCK**2) + log(BOLTZMANN)


@dataclass(frozen=True)
class _Tables:
    """Tables on one device. Species: neutral, singly and doubly ionised network atoms, molecules, H-, e-, donors."""

    ln_partition: Tensor  # (E, 3, 6) polynomial of ln U in ln(T / 5000 K)
    ionisation: Tensor  # (E, 2) [eV]
    log_equilibrium: Tensor  # (M, 6) polynomial of log10 Kp in 5040 K / T
    network: Tensor  # (9,) positions in ELEMENTS
    donors: Tensor  # (E - 9,) positions in ELEMENTS
    exponents: Tensor  # (S, 11) powers of the unknowns in each species
    sums: Tensor  # (12, S) what each species adds: 9 elements, positive charge, negative charge, pressure
    nuclei: Tensor  # (11,) 1 where the unknown is the pressure of the hydrogen nuclei
    slopes: Tensor  # (S, 12 * 11) outer products of `sums` and `exponents`


def _species_exponents(molecules: Tensor) -> Tensor:
    """Powers of the unknowns (S, 11) in each species; `molecules` counts the network atoms of each molecule."""
    atoms = len(NETWORK)
    electron, nuclei = torch.eye(_UNKNOWNS, dtype=torch.float64)[[_ELECTRON, _NUCLEI]]
    neutral = torch.eye(atoms, _UNKNOWNS, dtype=torch.float64)
    return torch.cat(
        [
            neutral,
            neutral - electron,
            neutral - 2.0 * electron,
            torch.nn.functional.pad(molecules, (0, _UNKNOWNS - atoms)),
            (neutral[0] + electron)[None],
            electron[None],
            nuclei[None],
        ]
    )


def _species_sums(molecules: Tensor) -> Tensor:
    """Contribution (12, S) of each species to the elements, the positive and negative charge and the pressure."""
    atoms = len(NETWORK)
    identity = torch.eye(atoms, dtype=torch.float64)
    h_minus, electron, donors = torch.zeros(3, atoms, dtype=torch.float64)
    h_minus[0] = 1.0
    elements = torch.cat([identity, identity, identity, molecules, torch.stack([h_minus, electron, donors])]).T
    positive = torch.zeros(elements.shape[1], dtype=torch.float64)
    positive[atoms : 2 * atoms] = 1.0
    positive[2 * atoms : 3 * atoms] = 2.0
    negative = torch.zeros_like(positive)
    negative[-3:-1] = 1.0
    return torch.cat([elements, torch.stack([positive, negative, torch.ones_like(positive)])])


@cache
def _tables(device: torch.device) -> _Tables:
    atoms = read_table("atomic_partition")["elements"]
    molecules = read_table("molecules")["molecules"]
    partition = torch.zeros(len(ELEMENTS), len(STAGES), 6, dtype=torch.float64)
    ionisation = torch.full((len(ELEMENTS), 2), _NEVER_IONISED, dtype=torch.float64)
    for row, element in enumerate(ELEMENTS):
        for column, stage in enumerate(STAGES):
            if stage in atoms[element]["species"]:
                coefficients = atoms[element]["species"][stage]["ln_U_coeff"]
                partition[row, column] = torch.tensor(coefficients, dtype=torch.float64)
        for column, energy in enumerate(atoms[element]["ionisation_eV"]):
            ionisation[row, column] = energy
    equilibrium = [molecules[name]["log10_Kp_coeff"] for name in MOLECULES]
    counts = [[molecules[name]["atoms"].count(atom) for atom in NETWORK] for name in MOLECULES]
    exponents = _species_exponents(torch.tensor(counts, dtype=torch.float64))
    sums = _species_sums(torch.tensor(counts, dtype=torch.float64))
    tables = _Tables(
        ln_partition=partition,
        ionisation=ionisation,
        log_equilibrium=torch.tensor(equilibrium, dtype=torch.float64),
        network=torch.tensor([ELEMENTS.index(element) for element in NETWORK]),
        donors=torch.tensor([ELEMENTS.index(element) for element in DONORS]),
        exponents=exponents,
        sums=sums,
        nuclei=torch.eye(_UNKNOWNS, dtype=torch.float64)[_NUCLEI],
        slopes=torch.einsum("ms,sk->smk", sums, exponents).flatten(1),
    )
    return _Tables(**{field.name: getattr(tables, field.name).to(device) for field in fields(tables)})


def _polynomial(coefficients: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """Polynomials (K, 6) in x (...) -> (..., K), continued outside [low, high] with their slope at the end."""
    inside = x.clamp(low, high)
    powers = torch.arange(6, dtype=torch.float64, device=x.device)
    basis = inside[..., None] ** powers
    slope_basis = powers * inside[..., None] ** (powers - 1.0).clamp(min=0.0)
    return basis @ coefficients.T + (x - inside)[..., None] * (slope_basis @ coefficients.T)


def ln_partition_functions(temperature: Tensor) -> Tensor:
    """ln U (..., E, 3) of the stages I, II, III of ELEMENTS (NIST levels; Barklem & Collet 2016, A&A 588, A96).

    Outside 2500-9000 K ln U continues linearly in ln T.
    """
    coefficients = _tables(temperature.device).ln_partition
    low, high = (log(bound / 5000.0) for bound in _FIT_RANGE)
    ln_u = _polynomial(coefficients.flatten(0, 1), torch.log(temperature / 5000.0), low, high)
    return ln_u.unflatten(-1, coefficients.shape[:2])


def ln_ionisation_constants(temperature: Tensor) -> Tensor:
    """ln of Saha's constants p(j+1) p_e / p(j) [dyn cm^-2], (..., E, 2): first and second ionisation."""
    ln_u = ln_partition_functions(temperature)
    ionisation = _tables(temperature.device).ionisation
    translation = _LN_SAHA + 2.5 * torch.log(temperature)[..., None, None]
    return translation + ln_u.diff(dim=-1) - ionisation / (BOLTZMANN_EV * temperature[..., None, None])


def ln_dissociation_constants(temperature: Tensor) -> Tensor:
    """ln of p_A p_B / p_AB [dyn cm^-2] ([dyn^2 cm^-4] for H2O), (..., M), molecules in the order of MOLECULES.

    Outside 2500-9000 K log10 Kp continues linearly in 1/T, the form that dissociation gives it.
    """
    low, high = (5040.0 / bound for bound in reversed(_FIT_RANGE))
    return _LN_10 * _polynomial(_tables(temperature.device).log_equilibrium, 5040.0 / temperature, low, high)


@dataclass(frozen=True)
class ChemicalEquilibrium:
    """The equations at the temperatures (B, D) of B models; `solve` answers for any gas pressure (B, D)."""

    temperature: Tensor  # (B, D) [K]
    abundance: Tensor  # (B, E) per hydrogen nucleus
    mass_per_hydrogen: Tensor  # (B,) [g]
    ln_species: Tensor  # (B, D, S) ln of the factor of each species before the powers of the unknowns
    donor_saha: Tensor  # (B, D, E - 9, 2) Saha's constants of the donors [dyn cm^-2]

    @staticmethod
    def at(temperature: Tensor, composition: Composition) -> "ChemicalEquilibrium":
        """Prepare the equations for temperatures (B, D) [K] and B mixtures."""
        tables = _tables(temperature.device)
        saha = ln_ionisation_constants(temperature)
        first, second = saha[:, :, tables.network].unbind(dim=-1)
        ln_t = torch.log(temperature)[..., None]
        h_minus = _H_MINUS_BINDING / (BOLTZMANN_EV * temperature[..., None]) - _LN_SAHA - log(2.0) - 2.5 * ln_t
        donors = torch.log(composition.abundance[:, tables.donors].sum(dim=-1))[:, None, None]
        zero = torch.zeros_like(first)
        ln_species = torch.cat(
            [
                zero,
                first,
                first + second,
                -ln_dissociation_constants(temperature),
                h_minus,
                zero[..., :1],
                donors + zero[..., :1],
            ],
            dim=-1,
        )
        return ChemicalEquilibrium(
            temperature=temperature,
            abundance=composition.abundance,
            mass_per_hydrogen=composition.mass_per_hydrogen,
            ln_species=ln_species,
            donor_saha=torch.exp(saha[:, :, tables.donors]),
        )

    def detach(self) -> "ChemicalEquilibrium":
        """The same equations without derivatives."""
        return replace(self, **{field.name: getattr(self, field.name).detach() for field in fields(self)})

    def solve(self, ln_pressure: Tensor, start: Tensor | None = None) -> Tensor:
        """Unknowns (B, D, 11) at ln gas pressure (B, D) [dyn cm^-2], by Newton's method from `start`.

        The result carries no derivatives: give it to `newton_step` for those. Raises ParameterError if some point
        does not converge, which happens only far outside the range of stellar atmospheres.
        """
        unknowns = self._first_guess(ln_pressure) if start is None else start
        for _ in range(_MAX_STEPS):
            residual, jacobian = self._equations(unknowns, ln_pressure)
            step = torch.linalg.solve(jacobian, residual).clamp(-_STEP_LIMIT, _STEP_LIMIT)
            unknowns = unknowns - step
            largest = step.abs().amax(dim=-1)
            if bool((largest < _STEP_TOLERANCE).all()):
                return unknowns
        row = int(torch.nan_to_num(largest, nan=torch.inf).argmax())
        raise ParameterError(
            f"chemical equilibrium does not converge at T = {self.temperature.flatten()[row]:.0f} K, "
            f"ln P = {ln_pressure.flatten()[row]:.2f}: check the labels of the model"
        )

    def newton_step(self, solution: Tensor, ln_pressure: Tensor) -> Tensor:
        """One step from a solution without derivatives: same values, with the derivatives of the solution.

        This is the implicit function theorem: the Jacobian is constant, the residual carries the derivatives.
        """
        residual, jacobian = self._equations(solution, ln_pressure)
        return solution - torch.linalg.solve(jacobian.detach(), residual)

    def pressure_response(self, solution: Tensor) -> Tensor:
        """Derivative (B, D, 11) of the unknowns to ln gas pressure at a solution."""
        _, jacobian = self._equations(solution, torch.zeros_like(solution[..., 0]))
        return torch.linalg.solve(jacobian, torch.eye(_UNKNOWNS, dtype=torch.float64, device=solution.device)[-1])

    def _first_guess(self, ln_pressure: Tensor) -> Tensor:
        """Neutral atoms and no molecules; electrons from each element ionised alone."""
        tables = _tables(ln_pressure.device)
        nuclei = ln_pressure - torch.log(self.abundance.sum(dim=-1))[:, None]
        ln_neutral = nuclei[..., None] + torch.log(self.abundance[:, None, tables.network])
        ln_donor = nuclei[..., None] + torch.log(self.abundance[:, None, tables.donors])
        atoms = len(NETWORK)
        ln_total = torch.cat([ln_neutral, ln_donor], dim=-1)
        ln_saha = torch.cat([self.ln_species[..., atoms : 2 * atoms], torch.log(self.donor_saha[..., 0])], dim=-1)
        electron = torch.logsumexp(torch.minimum(ln_total, 0.5 * (ln_total + ln_saha)), dim=-1)
        return torch.cat([ln_neutral, electron[..., None], nuclei[..., None]], dim=-1)

    def donor_ratios(self, unknowns: Tensor) -> tuple[Tensor, Tensor]:
        """Donors ionised once and twice per neutral one, each (B, D, E - 9)."""
        first, second = (self.donor_saha * torch.exp(-unknowns[..., _ELECTRON, None, None])).unbind(dim=-1)
        return first, first * second

    def _donor_charge(self, unknowns: Tensor) -> tuple[Tensor, Tensor]:
        """Mean charge of the donors per hydrogen nucleus and its derivative to ln electron pressure, (B, D)."""
        abundance = self.abundance[:, None, _tables(unknowns.device).donors]
        once, twice = self.donor_ratios(unknowns)
        total = 1.0 + once + twice
        charge = (once + 2.0 * twice) / total
        variance = (once + 4.0 * twice) / total - charge**2
        return (abundance * charge).sum(dim=-1), -(abundance * variance).sum(dim=-1)

    def _equations(self, unknowns: Tensor, ln_pressure: Tensor) -> tuple[Tensor, Tensor]:
        """Residuals (B, D, 11) and their Jacobian (B, D, 11, 11).

        Rows: logarithm of (atoms found / atoms present) of the nine elements, of (positive / negative charge), and of
        (sum of partial pressures / gas pressure).
        """
        tables = _tables(unknowns.device)
        pressure = torch.exp(unknowns @ tables.exponents.T + self.ln_species)
        sums = pressure @ tables.sums.T
        slopes = (pressure @ tables.slopes).unflatten(-1, (sum(_ROWS), _UNKNOWNS))
        charge, charge_slope = self._donor_charge(unknowns)
        nuclei = torch.exp(unknowns[..., _NUCLEI])
        found, positive, negative, total = sums.split(_ROWS, dim=-1)
        positive = positive + (nuclei * charge)[..., None]
        found_slope, positive_slope, negative_slope, total_slope = slopes.split(_ROWS, dim=-2)
        donor_slope = torch.nn.functional.pad(torch.stack([charge_slope, charge], dim=-1), (_ELECTRON, 0))
        positive_slope = positive_slope + (nuclei[..., None] * donor_slope)[..., None, :]

        ln_abundance = torch.log(self.abundance[:, None, tables.network])
        residual = torch.cat(
            [
                torch.log(found) - ln_abundance - unknowns[..., _NUCLEI, None],
                torch.log(positive) - torch.log(negative),
                torch.log(total) - ln_pressure[..., None],
            ],
            dim=-1,
        )
        jacobian = torch.cat(
            [
                found_slope / found[..., None] - tables.nuclei,
                positive_slope / positive[..., None] - negative_slope / negative[..., None],
                total_slope / total[..., None],
            ],
            dim=-2,
        )
        return residual, jacobian


@dataclass(frozen=True)
class Gas:
    """Particle densities that follow from a solution of the equilibrium; all (B, D), CGS."""

    equilibrium: ChemicalEquilibrium
    unknowns: Tensor  # (B, D, 11)

    @property
    def temperature(self) -> Tensor:
        return self.equilibrium.temperature

    @property
    def electron_pressure(self) -> Tensor:
        return torch.exp(self.unknowns[..., _ELECTRON])

    @property
    def n_electron(self) -> Tensor:
        return self._density(self.unknowns[..., _ELECTRON])

    @property
    def n_h1(self) -> Tensor:
        return self._density(self.unknowns[..., NETWORK.index("H")])

    @property
    def n_h2(self) -> Tensor:
        return self.molecule_density("H2")

    @property
    def n_he1(self) -> Tensor:
        return self._density(self._ln_neutral(("He",))[..., 0])

    @property
    def density(self) -> Tensor:
        """Mass density [g cm^-3]; the electrons' mass is left out."""
        return self._density(self.unknowns[..., _NUCLEI]) * self.equilibrium.mass_per_hydrogen[:, None]

    def molecule_density(self, name: str) -> Tensor:
        """Molecules of one kind [cm^-3], e.g. "CN". Raises ParameterError for one that is not in MOLECULES."""
        if name not in MOLECULES:
            raise ParameterError(f"molecule {name!r} is not in the equation of state; it has {', '.join(MOLECULES)}")
        index = 3 * len(NETWORK) + MOLECULES.index(name)
        exponents = _tables(self.unknowns.device).exponents[index]
        return self._density(self.unknowns @ exponents + self.equilibrium.ln_species[..., index])

    def number_over_partition(self, species: Sequence[str]) -> Tensor:
        """Density over partition function n / U [cm^-3], (B, D, S), of species such as "Fe I" or "Ca II".

        Raises ParameterError for an element or stage that the tables do not hold.
        """
        pairs = [_split_species(name) for name in species]
        elements = sorted({element for element, _ in pairs}, key=ELEMENTS.index)
        rows = torch.tensor([ELEMENTS.index(element) for element in elements], device=self.unknowns.device)
        ln_saha = ln_ionisation_constants(self.temperature)[:, :, rows] - self.unknowns[..., _ELECTRON, None, None]
        ln_u = ln_partition_functions(self.temperature)[:, :, rows]
        ln_neutral = self._ln_neutral(elements)[..., None]
        ln_stages = torch.cat([ln_neutral, ln_neutral + ln_saha.cumsum(dim=-1)], dim=-1) - ln_u
        columns = [len(STAGES) * elements.index(element) + STAGES.index(stage) for element, stage in pairs]
        return self._density(ln_stages.flatten(-2)[..., columns])

    def _ln_neutral(self, elements: Sequence[str]) -> Tensor:
        """ln partial pressure (B, D, len(elements)) of the neutral atoms of elements."""
        once, twice = self.equilibrium.donor_ratios(self.unknowns)
        ln_ions = torch.log1p(once + twice)
        columns = []
        for element in elements:
            if element in NETWORK:
                columns.append(self.unknowns[..., NETWORK.index(element)])
            else:
                ln_abundance = torch.log(self.equilibrium.abundance[:, None, ELEMENTS.index(element)])
                columns.append(self.unknowns[..., _NUCLEI] + ln_abundance - ln_ions[..., DONORS.index(element)])
        return torch.stack(columns, dim=-1)

    def _density(self, ln_pressure: Tensor) -> Tensor:
        """Particles per cm^3 of a partial pressure (B, D) or (B, D, S)."""
        temperature = self.temperature if ln_pressure.dim() == 2 else self.temperature[..., None]
        return torch.exp(ln_pressure) / (BOLTZMANN * temperature)


def _split_species(name: str) -> tuple[str, str]:
    element, _, stage = name.partition(" ")
    if element not in ELEMENTS or stage not in STAGES:
        raise ParameterError(f"species {name!r}: expected an element of the tables and I, II or III, like 'Fe I'")
    return element, stage
