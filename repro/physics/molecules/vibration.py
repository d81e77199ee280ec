"""Vibrational levels in a potential curve, for any isotopologue."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.physics.constants import ATOMIC_MASS_UNIT, PLANCK, SPEED_OF_LIGHT
from repro.physics.threads import one_thread

Array = NDArray[np.float64]

_NEAREST: Final = 1.25  # Angstrom
_FARTHEST: Final = 2.45  # Angstrom
_POINTS: Final = 200
# hbar^2 / 2 in cm^-1 amu A^2
_KINETIC: Final = PLANCK / (8.0 * np.pi**2 * SPEED_OF_LIGHT * ATOMIC_MASS_UNIT * 1e-16)


@dataclass(frozen=True)
class Vibration:
    """V vibrational levels without rotation."""

    energy: Array  # (V,) [cm^-1] above the zero of the potential
    rotation: Array  # (V,) B_v [cm^-1]
    distortion: Array  # (V,) D_v [cm^-1]
    wave: Array  # (R, V) wave functions on `separations`, sum of squares 1


def separations() -> Array:
    """Nuclear separations (R,) [A] of the wave functions."""
    return np.linspace(_NEAREST, _FARTHEST, _POINTS)


def extended_morse(potential: dict[str, Any], r: Array) -> Array:
    """V(r) [cm^-1] of an extended Morse oscillator: T_e, r_e [A], asymptote, b_k and how many of them on each side."""
    equilibrium = potential["r_e"]
    z = (r**2 - equilibrium**2) / (r**2 + equilibrium**2)
    order = np.where(r <= equilibrium, potential["left_order"], potential["right_order"])
    beta = sum(b * z**k * (order >= k) for k, b in enumerate(potential["b"]))
    depth = potential["asymptote"] - potential["T_e"]
    return potential["T_e"] + depth * (1.0 - np.exp(-beta * (r - equilibrium))) ** 2


def vibrational_levels(potential: dict[str, Any], reduced_mass: float, count: int) -> Vibration:
    """The lowest `count` levels for a reduced mass [amu].

    Sinc-function discrete variable representation (Colbert & Miller 1992, J. Chem. Phys. 96, 1982); B_v is the mean of
    hbar^2 / (2 mu r^2), D_v its second-order energy (Albritton et al. 1973, J. Mol. Spectrosc. 46, 25).
    """
    r = separations()
    step = r[1] - r[0]
    distance = np.subtract.outer(np.arange(len(r)), np.arange(len(r)))
    safe = np.where(distance == 0, 1, distance)
    kinetic = np.where(distance == 0, np.pi**2 / 3.0, 2.0 * (-1.0) ** distance / safe**2)
    hamiltonian = _KINETIC / reduced_mass / step**2 * kinetic + np.diag(extended_morse(potential, r))
    with one_thread():
        energy, wave = (values.numpy() for values in torch.linalg.eigh(torch.from_numpy(hamiltonian)))
    inverse_square = wave.T @ ((_KINETIC / reduced_mass / r**2)[:, None] * wave[:, :count])
    gaps = energy[:, None] - energy[:count]
    np.fill_diagonal(gaps, np.inf)
    return Vibration(
        energy=energy[:count],
        rotation=np.diagonal(inverse_square).copy(),
        distortion=(inverse_square**2 / gaps).sum(axis=0),
        wave=wave[:, :count],
    )
