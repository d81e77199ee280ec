"""The molecular lines as tables for people: what there is, and the lines of a range one by one."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from repro.errors import ParameterError
from repro.physics.constants import SECOND_RADIATION
from repro.physics.molecules.line_list import isotopologues
from repro.physics.molecules.lines import BRANCHES, Array, Lines

COLUMNS: Final = ("wave_vac_A", "log_gf", "E_low_eV", "J", "branch", "band", "system", "isotopologue")
KNOWN_RANGE: Final = (7000.0, 8950.0)  # A, vacuum, for which the tables of bands were made
RANKED_AT: Final = 3500.0  # K
MOST_ROWS: Final = 500_000

_EV: Final = 8065.543937  # cm^-1
_PARITIES: Final = "ef"


@dataclass(frozen=True)
class System:
    """Band system of one isotopologue."""

    molecule: str
    system: str
    isotopologue: str
    weight: float  # of the isotopologue in the opacity, about its fraction
    bands: int
    lines: int


def systems(molecule: str, low: float, high: float) -> list[System]:
    """The systems with lines between the wavelengths low and high [A]. Raises ParameterError (see `_check`)."""
    _check(low, high)
    return [
        System(
            molecule,
            name,
            isotopologue.name,
            isotopologue.weight,
            len(np.unique(lines.band @ [1000, 1])),
            len(lines.gf),
        )
        for isotopologue in isotopologues(molecule, low, high)
        for name, lines in isotopologue.systems.items()
    ]


def rows(molecule: str, low: float, high: float, strongest: int | None = None) -> list[tuple[object, ...]]:
    """Lines between the vacuum wavelengths low and high [A] in ascending order, with the columns COLUMNS.

    gf holds neither the isotopic fraction nor the nuclear spin; J is that of the lower level; the branch is P, Q or R
    with the numbers of the upper and the lower spin component and e or f, the symmetry of the lower level; a band is
    v'-v''. `strongest`: only so many, ranked with the isotopic fraction at 3500 K. Raises ParameterError for more than
    MOST_ROWS lines, and as `_check` does.
    """
    _check(low, high)
    groups: list[tuple[str, str, Lines]] = []
    ranks: list[Array] = []
    for isotopologue in isotopologues(molecule, low, high):
        for name, lines in isotopologue.systems.items():
            exponent = lines.energy * SECOND_RADIATION * 1e-8 / RANKED_AT
            ranks.append(isotopologue.weight * lines.gf * np.exp(-exponent))
            groups.append((name, isotopologue.name, lines))
    total = sum(len(rank) for rank in ranks)
    if min(total, strongest or total) > MOST_ROWS:
        raise ParameterError(
            f"{total} lines of {molecule} between {low:g} and {high:g} A, more than {MOST_ROWS}: narrow the range, or "
            "ask for fewer of the strongest"
        )
    chosen = np.sort(np.argsort(-np.concatenate(ranks), kind="stable")[:strongest])
    found: list[tuple[object, ...]] = []
    start = 0
    for name, isotope, lines in groups:
        inside = chosen[(chosen >= start) & (chosen < start + len(lines.gf))] - start
        found.extend(_rows(lines.take(inside), name, isotope))
        start += len(lines.gf)
    return sorted(found, key=lambda row: row[:3])


def _rows(lines: Lines, system: str, isotopologue: str) -> list[tuple[object, ...]]:
    branch = [
        f"{BRANCHES[change]}{upper}{lower}{_PARITIES[parity]}"
        for change, (upper, lower), parity in zip(
            lines.branch.tolist(), lines.component.tolist(), lines.parity.tolist(), strict=True
        )
    ]
    band = [f"{upper}-{lower}" for upper, lower in lines.band.tolist()]
    wave = np.round(1e8 / lines.wavenumber, 4).tolist()
    strength, energy = np.round(np.log10(lines.gf), 4).tolist(), np.round(lines.energy / _EV, 5).tolist()
    names = [system] * len(wave), [isotopologue] * len(wave)
    return list(zip(wave, strength, energy, lines.j.tolist(), branch, band, *names, strict=True))


def _check(low: float, high: float) -> None:
    """Raises ParameterError where the range is empty or outside of KNOWN_RANGE."""
    first, last = KNOWN_RANGE
    if not first <= low < high <= last:
        raise ParameterError(
            f"wavelengths {low:g} to {high:g} A: the range must ascend and lie within {first:g} to {last:g} A (vacuum)"
        )
