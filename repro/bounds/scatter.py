"""Information on the labels in the size of the noise itself, for an observer who sees the noisy flux alone.

A pixel x ~ N(mu, sigma^2) carries 2 (d ln sigma/d theta_i) (d ln sigma/d theta_j) beside J_i J_j / sigma^2 (Kay 1993,
Fundamentals of Statistical Signal Processing I, section 3.9). At fixed angles and seeing the variance of a spectrum mu
on any scale is alpha (L mu + alpha B), alpha = 10^(0.4 (magnitude - zero point)) (`scaling.NoiseTerms`). With
q = L mu / 2 (L mu + alpha B), half the star's own share of it, all slopes of ln sigma follow in closed form:

    d ln sigma = q (d ln mu + d ln L) + (1/2 - q) d ln B + (1 - q) d ln alpha.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.nuisance_table import CONDITIONS
from repro.bounds.scaling import NoiseTerms
from repro.instrument.noise import Conditions, NoiseModel
from repro.spectra.sampling import CONDITIONS as LAWS

Array = NDArray[np.float64]

_PER_MAGNITUDE: Final = 0.4 * np.log(10.0)  # of ln alpha
_STEP: Final = 0.1  # of a condition's range, to either side
_COLUMNS: Final = {"zenith_angle": "target_zenith_angle", "field_angle": "target_field_angle", "seeing": "seeing"}

RANGES: Final = {name: LAWS[column] for name, column in _COLUMNS.items()}  # of the conditions but the magnitude


@dataclass(frozen=True)
class Scatter:
    """The noise model about one set of conditions.

    terms: L and B there; slopes: d ln L and d ln B (P,) with respect to each of `RANGES`.
    """

    terms: NoiseTerms
    slopes: Mapping[str, tuple[Array, Array]]

    @classmethod
    def of(cls, noise_model: NoiseModel, conditions: Conditions) -> "Scatter":
        """Slopes by central differences over a tenth of a condition's range to either side, less where it ends.

        conditions: one number each; their magnitude is without effect. The instrument's tables have knots in the
        middle of both ranges of angles, where the published Fisher grids lie: the difference is the mean slope there.
        """
        slopes = {}
        for name, (low, high) in RANGES.items():
            value, step = float(getattr(conditions, name)), _STEP * (high - low)
            ends = max(value - step, low), min(value + step, high)
            below, above = (NoiseTerms.of(noise_model, replace(conditions, **{name: end})) for end in ends)
            width = ends[1] - ends[0]
            slopes[name] = (
                np.log(above.light / below.light) / width,
                np.log(above.background / below.background) / width,
            )
        return cls(NoiseTerms.of(noise_model, conditions), slopes)

    def log_sigma_slopes(
        self, flux: Array, zero_point: Array, jacobian: Array, zero_point_slopes: Array, magnitude: float
    ) -> Array:
        """d ln sigma (B, k + 4, P) with respect to k labels and then `CONDITIONS`.

        flux (B, P) positive, zero_point (B,): of the spectra. jacobian (B, k, P), zero_point_slopes (B, k): their
        derivatives with respect to the labels. The noise level drops out.
        """
        labels = jacobian.shape[1]
        alpha = np.exp(_PER_MAGNITUDE * (magnitude - zero_point))[:, None]
        light = self.terms.light * flux
        share = 0.5 * light / (light + alpha * self.terms.background)
        rest = 1.0 - share
        result = np.empty((len(flux), labels + len(CONDITIONS), flux.shape[1]))
        np.multiply(jacobian, (share / flux)[:, None], out=result[:, :labels])
        result[:, :labels] -= _PER_MAGNITUDE * zero_point_slopes[:, :, None] * rest[:, None]
        for place, name in enumerate(CONDITIONS, start=labels):
            if name == "mag":
                np.multiply(_PER_MAGNITUDE, rest, out=result[:, place])
            else:
                of_light, of_background = self.slopes[name]
                np.multiply(share, of_light - of_background, out=result[:, place])
                result[:, place] += 0.5 * of_background
        return result


def scatter_information(log_sigma_slopes: Array) -> Array:
    """Information (B, k, k) in the size of the noise from d ln sigma (B, k, P)."""
    information: Array = 2.0 * (log_sigma_slopes @ log_sigma_slopes.swapaxes(1, 2))
    return information
