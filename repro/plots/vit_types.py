"""Mean absolute error of log g of giants, subgiants and dwarfs, by every model; beside it the published ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from repro.experiments.attention_table import CLASSES
from repro.plots.looks import look_of
from repro.plots.matrix import common_legend, half_width, heading
from repro.plots.style import count, save, style
from repro.scores.contenders import Contenders
from repro.scores.interval import Measured
from repro.scores.names import display
from repro.scores.parts import parts_of, stellar_types

_APART: Final = 0.085  # between models of a type, of the distance between types
# stellar_type_metrics.json of the web page: of the types in the order of `CLASSES` [dex], 10 000 test stars
_PUBLISHED: Final = {"vit": (0.430, 0.417, 0.466), "lightgbm": (0.665, 0.378, 0.589)}


def draw(known: Contenders, path: str | Path) -> Path:
    """Types side by side, models beside each other within a type, those of fewer than 20 stars left out."""
    scores = known.scores
    parts = dict(parts_of(scores, stellar_types(scores.table.truth)))
    models: Sequence[str] = list(known.headline)
    with style():
        figure = Figure(figsize=(8.2, 5.6), layout="constrained")
        axes = figure.subplots()
        for number, (model, rows) in enumerate(known.headline.items()):
            look, shift = look_of(model, models), _APART * (number - 0.5 * (len(models) - 1))
            found = [(place, part.measured("mae", rows)) for place, part in enumerate(parts.values())]
            shown = [(place + shift, one) for place, one in found if isinstance(one, Measured)]
            value = np.array([one.value for _, one in shown])
            half = np.array([half_width(one) for _, one in shown])
            ends = (np.minimum(half, value), half)
            axes.errorbar(
                [x for x, _ in shown], value, ends, marker=look.marker, ls="none", color=look.colour, ms=5,
                capsize=2, label=display(model),
            )  # fmt: skip
        for model, errors in _PUBLISHED.items():
            look, shift = look_of(model, models), _APART * (0.5 * len(models) + 0.7)
            label = f"{display(model)}, published: trained on 1 000 000 spectra"
            x = np.arange(len(errors)) + shift
            axes.plot(x, errors, look.marker, mfc="none", color=look.colour, ms=6, ls="none", label=label)
        names = [
            f"{name.partition('/')[2]}\n{_range(*CLASSES[name.partition('/')[2]])}, {count(part.count)} stars"
            for name, part in parts.items()
        ]
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.55, len(names) - 0.35)
        axes.set_ylim(bottom=0.0)
        axes.grid(axis="x", visible=False)
        axes.set(xlabel="by true log g", ylabel="mean absolute error of log g [dex]")
        common_legend(figure, (axes,), 3)
        heading(
            figure,
            f"Error by stellar type, {count(len(scores.table.truth))} test stars at noise 1, every model at its "
            f"largest training set ({display(known.name)}: {count(known.main.n_train)})",
            "bars: 90 % interval of stars and runs; a model that is drawn to the mean of the labels errs least on "
            "subgiants",
        )
        return save(figure, path)


def _range(low: float, high: float) -> str:
    if np.isinf(low):
        return f"log g < {high:g}"
    return f"log g ≥ {low:g}" if np.isinf(high) else f"{low:g} ≤ log g < {high:g}"
