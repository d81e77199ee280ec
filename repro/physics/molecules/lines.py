"""From the levels of two electronic states to the lines between them: Hoenl-London factors and oscillator strengths."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.physics.molecules.rotation import E_AND_F, Levels

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

HARTREE: Final = 219474.6313632  # cm^-1
BRANCHES: Final = {-1: "P", 0: "Q", 1: "R"}


@dataclass(frozen=True)
class Lines:
    """N lines of one system of one isotopologue, in no particular order."""

    wavenumber: Array  # (N,) [cm^-1]
    gf: Array  # (N,) weighted oscillator strength, nuclear spin left out, isotopic fraction not included
    energy: Array  # (N,) of the lower level [cm^-1]
    j: Array  # (N,) of the lower level
    branch: Integers  # (N,) J' - J''
    component: Integers  # (N, 2) number of the upper and the lower spin component, from 1 upwards in energy
    parity: Integers  # (N,) 0 where the lower level is e, 1 where it is f
    band: Integers  # (N, 2) v', v''

    def take(self, index: Integers) -> "Lines":
        """Some of the lines."""
        return Lines(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True)
class Bands:
    """Vibrational bands of a system."""

    upper: Integers  # (M,) v'
    lower: Integers  # (M,) v''
    moment2: Array  # (M,) squared transition moment of the spherical component [e^2 a0^2]
    herman_wallis: Array  # (M, 3) decadic exponents to m, m^2 and J''(J'' + 1)

    def take(self, index: Integers) -> "Bands":
        """Some of the bands."""
        return Bands(self.upper[index], self.lower[index], self.moment2[index], self.herman_wallis[index])


def clebsch_gordan(j: Array, omega: float, q: int, change: int) -> Array:
    """<j omega 1 q | (j + change) (omega + q)>, zero without such a level (Condon & Shortley 1935, table 2^3)."""
    m = omega + q
    with np.errstate(divide="ignore", invalid="ignore"):
        squares: dict[tuple[int, int], Callable[[], Array]] = {
            (1, 1): lambda: (j + m) * (j + m + 1.0) / ((2.0 * j + 1.0) * (2.0 * j + 2.0)),
            (1, 0): lambda: (j - m + 1.0) * (j + m + 1.0) / ((2.0 * j + 1.0) * (j + 1.0)),
            (1, -1): lambda: (j - m) * (j - m + 1.0) / ((2.0 * j + 1.0) * (2.0 * j + 2.0)),
            (0, 1): lambda: (j + m) * (j - m + 1.0) / (2.0 * j * (j + 1.0)),
            (0, 0): lambda: m**2 / (j * (j + 1.0)),
            (0, -1): lambda: (j - m) * (j + m + 1.0) / (2.0 * j * (j + 1.0)),
            (-1, 1): lambda: (j - m) * (j - m + 1.0) / (2.0 * j * (2.0 * j + 1.0)),
            (-1, 0): lambda: (j - m) * (j + m) / (j * (2.0 * j + 1.0)),
            (-1, -1): lambda: (j + m + 1.0) * (j + m) / (2.0 * j * (2.0 * j + 1.0)),
        }
        square = squares[change, q]()
    sign = {(0, 1): -1.0, (0, 0): np.sign(m), (-1, 0): -1.0}.get((change, q), 1.0)
    exists = (j >= abs(omega)) & (j + change >= abs(m)) & (2.0 * j + change > 0.0)
    return np.where(exists, sign * np.sqrt(np.where(exists, square, 0.0)), 0.0)


def system_lines(upper: Levels, lower: Levels, bands: Bands, low: float, high: float) -> Lines:
    """All lines of the bands between wavenumbers low and high [cm^-1] that are not forbidden.

    gf = (2/3) (nu / Hartree) (2 J'' + 1) |sum over Sigma of c' c'' <J'' Omega'' 1 q | J' Omega'>|^2 mu^2, e to e and
    f to f in the branches P and R, e to f and f to e in Q, corrected by Herman and Wallis's factor.
    """
    pieces = []
    for change in BRANCHES:
        factors = _angular_factors(upper, lower, change)
        for parity in range(len(E_AND_F)):
            upper_parity = parity if change else 1 - parity
            pieces.append(_branch(upper, lower, bands, change, (upper_parity, parity), factors, low, high))
    columns = zip(*pieces, strict=True)
    return Lines(*(np.concatenate(column) for column in columns))


def _angular_factors(upper: Levels, lower: Levels, change: int) -> Array:
    """Clebsch-Gordan coefficients (J, C', C'') between components of equal Sigma, zero between others."""
    factors = np.zeros((len(lower.j), len(upper.sigma), len(lower.sigma)))
    for row, (sigma, omega) in enumerate(zip(upper.sigma, upper.omega, strict=True)):
        for column, (other, start) in enumerate(zip(lower.sigma, lower.omega, strict=True)):
            if sigma == other:
                factors[:, row, column] = clebsch_gordan(lower.j, start, round(omega - start), change)
    return factors


def _branch(
    upper: Levels,
    lower: Levels,
    bands: Bands,
    change: int,
    parity: tuple[int, int],
    factors: Array,
    low: float,
    high: float,
) -> tuple[Array | Integers, ...]:
    """The columns of `Lines` for one branch from levels of one symmetry."""
    first, last = max(0, -change), len(lower.j) - max(0, change)
    rows, partners = slice(first, last), slice(first + change, last + change)
    end = upper.energy[bands.upper, parity[0], partners][..., :, None]
    start = lower.energy[bands.lower, parity[1], rows][..., None, :]
    wavenumber = end - start  # (M, J, K', K'')
    inside = (wavenumber > low) & (wavenumber < high)
    near = np.flatnonzero(inside.any(axis=(1, 2, 3)))
    bands, start, wavenumber, inside = bands.take(near), start[near], wavenumber[near], inside[near]
    amplitude = np.einsum(
        "mjak,jab,mjbl->mjkl",
        upper.mixture[bands.upper, parity[0], partners],
        factors[rows],
        lower.mixture[bands.lower, parity[1], rows],
        optimize=True,
    )
    j = lower.j[rows]
    m = {1: j + 1.0, 0: np.zeros_like(j), -1: -j}[change]
    exponent = bands.herman_wallis @ np.stack([m, m**2, j * (j + 1.0)])
    moment2 = bands.moment2[:, None] * 10.0**exponent * (2.0 * j + 1.0)
    gf = 2.0 / 3.0 * wavenumber / HARTREE * amplitude**2 * moment2[..., None, None]
    band, row, k_up, k_low = np.nonzero(inside & (amplitude**2 > 1e-12))
    return (
        wavenumber[band, row, k_up, k_low],
        gf[band, row, k_up, k_low],
        start[band, row, 0, k_low],
        j[row],
        np.full(len(band), change),
        np.stack([k_up + 1, k_low + 1], axis=-1),
        np.full(len(band), parity[1]),
        np.stack([bands.upper[band], bands.lower[band]], axis=-1),
    )
