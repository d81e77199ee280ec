"""Rotational levels of diatomic molecules: Hamiltonians in Hund's case (a), diagonalised level by level.

Every vibrational level of an electronic state is a block of components |Lambda, Sigma, Omega>, one a value of Sigma,
for each J and each of the two symmetries e and f. Conventions: N^2 form (B multiplies N^2 with N = J - S), e and f and
the matrix elements of Lambda doubling as in Brown & Merer 1979, J. Mol. Spectrosc. 74, 488. Energies in cm^-1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
E_AND_F = (1.0, -1.0)  # the two symmetries, in the order of every array here


@dataclass(frozen=True)
class Levels:
    """Levels of V vibrational states of one electronic state, J ascending in steps of one."""

    j: Array  # (J,)
    sigma: tuple[float, ...]  # (C,) Sigma of the components
    omega: tuple[float, ...]  # (C,) Omega = Lambda + Sigma
    energy: Array  # (V, 2, J, K) cm^-1, e and f, in ascending order
    mixture: Array  # (V, 2, J, C, K) amplitude of each component in each level

    def relative_to(self, origin: float) -> "Levels":
        """The same levels with energies counted from `origin`."""
        return Levels(self.j, self.sigma, self.omega, self.energy - origin, self.mixture)


def sigma_doublet(constants: dict[str, Array], j: Array) -> Levels:
    """2Sigma+ levels from T, B, D, H and gamma, each (V,).

    Level e has N = J - 1/2, f has N = J + 1/2. The components are the two signs of Sigma, with amplitudes +1 and +-1:
    each belongs to both halves (+-Lambda) of the other state of a transition, which takes the place of 1/sqrt(2).
    """
    level = {name: values[:, None] for name, values in constants.items()}
    energy = np.empty((len(constants["T"]), 2, len(j), 1))
    for row, n in enumerate((j - 0.5, j + 0.5)):
        square = n * (n + 1.0)
        spin = 0.5 * level["gamma"] * (n if row == 0 else -(n + 1.0))
        rotation = level["B"] * square - level["D"] * square**2 + level["H"] * square**3
        energy[:, row, :, 0] = level["T"] + rotation + spin
    mixture = np.ones((*energy.shape[:3], 2, 1))
    mixture[:, 1, :, 0] = -1.0
    return Levels(j, (-0.5, 0.5), (-0.5, 0.5), energy, mixture)


def pi_doublet(constants: dict[str, Array], j: Array) -> Levels:
    """2Pi levels from T, B, D, H, A, A_D, p, p_D, q and q_D, each (V,); components Omega = 1/2 and 3/2."""
    x = (j + 0.5) ** 2
    s = np.sqrt(x - 1.0)
    square = _symmetric([x + 1.0, -s, x - 1.0])
    level = {name: values[:, None, None, None] for name, values in constants.items()}
    matrix = _rotation(level, square) + level["A"] * np.diag([-0.5, 0.5])
    matrix = matrix + 0.5 * level["A_D"] * _symmetric([-(x + 1.0), np.zeros_like(x), x - 1.0])
    flat = {name: values[:, 0] for name, values in level.items()}
    q = flat["q"][..., 0] + flat["q_D"][..., 0] * x
    doubling = flat["p"][..., 0] + flat["p_D"][..., 0] * x + 2.0 * q
    blocks = []
    for sign in E_AND_F:
        diagonal = -0.5 * sign * doubling * (j + 0.5)
        blocks.append(matrix + _symmetric([diagonal, 0.5 * sign * q * (j + 0.5) * s, np.zeros_like(diagonal)]))
    energy, mixture = np.linalg.eigh(np.stack(blocks, axis=1))
    return Levels(j, (-0.5, 0.5), (0.5, 1.5), energy, mixture)


def triplet(constants: dict[str, Array], lambda_: int, doubling: tuple[float, float], j: Array) -> Levels:
    """3Pi, 3Delta or 3Phi levels, components Sigma = -1, 0, 1.

    constants: origins T0, T1, T2 of the three components, B, D, spin-spin and spin-rotation, each (V,).
    doubling: o + p + q and p + 2q, which 3Pi states alone have.
    """
    sigma = np.array([-1.0, 0.0, 1.0])
    omega = lambda_ + sigma
    product = (j * (j + 1.0))[:, None, None]
    shift = np.sqrt(np.maximum(product[:, 0] - omega[:-1] * omega[1:], 0.0) * 2.0)  # of J- S+ between neighbours
    coupling = np.zeros((len(j), 3, 3))
    for k in range(2):
        coupling[:, k, k + 1] = coupling[:, k + 1, k] = shift[:, k]
    square = (product + 2.0) * np.eye(3) - 2.0 * np.diag(omega * sigma) - coupling
    level = {name: values[:, None, None, None] for name, values in constants.items()}
    matrix = _rotation(level, square) + level["spin_rotation"] * (np.diag(omega * sigma - 2.0) + 0.5 * coupling)
    matrix = matrix + level["spin_spin"] * np.diag(2.0 / 3.0 * (3.0 * sigma**2 - 2.0))
    for k in range(3):
        matrix[..., k, k] += constants[f"T{k}"][:, None]
    energy, mixture = np.linalg.eigh(np.stack([matrix + sign * _doubling(doubling, j) for sign in E_AND_F], axis=1))
    return Levels(j, tuple(sigma), tuple(omega), energy, mixture)


def singlet(constants: dict[str, Array], lambda_: int, j: Array) -> Levels:
    """Singlet levels from T0, B and D, each (V,); e and f coincide."""
    square = j * (j + 1.0)
    level = {name: values[:, None] for name, values in constants.items()}
    energy = level["T0"] + level["B"] * square - level["D"] * square**2
    energy = np.stack([energy, energy], axis=1)[..., None]
    return Levels(j, (0.0,), (float(lambda_),), energy, np.ones((*energy.shape, 1)))


def _rotation(level: dict[str, Array], square: Array) -> Array:
    """T + B N^2 - D N^4 + H N^6 as matrices (V, J, C, C); T and H where the constants have them."""
    matrix = level["B"] * square - level["D"] * (square @ square)
    if "H" in level:
        matrix = matrix + level["H"] * (square @ square @ square)
    if "T" in level:
        matrix = matrix + level["T"] * np.eye(square.shape[-1])
    return matrix


def _symmetric(upper: list[Array]) -> Array:
    """Symmetric matrices (..., 2, 2) from their entries 11, 12 and 22."""
    a, b, c = np.broadcast_arrays(*upper)
    return np.stack([np.stack([a, b], axis=-1), np.stack([b, c], axis=-1)], axis=-2)


def _doubling(doubling: tuple[float, float], j: Array) -> Array:
    """Lambda doubling (J, 3, 3) of the e levels of a 3Pi state; that of the f levels is its negative."""
    matrix = np.zeros((len(j), 3, 3))
    matrix[:, 0, 0] = -doubling[0]
    matrix[:, 0, 1] = matrix[:, 1, 0] = doubling[1] * np.sqrt(0.5 * j * (j + 1.0))
    return matrix
