"""What the figures of the matrix of experiments share: cells with intervals, colours, axes and grey published marks."""

import json
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from repro.plots.looks import Look
from repro.plots.style import MINUS
from repro.scores import settings
from repro.scores.arms import ArmScores, Cell
from repro.scores.board import Entry
from repro.scores.interval import LEVEL, Measured, t_quantile

Array = NDArray[np.float64]

INTERVAL: Final = (
    "bars: 90 % interval of test stars (bootstrap) and, where there are several runs, of seeds; "
    "all share the stars, so that differences are known better"
)
MANY_LINES: Final = ("-", "--", ":", "-.")
SCALE: Final = "R² of log g (axis logarithmic in 1 − R²)"

_LEFT_OVER: Final = 1e-6  # least 1 - R2 that the axis tells from 0
_TICKS: Final = (
    *(0.0, 0.9, 0.99, 0.999, 0.9999, 0.5, -1.0, -10.0, -100.0, -1000.0, 0.95, 0.8, 0.7, 0.98, 0.995, 0.998),
    *(0.3, 0.6, 0.4, 0.2, 0.1, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, -0.5, -2.0, -5.0, -20.0, -200.0),
    *(0.97, 0.96, 0.94, 0.93, 0.92, 0.91, 0.88, 0.86, 0.84, 0.82, 0.78, 0.76, 0.74, 0.72, 0.68, 0.66, 0.64, 0.62),
    *(0.58, 0.56, 0.54, 0.52, 0.48, 0.46, 0.44, 0.42, 0.38, 0.36, 0.34, 0.32, 0.28, 0.26, 0.24, 0.22),
    *(0.18, 0.16, 0.14, 0.12, 0.08, 0.06, 0.04, 0.02, -0.02, -0.04, -0.06, -0.08, -0.1, -0.2, -0.3),
)
_APART: Final = 0.06  # of the axis between two ticks


class Spread(Protocol):
    """A number with the half width of its interval."""

    @property
    def value(self) -> float: ...

    @property
    def half_width(self) -> float: ...


class Interval(NamedTuple):
    """A number with the half width of its interval, and nothing else."""

    value: float
    half_width: float


def interval_of(entry: Entry) -> Interval:
    """R2 of an entry of the leaderboard; without a bar where the spread of seeds is not known at all."""
    return Interval(entry.r2, entry.r2_half or 0.0)


class Point(NamedTuple):
    """One cell of the matrix: a fit and its R2 over the runs."""

    cell: Cell
    r2: Measured
    validation: float  # R2 on the validation stars, mean over the runs
    facts: dict[str, float]  # what all runs found, mean over them

    @property
    def value(self) -> float:
        return self.r2.value

    @property
    def half_width(self) -> float:
        return half_width(self.r2)

    @property
    def place(self) -> tuple[float, int]:
        """Noise level and number of spectra that it was trained with."""
        return self.cell.train_noise, self.cell.n_train

    @property
    def matched(self) -> bool:
        """Whether it was tested at the noise level that it was trained at."""
        return self.cell.train_noise == self.cell.test_noise

    def part(self, name: str) -> str:
        """The value of a part of its setting; "" without."""
        return settings.part(self.cell.setting, name) or ""

    def number(self, name: str) -> float:
        """The same as a number; nan without."""
        return settings.number(self.cell.setting, name)


def half_width(r2: Measured) -> float:
    """Of its interval: of the test stars alone where one run says nothing of the spread between runs."""
    half = r2.half_width
    return half if np.isfinite(half) else t_quantile(LEVEL, np.inf) * r2.error


def points(scores: ArmScores, **wanted: object) -> list[Point]:
    """Cells that have every wanted value (see `ArmTable.rows`), in order."""
    return [_point(scores, cell) for cell in scores.cells(**wanted)]


