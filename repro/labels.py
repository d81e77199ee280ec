"""The five stellar labels, their order in every array, and the box they are drawn from."""

from typing import Final

LABELS: Final = ("T_eff", "log_g", "M_H", "a_M", "C_M")

# The box of the original generator configuration (5D lattice limits): K for T_eff, dex for the others.
BOX: Final = {
    "T_eff": (3750.0, 6000.0),
    "log_g": (1.0, 5.0),
    "M_H": (-2.5, 0.75),
    "a_M": (-0.25, 0.5),
    "C_M": (-0.75, 0.5),
}
