"""TiO: lines of the gamma, gamma', epsilon and delta systems of five isotopologues.

Potentials and transition moments of McKemmish et al. 2019, MNRAS 488, 2836, solved for each isotopologue. The term
values of 48Ti16O, which contain the couplings between the states, are carried over to the others by the difference of
their uncoupled levels; above v = 7 the shift by coupling is that of v = 7.
"""

from functools import cache
from typing import Any, Final

import numpy as np

from repro.physics.data import read_table
from repro.physics.molecules.lines import Array, Bands, Lines, system_lines
from repro.physics.molecules.rotation import Levels, singlet, triplet
from repro.physics.molecules.vibration import Vibration, separations, vibrational_levels

MAIN: Final = "48Ti16O"
LEVELS: Final = 11  # v = 0-10
_J: Final = np.arange(0.0, 161.0)
_DEBYE: Final = 2.541746473  # in one atomic unit
_LEAST_MOMENT: Final = 1e-5  # squared transition moment below which a band is left out, 1e-5 of the strongest


def isotopologues() -> dict[str, float]:
    """Fraction of each isotopologue."""
    return {name: entry["fraction"] for name, entry in read_table("tio_spectroscopy")["isotopes"].items()}


def reduced_mass(isotopologue: str) -> float:
    """[amu]."""
    table = read_table("tio_spectroscopy")
    titanium, oxygen = table["isotopes"][isotopologue]["titanium_mass"], table["oxygen_mass"]
    return float(titanium * oxygen / (titanium + oxygen))


@cache
def vibration(state: str, isotopologue: str) -> Vibration:
    """Levels of a state without rotation and coupling."""
    potential = read_table("tio_spectroscopy")["states"][state]["potential"]
    return vibrational_levels(potential, reduced_mass(isotopologue), LEVELS)


def levels(state: str, isotopologue: str) -> Levels:
    """Levels of a state, energies above the lowest level of X."""
    origin = float(_levels("X", isotopologue).energy[0, 0, 1, 0])  # v = 0, J = 1
    return _levels(state, isotopologue).relative_to(origin)


def moments(system: str, isotopologue: str) -> Array:
    """Squared transition moments (V', V'') of the spherical component [e^2 a0^2]."""
    entry = read_table("tio_spectroscopy")["systems"][system]
    slope = entry["steepness"] * (separations() - entry["centre"])
    dipole = entry["amplitude"] / _DEBYE * (0.5 + np.arctan(slope) / np.pi)
    upper, lower = vibration(entry["upper"], isotopologue), vibration(entry["lower"], isotopologue)
    result: Array = 2.0 * (upper.wave.T @ (dipole[:, None] * lower.wave)) ** 2
    return result


def lines(isotopologue: str, low: float, high: float) -> dict[str, Lines]:
    """Lines by system between the wavenumbers low and high [cm^-1]."""
    found = {}
    for system, entry in read_table("tio_spectroscopy")["systems"].items():
        moment2 = moments(system, isotopologue)
        upper, lower = np.nonzero(moment2 > _LEAST_MOMENT)
        bands = Bands(upper, lower, moment2[upper, lower], np.zeros((len(upper), 3)))
        ends = levels(entry["upper"], isotopologue), levels(entry["lower"], isotopologue)
        found[system] = system_lines(*ends, bands, low, high)
    return found


@cache
def _levels(state: str, isotopologue: str) -> Levels:
    entry: dict[str, Any] = read_table("tio_spectroscopy")["states"][state]
    own, main = vibration(state, isotopologue), vibration(state, MAIN)
    lambda_ = entry["lambda"]
    # N^2 counts Lambda^2 twice: the terms of the table hold -2 B Lambda^2.
    bare, bare_main = (level.energy - 2.0 * level.rotation * lambda_**2 for level in (own, main))
    constants = {"B": own.rotation, "D": own.distortion}
    for number, terms in enumerate(entry["term_values"].values()):
        coupling = np.array(terms) - bare_main[: len(terms)]
        constants[f"T{number}"] = bare + np.pad(coupling, (0, LEVELS - len(terms)), mode="edge")
    if entry["multiplicity"] == 1:
        return singlet(constants, lambda_, _J)
    for name in ("spin_spin", "spin_rotation"):
        constants[name] = np.full(LEVELS, entry[name])
    doubling = entry.get("lambda_doubling", (0.0, 0.0))
    return triplet(constants, lambda_, (doubling[0], doubling[1]), _J)
