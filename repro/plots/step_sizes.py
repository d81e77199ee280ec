"""Error of central differences against their step: truncation, rounding, and where the lattice step stands."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.bounds.steps_table import StepStudy
from repro.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, save, style
from repro.scores.ceilings import AGREEMENT

_COLOURS = (ORANGE, BLUE, GREEN, PURPLE, GREY)
_MARKERS = "os^Dv"
_UNITS = {"T_eff": "K"}


def draw(study: StepStudy, path: str | Path) -> Path:
    """Error of the derivatives of each label, and of the bound, medians over the nodes of `study` and each node."""
    with style():
        figure = Figure(figsize=(9.2, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        fractions = study.fractions
        for column, label in enumerate(study.free):
            name = f"{label} (lattice step {study.steps[column]:g} {_UNITS.get(label, 'dex')})"
            _curve(left, fractions, study.difference[:, column], column, name)
        top = np.median(study.difference, axis=0)[:, 0].max() if study.nodes.size else 1.0
        guide = fractions[fractions >= 1.0 / 16.0]
        left.plot(guide, 1.6 * top * guide**2, "--", color="black", lw=1.0, label="∝ step²: truncation alone")
        left.set(
            xlabel="step / lattice step",
            ylabel="relative error of the derivative\n(norm over pixels weighted with 1 / error²)",
            title="Central differences against exact derivatives",
        )
        change = np.abs(study.crlb_ratio - 1.0)
        _curve(right, fractions, change, len(study.free), "central difference")
        if study.nodes.size:
            extrapolated = np.median(np.abs(study.crlb_ratio_richardson - 1.0))
            right.plot([1.0], [extrapolated], "*", ms=11, color=ORANGE, label="extrapolated from the two widest steps")
        right.axhline(AGREEMENT, color=GREY, lw=0.9, ls=":")
        right.annotate("1 %", (fractions.min(), AGREEMENT), xytext=(0, 3), textcoords="offset points", color=GREY)
        right.set(
            xlabel="step / lattice step",
            ylabel=f"relative change of the bound on {study.target}",
            title=f"What the step does to the bound ({len(study.nodes)} interior nodes)",
        )
        for axes in (left, right):
            axes.set(xscale="log", yscale="log")
            axes.set_xticks(fractions, [_fraction(value) for value in fractions])
            axes.set_xticks([], minor=True)
            if study.nodes.size:
                axes.legend(loc="best")
            else:
                axes.set_ylim(1e-5, 1.0)
                axes.text(0.5, 0.5, "no node was studied", transform=axes.transAxes, ha="center")
        figure.supxlabel("thick: median over the nodes; thin: each node", fontsize=7.5)
        return save(figure, path)


def _curve(axes: Axes, fractions: NDArray[Any], values: NDArray[Any], number: int, name: str) -> None:
    """Values (n, S) of n nodes and their median."""
    colour = _COLOURS[number % len(_COLOURS)]
    for row in values:
        axes.plot(fractions, row, color=colour, lw=0.6, alpha=0.45)
    if len(values):
        marker = _MARKERS[number % len(_MARKERS)]
        axes.plot(fractions, np.median(values, axis=0), f"{marker}-", color=colour, lw=1.8, ms=5, label=name)


def _fraction(value: float) -> str:
    return "1" if value == 1.0 else f"1/{1.0 / value:.0f}"
