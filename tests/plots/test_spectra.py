"""Sheets of spectra: names that do not overlap, figures inside the page, pages that need nothing else."""

import base64
import json
import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from repro.errors import ParameterError
from repro.files import sha256
from repro.instrument.pixels import pixel_centres
from repro.plots import spectra, spectra_page
from repro.plots.spectra_sheet import comparison_sheet, placed, sheet
from repro.view import air
from repro.view.comparison import compare
from repro.view.identifications import Mark, marks
from repro.view.spectrum import Slope, View

WAVE = pixel_centres()


def view(name, depth, slope=True):
    flux = 1.0 - depth * np.exp(-0.5 * ((WAVE - 8544.44) / 4.0) ** 2)
    found = Slope((flux - 1.0) / 3.0, "exact") if slope else Slope(None, "not available: it is a file")
    return View(name, WAVE, flux, "flux / median", "PFS pixels", slopes={"log_g": found, "T_eff": found})


@pytest.fixture(scope="module")
def compared():
    one, other = view("node <1>", 0.5), view("lte", 0.4)
    noisy = WAVE * 0 + 1.0 + 0.05 * np.sin(WAVE)
    one = View(**{**vars(one), "error": np.full(WAVE.size, 0.02), "noisy": noisy})
    return comparison_sheet(one, other, ["log_g", "T_eff"], compare(one, other))


def test_names_keep_their_distance_and_stay_near():
    found = marks(7100.0, 8850.0)
    places = placed(found, 7100.0, 8850.0, 16.0)
    x = np.array([place for _, place in places])
    assert len(places) == len(found)
    assert np.diff(x).min() >= 16.0 - 1e-6 and x[0] >= 7108.0 and x[-1] <= 8842.0
    alone = [m for m in found if min(abs(m.wave - o.wave) for o in found if o is not m) > 40.0]
    assert alone and all(abs(place - mark.wave) < 1e-9 for mark, place in places if mark in alone)


def test_names_without_room_give_way_by_rank():
    crowd = [Mark(str(rank), 8500.0 + rank, rank) for rank in (3, 0, 2, 1)]
    assert [mark.rank for mark, _ in placed(crowd, 8490.0, 8510.0, 9.0)] == [0, 1]
    assert placed([], 8490.0, 8510.0, 9.0) == []


def test_the_sheet_says_what_the_numbers_are(compared):
    kinds = [panel.kind for panel in compared.panels]
    assert kinds == ["spectra", "residual", "derivative", "derivative"]
    top, residual, gravity, temperature = compared.panels
    assert [curve.name for curve in top.curves] == ["A: node <1>, PFS pixels", "B: lte, PFS pixels"]
    expected = 100.0 * (0.5 - 0.4) / 0.5
    assert abs(residual.curves[0].y.max() - expected) < 0.05
    rms = np.sqrt(np.mean(residual.curves[0].y ** 2))
    assert residual.curves[0].name.startswith(f"rms {rms:.3g} %")
    assert gravity.notes == ("correlation 1.000, amplitude of B 0.800",)
    assert (gravity.y_label, temperature.y_label) == ("dF / d log_g  [1/dex]", "dF / d T_eff  [1/K]")


def test_what_cannot_be_had_is_said():
    (panel,) = sheet([view("file", 0.3, slope=False)], ["log_g"]).panels[1:]
    assert panel.curves == () and panel.notes == ("file: not available: it is a file",)


def test_an_axis_in_air_moves_curves_and_marks_alike():
    vacuum, in_air = (sheet([view("a", 0.3)], [], in_air=flag) for flag in (False, True))
    assert in_air.x_label == "wavelength in air [Å]" and vacuum.x_label == "wavelength in vacuum [Å]"
    np.testing.assert_allclose(in_air.panels[0].curves[0].x, air.to_air(WAVE))
    moved = {(mark.name, round(mark.wave, 6)) for mark in in_air.marks}
    for mark in vacuum.marks:
        if 7105.0 < mark.wave < 8845.0:
            assert (mark.name, round(float(air.to_air(np.array(mark.wave))), 6)) in moved


def test_more_spectra_than_colours():
    with pytest.raises(ParameterError, match="7 spectra on one sheet; 6 can be told apart"):
        sheet([view("a", 0.1)] * 7, [])


def test_picture(compared, tmp_path, monkeypatch):
    monkeypatch.setattr("repro.plots.style._DPI", 72)
    figures = []
    write = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), write(self, *a, **k)))
    assert spectra.draw(compared, tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    box, page = figures[0].get_tightbbox(), figures[0].get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page[0] and box.y1 <= page[1]
    renderer = FigureCanvasAgg(figures[0]).get_renderer()
    names = [text.get_window_extent(renderer) for text in figures[0].axes[0].texts]
    assert len(names) == len(compared.marks)
    assert not any(a.overlaps(b) for a, b in zip(names, names[1:], strict=False))
    for axes in figures[0].axes[1:]:
        low, high = axes.get_ylim()
        legend = axes.get_legend().get_window_extent(renderer)
        under = axes.transData.inverted().transform((legend.x0, legend.y0))[1]
        for line in axes.lines:
            y = np.asarray(line.get_ydata(), dtype=float)
            if line.get_label().startswith(("A", "B", "rms")):
                assert low <= y.min() and y.max() <= min(high, under)  # inside, and clear of the legend


def test_page_is_self_contained_linked_and_complete(compared, tmp_path):
    one, two = (spectra_page.draw(compared, tmp_path / name) for name in ("a.html", "b.html"))
    assert sha256(one) == sha256(two)
    text = one.read_text()
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", text)
    data, layout = _figure(text)
    shown = {trace["name"]: {axis: _array(trace[axis]) for axis in "xy"} for trace in data if "name" in trace}
    np.testing.assert_allclose(shown["B: lte, PFS pixels"]["y"], compared.panels[0].curves[1].y, rtol=1e-6)
    np.testing.assert_allclose(shown["B: lte, PFS pixels"]["x"], WAVE)
    axes = [layout[name] for name in layout if name.startswith("xaxis")]
    assert len(axes) == 4 and sum("matches" in axis for axis in axes) == 3  # one zoom for all
    assert layout["hovermode"] == "x unified"
    named = [note for note in layout["annotations"] if note.get("textangle") == -90]
    assert [note["text"] for note in named] == [mark.name for mark in compared.marks]
    places = [note["x"] / (1750.0 / 1350) + note["ax"] for note in named]
    assert np.diff(places).min() > 12.9


def _array(values):
    """Numbers of a trace: a list, or plotly's base64 of an array."""
    if isinstance(values, list):
        return np.array(values)
    return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])


def _figure(page):
    """Data and layout of the call that draws the page."""
    start = page.rindex("Plotly.newPlot(")
    decoder = json.JSONDecoder()
    data, end = decoder.raw_decode(page, page.index("[", start))
    layout, _ = decoder.raw_decode(page, page.index("{", end))
    return data, layout
