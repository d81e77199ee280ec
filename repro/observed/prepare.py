"""From a spectrum as its file gives it to what a model was trained on: 4096 pixels, in vacuum, at rest, median 0.5.

The training sets are at rest, so that sky lines make the same pixels noisy in all of them, and models learn not to look
there. A star that moves carries that noise to pixels which they do look at. Pixels whose error is far above the median
are therefore calmed: they get the mean of their neighbourhood, weighted by inverse variances. On 1000 test stars within
200 km/s this brings R2 of Ridge from 0.06 back to 0.39 (0.36 at rest), while that of a network at rest stays within
0.005 (`benchmarks.strangers`). Spectra of the sets themselves are shown as they are.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.instrument.pixels import FIRST_EDGE, LAST_EDGE, N_PIXELS, STEP
from repro.models.protocol import Missing
from repro.observed.resample import onto_pixels, resolution_of_pixels, sample_edges
from repro.observed.spectrum import Array, Medium, Observed
from repro.spectra.generate import MEDIAN
from repro.view import air

LEAST_RESOLUTION: Final = 4500.0  # a tenth below the nominal 5000 of the medium-resolution arm
MOST_MISSING: Final[dict[Missing, float]] = {"refuse": 0.02, "mask": 0.5}  # share of the pixels
WIDEST_HOLE: Final = 40  # pixels, 17 A, of a model that refuses: a wider one hides a line and all that is near it
CALM: Final = 2.0  # times the median error, above which a pixel is calmed
SPEED_OF_LIGHT: Final = 299_792.458  # [km/s]

_H_BAND: Final = (15_000.0, 17_100.0)
_SMOOTH: Final = 33  # pixels, over which noise is averaged out where a signal-to-noise ratio is taken
_NEAR: Final = 9  # pixels of a neighbourhood: three widths of the line-spread function


@dataclass(frozen=True)
class Wishes:
    """What the user knows better than the file.

    Attributes:
        medium: of the wavelengths.
        redshift: of all stars.
        resolution: resolving power of all spectra.
        any_resolution: whether spectra of lower resolution than the training sets' are let through.
        calm: pixels with errors above this many times the median are calmed; infinite for none.
    """

    medium: Medium | None = None
    redshift: float | None = None
    resolution: float | None = None
    any_resolution: bool = False
    calm: float = CALM

    def __post_init__(self) -> None:
        if self.redshift is not None and not abs(self.redshift) < 0.01:
            raise ParameterError(f"redshift {self.redshift:g}: a star's lies within 0.01 (3000 km/s)")
        if self.resolution is not None and not 100.0 <= self.resolution <= 1e6:
            raise ParameterError(f"resolution {self.resolution:g}: a resolving power lies in 100 to 1000000")
        if not self.calm > 1.0:
            raise ParameterError(
                f"calm {self.calm:g}: it multiplies the median error and must be above 1, inf for none"
            )


@dataclass(frozen=True)
class Prepared:
    """A spectrum as a model sees it.

    Attributes:
        flux: (4096,) float32, median 0.5.
        error: (4096,) its 1-sigma error; None where the file has none.
        seen: (4096,) pixels that were observed. kept: (4096,) those of them that were not calmed.
        snr: median over the observed pixels of flux/error, the flux averaged over 33 pixels, which stands in for the
            noise-free flux of the kit's definition (`scores.bins`); NaN without errors.
        warnings: what the user ought to know.
    """

    flux: NDArray[np.float32]
    error: NDArray[np.float32] | None
    seen: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    snr: float
    warnings: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """Share of the pixels that were observed."""
        return float(self.seen.mean())

    @property
    def calmed(self) -> float:
        """Share of the pixels that were calmed."""
        return float((self.seen & ~self.kept).mean())


def prepare(spectrum: Observed, wishes: Wishes, missing: Missing = "refuse", mean: Array | None = None) -> Prepared:
    """Bring one spectrum to the pixels of the training sets.

    Args:
        missing: what the model declares of spectra that lack pixels.
        mean: (4096,) its mean training spectrum, by which it fills them if it masks.

    Raises:
        DataError: the spectrum lies elsewhere, has too low a resolution, lacks too many pixels, or has no flux; the
            message names the rule and what to do.
    """
    wave, warnings = _at_rest(spectrum, wishes)
    _check_range(spectrum.name, wave)
    resolution, told = _resolution(spectrum, wishes, wave)
    warnings += told
    as_it_is = spectrum.own and wishes == Wishes()
    if as_it_is:
        flux, error, seen = spectrum.flux, spectrum.error, spectrum.good
    else:
        pixels = onto_pixels(wave, spectrum.flux, spectrum.error, spectrum.good, resolution)
        flux, error, seen = pixels.flux, pixels.error, np.isfinite(pixels.flux)
    lacking = N_PIXELS - int(seen.sum())
    share = lacking / N_PIXELS
    if share > MOST_MISSING[missing] or (missing == "refuse" and _widest(~seen) > WIDEST_HOLE):
        raise DataError(_too_little(spectrum.name, wave, seen, missing))
    filling = mean if missing == "mask" else None
    scaled, factor = _normalised(spectrum.name, flux, seen, filling)
    sigma = None if error is None else np.where(seen, error * factor, np.inf)
    if lacking:
        how = "taken from their neighbours" if filling is None else "set to the mean training spectrum"
        warnings += (f"{lacking} pixels ({100 * share:.1f} %) without data, {how}",)
    if sigma is None:
        warnings += ("no errors in the file: neither SNR nor noise redraws",)
    kept = seen.copy()
    if sigma is not None and not as_it_is:
        kept &= sigma <= wishes.calm * np.median(sigma[seen])
    shown, shown_error = _calmed(scaled, sigma, seen, kept, filling)
    snr = _snr(scaled, sigma, seen)
    return Prepared(shown, shown_error, seen, kept, snr, spectrum.remarks + warnings)


def redshift_of(velocity: float) -> float:
    """z of a radial velocity [km/s] as catalogues give it, c z."""
    return velocity / SPEED_OF_LIGHT


def _at_rest(spectrum: Observed, wishes: Wishes) -> tuple[Array, tuple[str, ...]]:
    """Vacuum wavelengths at rest, (W,)."""
    warnings: tuple[str, ...] = ()
    medium = wishes.medium or spectrum.medium
    if medium is None:
        medium, warnings = "vacuum", ("air or vacuum not stated: taken to be vacuum (--frame)",)
    elif spectrum.medium not in (None, medium):
        warnings = (f"wavelengths taken to be in {medium}, the file says {spectrum.medium}",)
    redshift = spectrum.redshift if wishes.redshift is None else wishes.redshift
    if redshift is None:
        redshift, warnings = 0.0, (*warnings, "no velocity known: taken to be at rest (--velocity)")
    wave = air.to_vacuum(spectrum.wave) if medium == "air" else spectrum.wave
    return wave / (1.0 + redshift), warnings


def _check_range(name: str, wave: Array) -> None:
    edges = sample_edges(wave)
    if edges[-1] > FIRST_EDGE and edges[0] < LAST_EDGE:
        return
    apogee = _H_BAND[0] <= 0.5 * (wave[0] + wave[-1]) <= _H_BAND[1]
    reason = " This is the H band, where APOGEE observes: no model of this kit was shown any of it." if apogee else ""
    raise DataError(
        f"{name}: covers {wave[0]:.0f} to {wave[-1]:.0f} A; the models know {FIRST_EDGE:.0f} to {LAST_EDGE:.0f} A "
        f"(vacuum) alone.{reason}"
    )


def _resolution(spectrum: Observed, wishes: Wishes, wave: Array) -> tuple[float | None, tuple[str, ...]]:
    """Resolving power, as far as it is known, and what to say of it."""
    resolution = wishes.resolution or spectrum.resolution
    inside = wave[(wave > FIRST_EDGE - 20.0) & (wave < LAST_EDGE + 20.0)]
    step = float(np.median(np.diff(inside))) if inside.size > 1 else float(np.diff(wave).min())
    finest = 0.5 * (FIRST_EDGE + LAST_EDGE) / (2.0 * step)  # two samples a width
    known = min(resolution or np.inf, finest)
    if known < LEAST_RESOLUTION:
        sampled = f"samples of {step:.2f} A, allowing no more than R = {finest:.0f}"
        text = f"its resolving power is {known:.0f}" if known == resolution else sampled
        if not wishes.any_resolution:
            raise DataError(
                f"{spectrum.name}: {text}; the models were trained on R = {resolution_of_pixels():.0f} (nominally "
                f"5000) and never saw blurred lines, from which they would read a wrong gravity. At least "
                f"{LEAST_RESOLUTION:.0f} is needed (--allow-resolution lets it through, --resolution states it)"
            )
        return resolution, (f"{text}, below the {LEAST_RESOLUTION:.0f} that is needed: do not trust the estimate",)
    if resolution is None:
        return None, ("resolving power not stated: taken to be that of the training sets (--resolution)",)
    coarse = step > 1.5 * STEP
    return resolution, (f"samples of {step:.2f} A are coarser than the pixels ({STEP:.2f} A)",) if coarse else ()


def _too_little(name: str, wave: Array, seen: NDArray[np.bool_], missing: Missing) -> str:
    lacking = int((~seen).sum())
    rule = f"lack more than {100 * MOST_MISSING[missing]:.0f} %"
    if missing == "refuse":
        rule += f", or {WIDEST_HOLE} in a row. A model that declares missing = mask would fill them"
    return (
        f"{name}: {lacking} of {N_PIXELS} pixels ({100 * lacking / N_PIXELS:.1f} %, up to {_widest(~seen)} in a row) "
        f"are flagged or not covered (file: {wave[0]:.0f} to {wave[-1]:.0f} A); this model refuses spectra that {rule}"
    )


def _widest(lacking: NDArray[np.bool_]) -> int:
    """Pixels of the widest hole."""
    steps = np.diff(np.concatenate([[0], lacking.astype(np.int8), [0]]))
    return int((np.flatnonzero(steps < 0) - np.flatnonzero(steps > 0)).max(initial=0))


def _normalised(name: str, flux: Array, seen: NDArray[np.bool_], mean: Array | None) -> tuple[Array, float]:
    """Flux of median 0.5 over the pixels seen, of that of the mean spectrum there if it is given, and the factor."""
    wanted = MEDIAN if mean is None else float(np.median(mean[seen]))
    median = float(np.median(flux[seen]))
    if not median > 0:
        raise DataError(f"{name}: the median flux is {median:g}; it must be positive to be normalised")
    return flux * (wanted / median), wanted / median


def _calmed(
    flux: Array, error: Array | None, seen: NDArray[np.bool_], kept: NDArray[np.bool_], filling: Array | None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Flux and error with a calm neighbourhood in place of pixels that are not kept, and in those not seen."""
    if kept.all():
        return flux.astype(np.float32), None if error is None else error.astype(np.float32)
    mean, deviation = _neighbourhood(flux, error, seen, _NEAR)
    known = np.isfinite(mean)
    pixels = np.arange(N_PIXELS)
    mean = np.interp(pixels, pixels[known], mean[known])  # across holes that are wider than a neighbourhood
    if filling is not None:
        mean = np.where(seen, mean, filling)
    shown = np.where(kept, flux, mean).astype(np.float32)
    if error is None:
        return shown, None
    deviation = np.interp(pixels, pixels[known], deviation[known])
    return shown, np.where(kept, error, deviation).astype(np.float32)


def _neighbourhood(flux: Array, error: Array | None, seen: NDArray[np.bool_], width: int) -> tuple[Array, Array]:
    """Mean of the `width` pixels around each, weighted by inverse variances, and its deviation; NaN without any."""
    weight = np.zeros(N_PIXELS)
    weight[seen] = 1.0 if error is None else error[seen] ** -2.0
    kernel = np.ones(width)
    total = np.convolve(weight, kernel, "same")
    some = np.convolve(seen, kernel, "same") > 0.5
    total = np.where(some, total, np.nan)
    return np.convolve(np.where(seen, weight * flux, 0.0), kernel, "same") / total, total**-0.5


def _snr(flux: Array, error: Array | None, seen: NDArray[np.bool_]) -> float:
    if error is None:
        return float("nan")
    mean, _ = _neighbourhood(flux, error, seen, _SMOOTH)
    return float(np.median(mean[seen] / error[seen]))
