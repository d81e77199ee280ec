"""Physical constants in CGS units (CODATA 2018) and the few reference numbers every physics module shares."""

from typing import Final

SPEED_OF_LIGHT: Final = 2.99792458e10  # cm s^-1
PLANCK: Final = 6.62607015e-27  # erg s
BOLTZMANN: Final = 1.380649e-16  # erg K^-1
ELECTRON_VOLT: Final = 1.602176634e-12  # erg
ELECTRON_MASS: Final = 9.1093837015e-28  # g
ATOMIC_MASS_UNIT: Final = 1.66053906660e-24  # g
ELEMENTARY_CHARGE: Final = 4.80320471e-10  # esu
BOHR_RADIUS: Final = 5.29177210903e-9  # cm

BOLTZMANN_EV: Final = BOLTZMANN / ELECTRON_VOLT  # eV K^-1
SECOND_RADIATION: Final = PLANCK * SPEED_OF_LIGHT / BOLTZMANN * 1e8  # h c / k [A K]

HYDROGEN_IONISATION: Final = 13.5984  # eV
HYDROGEN_RYDBERG: Final = 109677.58  # cm^-1, reduced mass of hydrogen
REFERENCE_WAVE: Final = 8000.0  # A, where the depth scale of the atmospheres is defined
