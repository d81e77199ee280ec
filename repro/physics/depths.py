"""Model atmospheres at some of their depths."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from torch import Tensor

from repro.physics.atmosphere import Atmosphere

DEEPEST: Final = 1.2  # log tau below which no light escapes: E4(16) = 6e-9


def visible(atmosphere: Atmosphere, step: int = 1) -> Atmosphere:
    """The depths with log tau up to DEEPEST, or every second of them (`step` 2), the last one included."""
    count = int((atmosphere.log_tau < DEEPEST + 0.01).sum())
    return _taken(atmosphere, slice((count - 1) % step, count, step), len(atmosphere.log_tau))


def _taken(value: Any, part: slice, depths: int) -> Any:
    """`value` with all tensors, at any level, cut where their first or second axis counts depths."""
    if isinstance(value, Tensor):
        if value.dim() == 1:
            return value[part] if len(value) == depths else value
        return value[:, part] if value.shape[1] == depths else value
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{field.name: _taken(getattr(value, field.name), part, depths) for field in fields(value)}
        )
    return value
