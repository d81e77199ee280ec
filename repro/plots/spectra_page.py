"""A sheet of spectra as one HTML file that works offline: zoom of all panels together, values under the pointer."""

from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from repro.files import atomic_path
from repro.plots.spectra_sheet import Curve, Panel, Sheet, limits, placed
from repro.plots.style import GREY

_WIDTH: Final = 1350  # [px] for which names are placed; the page itself is as wide as the window
_HEIGHTS: Final = {"spectra": 360, "residual": 210, "derivative": 230}  # [px]
_TOP: Final = 100  # [px] of the identifications
_LEGEND_LINE: Final = 20  # [px] of height, noise and error bands aside
_NAME_ROOM: Final = 13  # [px] from one name to the next


def draw(sheet: Sheet, path: str | Path) -> Path:
    """Write `sheet` and return the path. Equal sheets give equal bytes with one version of plotly."""
    heights = [_HEIGHTS[panel.kind] for panel in sheet.panels]
    figure = make_subplots(
        rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=0.04, row_heights=[float(h) for h in heights]
    )
    for row, panel in enumerate(sheet.panels, 1):
        _panel(figure, row, panel)
    _identify(figure, sheet)
    figure.update_xaxes(range=[sheet.low, sheet.high], showspikes=True, spikemode="across", spikethickness=1)
    figure.update_xaxes(title_text=sheet.x_label, row=len(heights))
    figure.update_layout(
        template="plotly_white",
        height=sum(heights) + _TOP + 60,
        margin={"t": _TOP, "b": 50, "l": 90, "r": 20},
        hovermode="x unified",
        hoversubplots="axis",
        dragmode="zoom",
    )
    with atomic_path(path) as temporary:
        # a fixed id: plotly draws a random one otherwise
        page = figure.to_html(include_plotlyjs=True, full_html=True, div_id="spectra", config={"displaylogo": False})
        Path(temporary).write_text(page, encoding="utf-8")
    return Path(path)


def _panel(figure: go.Figure, row: int, panel: Panel) -> None:
    legend = "legend" if row == 1 else f"legend{row}"
    for curve in panel.curves:
        for trace in _traces(curve):
            figure.add_trace(trace.update(legend=legend), row=row, col=1)
    for note in panel.notes:
        silent = go.Scatter(
            x=[None], y=[None], mode="lines", line={"color": "rgba(0,0,0,0)"}, name=escape(note, quote=False)
        )
        figure.add_trace(silent.update(legend=legend, hoverinfo="skip"), row=row, col=1)
    axis: Any = figure.get_subplot(row, 1).yaxis
    figure.update_yaxes(title_text=panel.y_label, row=row, col=1)
    if panel.curves:
        figure.update_yaxes(range=limits(panel, _LEGEND_LINE / _HEIGHTS[panel.kind]), row=row, col=1)
    if panel.zero:
        figure.update_yaxes(zeroline=True, zerolinecolor=GREY, zerolinewidth=1, row=row, col=1)
    top = axis.domain[1]
    place = {"x": 0.005, "y": top, "xanchor": "left", "yanchor": "top"}
    # filled curves reverse the order unless it is asked for
    look = {"font": {"size": 11}, "bgcolor": "rgba(255,255,255,0.6)", "traceorder": "normal"}
    figure.update_layout({legend: {**place, **look}})


def _traces(curve: Curve) -> list[go.Scatter]:
    line = {"color": curve.colour, "width": 1}
    traces = []
    if curve.noisy is not None:
        traces.append(
            go.Scatter(
                x=curve.x,
                y=_short(curve.noisy),
                name=escape(f"noisy draw of {curve.name}", quote=False),
                line=line,
                opacity=0.35,
            )
        )
    if curve.error is not None:
        hidden = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
        traces.append(go.Scatter(x=curve.x, y=_short(curve.y - curve.error), **hidden))
        traces.append(
            go.Scatter(
                x=curve.x,
                y=_short(curve.y + curve.error),
                fill="tonexty",
                fillcolor=f"rgba({', '.join(str(part) for part in hex_to_rgb(curve.colour))}, 0.25)",
                name=escape(f"1σ of {curve.name}", quote=False),
                mode="lines",
                line={"width": 0},
                hoverinfo="skip",
            )
        )
    traces.append(
        go.Scatter(
            x=curve.x, y=_short(curve.y), name=escape(curve.name, quote=False), line=line, hovertemplate="%{y:.5g}"
        )
    )
    return traces


def _short(values: np.ndarray) -> np.ndarray:
    """Single precision: more than the eye needs, and half the file."""
    return values.astype(np.float32)


def _identify(figure: go.Figure, sheet: Sheet) -> None:
    """Names above the first panel, kept apart by bent leaders, and a thin line through all panels."""
    pixel = (sheet.high - sheet.low) / _WIDTH
    for mark, place in placed(sheet.marks, sheet.low, sheet.high, _NAME_ROOM * pixel):
        figure.add_shape(
            type="line",
            x0=mark.wave,
            x1=mark.wave,
            y0=0,
            y1=1,
            xref="x",
            yref="paper",
            layer="below",
            line={"color": GREY, "width": 0.5},
            opacity=0.4,
        )
        figure.add_annotation(
            x=mark.wave,
            y=1.0,
            yref="paper",
            text=mark.name,
            textangle=-90,
            ax=(place - mark.wave) / pixel,
            ay=-48,
            showarrow=True,
            arrowhead=0,
            arrowwidth=0.5,
            arrowcolor=GREY,
            font={"size": 10},
            hovertext=f"{mark.name} {mark.wave:.2f} Å",
        )
