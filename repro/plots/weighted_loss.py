"""Figure: what weights from the bounds do to models, by how much each star tells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from repro.bounds.star_table import StarBounds
from repro.plots.style import BLUE, GREY, MINUS, ORANGE, PURPLE, save, style
from repro.scores.bootstrap import Scored, counts
from repro.scores.predictions import PredictionTable
from repro.scores.weighted import MARK, summarise_weighted, weighted_names

GROUPS: Final = 5  # of stars with equal numbers, by their bound
_INTERVAL: Final = (2.5, 97.5)  # per cent of the resamples
_STYLES: Final = {
    "_weighted": ("weights 1 / C", ORANGE, "s"),
    "_weighted_prior": ("weights 1 / (C + V)", PURPLE, "^"),
}
_KINDS: Final = {"ridge": "Ridge", "mlp": "Perceptron"}

Array = NDArray[np.float64]


def draw(table: PredictionTable, stars: StarBounds, path: str | Path) -> Path:
    """Draw every model of `table` that was trained with weights beside the same model without."""
    pairs = weighted_names(table)
    kinds = list(dict.fromkeys(pairs.values()))
    values = summarise_weighted(table, stars)
    with style():
        figure = Figure(figsize=(4.3 * len(kinds) + 0.4, 6.6), layout="constrained")
        rows = figure.subplots(2, len(kinds), squeeze=False, sharex=True, sharey="row")
        groups, centres = _groups(table, stars)
        for column, kind in enumerate(kinds):
            top, bottom = rows[:, column]
            _errors(top, table, kind, pairs, groups, centres)
            _changes(bottom, table, kind, pairs, groups, centres)
            top.set_title(_title(values, kind, pairs))
            bottom.set_xlabel("Cramér-Rao bound, root mean of the group, √C [dex]")
            for axis in (top.xaxis, top.yaxis):
                axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
                axis.set_major_formatter(FormatStrFormatter("%g"))
                axis.set_minor_formatter(NullFormatter())
        rows[0, 0].set_ylabel("root mean squared error of log g [dex]")
        rows[1, 0].set_ylabel("change of the mean squared error\nby the weights [dex²]")
        handles, labels = rows[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        figure.suptitle(
            f"Loss weighted by the information of each spectrum: {len(table.truth)} test stars in {GROUPS} groups "
            f"(bars: 95 % of resamples)",
            fontsize=10.0,
        )
        return save(figure, path)


def _groups(table: PredictionTable, stars: StarBounds) -> tuple[list[NDArray[np.bool_]], Array]:
    """Members of groups of equal size by the bound C, most informative first, and root mean C of each.

    A star without a bound stands in the last group and is left out of its mean.
    """
    places = {int(row): place for place, row in enumerate(stars.stars)}
    crlb = stars.crlb[[places[int(row)] for row in table.stars]]
    rank = np.argsort(np.argsort(crlb))  # nan last
    groups = [rank * GROUPS // len(rank) == number for number in range(GROUPS)]
    return groups, np.sqrt([np.nanmean(crlb[members]) for members in groups])


def _errors(
    axes: Axes,
    table: PredictionTable,
    kind: str,
    pairs: dict[str, str],
    groups: list[NDArray[np.bool_]],
    centres: Array,
) -> None:
    entries = {kind: ("no weights", BLUE, "o")} | _entries(kind, pairs)
    for number, (name, (label, colour, marker)) in enumerate(entries.items()):
        squared = _squared(table, name)
        found = [_over(squared, members) for members in groups]
        values = np.sqrt([value for value, _ in found])
        bars = np.sqrt([np.percentile(drawn, _INTERVAL) for _, drawn in found])
        _points(axes, centres * _apart(number), values, bars, label, colour, marker)
    reach = np.array([centres[0], centres[-1]])
    axes.plot(reach, reach, color=GREY, lw=1.0, ls="--", label="√C: an unbiased estimator")
    axes.set(xscale="log", yscale="log")


def _changes(
    axes: Axes,
    table: PredictionTable,
    kind: str,
    pairs: dict[str, str],
    groups: list[NDArray[np.bool_]],
    centres: Array,
) -> None:
    plain = _squared(table, kind)
    for number, (name, (label, colour, marker)) in enumerate(_entries(kind, pairs).items()):
        change = _squared(table, name) - plain
        found = [_over(change, members) for members in groups]
        bars = np.array([np.percentile(drawn, _INTERVAL) for _, drawn in found])
        _points(axes, centres * _apart(number), np.array([value for value, _ in found]), bars, label, colour, marker)
    axes.axhline(0.0, color=GREY, lw=0.8)


def _points(axes: Axes, x: Array, y: Array, bars: Array, label: str, colour: str, marker: str) -> None:
    spread = np.abs(bars.T - y)
    axes.errorbar(x, y, yerr=spread, fmt=marker, ls="-", color=colour, ms=5, lw=1.0, capsize=2, label=label)


def _entries(kind: str, pairs: dict[str, str]) -> dict[str, tuple[str, str, str]]:
    return {name: _STYLES[name.removeprefix(kind)] for name, plain in pairs.items() if plain == kind}


def _apart(number: int) -> float:
    return float(1.05 ** (number - 1))


def _squared(table: PredictionTable, name: str) -> Array:
    """Squared errors (n,), averaged over the runs."""
    return np.asarray(np.mean((table.of(name) - table.truth) ** 2, axis=0))


def _over(values: Array, members: NDArray[np.bool_]) -> tuple[float, Array]:
    """Mean over members, and over those drawn in each resample of all stars."""
    weights = counts(len(values))[:, members]
    means = weights @ values[members] / weights.sum(axis=1)
    return float(means[0]), means[1:]


def _title(values: Mapping[str, float | Scored], kind: str, pairs: dict[str, str]) -> str:
    """What one sees, computed: the change of R2 over all stars by each kind of weights."""
    lines = [_KINDS.get(kind, kind)]
    for name, (label, _, _) in _entries(kind, pairs).items():
        gain = values[f"weighted/{name.replace(MARK, '')}/r2_gain"]
        if isinstance(gain, Scored):
            lines.append(f"{label}: R² changes by {gain.value:+.3f} ± {gain.error:.3f}".replace("-", MINUS))
    return "\n".join(lines)
