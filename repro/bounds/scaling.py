"""Node spectra on the scale in which sets are stored, their derivatives and their errors on it.

Every stored spectrum has a median of 0.5, so a derivative with respect to a label contains that of the median.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import N_PIXELS
from repro.spectra.nodes import NodeGrid

MEDIAN: Final = 0.5

# Pixels about the median, by rank, whose mean slope stands for that of the median (see `unit_median_jacobian`).
_RANKS: Final = 205


def unit_median(grid: NodeGrid) -> NodeGrid:
    """The same stars with every flux divided to a median of 0.5, and the zero points that go with it."""
    scale = MEDIAN / np.median(grid.flux, axis=1).astype(np.float64)
    flux = grid.flux.astype(np.float32, copy=False) * scale[:, None].astype(np.float32)
    return replace(grid, flux=flux, zero_point=grid.zero_point - 2.5 * np.log10(scale))


def unit_median_jacobian(flux: NDArray[np.floating], jacobian: NDArray[np.floating]) -> NDArray[np.float64]:
    """Derivatives (B, k, P) of spectra scaled to a median of 0.5, from those of `flux` (B, P) on any scale.

    `jacobian` and `flux` share one scale, which may itself follow the labels: it drops out. The exact derivative of a
    sample median is that of the one or two pixels which happen to hold it, and jumps whenever others take their place.
    The slope of the median over any finite change of a label is the mean over the pixels near it; that mean over the
    5 % of the pixels nearest in rank is taken here.
    """
    near = _near_median(flux)
    slope = np.take_along_axis(jacobian, near[:, None, :], axis=2).mean(axis=2)
    median = np.median(flux, axis=1).astype(np.float64)
    relative = slope / median[:, None]
    return MEDIAN / median[:, None, None] * (jacobian - relative[:, :, None] * flux[:, None, :])


def unit_median_beside(flux: NDArray[np.floating], reference: NDArray[np.floating]) -> NDArray[np.float64]:
    """Spectra (S, P) of labels close to those of `reference` (P,), scaled as it is by a median of 0.5.

    The scale follows the mean of the pixels near the median of the reference: at first order that of
    `unit_median_jacobian`, and smooth in the labels where the sample median jumps.
    """
    near = _near_median(reference[None])[0]
    drift = flux[:, near].mean(axis=1, dtype=np.float64) - reference[near].mean(dtype=np.float64)
    return MEDIAN / (np.median(reference) + drift)[:, None] * flux


def _near_median(flux: NDArray[np.floating]) -> NDArray[np.intp]:
    """Pixels (B, 5 % of P) whose flux is nearest in rank to the median."""
    pixels = flux.shape[1]
    first = max((pixels - _RANKS) // 2, 0)
    return np.argsort(flux, axis=1, kind="stable")[:, first : pixels - first]


def node_errors(
    grid: NodeGrid,
    nodes: NDArray[np.intp] | slice,
    noise_model: NoiseModel,
    conditions: Conditions,
    noise_level: float = 1.0,
) -> NDArray[np.float64]:
    """1-sigma errors (B, P) of some nodes observed under `conditions`, in the units of the grid's flux."""
    flux = torch.from_numpy(np.asarray(grid.flux[nodes], dtype=np.float64))
    with torch.no_grad():
        sigma = noise_model(flux, torch.from_numpy(grid.zero_point[nodes]), conditions)
    errors: NDArray[np.float64] = noise_level * sigma.cpu().numpy()
    return errors


@dataclass(frozen=True)
class NoiseTerms:
    """The noise model at fixed angles and seeing: variances are affine in the flux.

    With alpha = 10^(0.4 (mag - zero point)), the dimming from a spectrum as given to the star observed,

        variance = alpha (light * flux + alpha * background),

    photons of the star itself and all that does not depend on it; so two calls of the model give every magnitude.

    light: (P,) [flux unit]; background: (P,) [flux unit^2].
    """

    light: NDArray[np.float64]
    background: NDArray[np.float64]

    @classmethod
    def of(cls, noise_model: NoiseModel, conditions: Conditions) -> "NoiseTerms":
        """The terms under `conditions` (one number each); their magnitude is without effect."""
        flux = torch.stack([torch.zeros(N_PIXELS, dtype=torch.float64), torch.ones(N_PIXELS, dtype=torch.float64)])
        with torch.no_grad():
            sigma = noise_model(flux, torch.zeros(2, dtype=torch.float64), replace(conditions, mag=0.0))
        dark, lit = sigma.cpu().numpy() ** 2
        return cls(lit - dark, dark)  # a surface flux of 1 outshines the background by many orders

    def variances(
        self, flux: NDArray[np.floating], zero_point: NDArray[np.float64], magnitudes: Sequence[float]
    ) -> NDArray[np.float64]:
        """Variances (B, M, P) of spectra (B, P), none negative, with zero points (B,), at each of M magnitudes."""
        alpha = 10.0 ** (0.4 * (np.asarray(magnitudes) - zero_point[:, None]))[:, :, None]
        result: NDArray[np.float64] = alpha * self.background
        result += (self.light * flux)[:, None, :]
        result *= alpha
        return result
