"""R2 of models on a few chosen pixels, retrained there, by what chooses them; beside it the published comparison."""

from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import SCALE, Point, common_legend, fit_r2, heading, log_x, points, published, reference, series
from repro.plots.style import AMBER, BLUE, GREEN, GREY, ORANGE, PURPLE, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.choice import candidates
from repro.scores.comparisons import Tuned
from repro.scores.names import display
from repro.scores.published_matrix import TOPK, TOPK_CLEAN, TOPK_LIGHTGBM, WHERE

_SELECTORS: Final = {
    "0": (Look(BLUE, "o", "-"), "coefficients of ridge without noise"),
    "1": (Look(ORANGE, "s", "-"), "coefficients of ridge at noise 1"),
    "ridge": (Look(AMBER, "D", "-"), "coefficients of ridge"),
    "gain": (Look(GREEN, "v", "-"), "gain of trees"),
    "random": (Look(GREY, "X", ":"), "random pixels"),
}
_CLEAN: Final = Look(PURPLE, "P", "-.")


def drawable(scores: ArmScores) -> bool:
    """Whether there are chosen pixels to show."""
    return bool(scores.table.rows(experiment="topk").size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """One row a model, one column a noise level of training and test."""
    found = [point for point in points(scores, experiment="topk") if point.matched]
    tuned = candidates(scores)
    models = list(dict.fromkeys(point.cell.model for point in found))
    levels = sorted({point.cell.train_noise for point in found})
    with style():
        figure = Figure(figsize=(max(5.2 * len(levels), 7.5), 1.6 + 3.5 * len(models)), layout="constrained")
        panels = figure.subplots(len(models), len(levels), squeeze=False)
        for row, model in zip(panels, models, strict=True):
            for axes, level in zip(row, levels, strict=True):
                _panel(axes, scores, found, tuned, model, level)
                axes.set(xlabel="pixels k", ylabel=SCALE if axes is row[0] else "R²")
        title = f"Models on k pixels, retrained there, {count(len(scores.table.truth))} test stars"
        heading(figure, title)
        common_legend(figure, panels.flat, 2)
        return save(figure, path)


def _panel(axes: Axes, scores: ArmScores, found: list[Point], tuned: Tuned, model: str, level: float) -> None:
    own = [point for point in found if (point.cell.model, point.cell.train_noise) == (model, level)]
    if not own:
        axes.set_visible(False)
        return
    n = max(point.cell.n_train for point in own)
    for (selector, (look, label)), apart in zip(_SELECTORS.items(), (0.97, 1.0, 0.985, 1.015, 1.03), strict=True):
        chosen = [point for point in own if (point.part("selector"), point.cell.n_train) == (selector, n)]
        series(axes, chosen, "k", look, label, apart=apart)
    if (model, level, n) in tuned:
        reference(axes, scores.measured(tuned[model, level, n]), "all pixels, settings by validation")
    if model == "ridge":
        _published_ridge(axes, scores, level, n)
    elif level == 1.0:
        for selector, curve in TOPK_LIGHTGBM.items():
            marker = _SELECTORS[selector][0].marker
            published(axes, curve, f"32 000 spectra ({WHERE}; form: selector)", marker)
    axes.set_title(f"{display(model)}, noise {level:g}, {count(n)} spectra", fontsize=9)
    log_x(axes)
    fit_r2(axes)


def _published_ridge(axes: Axes, scores: ArmScores, level: float, n: int) -> None:
    for (selector, noise), curve in TOPK.items():
        if noise == level:
            marker = _SELECTORS[selector][0].marker
            published(axes, curve, f"32 000 spectra ({WHERE}; form: selector)", marker)
    if level != 1.0:
        return
    every = points(scores, experiment="topk_clean", n_train=n)
    clean = [point for point in every if point.cell.test_noise == level]
    if clean:
        series(axes, clean, "k", _CLEAN, "α = 100, trained without noise, tested at noise 1")
        published(axes, TOPK_CLEAN, f"the same, 32 000 spectra ({WHERE})", _CLEAN.marker)
