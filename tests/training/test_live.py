"""The page of a training at work: whole, readable alone, and apart from what repeats itself."""

import json
import xml.dom.minidom

from repro.training import live
from repro.training.history import Epoch, write_history
from repro.training.live import Live
from tests.training.learnable import trained

ROWS = [Epoch(1, 1e-3, 0.5, 0.25, 0.75), Epoch(2, 5e-4, 0.25, 0.5, 0.625)]


def test_speed_and_time_left_are_of_what_this_process_has_shown(tmp_path, monkeypatch):
    """A training resumed after 100 of 1000 presentations that shows 300 more in a minute."""
    now = [1000.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    page = Live(tmp_path, 1000, 100)
    now[0] += 60.0
    page.show(ROWS, 400)
    found = json.loads((tmp_path / "history.json").read_text())
    assert (found["spectra_per_second"], found["seconds_left"], found["seconds"]) == (5.0, 120.0, 60.0)
    assert [Epoch(**row) for row in found["epochs"]] == ROWS
    text = (tmp_path / "index.html").read_text()
    assert "400 of 1,000 spectra shown, 5 a second; about 2 min 00 s left" in text
    assert 'http-equiv="refresh"' in text
    page.show(ROWS, 400, ended=True)
    text = (tmp_path / "index.html").read_text()
    assert "the training has ended" in text
    assert "refresh" not in text
    assert "http://" not in text.replace("http-equiv", "")  # it loads nothing
    for curve in text.split("<svg")[1:]:
        xml.dom.minidom.parseString("<svg" + curve.split("</svg>")[0] + "</svg>")  # raises where it is not well-formed
    write_history(ROWS, tmp_path / "expected.csv")
    assert (tmp_path / "history.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_a_training_writes_it(tmp_path):
    model = trained(epochs=2, live=tmp_path)
    found = json.loads((tmp_path / "history.json").read_text())
    assert found["ended"]
    assert found["presentations"] == found["presentations_planned"] == 800
    assert [Epoch(**row) for row in found["epochs"]] == model.history
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv", "history.json", "index.html"]
