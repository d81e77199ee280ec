"""Where a model is at home: what a set of its own kind of spectra says of strangers and of the errors to expect."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import DataError
from repro.labels import LABELS
from repro.models.protocol import Predictor
from repro.models.protocol import predict as shown
from repro.observed.prepare import Prepared, Wishes, prepare
from repro.observed.sets import read_hdf5
from repro.spectra.store import open_set

PUBLISHED_SNR: Final = (2.37, 18.81)  # of the published test stars, median of flux over error
DIRECTIONS: Final = 24  # what spectra of the five labels have beyond them is 0.3 % rms of the flux, far below noise
SNR_PARTS: Final = 8  # equal shares of the stars
_SPECTRA: Final = 2000  # of a set that are looked at
_STRANGE: Final = 99.5  # percentile of the set's own spectra beyond which one is a stranger

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Stars whose labels are known, with what a model makes of them.

    Attributes:
        estimate: log g [dex], (n,).
        snr: (n,).
        labels: (n, 5) in the order of LABELS, NaN where a label is not known.
    """

    estimate: Array
    snr: Array
    labels: Array

    @property
    def truth(self) -> Array:
        """log g [dex], (n,)."""
        truth: Array = self.labels[:, LABELS.index("log_g")]
        return truth

    @property
    def residual(self) -> Array:
        """Estimate less truth [dex], (n,)."""
        return self.estimate - self.truth


@dataclass(frozen=True)
class Home:
    """What a reference set says.

    Attributes:
        stars: of the set, with the model's estimates from its noisy spectra.
        snr: range of it.
        middle: (4096,) mean noise-free spectrum. directions: (K, 4096) those in which the others differ from it.
        limit: misfit per degree of freedom beyond which a spectrum is a stranger.
    """

    stars: Scored
    snr: tuple[float, float]
    middle: Array
    directions: Array
    limit: float

    def misfit(self, star: Prepared) -> float:
        """chi2 per degree of freedom of a spectrum against the mean and the directions; NaN without errors."""
        return _misfit(star, self.middle, self.directions)

    def expected(self, snr: float) -> float:
        """Root mean squared error [dex] of the stars of the set with a like SNR; NaN where none is known."""
        return float(expected_rmse(self.stars, np.array([snr]))[0])


def home(model: Predictor, path: str | Path, noise: float = 1.0) -> Home:
    """Look at a set of the kit that the model was not trained on; at its first 2000 spectra.

    Args:
        noise: level at which the model was trained and is tested.

    Raises:
        DataError: the file is no set of the kit, or holds fewer than 64 spectra.
    """
    path = Path(path)
    with open_set(path) as spectra:
        flux, _ = spectra.read(slice(0, _SPECTRA))
    if len(flux) < 64:
        raise DataError(f"{path}: {len(flux)} spectra; at least 64 are needed to say what is usual")
    stars = [
        (prepare(one, Wishes()), [one.labels[name] for name in LABELS])
        for one in read_hdf5(path, slice(0, _SPECTRA), noise)
    ]
    middle = flux.mean(axis=0, dtype=np.float64)
    inner = slice(0, None, 2)  # the other half says what misfits are usual
    directions = np.linalg.svd(flux[inner] - middle, full_matrices=False)[2][:DIRECTIONS]
    misfits = [_misfit(star, middle, directions) for star, _ in stars[1::2]]
    noisy = np.stack([star.flux for star, _ in stars])
    error = np.stack([star.error for star, _ in stars if star.error is not None])
    scored = Scored(shown(model, noisy, error), np.array([s.snr for s, _ in stars]), np.array([y for _, y in stars]))
    limits = (float(scored.snr.min()), float(scored.snr.max()))
    return Home(scored, limits, middle, directions, float(np.percentile(misfits, _STRANGE)))


def expected_rmse(stars: Scored, snr: Array) -> Array:
    """Root mean squared error [dex] at values of SNR (m,), from that in eight equal parts of the stars by SNR.

    Linear between the medians of the parts, constant beyond; NaN where the SNR is.
    """
    order = np.array_split(np.argsort(stars.snr, kind="stable"), min(SNR_PARTS, len(stars.snr)))
    middle = np.array([np.median(stars.snr[part]) for part in order])
    error = np.array([np.sqrt(np.mean(stars.residual[part] ** 2)) for part in order])
    return np.where(np.isnan(snr), np.nan, np.interp(snr, middle, error))


def _misfit(star: Prepared, middle: Array, directions: Array) -> float:
    if star.error is None:
        return float("nan")
    weight = 1.0 / star.error[star.kept].astype(np.float64)
    # the level of the spectrum, set by its own noisy median, is fitted too
    basis = np.vstack([middle, directions])[:, star.kept] * weight
    wanted = star.flux[star.kept] * weight
    fit = np.linalg.solve(basis @ basis.T, basis @ wanted)
    rest = wanted - fit @ basis
    return float(rest @ rest) / (len(wanted) - len(basis))
