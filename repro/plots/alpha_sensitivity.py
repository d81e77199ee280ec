"""R2 of ridge regression against its penalty: by noise level, by training size, and in two units of the penalty."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.looks import Look, shades
from repro.plots.matrix import SCALE, Point, bars, chosen, common_legend, fit_r2, heading, level_axis, points, published
from repro.plots.style import BLUE, ORANGE, count, save, style
from repro.scores.arms import ArmScores
from repro.scores.published_matrix import RIDGE_BEST, RIDGE_BEST_STANDARDISED, WHERE

_LEVEL: Final = 1.0  # at which units are compared


def drawable(scores: ArmScores) -> bool:
    """Whether there are penalties to show."""
    return bool(scores.table.rows(experiment="alpha").size)


def draw(scores: ArmScores, path: str | Path) -> Path:
    """Left: every level at the largest size. Right: what validation chooses, and the two units of the penalty.

    Standardised flux has pixels of variance 1, so that a penalty on its coefficients is one on those of the flux as it
    is times the variance of the pixels; where the arms tell its median, they are drawn in those units too.
    """
    raw, standardised = _paths(scores, "alpha", "alpha_edge"), _paths(scores, "alpha_standardised")
    with style():
        figure = Figure(figsize=(11.4, 7.2), layout="constrained")
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.0, 0.95))[0]
        _levels(left.subplots(), raw)
        common_legend(left, left.axes, 2)
        top, bottom = right.subplots(2, 1, height_ratios=(1.0, 1.3))
        _choices(top, raw)
        _units(bottom, raw, standardised)
        heading(figure, f"Penalty of ridge regression, {count(len(scores.table.truth))} test stars")
        return save(figure, path)


def _paths(scores: ArmScores, *experiments: str) -> list[Point]:
    found = [point for name in experiments for point in points(scores, experiment=name) if point.matched]
    return sorted(found, key=lambda point: point.number("alpha"))


def _alphas(found: list[Point]) -> np.ndarray:
    return np.array([point.number("alpha") for point in found])


def _levels(axes: Axes, raw: list[Point]) -> None:
    largest = max(point.cell.n_train for point in raw)
    shown = [point for point in raw if point.cell.n_train == largest]
    for level, look in shades(point.cell.train_noise for point in shown).items():
        path = [point for point in shown if point.cell.train_noise == level]
        _path(axes, path, look, f"noise {level:g}")
        if level in RIDGE_BEST:
            published(axes, [RIDGE_BEST[level]], marker=look.marker)
    axes.plot([], [], "o", ms=9, mfc="none", mew=1.4, color="black", label="chosen by validation, with its bars")
    published(axes, [], f"best on its test set, 32 000 spectra\n({WHERE}; form: level)")
    axes.set_xscale("log")
    axes.set_title(f"{count(largest)} training spectra")
    axes.set(xlabel="penalty α, flux as it is (median 0.5)", ylabel=SCALE)
    fit_r2(axes)


def _path(axes: Axes, path: list[Point], look: Look, label: str) -> None:
    """A path of penalties, the chosen one ringed and with its interval."""
    heights = [point.value for point in path]
    axes.plot(_alphas(path), heights, look.line, marker=look.marker, ms=3.5, lw=1.1, color=look.colour, label=label)
    top = chosen(path)
    bars(axes, [top.number("alpha")], [top], Look(look.colour, "o", "none"), ms=10, mfc="none", mew=1.4)


def _choices(axes: Axes, raw: list[Point]) -> None:
    levels = sorted({point.cell.train_noise for point in raw})
    places = level_axis(axes, levels)
    for n, look in shades(point.cell.n_train for point in raw).items():
        tops = {
            level: chosen(point for point in raw if point.place == (level, n))
            for level in levels
            if any(point.place == (level, n) for point in raw)
        }
        x = [places[level] for level in tops]
        axes.plot(x, _alphas(list(tops.values())), marker=look.marker, color=look.colour, ms=5, label=count(int(n)))
    known = [level for level in levels if level in RIDGE_BEST]
    published(axes, [(places[level], RIDGE_BEST[level][0]) for level in known], f"32 000, {WHERE}")
    axes.set_yscale("log")
    axes.set(xlabel="noise level", ylabel="penalty α chosen by validation")
    axes.legend(title="training spectra", loc="lower right")


def _units(axes: Axes, raw: list[Point], standardised: list[Point]) -> None:
    sizes = sorted({point.cell.n_train for point in raw if point.cell.train_noise == _LEVEL})
    for n, marker in zip(sizes, "osD^vPX", strict=False):
        own, other = ([point for point in kind if point.place == (_LEVEL, n)] for kind in (raw, standardised))
        _path(axes, own, Look(BLUE, marker, "-"), f"flux as it is, {count(n)} spectra")
        if other:
            _path(axes, other, Look(ORANGE, marker, "--"), f"standardised, {count(n)} spectra")
            variance = np.array([point.facts.get("pixel_variance", np.nan) for point in other])
            if np.isfinite(variance).all():
                axes.plot(_alphas(other) * variance, [point.value for point in other], ":", color="black", lw=1.2)
    if any(line.get_linestyle() == ":" for line in axes.lines):
        axes.plot([], [], ":", color="black", lw=1.2, label="standardised, α times the median variance of a pixel")
    label = f"best of 32 000 as it is, of 100 000 and\n1 000 000 standardised ({WHERE})"
    published(axes, (RIDGE_BEST[_LEVEL], *RIDGE_BEST_STANDARDISED.values()), label)
    axes.set_xscale("log")
    axes.set(xlabel=f"penalty α in the units of its input, noise {_LEVEL:g}", ylabel="R² of log g")
    fit_r2(axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, borderaxespad=0.0, fontsize=7)
