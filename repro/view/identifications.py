"""What stands where in 7100-8850 A: names for the features of a spectrum, and the windows in which numbers are given.

Atomic lines and Paschen lines take their wavelengths from the synthesizer's own tables. Band heads are the turning
points of branches of `physics.molecules` (constants of Brooke et al. 2014, ApJS 210, 23 for CN and of McKemmish et al.
2019, MNRAS 488, 2836 for TiO), written down because no list of a million lines need be made to name them. All vacuum.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.physics.constants import BOLTZMANN_EV, HYDROGEN_RYDBERG
from repro.physics.lines import line_list

Array = NDArray[np.float64]

PASCHEN_LEVELS: Final = range(9, 21)
_TEMPERATURE: Final = 4800.0  # K, of the line-forming layers by whose populations lines are ranked
_APART: Final = 4.0  # A: of two lines of a species closer than this the stronger one is named

_HIDDEN: Final = 1.0  # A: a line this close to the core of Ca II, Na I or K I is not seen

# species -> how many of its strongest lines are named; dominant ones first
_NAMED: Final = {"Ca II": 3, "Na I": 2, "K I": 2, "Mg I": 4, "Fe I": 8, "Ti I": 3, "Si I": 2, "Ca I": 2, "Rb I": 1}

# (name, wave [A]) of the strongest heads of 12C14N (of branch Q of the upper spin component, or R) and 48Ti16O (R)
BAND_HEADS: Final = (
    ("CN 4-1", 7108.71),
    ("CN 5-2", 7280.06),
    ("CN 2-0", 7874.84),
    ("CN 2-0", 7896.24),
    ("CN 3-1", 8069.30),
    ("CN 3-1", 8091.91),
    ("CN 4-2", 8297.04),
    ("TiO γ 0-0", 7127.17),
    ("TiO γ 1-1", 7199.22),
    ("TiO γ 0-1", 7630.02),
    ("TiO γ 0-1", 7673.35),
    ("TiO γ 1-2", 7751.44),
    ("TiO δ 1-0", 8200.80),
    ("TiO γ 0-2", 8208.33),
    ("TiO ε 0-0", 8435.52),
)

_CALCIUM: Final = (8500.36, 8544.44, 8664.52)
_SODIUM: Final = (8185.51, 8197.08)
_POTASSIUM: Final = (7667.01, 7701.08)
_MAGNESIUM: Final = (8809.18,)
_IRON: Final = (8691.01,)


@dataclass(frozen=True)
class Mark:
    """One identification; marks of higher rank give way where there is no room. wave in A, vacuum."""

    name: str
    wave: float
    rank: int


def paschen(level: int) -> float:
    """Wavelength of the line from `level` to n = 3 [A, vacuum], by the Rydberg formula that the synthesizer uses."""
    return 1e8 / (HYDROGEN_RYDBERG * (1.0 / 9.0 - 1.0 / level**2))


def marks(low: float, high: float) -> list[Mark]:
    """All identifications between two wavelengths [A, vacuum], by wavelength."""
    found = [Mark(f"P{level}", paschen(level), 1) for level in PASCHEN_LEVELS]
    found += [Mark(name, wave, 2) for name, wave in BAND_HEADS]
    for rank, (species, count) in enumerate(_NAMED.items()):
        found += [Mark(species, wave, 0 if rank < 3 else rank) for wave in _strongest(species, count)]
    inside = sorted((mark for mark in found if low <= mark.wave <= high), key=lambda mark: mark.wave)
    return [mark for mark in inside if not any(_hides(other, mark) for other in inside)]


def _hides(strong: Mark, weak: Mark) -> bool:
    """Whether `weak` is an atomic line in the core of a much stronger one."""
    return strong.rank == 0 and weak.rank > 2 and abs(strong.wave - weak.wave) < _HIDDEN


def _strongest(species: str, count: int) -> list[float]:
    """Wavelengths of the lines of a species with the largest gf exp(-E / kT), no two of them within 4 A."""
    lines = line_list()
    own = np.flatnonzero(lines.species_index.numpy() == lines.species.index(species))
    wave = lines.wave.numpy()[own]
    strength = np.log(lines.gf.numpy()[own]) - lines.energy.numpy()[own] / (BOLTZMANN_EV * _TEMPERATURE)
    chosen: list[float] = []
    for line in np.argsort(-strength):
        if all(abs(wave[line] - other) > _APART for other in chosen):
            chosen.append(float(wave[line]))
        if len(chosen) == count:
            break
    return chosen


def windows(wave: Array) -> dict[str, NDArray[np.bool_]]:
    """Which of the pixels (W,) [A, vacuum] belong to each feature; features may overlap."""

    def near(centres: tuple[float, ...], reach: float) -> NDArray[np.bool_]:
        return (np.abs(wave[:, None] - np.array(centres)) <= reach).any(axis=1)

    def within(*ranges: tuple[float, float]) -> NDArray[np.bool_]:
        return np.any([(wave >= low) & (wave <= high) for low, high in ranges], axis=0)

    return {
        "all": np.ones(wave.size, dtype=bool),
        "Paschen": near(tuple(paschen(level) for level in PASCHEN_LEVELS), 4.0),
        "Ca II triplet": near(_CALCIUM, 10.0),
        "CN": within((7873.0, 8050.0), (8068.0, 8160.0)),  # bands 2-0 and 3-1, degraded to the red of their heads
        "TiO": within((7087.0, 7270.0), (7590.0, 7860.0), (8433.0, 8470.0)),
        "Na I": near(_SODIUM, 5.0),
        "K I": near(_POTASSIUM, 5.0),
    }


def line_groups(wave: Array) -> dict[str, NDArray[np.bool_]]:
    """`windows` of lines and bands, without that of everything, and two more lines that depend on gravity."""
    found = windows(wave)
    del found["all"]
    near = {"Mg I": _MAGNESIUM, "Fe I": _IRON}
    return found | {name: (np.abs(wave[:, None] - np.array(at)) <= 5.0).any(axis=1) for name, at in near.items()}
