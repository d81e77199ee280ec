"""R2 of convolutional networks against the width of their kernels: learning rate, steps, and pooling as the control."""

from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import SCALE, Point, common_legend, fit_r2, heading, points, published, reference, series
from repro.plots.style import GREEN, MANY, PURPLE, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.choice import candidates
from repro.scores.comparisons import Tuned
from repro.scores.names import display
from repro.scores.published_matrix import CNN, CNN_LEVEL, WHERE

_POOLS: Final = {"average": ("o", "-"), "flatten": ("s", "--")}
_MARKS: Final = ("o", "s")  # of the published learning rates


def drawable(scores: ArmScores) -> bool:
    """Whether there are convolutional networks to show."""
    return bool(scores.table.rows(experiment="cnn").size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """One row a noise level and size, one column a number of steps; beside it what ridge and trees reach there."""
    found, tuned = points(scores, experiment="cnn"), candidates(scores)
    places = sorted({(point.cell.train_noise, point.cell.n_train) for point in found})
    steps = sorted({point.number("steps") for point in found})
    with style():
        size = (max(4.6 * len(steps), 8.6), 1.7 + 3.2 * len(places))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(places), len(steps), squeeze=False, sharex=True)
        for row, (level, n) in zip(panels, places, strict=True):
            for axes, number in zip(row, steps, strict=True):
                own = [p for p in found if (*p.place, p.number("steps")) == (level, n, number)]
                _panel(axes, scores, own, tuned, level, n)
                axes.set_title(f"noise {level:g}, {count(n)} spectra, {number:g} steps", fontsize=9)
            fit_r2(*row)
            for axes in row:
                axes.set_ylabel(SCALE if axes is row[0] else "R²")
        for axes in panels[-1]:
            kernels = sorted({point.number("kernel") for point in found} | {x for x, _ in CNN[0.001]})
            axes.set_xscale("log")
            axes.set_xticks(kernels, [f"{kernel:g}" for kernel in kernels])
            axes.set_xticks([], minor=True)
            axes.set_xlabel("kernel [pixels]")
        title = f"Convolutional networks, {count(len(scores.table.truth))} test stars; dots: single runs"
        heading(figure, title)
        common_legend(figure, panels.flat, 2 + (len(steps) > 1))
        return save(figure, path)


def _panel(axes: Axes, scores: ArmScores, own: list[Point], tuned: Tuned, level: float, n: int) -> None:
    rates = sorted({point.number("rate") for point in own})
    shift = 0
    for rate, colour in zip(rates, MANY, strict=False):
        for pool, (marker, line) in _POOLS.items():
            look = Look(colour, marker, line)
            chosen = [point for point in own if (point.number("rate"), point.part("pool")) == (rate, pool)]
            name = "average pooling" if pool == "average" else "wavelengths kept"
            series(axes, chosen, "kernel", look, f"rate {rate:g}, {name}", apart=1.012**shift, runs=True)
            shift += 1
    for model, colour in (("ridge", "black"), ("lightgbm", GREEN), ("mlp", PURPLE)):
        if (model, level, n) in tuned:
            r2 = scores.measured(tuned[model, level, n])
            reference(axes, r2, f"{display(model)} on the same spectra", colour)
    if level == CNN_LEVEL:
        for (rate, curve), marker in zip(CNN.items(), _MARKS, strict=True):
            published(
                axes,
                curve,
                f"rate {rate:g}, 400 steps ({WHERE})",
                marker=marker,
            )
