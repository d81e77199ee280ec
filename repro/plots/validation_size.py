"""R2 on the test stars against the number of validation stars that stop the training."""

from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import bars, fit_r2, heading, legend_below, log_x, points, published, seeds_of
from repro.plots.style import BLUE, ORANGE, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.names import display
from repro.scores.published_matrix import VALIDATION_SIZE, WHERE

_TEST: Final = Look(BLUE, "o", "-")


def drawable(scores: ArmScores) -> bool:
    """Whether there are validation sets of several sizes to show."""
    return bool(scores.table.rows(experiment="validation_size").size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """Test R2 with its interval and single runs; beside it the R2 on the validation stars themselves."""
    found = sorted(points(scores, experiment="validation_size"), key=lambda point: point.number("validation"))
    first = found[0].cell
    x = [point.number("validation") for point in found]
    with style():
        figure = Figure(figsize=(6.6, 5.4), layout="constrained")
        axes = figure.subplots()
        bars(axes, x, found, _TEST, "on the test stars (dots: single runs)")
        for place, point in zip(x, found, strict=True):
            seeds_of(axes, place, point, _TEST)
        heights = [point.validation for point in found]
        axes.plot(x, heights, marker="s", mfc="none", ls="--", color=ORANGE, ms=5, label="on the validation stars")
        published(axes, VALIDATION_SIZE, f"on the test stars, 32 000 spectra ({WHERE})")
        log_x(axes)
        axes.set(xlabel="validation stars", ylabel="R² of log g")
        axes.set_title(f"{display(first.model)}, noise {first.train_noise:g}, {count(first.n_train)} training spectra")
        fit_r2(axes)
        legend_below(axes, 0.13, ncols=1)
        heading(figure, f"Size of the validation set, {count(len(scores.table.truth))} test stars")
        return save(figure, path)
