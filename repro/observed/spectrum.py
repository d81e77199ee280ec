"""A spectrum as its file gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from repro.errors import DataError

MOST_SAMPLES: Final = 2_000_000  # of a spectrum: R = 100 000 from 3000 to 10 000 A, three samples a width, has 400 000
ANGSTROM: Final = (500.0, 60_000.0)  # wavelengths outside are most likely in another unit

Array = NDArray[np.float64]
Medium = Literal["air", "vacuum"]


@dataclass(frozen=True)
class Observed:
    """One spectrum before anything is done to it.

    Attributes:
        name: file, with the row where it holds several.
        wave: (W,) sample centres [A], strictly increasing, in `medium`.
        flux: (W,) flux per unit wavelength, any unit.
        error: (W,) its 1-sigma error, or None where the file has none.
        good: (W,) samples that may be used.
        medium: of the wavelengths, or None where the file does not say.
        redshift: z of the star in the frame of the wavelengths, or None where the file does not say.
        resolution: resolving power, or None where the file does not say.
        layout: what the file was recognised as.
        own: whether the samples are the 4096 pixels of the training sets, seen by the same instrument, at rest.
        labels: those of the star that the file itself knows.
        remarks: what the reader wants to be known.
    """

    name: str
    wave: Array
    flux: Array
    error: Array | None
    good: NDArray[np.bool_]
    medium: Medium | None
    redshift: float | None
    resolution: float | None
    layout: str
    own: bool = False
    labels: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def checked(
    name: str,
    wave: ArrayLike,
    flux: ArrayLike,
    error: ArrayLike | None = None,
    bad: NDArray[np.bool_] | None = None,
    **others: Any,
) -> Observed:
    """An `Observed` whose arrays fit and increase; samples without a finite flux or a positive error are not good.

    Args:
        bad: (W,) samples that the file itself flags.
        others: further attributes.

    Raises:
        DataError: shapes that do not fit, too few or too many samples, wavelengths that do not increase or are not
            those of light in Angstrom, or no good sample.
    """
    columns = {"wavelength": wave, "flux": flux, **({} if error is None else {"error": error})}
    arrays = {what: _numbers(name, what, values) for what, values in columns.items()}
    waves, fluxes, errors = arrays["wavelength"], arrays["flux"], arrays.get("error")
    for what, values in arrays.items():
        if values.shape != waves.shape:
            raise DataError(f"{name}: {what} has {values.size} samples, the wavelengths have {waves.size}")
    if bad is not None and bad.shape != waves.shape:
        raise DataError(f"{name}: the mask has {bad.size} samples, the wavelengths have {waves.size}")
    _check_wave(name, waves)
    good = np.isfinite(fluxes) if bad is None else np.isfinite(fluxes) & ~bad
    if errors is not None:
        good &= np.isfinite(errors) & (errors > 0)
    if not good.any():
        raise DataError(f"{name}: no sample has a finite flux, a positive error and no flag")
    return Observed(name, waves, fluxes, errors, good, **others)


def _numbers(name: str, what: str, values: ArrayLike) -> Array:
    try:
        found = np.asarray(values).astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name}: {what} must hold numbers, not {np.asarray(values).dtype}") from None
    if found.ndim != 1:
        raise DataError(f"{name}: {what} must be one row of numbers, its shape is {found.shape}")
    if not 2 <= found.size <= MOST_SAMPLES:
        raise DataError(f"{name}: {found.size} samples; a spectrum has 2 to {MOST_SAMPLES}")
    return found


def _check_wave(name: str, wave: Array) -> None:
    bad = np.flatnonzero(~np.isfinite(wave))
    if bad.size:
        raise DataError(f"{name}: wavelength of sample {bad[0]} is {wave[bad[0]]}: it must be a number")
    bad = np.flatnonzero(~(np.diff(wave) > 0))
    if bad.size:
        at = int(bad[0])
        raise DataError(
            f"{name}: wavelengths must increase strictly; sample {at + 1} has {wave[at + 1]:g} after {wave[at]:g}"
        )
    if not (ANGSTROM[0] <= wave[0] and wave[-1] <= ANGSTROM[1]):
        raise DataError(
            f"{name}: wavelengths run from {wave[0]:g} to {wave[-1]:g}; Angstrom are expected, convert them first"
        )
