"""Noise of other shapes than independent Gaussian, of the same variance in every pixel: x = flux + noise * error * eps.

gaussian: eps independent N(0, 1), the law of all spectrum sets.
student: eps independent, Student's t with 4 degrees of freedom divided by sqrt(2): residuals of cosmic rays and of
    bright sky lines. Their number is our choice, a common default of robust fits (Lange, Little & Taylor 1989, JASA
    84, 881); information under others is given beside it (`student_information`).
correlated: eps = cos(15 deg) z_p + sin(15 deg) z_(p+1) of independent z, which correlates neighbours by 1/4 and no
    others: what linear interpolation onto other pixels leaves, averaged over all shifts f between the two grids,
    E[f (1 - f)] / E[f^2 + (1 - f)^2] = (1/6) / (2/3).
sky: the noise model adds 1 % of the sky as if its error were independent from pixel to pixel; a sky that is scaled
    wrongly is wrong everywhere alike. That part of the variance moves from the diagonal into one common factor.
sky_bands: the same in 7 stretches of 250 A with a factor each, about the width of an OH band, within which lines
    vary together (Davies 2007, MNRAS 375, 1099).

All laws start from the same deviates as the common presentation of a star, so that differences between them are paired.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from torch import Tensor

from repro.errors import DataError, ParameterError
from repro.instrument.noise import NoiseModel
from repro.spectra.noise import inject, standard_normal
from repro.spectra.sampling import Table

Law = Literal["gaussian", "student", "correlated", "sky", "sky_bands"]
LAWS: Final[tuple[Law, ...]] = get_args(Law)

STUDENT_FREEDOM: Final = 4
NEIGHBOUR: Final = 0.25  # correlation of neighbouring pixels
STRETCHES: Final = {"sky": 1, "sky_bands": 7}  # parts of the spectrum in which the sky has one factor

_PHASE: Final = 0.5 * math.asin(2.0 * NEIGHBOUR)  # of the two weights of `correlated`
_FURTHER: Final = max(STRETCHES.values())  # deviates beyond those of the pixels
_ROWS: Final = 256  # at a time: the deviates are computed in float64

Float64 = NDArray[np.float64]


def present_law(
    flux: NDArray[np.float32],
    error: NDArray[np.float32],
    table: Table,
    law: Law,
    *,
    noise: float,
    seed: int,
    split: str,
    rows: Sequence[int] | NDArray[np.intp],
    noise_model: NoiseModel,
) -> NDArray[np.float32]:
    """Noisy spectra (n, P) float32 under one law, presentation 0; `gaussian` gives those of `presentation`.

    Args:
        flux: noise-free, (n, P), of rows `rows` of the set `split`.
        error: stored 1-sigma errors at noise level 1, (n, P).
        table: records of `sampling.COLUMNS`, (n,); the laws of the sky take its angles.
        noise_model: that which made `error`.

    Raises:
        ParameterError: an unknown law, or a key of the deviates out of range.
    """
    require_law(law)
    x = np.empty_like(flux)
    for first in range(0, len(flux), _ROWS):
        part = slice(first, first + _ROWS)
        pixels = flux.shape[1]
        normal = standard_normal(seed, split, 0, list(map(int, rows[part])), pixels + _FURTHER)
        share = sky_share(flux[part], error[part], table[part], noise_model) if law in STRETCHES else None
        eps = shaped(normal, law, share)
        x[part] = inject(torch.from_numpy(flux[part]), torch.from_numpy(error[part]), eps, noise).numpy()
    return x


def shaped(normal: Tensor, law: Law, share: Float64 | None = None) -> Tensor:
    """Residuals eps (n, P) float32 of unit variance under `law`, from independent deviates (n, P + 7).

    share: floor of the sky over error, (n, P), for the laws of the sky.
    """
    pixels = normal.shape[1] - _FURTHER
    independent = normal[:, :pixels]
    if law == "gaussian":
        return independent
    if law == "student":
        return student_deviates(independent.double()).float()
    if law == "correlated":
        return math.cos(_PHASE) * independent + math.sin(_PHASE) * normal[:, 1 : pixels + 1]
    common = torch.from_numpy(_given(share))
    factor = normal[:, pixels:][:, stretch_of(law, pixels)]
    return (torch.sqrt(1.0 - common**2) * independent + common * factor).float()


def student_deviates(normal: Tensor) -> Tensor:
    """Deviates of Student's t with 4 degrees of freedom, divided by sqrt(2), at the same quantiles as `normal`.

    In closed form (Shaw 2006, J. Comput. Finance 9, 37): with a = 4 u (1 - u),
    t^2 = 4 (cos(arccos(sqrt a) / 3) / sqrt a - 1).
    """
    tail = 0.5 * torch.erfc(normal.abs() / math.sqrt(2.0))  # ndtr loses its digits out there
    root = torch.sqrt(4.0 * tail * (1.0 - tail))
    square = torch.cos(torch.arccos(root.clamp(max=1.0)) / 3.0) / root - 1.0
    return torch.sign(normal) * torch.sqrt(2.0 * square.clamp(min=0.0))


def student_information(freedom: float) -> float:
    """Fisher information about its centre of Student's t of unit variance; that of the Gaussian is 1.

    (nu + 1) / (nu + 3) at unit scale (Lange, Little & Taylor 1989, appendix B), times the variance nu / (nu - 2).
    """
    return (freedom + 1.0) / (freedom + 3.0) * freedom / (freedom - 2.0)


def sky_share(flux: NDArray[np.float32], error: NDArray[np.float32], table: Table, noise_model: NoiseModel) -> Float64:
    """Floor of the sky subtraction over the error of each pixel, (n, P), from stored spectra and their angles."""

    def angles(name: str) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(table[name]))

    floor = noise_model.sky_floor(
        torch.from_numpy(flux), torch.from_numpy(error), angles("target_zenith_angle"), angles("target_field_angle")
    )
    share: Float64 = floor.cpu().numpy() / error
    return share


def stretch_of(law: Law, pixels: int) -> NDArray[np.intp]:
    """Number of the stretch of the spectrum, of equal lengths, that each pixel belongs to, (P,)."""
    return np.arange(pixels) * STRETCHES[law] // pixels


class Correlation:
    """The correlation matrix R of the residuals eps of B spectra under a law: its products and those of its inverse.

    Args:
        law: `student` has the R of `gaussian`: its pixels are independent.
        pixels: P.
        share: floor of the sky over error, (B, P), for the laws of the sky.

    Raises:
        ParameterError: an unknown law.
        DataError: a law of the sky without `share`, or one that is not within 0 to 1.
    """

    def __init__(self, law: Law, pixels: int, share: Float64 | None = None) -> None:
        require_law(law)
        self.law = law
        if law == "correlated":
            self._band = np.stack([np.full(pixels, NEIGHBOUR), np.ones(pixels)])
        elif law in STRETCHES:
            self._share = _given(share)
            members = stretch_of(law, pixels) == np.arange(STRETCHES[law])[:, None]
            self._common = self._share[:, None, :] * members  # (B, r, P)
            self._rest = 1.0 - self._share[:, None, :] ** 2  # (B, 1, P)
            weighted = self._common / self._rest
            self._inner = np.eye(len(members)) + weighted @ self._common.swapaxes(1, 2)

    def solve(self, values: NDArray[Any]) -> NDArray[Any]:
        """values R^-1, (B, k, P), in their precision; R = D + U U^T of the sky is inverted by Woodbury's identity."""
        if self.law == "correlated":
            columns = values.reshape(-1, values.shape[-1]).T
            band = self._band.astype(values.dtype)
            return solveh_banded(band, columns, check_finite=False).T.reshape(values.shape)
        if self.law not in STRETCHES:
            return values
        weighted = values / self._rest
        onto = weighted @ self._common.swapaxes(1, 2)
        return weighted - np.linalg.solve(self._inner, onto.swapaxes(1, 2)).swapaxes(1, 2) @ (self._common / self._rest)

    def inverse_product(self, values: Float64) -> Float64:
        """values R^-1 values^T, (B, k, k) of (B, k, P)."""
        result: Float64 = self.solve(values) @ values.swapaxes(1, 2)
        return result

    def product(self, values: Float64) -> Float64:
        """values R values^T, (B, k, k) of (B, k, P)."""
        if self.law in STRETCHES:
            onto = values @ self._common.swapaxes(1, 2)
            return (values * self._rest) @ values.swapaxes(1, 2) + onto @ onto.swapaxes(1, 2)
        result = values @ values.swapaxes(1, 2)
        if self.law == "correlated":
            beside = values[..., 1:] @ values[..., :-1].swapaxes(1, 2)
            result += NEIGHBOUR * (beside + beside.swapaxes(1, 2))
        return result


def require_law(law: str) -> None:
    """Raise ParameterError unless `law` is one of `LAWS`."""
    if law not in LAWS:
        raise ParameterError(f"noise law '{law}' is unknown; choose one of {', '.join(LAWS)}")


def _given(share: Float64 | None) -> Float64:
    if share is None:
        raise DataError("a law of the sky needs the floor of the sky subtraction of each pixel (`sky_share`)")
    bad = np.argwhere(~((share >= 0.0) & (share < 1.0)))
    if bad.size:
        row, pixel = bad[0]
        raise DataError(
            f"spectrum {row}, pixel {pixel}: the sky's floor is {share[row, pixel]:g} of the error; it must be at least"
            " 0 and below 1. Are the errors those of this noise model?"
        )
    return share
