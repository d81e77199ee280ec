"""R2 against the number of components of PCA and PLS, with the penalty tuned and as it was fixed."""

from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look
from repro.plots.matrix import SCALE, Point, common_legend, fit_r2, heading, log_x, points, published, reference, series
from repro.plots.style import AMBER, BLUE, PURPLE, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.choice import candidates
from repro.scores.comparisons import Tuned
from repro.scores.published_matrix import PCA, PLS, WHERE

# experiment -> how it is drawn, what it is
_SERIES: Final = {
    "pca": (Look(BLUE, "D", "-"), "PCA, ridge penalty by validation"),
    "pca_fixed": (Look(AMBER, "s", "--"), "PCA of standardised flux, α = 1e5 (as published)"),
    "pls": (Look(PURPLE, "^", "-"), "PLS"),
}


def drawable(scores: ArmScores) -> bool:
    """Whether there are components to show."""
    return any(scores.table.rows(experiment=name).size for name in _SERIES)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """One panel a noise level, at its largest size; the share of the variance of the flux stands beside the points."""
    found = {name: points(scores, experiment=name) for name in _SERIES}
    tuned = candidates(scores)
    places: dict[float, int] = {}
    for point in (point for own in found.values() for point in own):
        places[point.cell.train_noise] = max(point.cell.n_train, places.get(point.cell.train_noise, 0))
    with style():
        figure = Figure(figsize=(max(5.4 * len(places), 7.0), 5.4), layout="constrained")
        panels = figure.subplots(1, len(places), squeeze=False)[0]
        for axes, (level, n) in zip(panels, sorted(places.items()), strict=True):
            _panel(axes, scores, found, tuned, level, n)
        common_legend(figure, panels, 2)
        title = f"Components instead of pixels, {count(len(scores.table.truth))} test stars"
        heading(figure, f"{title}; percent: of the variance of the training flux")
        return save(figure, path)


def _panel(axes: Axes, scores: ArmScores, found: dict[str, list[Point]], tuned: Tuned, level: float, n: int) -> None:
    for (name, (look, label)), apart in zip(_SERIES.items(), (1.0, 1.03, 0.97), strict=True):
        own = [point for point in found[name] if point.place == (level, n)]
        series(axes, own, "k", look, label, apart=apart)
        if name == "pca":
            _shares(axes, own)
    if ("ridge", level, n) in tuned:
        reference(axes, scores.measured(tuned["ridge", level, n]), "Ridge on all pixels, penalty by validation")
    for curves, marker, name in ((PCA, "D", "PCA"), (PLS, "^", "PLS")):
        if level in curves:
            size = "32 000 spectra" if level == 0 else "1 000 000 spectra"
            published(axes, curves[level], f"{name}, {size} ({WHERE})", marker)
    log_x(axes)
    axes.set(xlabel="components k", ylabel=SCALE, title=f"noise {level:g}, {count(n)} training spectra")
    fit_r2(axes)


def _shares(axes: Axes, own: list[Point]) -> None:
    for point in own:
        share = point.facts.get("variance")
        if share is not None:
            text = f"{100 * share:.3g} %"
            axes.annotate(text, (point.number("k"), point.value), (5, -11), textcoords="offset points", fontsize=7)