def _point(scores: ArmScores, cell: Cell) -> Point:
    rows = scores.rows(cell)
    facts = [json.loads(scores.table.facts[row]) for row in rows]
    means = {name: float(np.mean([one[name] for one in facts])) for name in facts[0] if all(name in f for f in facts)}
    return Point(cell, scores.measured(cell), float(np.mean(scores.table.validation_r2[rows])), means)


def chosen(found: Iterable[Point]) -> Point:
    """The one that the validation stars prefer; the first of equal ones."""
    return max(found, key=lambda point: point.validation)


def fit_r2(*panels: Axes) -> None:
    """A y axis of R2 on which 0.99 and 0.999 stand as far apart as 0 and 0.9, around all that the panels show.

    Panels that share the axis are given together. Call when everything has been drawn.
    """
    shown = _heights(panels)
    low, high = (float(value) for value in _shrink(np.array([shown.min(), shown.max()])))
    room = max(high - low, 0.05)
    low, high = low - 0.06 * room, high + 0.06 * room
    for axes in panels:
        axes.set_yscale("function", functions=(_shrink, _grow))
        axes.set_ylim(float(_grow(np.array(low))), float(_grow(np.array(high))))
        ticks = _ticks(low, high)
        axes.set_yticks(ticks, [number(tick) for tick in ticks])
        axes.set_yticks([], minor=True)
        if low < 0.0 < high:
            axes.axhline(0.0, color="black", lw=0.6, zorder=1)


def _heights(panels: Iterable[Axes]) -> Array:
    """Every y that is drawn, bars included."""
    parts: list[ArrayLike] = []
    for axes in panels:
        parts += [line.get_ydata() for line in axes.lines]
        for container in axes.containers:
            if isinstance(container, ErrorbarContainer):
                parts += [s.reshape(-1, 2)[:, 1] for bars in container.lines[2] for s in bars.get_segments()]
    values = np.concatenate([np.asarray(part, dtype=float).ravel() for part in parts] or [np.zeros(1)])
    finite = values[np.isfinite(values)]
    return finite if finite.size else np.zeros(1)


def _ticks(low: float, high: float) -> list[float]:
    chosen: list[float] = []
    for tick in _TICKS:
        place = float(_shrink(np.array(tick)))
        near = (abs(place - float(_shrink(np.array(other)))) for other in chosen)
        if low <= place <= high and all(distance >= _APART * (high - low) for distance in near):
            chosen.append(tick)
    return sorted(chosen)


def _shrink(r2: Array) -> Array:
    return -np.log10(np.maximum(1.0 - r2, _LEFT_OVER))


def _grow(place: Array) -> Array:
    return np.asarray(1.0 - 10.0 ** -np.asarray(place))


def number(value: float) -> str:
    """As text, with a true minus sign."""
    return f"{value:g}".replace("-", MINUS)


def bars(
    axes: Axes, x: ArrayLike, found: Sequence[Spread], look: Look, label: str | None = None, **options: Any
) -> None:
    """R2 with their intervals, on the y axis."""
    value = np.array([point.value for point in found])
    half = np.array([point.half_width for point in found])
    upper = np.minimum(half, 0.9 * np.abs(1.0 - value))  # where the interval would leave what R2 can be
    given: dict[str, Any] = {"marker": look.marker, "ls": look.line, "color": look.colour, "ms": 4, "lw": 1.2}
    axes.errorbar(x, value, (half, upper), capsize=2, label=label, **(given | options))


def series(
    axes: Axes, found: Iterable[Point], part: str, look: Look, label: str, *, apart: float = 1.0, runs: bool = False
) -> None:
    """Points against a numeric part of their setting, in its order, moved aside by a factor; single runs on demand."""
    own = sorted(found, key=lambda point: point.number(part))
    if not own:
        return
    x = [apart * point.number(part) for point in own]
    bars(axes, x, own, look, label)
    for place, point in zip(x, own, strict=True):
        if runs:
            seeds_of(axes, place, point, look)


