"""Whether models exploit that labels stand on nodes: phases of predictions, attraction, R2 on and off the nodes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.plots.looks import Look, look_of
from repro.plots.matrix import Interval, bars_across, half_width, heading, legend_below
from repro.plots.style import AMBER, BLUE, WINE, count, save, style
from repro.scores.bootstrap import Scored, Undefined
from repro.scores.contenders import Contenders
from repro.scores.interval import Measured, t_quantile
from repro.scores.names import display
from repro.scores.node_lattice import EXPERIMENT, STEP, lattice_items, on_node
from repro.scores.star_references import StarReferences

Array = NDArray[np.float64]
Values = Mapping[str, float | Scored | Undefined]

_DROP: Final = 0.55  # [inch], of legends below their panels
_BINS: Final = 10  # of the distance to the nearest node
_OPTIMUM: Final = "optimum"
_LABEL: Final = "exact Bayes optimum"


def draw(known: Contenders, references: StarReferences, path: str | Path) -> Path:
    """Left: where between nodes predictions of stars off the nodes fall. Middle: attraction. Right: R2 on and off."""
    values: dict[str, float | Scored | Undefined] = {
        address: value for address, value, _ in lattice_items(known, references.optimum)
    }
    names = _names(known, references)
    with style():
        height = 2.0 + 0.3 * len(names)  # [inch], of the panels, about
        figure = Figure(figsize=(12.6, 1.9 + height), layout="constrained")
        grid = figure.add_gridspec(1, 3, width_ratios=(5, 4, 4))
        left, middle = (figure.add_subplot(grid[0, column]) for column in (0, 1))
        right = figure.add_subplot(grid[0, 2], sharey=middle)
        _phases(left, known, references)
        legend_below(left, _DROP / height, 1)
        middle.set_yticks(range(len(names)), list(names.values()))
        middle.set_ylim(len(names) - 0.5, -0.5)
        right.tick_params(labelleft=False)
        _forest(middle, values, names, ("attraction_off", "attraction"), ("stars off the nodes", "all stars"))
        middle.axvline(0.0, color="black", lw=0.8)
        middle.set_xlabel("attraction: mean cos(2π log g / 0.5)")
        middle.set_ylabel("model")
        _forest(right, values, names, ("off_node/r2", "on_node/r2"), ("stars off the nodes", "stars on a node"))
        right.set_xlabel("R² of log g")
        for axes in (middle, right):
            legend_below(axes, _DROP / height)
        off = int((~on_node(known.scores.table.truth)).sum())
        heading(
            figure,
            f"Attraction to the nodes of gravity, every 0.5 dex: {count(len(known.scores.table.truth))} test stars, "
            f"{count(off)} of them off the nodes",
            "a distribution that is smooth over 0.5 dex has no attraction, whatever its shape; of stars off the nodes "
            "no skill leads to a node. Bars: 90 % interval of stars and runs",
        )
        return save(figure, path)


def _names(known: Contenders, references: StarReferences) -> dict[str, str]:
    """Address of each model's values -> its shown name."""
    found = {f"lattice/{model}": display(model) for model in known.headline}
    for cell in known.scores.cells(experiment=EXPERIMENT):
        law = cell.setting.partition("=")[2]
        found[cell.address] = f"{display(cell.model)}, labels of law {law}"
    if np.isfinite(references.optimum).any():
        found[f"lattice/{_OPTIMUM}"] = _LABEL
    return found


def _phases(axes: Axes, known: Contenders, references: StarReferences) -> None:
    """Share of predictions (all runs) by signed distance to the nearest node, of stars off the nodes."""
    scores = known.scores
    off = ~on_node(scores.table.truth)
    edges = np.linspace(-0.5 * STEP, 0.5 * STEP, _BINS + 1)
    models: Sequence[str] = list(known.headline)
    own: Array = scores.table.predictions[scores.rows(known.main)][:, off].astype(np.float64)
    shown = {f"{display(known.name)}, mean of its runs": (own, look_of(known.name, models))}
    optimum = references.optimum[off]
    if np.isfinite(optimum).any():
        shown[_LABEL] = (optimum[np.isfinite(optimum)][None], Look(WINE, "s", "--"))
    for name, (predictions, look) in shown.items():
        signed = np.clip(predictions - STEP * np.round(predictions / STEP), edges[0], edges[-1])
        share = np.mean([np.histogram(one, edges)[0] / len(one) for one in signed], axis=0)
        axes.stairs(100.0 * share, edges, color=look.colour, ls=look.line, lw=1.6, label=name)
    level = 1.0 / _BINS
    half = t_quantile(0.95, np.inf) * np.sqrt(level * (1.0 - level) / max(off.sum(), 1))
    axes.axhline(100.0 * level, color="black", lw=0.8, ls="--", label="no attraction, with the 90 % band of one run")
    axes.axhspan(100.0 * (level - half), 100.0 * (level + half), color="black", alpha=0.08, lw=0)
    axes.axvline(0.0, color="black", lw=0.6)
    axes.set_ylim(bottom=0.0)
    axes.set(xlabel="prediction − nearest node, log g [dex]", ylabel="predictions of stars off the nodes [%]")


def _forest(
    axes: Axes, values: Values, names: Mapping[str, str], wanted: tuple[str, str], labels: tuple[str, str]
) -> None:
    looks = (Look(BLUE, "o", "none"), Look(AMBER, "D", "none"))
    for shift, what, label, look in zip((-0.13, 0.13), wanted, labels, looks, strict=True):
        found = [(place + shift, values.get(f"{address}/{what}")) for place, address in enumerate(names)]
        known = [(y, _interval(value)) for y, value in found if isinstance(value, Scored)]
        bars_across(axes, [one for _, one in known], [y for y, _ in known], look, label)


def _interval(value: Scored) -> Interval:
    samples = np.array([value.value, *value.replicates])
    measured = Measured(value.runs or (value.value,), samples, seeded=bool(value.runs))
    return Interval(value.value, half_width(measured))
