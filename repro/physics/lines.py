"""The list of atomic lines, with the constants of their strengths and widths."""

import gzip
from csv import DictReader
from dataclasses import dataclass
from functools import cache
from math import gamma, pi
from typing import Final

import torch
from torch import Tensor

from repro.errors import DataError
from repro.physics.constants import (
    ATOMIC_MASS_UNIT,
    BOHR_RADIUS,
    BOLTZMANN,
    ELECTRON_MASS,
    ELECTRON_VOLT,
    ELEMENTARY_CHARGE,
    HYDROGEN_IONISATION,
    PLANCK,
    SPEED_OF_LIGHT,
)
from repro.physics.data import TABLES, read_table

ABSORPTION: Final = pi * ELEMENTARY_CHARGE**2 / (ELECTRON_MASS * SPEED_OF_LIGHT)  # 0.02654 cm^2 Hz
PERTURBERS: Final = (1.0, 0.42, 0.85)  # weights of H I, He I and H2 in the van der Waals widths

WIDTH_TEMPERATURE: Final = 1.0e4  # K, of the van der Waals and Stark widths here
STARK_EXPONENT: Final = 1.0 / 6.0  # of T in the Stark widths
_ABO_SPEED: Final = 1.0e6  # cm/s, at which the cross-sections of Barklem et al. are given
_UNKNOWN_RADIATIVE: Final = 1.0e5  # rad/s, written in the list where the width is unknown
# A level closer to the ionisation limit [eV], or above it, belongs to an excited core: n*^2 = 25 for it in the Stark
# widths, as in SYNTHE (Kurucz 1993, CD-ROM 18).
_CLOSEST_TO_LIMIT: Final = 0.1
_CORE_EXCITED: Final = 25.0
# log gf of laboratory measurements, by species and wavelength in the list, that replace those of the list (-1.416,
# -0.463, -0.723): branching fractions 0.00661(4), 0.0587(2) of Ca II 4p 2P3/2 (Gerritsma et al. 2008, Eur. Phys. J.
# D 50, 13), 0.06435(7) of 2P1/2 (Ramm et al. 2013, Phys. Rev. Lett. 111, 023004), over the lifetimes 6.639(42) ns
# (Meir et al. 2020, Phys. Rev. A 101, 012509) and 6.904(26) ns (Hettrich et al. 2015, Phys. Rev. Lett. 115, 143003).
_MEASURED: Final = {("Ca II", 8500.358): -1.365, ("Ca II", 8544.438): -0.412, ("Ca II", 8664.520): -0.678}
# Isotopes of calcium: fraction (Meija et al. 2016, Pure Appl. Chem. 88, 293; the rare 43 and 46 go with 44), and shift
# of 3d 2D3/2 - 4p 2P1/2 in frequency [Hz] (Gebert et al. 2015, Phys. Rev. Lett. 115, 053003), within 0.5 % that of the
# whole triplet (Nortershauser et al. 1998, Eur. Phys. J. D 2, 33). An isotope of 2 % is still opaque in the core: it
# makes the core wider by its shift, 0.1 A, and the flux there 1-2 % fainter at R = 5000.
_CALCIUM: Final = ((0.96941, 0.0), (0.00647, -2.350e9), (0.02225, -4.499e9), (0.00187, -8.298e9))
# Abundances of the isotopes of neodymium (Meija et al. 2016, Pure Appl. Chem. 88, 293): the only element of the list
# with lines of single isotopes.
_ISOTOPES: Final = {142: 0.27153, 143: 0.12173, 144: 0.23798, 145: 0.08293, 146: 0.17189, 148: 0.05756, 150: 0.05638}


@dataclass(frozen=True)
class LineList:
    """L atomic lines, float64 on the CPU. Source: see tables/README.md."""

    wave: Tensor  # (L,) [A] vacuum
    species: tuple[str, ...]  # S names, such as "Fe I"
    species_index: Tensor  # (L,) into species
    species_mass: Tensor  # (S,) [g]
    energy: Tensor  # (L,) of the lower level [eV]
    gf: Tensor  # (L,) oscillator strength times statistical weight of the lower level, isotopic fraction included
    radiative: Tensor  # (L,) natural width [rad/s]
    width: Tensor  # (L,) van der Waals width per hydrogen atom at 10 000 K [rad s^-1 cm^3]
    exponent: Tensor  # (L,) of T in the van der Waals width
    stark: Tensor  # (L,) width by electron impacts, per electron at 10 000 K [rad s^-1 cm^3]