def published(axes: Axes, marks: Sequence[tuple[float, float]], label: str | None = None, marker: str = "o") -> None:
    """Hollow grey marks (x, y) of numbers that others measured on other data."""
    x, y = np.array(marks, dtype=float).reshape(-1, 2).T
    axes.plot(x, y, marker, mfc="none", color="0.55", ms=6, mew=1.0, label=label, zorder=1.5)


def panel_grid(figure: Figure, number: int, columns: int, **options: Any) -> NDArray[Any]:
    """So many panels in rows of so many at most, (rows, columns); those of the last row that are left stay hidden."""
    columns = min(columns, number)
    panels: NDArray[Any] = figure.subplots(-(-number // columns), columns, squeeze=False, **options)
    for place, axes in enumerate(panels.flat):
        axes.set_visible(place < number)
    return panels


def level_axis(axes: Axes, levels: Sequence[float]) -> dict[float, int]:
    """Noise levels side by side on the x axis; the place of each."""
    places = {level: place for place, level in enumerate(levels)}
    axes.set_xticks(list(places.values()), [f"{level:g}" for level in levels])
    axes.set_xlim(-0.5, len(levels) - 0.5)
    return places


def bars_across(
    axes: Axes, found: Sequence[Spread], y: ArrayLike, look: Look, label: str | None = None, *, filled: bool = True
) -> None:
    """Numbers with their intervals on the x axis, without a line."""
    value, half = (np.array([getattr(point, name) for point in found]) for name in ("value", "half_width"))
    face = look.colour if filled else "white"
    given: dict[str, Any] = {"marker": look.marker, "ls": "none", "color": look.colour, "mfc": face, "ms": 6}
    axes.errorbar(value, y, xerr=half, capsize=2, lw=1.2, label=label, **given)


def seeds_of(axes: Axes, x: float, point: Point, look: Look) -> None:
    """Every run of a cell as a small dot."""
    axes.plot(np.full(len(point.r2.runs), x), point.r2.runs, ".", ms=3, color=look.colour, alpha=0.6, zorder=1.8)


def reference(axes: Axes, r2: Measured, label: str, colour: str = "black", line: str = "--") -> None:
    """An R2 as a horizontal line, its interval as a band."""
    half = half_width(r2)
    low, high = r2.value - half, r2.value + min(half, 0.9 * abs(1.0 - r2.value))
    axes.axhline(r2.value, color=colour, lw=1.0, ls=line, label=label, zorder=1.6)
    axes.axhspan(low, high, color=colour, alpha=0.08, lw=0)
    for end in (low, high):
        axes.axhline(end, color=colour, lw=0.4, alpha=0.3, zorder=1.4)


def common_legend(figure: Figure | SubFigure, panels: Iterable[Axes], ncols: int) -> None:
    """One legend below the figure with every label of its panels once, those of the first panel first."""
    shown: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            shown.setdefault(label, handle)
    figure.legend(list(shown.values()), list(shown), loc="outside lower center", ncols=ncols)


def log_x(axes: Axes) -> None:
    """A logarithmic x axis whose ticks are few and read as plain numbers where they can be."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = np.log10(high / low)
    steps = (1.0,) if decades > 2.5 else (1.0, 3.0) if decades > 1.2 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if decades < 5:
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))


def legend_below(axes: Axes, drop: float, ncols: int = 2, **options: Any) -> None:
    """A legend under the x axis, `drop` heights of the panel below it."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -drop), ncols=ncols, borderaxespad=0.0, **options)


def heading(figure: Figure, title: str, note: str = INTERVAL) -> None:
    """A title over the whole figure, and what its marks mean, in lines as long as the figure is wide."""
    width = int(13.5 * figure.get_size_inches()[0])
    figure.suptitle("\n".join((*_even(title, width), *_even(note, width))), fontsize=9.0)


def _even(text: str, width: int) -> list[str]:
    """Lines of about the same length, none longer than a width."""
    fewest = len(wrap(text, width))
    for shorter in range(len(text) // fewest, width):
        if len(lines := wrap(text, shorter)) == fewest:
            return lines
    return wrap(text, width)
