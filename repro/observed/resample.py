"""From a spectrum's own samples to the 4096 pixels: flux kept, errors propagated, resolution lowered where it must be.

Every pixel is a weighted mean of samples, sum_j w_j f_j / sum_j w_j over the good ones; samples are independent, so
that its variance is sum_j w_j^2 s_j^2 / (sum_j w_j)^2. Neighbouring pixels that share a sample are correlated, which
no error array tells.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from repro.errors import DataError
from repro.instrument import calibration
from repro.instrument.pixels import FIRST_EDGE, LAST_EDGE, N_PIXELS, STEP, pixel_centres, pixel_edges

PER_SIGMA: Final = float(np.sqrt(8.0 * np.log(2.0)))  # full width at half maximum of a Gaussian
LEAST_SHARE: Final = 0.5  # of a pixel that good samples must cover
_REACH: Final = 5.0  # standard deviations
_FINE: Final = 0.6  # of a sample: Gaussians that are narrower cannot be applied to it

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pixels:
    """A spectrum on the 4096 pixels.

    Attributes:
        flux: (4096,) NaN where good samples cover less than half a pixel.
        error: (4096,) likewise, or None.
        covered: (4096,) share of each pixel that good samples cover.
    """

    flux: Array
    error: Array | None
    covered: Array


def instrument_width() -> Array:
    """Full width at half maximum of the training sets' line-spread function at the pixels, (4096,) [A]."""
    offset = calibration.array("lsf_offset_px")
    widths = [_half_maximum(offset, kernel) * STEP for kernel in calibration.array("lsf_kernel")]
    return np.interp(pixel_centres(), calibration.array("lsf_wave"), widths)


def resolution_of_pixels() -> float:
    """Resolving power of the training sets in the middle of the arm."""
    return float((pixel_centres() / instrument_width())[N_PIXELS // 2])


def onto_pixels(
    wave: Array, flux: Array, error: Array | None, good: NDArray[np.bool_], resolution: float | None = None
) -> Pixels:
    """Mean flux per unit wavelength in every pixel.

    Args:
        wave: (W,) sample centres [A, vacuum, at rest]; a sample reaches halfway to its neighbours.
        flux, error: (W,).
        good: (W,) samples that count.
        resolution: resolving power of the spectrum; where it is higher than the instrument's the difference is made
            up by a Gaussian. None: taken to be the instrument's.

    Raises:
        DataError: the spectrum does not reach into the pixels.
    """
    edges = sample_edges(wave)
    near = (edges[1:] > FIRST_EDGE - 20.0) & (edges[:-1] < LAST_EDGE + 20.0)
    inside = (edges[1:] > FIRST_EDGE) & (edges[:-1] < LAST_EDGE)
    if not inside.any():
        raise DataError(f"no sample between {FIRST_EDGE:g} and {LAST_EDGE:g} A")
    first, last = np.flatnonzero(near)[[0, -1]]
    rows = slice(first, last + 1)
    edges = edges[first : last + 2]
    sigma = None if resolution is None else _missing_width(wave[rows], np.diff(edges), resolution)
    sample, pixel, weight = _overlaps(edges) if sigma is None else _spread(wave[rows], np.diff(edges), sigma)
    weight = np.where(good[rows][sample], weight, 0.0)
    covered: Array = np.bincount(pixel, weight, N_PIXELS).astype(np.float64)
    enough = covered > LEAST_SHARE
    total = np.where(enough, covered, np.nan)
    known = np.where(good[rows], flux[rows], 0.0)
    mean = np.bincount(pixel, weight * known[sample], N_PIXELS) / total
    if error is None:
        return Pixels(mean, None, covered)
    variance = np.where(good[rows], error[rows], 0.0) ** 2
    return Pixels(mean, np.sqrt(np.bincount(pixel, weight**2 * variance[sample], N_PIXELS)) / total, covered)


def sample_edges(wave: Array) -> Array:
    """Edges (W + 1,) halfway between sample centres (W,)."""
    middles = 0.5 * (wave[1:] + wave[:-1])
    return np.concatenate([[2.0 * wave[0] - middles[0]], middles, [2.0 * wave[-1] - middles[-1]]])


def _half_maximum(offset: Array, kernel: Array) -> float:
    top = int(np.argmax(kernel))
    half = 0.5 * kernel[top]
    low = np.interp(half, kernel[: top + 1], offset[: top + 1])
    high = np.interp(-half, -kernel[top:], offset[top:])
    return float(high - low)


def _missing_width(wave: Array, width: Array, resolution: float) -> Array | None:
    """Standard deviation (W,) [A] that a spectrum lacks of the instrument's, None where the samples are too coarse.

    The pixel is part of the instrument's line-spread function and is applied by averaging over it.
    """
    wanted = np.interp(wave, pixel_centres(), instrument_width()) / PER_SIGMA
    square = wanted**2 - (wave / resolution / PER_SIGMA) ** 2 - STEP**2 / 12.0
    sigma = np.sqrt(np.maximum(square, 0.0))
    return sigma if bool((sigma > _FINE * width).all()) else None


def _overlaps(edges: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Samples and pixels that overlap, and the share of the pixel that each overlap makes up."""
    pixels = pixel_edges()
    low, high = max(edges[0], pixels[0]), min(edges[-1], pixels[-1])
    cuts = np.unique(np.concatenate([edges, pixels]))
    cuts = cuts[(cuts >= low) & (cuts <= high)]
    middle = 0.5 * (cuts[1:] + cuts[:-1])
    sample = np.searchsorted(edges, middle) - 1
    pixel = np.searchsorted(pixels, middle) - 1
    return sample, pixel, np.diff(cuts) / STEP


def _spread(wave: Array, width: Array, sigma: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """The same where each sample is spread by a Gaussian of its `sigma` (W,) before pixels take their share."""
    centre = np.floor((wave - FIRST_EDGE) / STEP).astype(np.intp)
    reach = int(np.ceil(_REACH * float(sigma.max()) / STEP))
    pixel = centre[:, None] + np.arange(-reach, reach + 1)
    low = (FIRST_EDGE + STEP * pixel - wave[:, None]) / sigma[:, None]
    share = (ndtr(low + STEP / sigma[:, None]) - ndtr(low)) * width[:, None] / STEP
    sample = np.broadcast_to(np.arange(wave.size)[:, None], pixel.shape)
    inside = (pixel >= 0) & (pixel < N_PIXELS)
    return sample[inside], pixel[inside], share[inside]
