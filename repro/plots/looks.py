"""How models and ordered values look, in every figure alike: colour, marker and line."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from repro.plots.style import AMBER, BLUE, GREEN, GREY, MARKERS, ORANGE, PURPLE, SKY


class Look(NamedTuple):
    """How a model or setting is drawn."""

    colour: str
    marker: str
    line: Any  # as matplotlib takes it


_MODELS: Final = {
    "ridge": Look(BLUE, "o", "-"),
    "ols": Look(BLUE, "s", ":"),
    "pca_ridge": Look(SKY, "D", "--"),
    "pls": Look(SKY, "^", ":"),
    "lightgbm": Look(GREEN, "v", "-"),
    "mlp": Look(ORANGE, "P", "-"),
    "residual_mlp": Look(AMBER, "X", "--"),
    "cnn": Look(PURPLE, "*", "-"),
    "template": Look(GREY, "h", "-."),
    "template_error": Look("black", "d", "-."),
    "vit": Look("black", "D", "-"),
    "vit_small": Look("black", "D", "-"),
    "vit_fast": Look(AMBER, "p", "--"),
    "swin": Look(SKY, "<", "--"),
}
_OTHERS: Final = (PURPLE, GREEN, ORANGE, BLUE)


def look_of(model: str, models: Sequence[str]) -> Look:
    """The same for a model in every figure; others than the kit's own in the order that they have among `models`."""
    if model in _MODELS:
        return _MODELS[model]
    place = [name for name in models if name not in _MODELS].index(model)
    return Look(_OTHERS[place % len(_OTHERS)], "<>pd"[place % 4], (0, (5, 1, 1, 1)))


def shades(values: Iterable[float]) -> dict[float, Look]:
    """Colours from dark to light for ordered values such as noise levels, and a marker for each."""
    ordered = sorted(set(values))
    places = np.linspace(0.0, 0.85, len(ordered)) if len(ordered) > 1 else [0.3]
    colours = [to_hex(colormaps["viridis"](place)) for place in places]
    return {value: Look(colours[i], MARKERS[i % len(MARKERS)], "-") for i, value in enumerate(ordered)}
