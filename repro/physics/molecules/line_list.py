"""The line lists of the molecules, isotopologue by isotopologue."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from types import ModuleType
from typing import Final

import numpy as np

from repro.errors import ParameterError
from repro.physics.data import read_table
from repro.physics.molecules import cn, tio
from repro.physics.molecules.lines import Array, Lines

MOLECULES: Final = ("CN", "TiO")
_MODULES: Final[dict[str, ModuleType]] = {"CN": cn, "TiO": tio}
_FIT_RANGE: Final = (2500.0, 9000.0)  # K, of the partition functions


@dataclass(frozen=True)
class Isotopologue:
    """Lines of one isotopologue between two wavelengths."""

    name: str
    weight: float  # density over partition function, relative to that of the molecule
    systems: dict[str, Lines]


def isotopologues(molecule: str, low: float, high: float) -> Iterator[Isotopologue]:
    """Lines of each isotopologue between the vacuum wavelengths low and high [A], the most abundant not first.

    In chemical equilibrium n / Q of an isotopologue goes with the abundance of the isotope and with the reduced mass
    to the power -3/2; the difference of the dissociation energies (0.5 % for 13CN at 4000 K) is left out. Raises
    ParameterError for a molecule without lines.
    """
    module = _module(molecule)
    for name, fraction in module.isotopologues().items():
        weight = fraction * (module.reduced_mass(module.MAIN) / module.reduced_mass(name)) ** 1.5
        yield Isotopologue(name, weight, module.lines(name, 1e8 / high, 1e8 / low))


def sources(molecule: str) -> list[str]:
    """Publications behind the lines of a molecule."""
    _module(molecule)
    found: list[str] = read_table(f"{molecule.lower()}_spectroscopy")["sources"]
    return found


def ln_partition(molecule: str, temperature: Array) -> Array:
    """ln Q of the main isotopologue without nuclear spin (Barklem & Collet 2016, A&A 588, A96).

    Outside 2500-9000 K ln Q continues linearly in ln T.
    """
    coefficients = read_table("molecules")["molecules"][molecule]["log10_Q_coeff"]
    inside = np.clip(temperature, *_FIT_RANGE)
    theta = 5040.0 / inside
    value = np.polynomial.polynomial.polyval(theta, coefficients)
    slope = -theta * np.polynomial.polynomial.polyval(theta, np.polynomial.polynomial.polyder(coefficients))
    result: Array = log(10.0) * (value + slope * np.log(temperature / inside))
    return result


def _module(molecule: str) -> ModuleType:
    if molecule not in _MODULES:
        raise ParameterError(f"molecule {molecule!r} has no lines here: choose {' or '.join(MOLECULES)}")
    return _MODULES[molecule]