def _van_der_waals(row: dict[str, str], mass: float, potential: float, charge: int) -> tuple[float, float]:
    """Full width per hydrogen atom at 10 000 K [rad s^-1 cm^3] and its exponent of temperature.

    Impact widths from the cross-sections of Anstee, Barklem & O'Mara (Barklem et al. 2000, A&AS 142, 467), Kurucz's
    widths, or a factor on Unsold's formula, as the list says for each line.
    """
    kind, value = row["vdw_kind"], float(row["vdw_a"])
    hydrogen = read_table("atomic_partition")["elements"]["H"]["mass_amu"] * ATOMIC_MASS_UNIT
    speed = (8.0 * BOLTZMANN * WIDTH_TEMPERATURE / pi * (1.0 / hydrogen + 1.0 / mass)) ** 0.5
    if kind == "log_gamma6_10kK":
        return 10.0**value, 0.3
    if kind == "abo":
        power = float(row["vdw_b"])
        section = value * BOHR_RADIUS**2
        factor = 2.0 * (4.0 / pi) ** (0.5 * power) * gamma(2.0 - 0.5 * power)
        return factor * _ABO_SPEED * section * (speed / _ABO_SPEED) ** (1.0 - power), 0.5 * (1.0 - power)
    if kind == "unsold":
        low = float(row["E_low_eV"])
        high = low + PLANCK * SPEED_OF_LIGHT * 1e8 / float(row["wavelength_vac_A"]) / ELECTRON_VOLT
        c6 = 0.3e-30 * charge**2 * (1.0 / (potential - high) ** 2 - 1.0 / (potential - low) ** 2)
        return value * 17.0 * speed**0.6 * c6**0.4, 0.3
    raise DataError(f"atomic_lines.csv.gz: vdw_kind {kind!r} is not abo, log_gamma6_10kK or unsold")


def _stark(low: float, wave: float, potential: float, charge: int) -> float:
    """Full width by electron impacts, per electron at 10 000 K [rad s^-1 cm^3].

    Cowley 1971, Observatory 91, 139, equations 5 and 6, from the effective quantum number of the upper level (energies
    in eV, `charge` 1 for neutral atoms), with the mean speed of the electrons as in Turbospectrum and Korg.
    """
    high = low + PLANCK * SPEED_OF_LIGHT * 1e8 / wave / ELECTRON_VOLT
    binding = potential - high
    number_squared = charge**2 * HYDROGEN_IONISATION / binding if binding > _CLOSEST_TO_LIMIT else _CORE_EXCITED
    factor = 2.25910e-7 if charge == 1 else 5.42184e-7 / (charge + 1) ** 2
    return factor * number_squared**2


def _split(row: dict[str, str]) -> list[dict[str, str]]:
    """The components of a line, by isotope, with the measured strength if there is one; column `fraction` is new."""
    line = (row["species"], float(row["wavelength_vac_A"]))
    if line not in _MEASURED:
        return [{**row, "fraction": str(_ISOTOPES[int(float(row["isotope"]))] if row["isotope"] else 1.0)}]
    row = {**row, "log_gf": str(_MEASURED[line])}
    waves = [line[1] - line[1] ** 2 * shift / (SPEED_OF_LIGHT * 1e8) for _, shift in _CALCIUM]
    pairs = zip(waves, _CALCIUM, strict=True)
    return [{**row, "wavelength_vac_A": str(wave), "fraction": str(fraction)} for wave, (fraction, _) in pairs]


@cache
def line_list() -> LineList:
    """The atomic lines of 7040-8960 A. Raises DataError when the table is missing or broken."""
    path = TABLES / "atomic_lines.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = list(DictReader(file))
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error}); reinstall the package") from error
    rows = sorted((part for row in rows for part in _split(row)), key=lambda row: float(row["wavelength_vac_A"]))
    species = tuple(sorted({row["species"] for row in rows}))
    elements = read_table("atomic_partition")["elements"]
    mass = {name: elements[name.split()[0]]["mass_amu"] * ATOMIC_MASS_UNIT for name in species}
    names = ("wave", "energy", "gf", "radiative", "width", "exponent", "stark")
    columns: dict[str, list[float]] = {name: [] for name in names}
    for row in rows:
        name, wave = row["species"], float(row["wavelength_vac_A"])
        element, stage = name.split()
        potential = elements[element]["ionisation_eV"][len(stage) - 1]
        width, exponent = _van_der_waals(row, mass[name], potential, len(stage))
        radiative = float(row["gamma_rad_s"])
        columns["wave"].append(wave)
        columns["energy"].append(float(row["E_low_eV"]))
        columns["gf"].append(float(row["fraction"]) * 10.0 ** float(row["log_gf"]))
        columns["radiative"].append(2.223e15 / wave**2 if radiative == _UNKNOWN_RADIATIVE else radiative)
        columns["width"].append(width)
        columns["exponent"].append(exponent)
        columns["stark"].append(_stark(float(row["E_low_eV"]), wave, potential, len(stage)))
    tensors = {name: torch.tensor(values, dtype=torch.float64) for name, values in columns.items()}
    index = torch.tensor([species.index(row["species"]) for row in rows])
    masses = torch.tensor([mass[name] for name in species], dtype=torch.float64)
    return LineList(species=species, species_index=index, species_mass=masses, **tensors)
