"""How the size of a star's noise follows its labels and its observing conditions.

At fixed conditions the photon noise of a spectrum mu with zero point z is affine in it,

    sigma^2 = a A mu + a^2 B,    a = 10^(0.4 (magnitude - z)),

with A and B per pixel, so that slopes with respect to labels and magnitude follow in closed form from those of mu and
of z. The slopes with respect to the other conditions are differences over a small step.
"""

from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.instrument.noise import Conditions, NoiseModel
from repro.spectra.sampling import CONDITIONS as LAWS
from repro.spectra.sampling import Table

Array = NDArray[np.float64]

# field of `Conditions` -> column of the label table
COLUMNS: Final = {
    "mag": "mag",
    "zenith_angle": "target_zenith_angle",
    "field_angle": "target_field_angle",
    "seeing": "seeing",
}

_ALPHA: Final = 0.4 * np.log(10.0)  # d ln a / d magnitude
_STEP: Final = 1e-5  # of a condition's range; the model is smooth over it but for the corners of its tables


def conditions_of(table: Table) -> Conditions:
    """Observing conditions of the records of a label table."""
    return Conditions(**{name: torch.from_numpy(table[column].copy()) for name, column in COLUMNS.items()})


def variances(noise_model: NoiseModel, flux: Array, zero_point: Array, conditions: Conditions) -> Array:
    """sigma^2 (n, P) of spectra (n, P) with zero points (n,)."""
    with torch.no_grad():
        sigma = noise_model(torch.from_numpy(flux), torch.from_numpy(zero_point), conditions)
    result: Array = sigma.cpu().numpy() ** 2
    return result


def unknown_conditions(noise_model: NoiseModel) -> tuple[str, ...]:
    """The conditions that the noise depends on; the seeing is without effect in mode `paper`."""
    names = tuple(entry.name for entry in fields(Conditions))
    return names if noise_model.mode == "physical" else tuple(name for name in names if name != "seeing")


def log_sigma_slopes(
    noise_model: NoiseModel,
    flux: Array,
    zero_point: Array,
    jacobian: Array,
    zero_point_slopes: Array,
    conditions: Conditions,
) -> tuple[Array, Array]:
    """Variances (n, P), and d ln sigma (n, k + c, P) with respect to k labels and the c `unknown_conditions`.

    flux (n, P), zero_point (n,): of the spectra. jacobian (n, k, P), zero_point_slopes (n, k): their derivatives with
    respect to the labels. conditions: one number for each spectrum.
    """
    labels = jacobian.shape[1]
    names = unknown_conditions(noise_model)
    variance = variances(noise_model, flux, zero_point, conditions)
    background = variances(noise_model, np.zeros_like(flux), zero_point, conditions)
    light_share = 1.0 - background / variance
    by_faintness = 0.5 * (2.0 - light_share)  # d ln sigma / d ln a
    result = np.empty((len(flux), labels + len(names), flux.shape[1]))
    # a pixel without light (a saturated line that a spline overshot) answers to none
    result[:, :labels] = jacobian * np.divide(0.5 * light_share, flux, where=flux > 0, out=np.zeros_like(flux))[:, None]
    result[:, :labels] -= _ALPHA * zero_point_slopes[:, :, None] * by_faintness[:, None]
    result[:, labels] = _ALPHA * by_faintness
    for place, name in enumerate(names[1:], start=labels + 1):
        value: Any = getattr(conditions, name)
        step = small_step(name, value.numpy())
        moved = variances(noise_model, flux, zero_point, replace(conditions, **{name: value + torch.from_numpy(step)}))
        result[:, place] = 0.5 * np.log(moved / variance) / step[:, None]
    return variance, result


def small_step(name: str, value: Array) -> Array:
    """Step (n,) over which `log_sigma_slopes` differentiates with respect to a condition, away from its limits."""
    low, high = LAWS[COLUMNS[name]]
    return np.where(value < 0.5 * (low + high), 1.0, -1.0) * (_STEP * (high - low))
