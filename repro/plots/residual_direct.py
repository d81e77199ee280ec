"""Whether networks gain from learning the residuals of ridge regression: paired differences of R2 per run."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import Interval, bars_across, half_width, heading, number
from repro.plots.style import BLUE, ORANGE, count, save, style
from repro.scores import settings
from repro.scores.arms import ArmScores, Cell
from repro.scores.published_matrix import RESIDUAL_GAIN, WHERE

_RIDGES: Final = {
    "out_of_fold": (Look(BLUE, "o", "-"), "residuals of spectra that ridge did not learn from"),
    "in_sample": (Look(ORANGE, "s", "-"), "residuals of its own training spectra (as published)"),
}


def drawable(scores: ArmScores) -> bool:
    """Whether there are residual networks, each with a direct one beside it."""
    return bool(_pairs(scores))


def draw(scores: ArmScores, path: str | Path) -> Path:
    """One row a noise level and size: R2 of ridge + MLP less that of the MLP alone, same recipe, noise and weights."""
    pairs = _pairs(scores)
    places = list(dict.fromkeys(_place(cell) for cell, _ in pairs))
    rows = len(places) + len(RESIDUAL_GAIN)
    with style():
        figure = Figure(figsize=(9.4, 1.9 + 0.55 * rows), layout="constrained")
        axes = figure.subplots()
        names = [_series(axes, scores, pairs, place, row) for row, place in enumerate(places)]
        for row, (name, gain) in enumerate(RESIDUAL_GAIN.items(), start=len(places)):
            axes.plot(gain, row, "D", mfc="none", color="0.55", ms=6, label=WHERE if row == len(places) else None)
            names.append(f"noise 1, {name}\n({WHERE})")
        axes.axvline(0.0, color="black", lw=0.8)
        axes.axhline(len(places) - 0.5, color="0.6", lw=0.8)
        axes.set_yticks(range(rows), names, fontsize=8)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.xaxis.set_major_formatter(lambda value, _: number(round(value, 6)))
        axes.set_xlabel("R² of ridge + MLP minus R² of the MLP alone")
        axes.set_ylabel("noise level and training spectra")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        title = f"Residual against direct learning, paired over {count(len(scores.table.truth))} test stars and runs"
        heading(figure, title, "large: mean with its 90 % interval of stars and runs together, small: single runs")
        return save(figure, path)


def _pairs(scores: ArmScores) -> list[tuple[Cell, Cell]]:
    """Residual networks with the direct one of the same level and size."""
    found = []
    for cell in scores.cells(experiment="networks", model="residual_mlp"):
        direct = cell._replace(model="mlp", setting="")
        if scores.has(direct):
            found.append((cell, direct))
    return sorted(found, key=lambda pair: (pair[0].train_noise, pair[0].n_train))


def _series(axes: Axes, scores: ArmScores, pairs: list[tuple[Cell, Cell]], place: tuple[float, int], row: int) -> str:
    """Draw the differences of one row, and return its name."""
    level, n = place
    here = {settings.part(cell.setting, "ridge"): (cell, direct) for cell, direct in pairs if _place(cell) == place}
    for shift, (ridge, (look, label)) in zip((-0.15, 0.15), _RIDGES.items(), strict=True):
        if ridge in here:
            gain = scores.difference(*here[ridge])
            shown = None if label in axes.get_legend_handles_labels()[1] else label
            bars_across(axes, [Interval(gain.value, half_width(gain))], [row + shift], look, shown)
            axes.plot(gain.runs, np.full(len(gain.runs), row + shift), ".", ms=4, color=look.colour, alpha=0.6)
    _, direct = next(iter(here.values()))
    return f"noise {level:g}, {count(n)} spectra\n(MLP alone: {scores.measured(direct).value:.3f})"


def _place(cell: Cell) -> tuple[float, int]:
    return (cell.train_noise, cell.n_train)
