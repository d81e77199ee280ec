"""Residuals of log g against the true one, with what the ceilings say about the very same stars."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.style import BLUE, GREEN, GREY, MINUS, ORANGE, count, save, style
from repro.scores.bins import FEWEST
from repro.scores.bootstrap import Scored
from repro.scores.overlay import POSTERIOR, STEP, Overlay, summarise_overlay

_COLUMNS: Final = 4
_NARROWEST: Final = 10.0  # [inch]: the title's room
_JITTER: Final = 0.16  # of points at a node, to either side [dex]

Values = dict[str, float | Scored]


def draw(table: Overlay, path: str | Path) -> Path:
    """A panel for each estimator; of several runs the first is drawn, and the numbers are means over the runs.

    Lines join gravity groups (nodes, and the stars between two of them) of at least 20 stars: root mean Cramer-Rao
    bound, root mean posterior variance, and the mean residual.
    """
    values = summarise_overlay(table)
    order = [POSTERIOR, *(name for name in table.names if name != POSTERIOR)]
    rows = -(-len(order) // _COLUMNS)
    columns = -(-len(order) // rows)
    with style():
        figure = Figure(figsize=(max(0.6 + 3.2 * columns, _NARROWEST), 1.7 + 2.9 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(order) :]:
            axes.set_visible(False)
        for axes, name in zip(panels.flat, order, strict=False):
            _panel(axes, table, name, values)
        for axes in panels[:, 0]:
            axes.set_ylabel("estimate − truth, log g [dex]")
        for column in panels.T:
            lowest = [axes for axes in column if axes.get_visible()][-1]
            lowest.set_xlabel("true log g [dex, cgs]")
            lowest.tick_params(labelbottom=True)
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        root, median, optimum = (
            _value(values, f"overlay/ceilings/{name}") for name in ("root_mean_crlb", "median_sigma", "rmmse")
        )
        figure.suptitle(
            f"Residuals beside the ceilings of the same {count(len(table.truth))} test stars: √E[C] = {root:.2f}, "
            f"median √C = {median:.2f}, √E[posterior variance] = {optimum:.2f} dex\n"
            "C bounds unbiased estimators; these are drawn to the middle of the labels and may stay below it. Slope: "
            "of the mean estimate over the truth;\n"
            "biased bound: √E[(1 + b′)² C + b²], with the bias b measured as a line in each eighth of the stars by C",
            fontsize=9.5,
        )
        return save(figure, path)


def _panel(axes: Axes, table: Overlay, name: str, values: Values) -> None:
    residual = table.residuals[table.names.index(name)][0]
    on_node = np.floor(table.truth / STEP) * STEP == table.truth
    # the same places on every machine: consecutive stars are spread over the width by the golden ratio
    shift = _JITTER * (2.0 * np.modf(np.arange(residual.size) * 0.6180339887498949)[0] - 1.0)
    place = table.truth + np.where(on_node, shift, 0.0)
    label = "a star (those at a node spread sideways)"
    axes.plot(place, residual, ".", color=GREY, ms=2.0, alpha=0.5, label=label, rasterized=True)
    full = {key: middle for key, (middle, members) in table.groups.items() if members.sum() >= FEWEST}
    order = sorted(full, key=lambda key: full[key])
    middle = np.array([full[key] for key in order])
    crlb, mmse = (
        np.array([_value(values, f"overlay/ceilings/{key}/{which}") for key in order])
        for which in ("root_mean_crlb", "rmmse")
    )
    bias = np.array([_value(values, f"overlay/{name}/{key}/bias") for key in order])
    error = np.array([_value(values, f"overlay/{name}/{key}/bias_error") for key in order])
    for sign, label in ((1.0, "±√E[C] of the group: unbiased estimators"), (-1.0, "")):
        axes.plot(middle, sign * crlb, "--", color=ORANGE, lw=1.2, label=label)
    for sign, label in ((1.0, "±√E[posterior variance] of the group: exact Bayes optimum"), (-1.0, "")):
        axes.plot(middle, sign * mmse, "-", color=BLUE, lw=1.4, label=label)
    label = "mean residual of the group, ± standard error"
    axes.errorbar(middle, bias, error, fmt="s-", color=GREEN, ms=3, lw=1.2, capsize=2, label=label)
    axes.axhline(0.0, color="black", lw=0.6)
    numbers = {key: _value(values, f"overlay/{name}/{key}") for key in ("rmse", "mae", "shrinkage", "biased_crlb")}
    title = f"{name}: RMSE {numbers['rmse']:.2f}, MAE {numbers['mae']:.2f} dex"
    slope = f"slope {numbers['shrinkage']:.2f}; biased bound {numbers['biased_crlb']:.2f} dex".replace("-", MINUS)
    axes.set_title(f"{title}\n{slope}", fontsize=8.5)


def _value(values: Values, address: str) -> float:
    found = values[address]
    return found.value if isinstance(found, Scored) else found
