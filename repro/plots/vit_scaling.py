"""R2 against the number of training spectra: transformer and baselines on one test set, their fits, and the ceiling."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import look_of
from repro.plots.matrix import SCALE, Interval, bars, common_legend, fit_r2, half_width, heading, log_x, published
from repro.plots.style import WINE, count, save, style
from repro.scores.bootstrap import Undefined
from repro.scores.contenders import Contenders
from repro.scores.efficiency import Efficiency
from repro.scores.growth import Curve, PowerLaw, curves
from repro.scores.interval import Measured
from repro.scores.names import display
from repro.scores.published_matrix import LEVEL_1, SCALING
from repro.scores.published_vit import LIGHTGBM, VALIDATED, VIT

_OPTIMUM: Final = "mmse"
_BAND: Final = (5.0, 95.0)  # percentiles of the fits to the resamples


def draw(known: Contenders, result: Efficiency, path: str | Path) -> Path:
    """Left: all sizes of every model with fits and ceiling. Right: the same beside what was published.

    Args:
        known: the models by size.
        result: the ceiling `mmse` of the same stars, if it has it.
        path: of the PNG.
    """
    found = curves(known)
    with style():
        figure = Figure(figsize=(11.2, 5.9), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axes in (left, right):
            for place, curve in enumerate(found.values()):
                _curve(axes, curve, list(found), 1.012 ** (place - 0.5 * len(found)), fitted=axes is left)
            _ceiling(axes, result)
        _without_training(left, known)
        _published(right)
        for axes in (left, right):
            log_x(axes)
            axes.xaxis.set_major_formatter(lambda value, _: count(round(value)))
            axes.set_xlabel("training spectra")
        left.set(title="this kit: one test set, one noise draw", ylabel=SCALE)
        right.set(title="beside the published points: other spectra and test sets", ylabel="R²")
        right.tick_params(labelleft=True)
        fit_r2(left, right)
        common_legend(figure, (left, right), 3)
        heading(
            figure,
            f"More training spectra, {count(len(known.scores.table.truth))} test stars at noise 1",
            "bars: 90 % interval of stars and runs, which all models share; dots: single runs; "
            "dashed: asymptote − amplitude · N^−exponent with the 90 % band of the resamples (four sizes at least)",
        )
        return save(figure, path)


def _curve(axes: Axes, curve: Curve, models: list[str], apart: float, *, fitted: bool) -> None:
    look = look_of(curve.model, models)
    sizes = np.array(curve.sizes, dtype=np.float64)
    cells = [Measured(tuple(r2[:, 0]), r2.mean(axis=0), curve.seeded) for r2 in curve.r2]
    shown = [Interval(cell.value, half_width(cell)) for cell in cells]
    bars(axes, sizes * apart, shown, look, display(curve.model), lw=1.8 if curve.model == models[0] else 1.1)
    for size, cell in zip(sizes * apart, cells, strict=True):
        axes.plot(np.full(len(cell.runs), size), cell.runs, ".", ms=2.5, color=look.colour, alpha=0.6)
    law = curve.fit
    if fitted and not isinstance(law, Undefined):
        _law(axes, law, sizes, look.colour)


def _law(axes: Axes, law: PowerLaw, sizes: np.ndarray, colour: str) -> None:
    """A fit and its band, a little beyond the sizes; none of those that still rise like a logarithm."""
    fine = np.geomspace(0.8 * sizes[0], 1.5 * sizes[-1], 60)
    values = law.at(fine)
    if np.isnan(values[0]).any():
        return
    axes.plot(fine, values[0], "--", color=colour, lw=0.9)
    sure = values[1:][~np.isnan(values[1:]).any(axis=1)]
    if len(sure) > 1:
        axes.fill_between(fine, *np.percentile(sure, _BAND, axis=0), color=colour, alpha=0.1, lw=0)


def _ceiling(axes: Axes, result: Efficiency) -> None:
    if _OPTIMUM in result.ceilings:
        values = result.ceiling_r2[result.ceilings.index(_OPTIMUM), 0]
        label = f"ceiling: exact Bayes optimum of the flux ({values[0]:.3f})"
        axes.axhline(values[0], color=WINE, lw=1.8, label=label)
        axes.axhspan(*np.percentile(values[1:], _BAND), color=WINE, alpha=0.12, lw=0)


def _without_training(axes: Axes, known: Contenders) -> None:
    """Models that learn from no spectra, as level lines."""
    models = list(known.by_size)
    for model, sizes in known.by_size.items():
        if 0 in sizes:
            look, found = look_of(model, models), known.scores.measured(sizes[0])
            label = f"{display(model)} (no training)"
            axes.axhline(found.value, color=look.colour, ls=look.line, lw=1.1, label=label)


def _published(axes: Axes) -> None:
    published(axes, list(VIT.items()), "ViT, published, 10 000 test stars", "D")
    published(axes, list(VALIDATED.items()), "ViT, published, validation R² of the same checkpoints", "d")
    for model, ten_thousand in (("lightgbm", LIGHTGBM), ("ridge", dict(LEVEL_1["ridge"])[1_000_000])):
        marker = look_of(model, []).marker
        published(axes, SCALING[model], f"{display(model)}, published, 500 test stars", marker)
        label = f"{display(model)}, published, 10 000 test stars"
        axes.plot(1e6, ten_thousand, marker, color="0.55", ms=6, ls="none", label=label, zorder=1.5)
