"""Observing conditions that stages of Track C share."""

from repro.instrument.noise import Conditions
from repro.params import Params


def fisher_conditions(params: Params, magnitude: float) -> Conditions:
    """The observing conditions of the published Fisher grid of one magnitude."""
    fixed = params.trackC_ceiling
    return Conditions(
        mag=magnitude, zenith_angle=fixed.zenith_angle, field_angle=fixed.field_angle, seeing=fixed.seeing
    )
