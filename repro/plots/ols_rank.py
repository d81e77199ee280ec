"""What a cut of the rank at the accuracy of float32 does to least squares, beside ridge regression."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import SCALE, Point, bars, common_legend, fit_r2, heading, level_axis, points, published
from repro.plots.style import BLUE, ORANGE, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.choice import candidates
from repro.scores.published_matrix import OLS, RIDGE_BEST, WHERE

_CUTS: Final = {
    "0": (Look(BLUE, "o", "-"), "least squares, all singular values"),
    "float32": (Look(ORANGE, "s", "--"), "least squares, those below max(n, P) eps(float32) of the largest dropped"),
}
_RIDGE: Final = Look("black", "D", ":")


def drawable(scores: ArmScores) -> bool:
    """Whether there are cut ranks to show."""
    return bool(scores.table.rows(experiment="ols_cut").size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """Left: R2 against the noise level at the largest size. Right: how many singular values are used."""
    found = points(scores, experiment="ols_cut")
    n = max(point.cell.n_train for point in found)
    found = [point for point in found if point.cell.n_train == n]
    levels = sorted({point.cell.train_noise for point in found})
    with style():
        figure = Figure(figsize=(10.4, 5.0), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.5, 1.0))
        places = {axes: level_axis(axes, levels) for axes in (left, right)}[left]
        for shift, (cut, (look, label)) in zip((-0.06, 0.06), _CUTS.items(), strict=True):
            own = sorted((p for p in found if p.part("cut") == cut), key=lambda point: point.cell.train_noise)
            x = np.array([places[point.cell.train_noise] for point in own])
            bars(left, x + shift, own, look, label)
            right.plot(
                x, [point.facts.get("rank", np.nan) for point in own], look.marker, ls=look.line, color=look.colour
            )
        _others(left, scores, levels, n)
        _ranks(right, found)
        left.set(xlabel="noise level", ylabel=SCALE)
        fit_r2(left)
        common_legend(figure, [left], 2)
        title = f"Rank of least squares, {count(n)} training spectra, {count(len(scores.table.truth))} test stars"
        heading(figure, title)
        return save(figure, path)


def _others(axes: Axes, scores: ArmScores, levels: list[float], n: int) -> None:
    """Ridge regression on the same spectra, and published numbers."""
    tuned = candidates(scores)
    for place, level in enumerate(levels):
        if ("ridge", level, n) in tuned:
            r2 = scores.measured(tuned["ridge", level, n])
            label = "ridge regression, penalty by validation" if place == 0 else None
            axes.plot(place + 0.18, r2.value, _RIDGE.marker, color=_RIDGE.colour, ms=5, label=label)
    ridge = {level: r2 for level, (_, r2) in RIDGE_BEST.items()}
    for known, marker, name in ((OLS, "o", "least squares"), (ridge, "D", "ridge regression")):
        marks = [(place + 0.3, known[level]) for place, level in enumerate(levels) if level in known]
        published(axes, marks, f"{name}, 32 000 spectra ({WHERE})", marker)


def _ranks(axes: Axes, found: list[Point]) -> None:
    for point in found:
        rank = point.facts.get("rank")
        if rank is not None:
            x = sorted({p.cell.train_noise for p in found}).index(point.cell.train_noise)
            axes.annotate(f"{rank:.0f}", (x, rank), (-8, 5), textcoords="offset points", fontsize=7.5, ha="right")
    axes.set(xlabel="noise level", ylabel="singular values that are used")
    axes.margins(y=0.15)
    axes.set_ylim(bottom=0)
