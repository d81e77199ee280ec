"""Is a spectrum one? Sanity tests of every slice."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.sources.bosz.release import FormatError, Refused

CALCIUM: Final = (8500.36, 8544.44, 8664.52)  # [A, vacuum] Ca II triplet

_OVER_CONTINUUM: Final = 1.02
_WINDOW: Final = 3.0  # [A] around a line in which its core is looked for
_OFF: Final = 0.6  # [A] that the core may lie off, and half a sample
_COARSEST: Final = 2.5  # [A] between samples, beyond which the triplet is not resolved
_HOTTEST: Final = 7000.0  # [K]; the Paschen lines outdo the triplet in hotter stars


class SanityError(Refused):
    """A spectrum of the right format is not plausible."""


def check_spectrum(
    name: str,
    labels: tuple[float, ...],
    wave: NDArray[np.float64],
    flux: NDArray[np.float32],
    continuum: NDArray[np.float32],
) -> None:
    """Check the slice of file `name`, arrays (W,).

    Raises:
        FormatError: the lengths differ or a value is not finite and positive.
        SanityError: flux exceeds the continuum by over 2 %, or the Ca II triplet is not where it belongs in vacuum.
    """
    for column, values in (("flux", flux), ("continuum", continuum)):
        if values.shape != wave.shape:
            raise FormatError(f"{name}: {column} has {values.size} samples, the wavelengths {wave.size}")
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if bad.size:
            raise FormatError(
                f"{name}: {column} at {wave[bad[0]]:.3f} A is {values[bad[0]]:g}; it must be finite and positive "
                f"({bad.size} of {wave.size} samples are not)"
            )
    ratio = flux / continuum
    highest = int(ratio.argmax())
    if ratio[highest] > _OVER_CONTINUUM:
        raise SanityError(
            f"{name}: flux at {wave[highest]:.3f} A is {ratio[highest]:.3f} of the continuum; it must be at most "
            f"{_OVER_CONTINUUM:g}"
        )
    _check_calcium(name, labels, wave, ratio)


def _check_calcium(name: str, labels: tuple[float, ...], wave: NDArray[np.float64], ratio: NDArray[np.float32]) -> None:
    """The deepest point near each line of the triplet must be its core."""
    temperature, gravity, metals = labels[:3]
    sample = float(np.diff(wave[np.searchsorted(wave, CALCIUM[0]) - 1 :][:2])[0])
    if gravity > 4.5 or metals < -2 or temperature > _HOTTEST or sample > _COARSEST:
        return
    shifts = []
    for line in CALCIUM:
        near = np.flatnonzero(np.abs(wave - line) <= _WINDOW)
        shifts.append(float(wave[near[ratio[near].argmin()]]) - line)
    if max(map(abs, shifts)) <= _OFF + sample / 2:
        return
    shift = float(np.median(shifts))
    hint = ""
    if abs(abs(shift) - 2.34) <= _OFF + sample / 2:
        hint = ": air wavelengths read as vacuum" if shift < 0 else ": vacuum wavelengths taken for air"
    found = ", ".join(f"{line + shift:.2f} ({shift:+.2f})" for line, shift in zip(CALCIUM, shifts, strict=True))
    raise SanityError(
        f"{name}: the Ca II triplet must lie within {_OFF:g} A of {', '.join(map(str, CALCIUM))} A (vacuum), "
        f"the deepest points are at {found}{hint}"
    )
