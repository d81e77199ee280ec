"""CN: lines of the red system, A 2Pi - X 2Sigma+, of 12C14N and 13C14N."""

from typing import Any

import numpy as np

from repro.physics.data import read_table
from repro.physics.molecules.lines import Array, Bands, Lines, system_lines
from repro.physics.molecules.rotation import Levels, pi_doublet, sigma_doublet

MAIN = "12C14N"
_J = np.arange(0.5, 130.0)
# Powers of the square root of the ratio of reduced masses in the constants of an isotopologue (Herzberg 1950, III.2g).
_POWERS = {"D": 4, "H": 6, "gamma": 2, "A_D": 2, "p": 2, "p_D": 4, "q": 4, "q_D": 6}
_ORIGIN_DEGREE, _ROTATION_DEGREE = 4, 2  # of the Dunham series through the levels of 12C14N
_FITTED = {"X": range(6), "A": range(7)}  # v whose levels are unperturbed


def isotopologues() -> dict[str, float]:
    """Fraction of each isotopologue."""
    fractions: dict[str, float] = read_table("cn_spectroscopy")["isotope_fraction"]
    return fractions


def reduced_mass(isotopologue: str) -> float:
    """[amu]."""
    return float(read_table("cn_spectroscopy")["reduced_mass"][isotopologue])


def levels(isotopologue: str) -> tuple[Levels, Levels]:
    """Levels of A and of X, energies above the lowest level of X; row k of A is the k-th v of the table."""
    upper, lower = _constants("A", isotopologue), _constants("X", isotopologue)
    shift = read_table("cn_spectroscopy")["isotope_shift_of_origins"].get(isotopologue, 0.0)
    ground = sigma_doublet(lower, _J)
    origin = float(ground.energy[0, 0, 0, 0])
    upper["T"] = upper["T"] + shift
    return pi_doublet(upper, _J).relative_to(origin), ground.relative_to(origin)


def lines(isotopologue: str, low: float, high: float) -> dict[str, Lines]:
    """Lines by system between the wavenumbers low and high [cm^-1]."""
    table = read_table("cn_spectroscopy")
    upper, lower = levels(isotopologue)
    present = [row for row in table["bands"] if row[0] in table["A"]["v"]]
    columns = np.array(present)
    bands = Bands(
        upper=np.array([table["A"]["v"].index(row[0]) for row in present]),
        lower=columns[:, 1].astype(np.int64),
        moment2=columns[:, 2],
        herman_wallis=columns[:, 3:],
    )
    found = system_lines(upper, lower, bands, low, high)
    names = np.array(table["A"]["v"])
    found.band[:, 0] = names[found.band[:, 0]]
    return {"red": found}


def _constants(state: str, isotopologue: str) -> dict[str, Array]:
    """Constants (V,) of a state, those of 13C14N by Dunham's scaling."""
    table: dict[str, Any] = read_table("cn_spectroscopy")
    constants = {name: np.array(values) for name, values in table[state].items()}
    v = constants.pop("v")
    ratio = (reduced_mass(MAIN) / reduced_mass(isotopologue)) ** 0.5
    vibration = v + 0.5
    fitted = np.isin(v, _FITTED[state])
    origins = np.polyfit(vibration[fitted], constants["T"][fitted], _ORIGIN_DEGREE)
    rotation = np.polyfit(vibration[fitted], constants["B"][fitted], _ROTATION_DEGREE)
    change = np.polyval(origins, ratio * vibration) - np.polyval(origins, vibration)
    scaled = ratio**2 * np.polyval(rotation, ratio * vibration) - np.polyval(rotation, vibration)
    constants |= {"T": constants["T"] + change, "B": constants["B"] + scaled}
    return {name: values * ratio ** _POWERS.get(name, 0) for name, values in constants.items()}
