"""What is on a sheet of spectra, whatever draws it: panels one above the other, and identifications along the top."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from repro.errors import ParameterError
from repro.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from repro.view import air
from repro.view.comparison import residual
from repro.view.identifications import Mark, marks
from repro.view.spectrum import View

Array = NDArray[np.float64]

BLACK: Final = "#000000"
_BULK: Final = (2.0, 98.0)  # percentiles of noisy draws
COLOURS: Final = (BLUE, ORANGE, GREEN, PURPLE, GREY, BLACK)


@dataclass(frozen=True)
class Curve:
    """One line: name in the legend ("" for none), x and y (W,), colour, 1-sigma band and noisy draw (W,) or None."""

    name: str
    x: Array
    y: Array
    colour: str
    error: Array | None = None
    noisy: Array | None = None


@dataclass(frozen=True)
class Panel:
    """Curves on one pair of axes; `notes` say what cannot be shown and why; `zero` asks for a line at y = 0.

    label: what a derivative is taken with respect to.
    """

    kind: Literal["spectra", "residual", "derivative"]
    y_label: str
    curves: tuple[Curve, ...]
    zero: bool = False
    notes: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class Sheet:
    """Panels that share one wavelength axis from `low` to `high` [A], in air or vacuum as `x_label` says."""

    panels: tuple[Panel, ...]
    marks: tuple[Mark, ...]
    low: float
    high: float
    x_label: str


def sheet(views: Sequence[View], derivatives: Sequence[str], *, in_air: bool = False, extra: str = "") -> Sheet:
    """Spectra over each other, and their derivatives with respect to the labels named, a panel each.

    extra: said of the flux axis, such as the kind of continuum.

    Raises:
        ParameterError: more spectra than there are colours that can be told apart.
    """
    if len(views) > len(COLOURS):
        raise ParameterError(f"{len(views)} spectra on one sheet; {len(COLOURS)} can be told apart")
    x = [air.to_air(view.wave) if in_air else view.wave for view in views]
    low, high = min(float(wave[0]) for wave in x), max(float(wave[-1]) for wave in x)
    found = [Mark(m.name, float(air.to_air(np.array(m.wave))) if in_air else m.wave, m.rank) for m in marks(low, high)]
    curves = [
        Curve(f"{view.name}, {view.sampling}", wave, view.flux, colour, view.error, view.noisy)
        for view, wave, colour in zip(views, x, COLOURS, strict=False)
    ]
    units = list(dict.fromkeys(view.unit for view in views))
    panels = [Panel("spectra", f"{' / '.join(units)}{extra}", tuple(curves))]
    panels += [_derivative(views, x, label) for label in derivatives]
    return Sheet(
        panels=tuple(panels),
        marks=tuple(mark for mark in found if low <= mark.wave <= high),
        low=low,
        high=high,
        x_label=f"wavelength in {'air' if in_air else 'vacuum'} [Å]",
    )


def comparison_sheet(
    one: View,
    other: View,
    derivatives: Sequence[str],
    numbers: Mapping[str, Mapping[str, Any]],
    *,
    in_air: bool = False,
    extra: str = "",
) -> Sheet:
    """The same of two views on one grid, with the residual (other - one) / one below the spectra.

    numbers: of `view.comparison.compare`; those of the whole range are said in the legends.
    """
    views = [replace(view, name=f"{letter}: {view.name}") for letter, view in zip("AB", (one, other), strict=True)]
    plain = sheet(views, derivatives, in_air=in_air, extra=extra)
    spectra, *rest = plain.panels
    whole = numbers["all"]
    said = f"rms {whole['rms_percent']:.3g} %, median {whole['median_offset_percent']:+.2g} %"
    curve = Curve(said, spectra.curves[0].x, residual(one, other), BLACK)
    below = Panel("residual", "(B − A) / A  [%]", (curve,), zero=True)
    return replace(plain, panels=(spectra, below, *(_with_likeness(panel, whole["derivatives"]) for panel in rest)))


def _derivative(views: Sequence[View], x: Sequence[Array], label: str) -> Panel:
    curves, notes = [], []
    for view, wave, colour in zip(views, x, COLOURS, strict=False):
        slope = view.slopes[label]
        if slope.values is None:
            notes.append(f"{view.name}: {slope.how}")
        else:
            curves.append(Curve(f"{view.name}, {slope.how}", wave, slope.values, colour))
    unit = "K" if label == "T_eff" else "dex"
    return Panel("derivative", f"dF / d {label}  [1/{unit}]", tuple(curves), zero=True, notes=tuple(notes), label=label)


def _with_likeness(panel: Panel, likeness: Mapping[str, Mapping[str, float]]) -> Panel:
    """A derivative's panel that says how alike its two curves are, where it has two."""
    if panel.label not in likeness:
        return panel
    found = likeness[panel.label]
    return replace(panel, notes=(f"correlation {found['correlation']:.3f}, amplitude of B {found['amplitude']:.3f}",))


def limits(panel: Panel, legend_line: float) -> tuple[float, float]:
    """Of the y axis: all curves, the bulk of noisy draws, and space above for the legend, that it hides nothing.

    legend_line: part of the panel's height that a line of the legend takes.
    """
    drawn = [curve.y for curve in panel.curves]
    drawn += [np.nanpercentile(curve.noisy, _BULK) for curve in panel.curves if curve.noisy is not None]
    values = np.concatenate(drawn)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.05 * (high - low) or 1.0
    legend = min(legend_line * (len(panel.curves) + len(panel.notes)), 0.5)
    return low - margin, low - margin + (high - low + 2.0 * margin) / (1.0 - legend)


def placed(marks: Sequence[Mark], low: float, high: float, room: float) -> list[tuple[Mark, float]]:
    """Marks and the places of their names, at least `room` apart between low and high, as near as can be in squares.

    Where there is no room for all, those of the highest rank go first.
    """
    kept = sorted(sorted(marks, key=lambda mark: mark.rank)[: int((high - low) / room)], key=lambda mark: mark.wave)
    if not kept:
        return []
    steps = room * np.arange(len(kept))
    free = isotonic_regression(np.array([mark.wave for mark in kept]) - steps).x
    places = np.clip(free, low + 0.5 * room, high - 0.5 * room - steps[-1]) + steps
    return list(zip(kept, places.tolist(), strict=True))
