"""R2 of the transformer under other noise than it was trained with, each training level a line."""

from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from repro.plots.looks import shades
from repro.plots.matrix import SCALE, bars, common_legend, fit_r2, heading, level_axis, points, seeds_of
from repro.plots.style import count, save, style
from repro.scores.arms import ArmScores
from repro.scores.names import display

_EXPERIMENT: Final = "cross_noise"


def drawable(scores: ArmScores) -> bool:
    """Whether there are networks tested at other levels."""
    return bool(scores.table.rows(experiment=_EXPERIMENT).size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """Test levels side by side; larger marks: tested at the level of the training."""
    found = points(scores, experiment=_EXPERIMENT)
    largest = max(point.cell.n_train for point in found)
    found = [point for point in found if point.cell.n_train == largest]
    looks = shades(point.cell.train_noise for point in found)
    with style():
        figure = Figure(figsize=(7.4, 5.2), layout="constrained")
        axes = figure.subplots()
        places = level_axis(axes, sorted({point.cell.test_noise for point in found}))
        for number, (level, look) in enumerate(looks.items()):
            own = sorted((p for p in found if p.cell.train_noise == level), key=lambda p: p.cell.test_noise)
            shift = 0.06 * (number - 0.5 * (len(looks) - 1))
            x = [places[point.cell.test_noise] + shift for point in own]
            bars(axes, x, own, look, f"trained at noise {level:g}")
            for place, point in zip(x, own, strict=True):
                seeds_of(axes, place, point, look)
                if point.matched:
                    axes.plot(place, point.value, look.marker, color=look.colour, ms=10, mec="black", mew=0.8)
        axes.set(xlabel="noise level of the test spectra", ylabel=SCALE)
        fit_r2(axes)
        common_legend(figure, (axes,), 3)
        heading(
            figure,
            f"{display(found[0].cell.model)} on {count(largest)} training spectra, tested under other noise: "
            f"{count(len(scores.table.truth))} test stars",
            "large: tested at the level of the training; bars: 90 % interval of stars and runs; dots: single runs",
        )
        return save(figure, path)
