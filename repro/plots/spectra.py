"""A sheet of spectra as a picture (PNG)."""

from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.spectra_sheet import Panel, Sheet, limits, placed
from repro.plots.style import GREY, save, style

_WIDTH: Final = 13.0  # [inch]
_HEIGHTS: Final = {"spectra": 3.4, "residual": 1.9, "derivative": 2.1}  # [inch]
_STRIP: Final = 0.75  # [inch] of the identifications
_NAME_SIZE: Final = 6.5  # [pt]
_NAME_ROOM: Final = 1.25 * _NAME_SIZE / 72.0  # [inch] from one name to the next
_LEGEND_LINE: Final = 0.2  # [inch] of height
_AXES_WIDTH: Final = 0.9  # part of the page that axes span


def draw(sheet: Sheet, path: str | Path) -> Path:
    """Draw `sheet` and return the path."""
    heights = [_STRIP, *(_HEIGHTS[panel.kind] for panel in sheet.panels)]
    with style():
        figure = Figure(figsize=(_WIDTH, sum(heights) + 0.4), layout="constrained")
        strip, *rows = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        strip.set_xlim(sheet.low, sheet.high)
        _identify(strip, rows, sheet)
        for axes, panel in zip(rows, sheet.panels, strict=True):
            _panel(axes, panel)
        rows[-1].set_xlabel(sheet.x_label)
        return save(figure, path)


def _identify(strip: Axes, rows: list[Axes], sheet: Sheet) -> None:
    strip.axis("off")
    strip.set_ylim(0.0, 1.0)
    room = (sheet.high - sheet.low) * _NAME_ROOM / (_WIDTH * _AXES_WIDTH)
    for mark, place in placed(sheet.marks, sheet.low, sheet.high, room):
        strip.plot([mark.wave, place], [0.0, 0.2], color=GREY, lw=0.5)
        strip.text(place, 0.24, mark.name, rotation=90, ha="center", va="bottom", fontsize=_NAME_SIZE)
        for axes in rows:
            axes.axvline(mark.wave, color=GREY, lw=0.4, alpha=0.35, zorder=0)


def _panel(axes: Axes, panel: Panel) -> None:
    if panel.zero:
        axes.axhline(0.0, color=GREY, lw=0.6)
    for curve in panel.curves:
        if curve.noisy is not None:
            axes.plot(curve.x, curve.noisy, color=curve.colour, lw=0.4, alpha=0.35)
        if curve.error is not None:
            low, high = curve.y - curve.error, curve.y + curve.error
            axes.fill_between(curve.x, low, high, color=curve.colour, alpha=0.2, lw=0)
        axes.plot(curve.x, curve.y, color=curve.colour, lw=0.8, label=curve.name)
    axes.set_ylabel(panel.y_label)
    for note in panel.notes:
        axes.plot([], [], " ", label=note)
    axes.legend(loc="upper left", borderaxespad=0.3, frameon=True, framealpha=0.85, edgecolor="none")
    if panel.curves:
        axes.set_ylim(*limits(panel, _LEGEND_LINE / _HEIGHTS[panel.kind]))
    else:
        axes.set_yticks([])
