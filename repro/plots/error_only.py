"""How much of log g the error array alone tells, and what is left of it when its tie to the flux is cut."""

from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import SCALE, Point, common_legend, fit_r2, heading, log_x, points, published, series
from repro.plots.style import AMBER, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.published_matrix import ERROR_ONLY, ERROR_ONLY_LIGHTGBM, ERROR_ONLY_OLS, WHERE

_INPUTS: Final = {
    "error": (Look(BLUE, "o", "-"), "error array"),
    "standardised": (Look(SKY, "D", "--"), "error array, standardised"),
    "smoothed": (Look(GREEN, "^", "-"), "error estimated from smoothed noisy flux"),
    "statistics": (Look(AMBER, "v", "-"), "ten summary statistics of it"),
    "shuffled": (Look(GREY, "X", ":"), "its pixels shuffled in each star"),
    "permuted": (Look(PURPLE, "P", ":"), "that of another star"),
}
_LEVELS: Final = (  # models without a penalty: model, cut, look, label
    ("ols", ("0", ""), Look(ORANGE, "", "--"), "error array, least squares"),
    ("ols", ("float32",), Look(ORANGE, "", ":"), "the same with the rank cut of float32"),
    ("lightgbm", ("", "0"), Look("black", "", "-."), "error array, LightGBM"),
)


def drawable(scores: ArmScores) -> bool:
    """Whether there are regressions on the error array to show."""
    return bool(scores.table.rows(experiment="error_only").size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """One panel a training size: R2 of ridge regression on the error array and on its controls against the penalty."""
    found = points(scores, experiment="error_only")
    sizes = sorted({point.cell.n_train for point in found})
    with style():
        figure = Figure(figsize=(max(4.4 * len(sizes), 7.5), 6.0), layout="constrained")
        panels = figure.subplots(1, len(sizes), squeeze=False, sharey=True, sharex=True)[0]
        for axes, n in zip(panels, sizes, strict=True):
            _panel(axes, [point for point in found if point.cell.n_train == n])
            axes.set_title(f"{count(n)} training spectra")
            axes.set_xlabel("penalty α of ridge regression, units of its input")
        fit_r2(*panels)
        log_x(panels[0])
        panels[0].set_ylabel(SCALE)
        common_legend(figure, panels, 3)
        title = f"log g from the error array alone, without flux, {count(len(scores.table.truth))} test stars"
        heading(figure, title)
        return save(figure, path)


def _panel(axes: Axes, own: list[Point]) -> None:
    for name, (look, label) in _INPUTS.items():
        path = [point for point in own if (point.cell.model, point.part("input")) == ("ridge", name)]
        series(axes, path, "alpha", look, label)
    for model, cuts, look, label in _LEVELS:
        for point in own:
            if (point.cell.model, point.part("input")) == (model, "error") and point.part("cut") in cuts:
                axes.axhline(point.value, color=look.colour, ls=look.line, lw=1.2, label=label)
    for (size, curve), marker in zip(ERROR_ONLY.items(), ("o", "s"), strict=True):
        published(axes, curve, f"{size} spectra ({WHERE})", marker)
    for value, line, name in ((ERROR_ONLY_LIGHTGBM, "-.", "LightGBM"), (ERROR_ONLY_OLS, "--", "least squares")):
        axes.axhline(value, color="0.7", lw=0.8, ls=line, label=f"{name} ({WHERE})", zorder=1.2)
