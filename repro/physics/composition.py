"""Element abundances of a model: the solar mixture of Asplund, Grevesse & Sauval (2005), scaled.

That is the mixture of ATLAS-APOGEE (Meszaros et al. 2012) and so of the BOSZ 2017 spectra.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Tensor

from repro.labels import LABELS
from repro.physics.constants import ATOMIC_MASS_UNIT
from repro.physics.data import read_table

ELEMENTS: Final[tuple[str, ...]] = tuple(read_table("atomic_partition")["elements"])
ALPHA_ELEMENTS: Final[tuple[str, ...]] = tuple(read_table("atomic_partition")["abundances"]["alpha_elements"])
_PRIMORDIAL: Final = ("H", "He")


@dataclass(frozen=True)
class Composition:
    """Chemical mixture of B models."""

    abundance: Tensor  # (B, E) number of atoms per hydrogen nucleus, E = len(ELEMENTS)
    mass_per_hydrogen: Tensor  # (B,) mass of all nuclei per hydrogen nucleus [g]


@cache
def _mixture(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Solar ln abundance (E,), the response of ln abundance to the labels (5, E), and masses [g] (E,)."""
    table = read_table("atomic_partition")
    solar = table["abundances"]["asplund2005"]["values"]
    log_abundance = torch.tensor([solar[element] - 12.0 for element in ELEMENTS], dtype=torch.float64)
    response = torch.zeros(len(LABELS), len(ELEMENTS), dtype=torch.float64)
    for column, element in enumerate(ELEMENTS):
        response[LABELS.index("M_H"), column] = element not in _PRIMORDIAL
        response[LABELS.index("a_M"), column] = element in ALPHA_ELEMENTS
        response[LABELS.index("C_M"), column] = element == "C"
    masses = torch.tensor([table["elements"][element]["mass_amu"] for element in ELEMENTS], dtype=torch.float64)
    ln_10 = torch.log(torch.tensor(10.0, dtype=torch.float64))
    return (log_abundance * ln_10).to(device), (response * ln_10).to(device), (masses * ATOMIC_MASS_UNIT).to(device)


def mixture(labels: Tensor) -> Composition:
    """Abundances for labels (B, 5) in the order of `LABELS`.

    [M/H] scales everything from lithium upward, [alpha/M] adds to O Ne Mg Si S Ar Ca Ti, [C/M] to carbon.
    """
    ln_solar, response, masses = _mixture(labels.device)
    abundance = torch.exp(ln_solar + labels @ response)
    return Composition(abundance=abundance, mass_per_hydrogen=abundance @ masses)
