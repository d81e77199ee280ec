"""Figures of the ceilings: they draw any table, inside the page, with bytes that do not vary."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from repro.errors import ParameterError
from repro.files import sha256
from repro.plots import crlb_distribution, r2max_vs_snr, schur_ratio, sigma_map, sigma_vs_snr

FIGURES = [r2max_vs_snr, sigma_vs_snr, schur_ratio, crlb_distribution, sigma_map]


@pytest.fixture
def drawn(monkeypatch):
    """The figures written so far."""
    figures = []
    write = Figure.savefig

    def keep(self, *args, **kwargs):
        figures.append(self)
        write(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


@pytest.fixture(scope="module")
def partial(table):
    """The table with some nodes that have no bound."""
    lost = np.zeros(table.crlb.shape, dtype=bool)
    lost[:, ::17] = True
    bounds = {name: np.where(lost, np.nan, getattr(table, name)) for name in ("crlb", "crlb_second_order", "schur")}
    return replace(table, identifiable=~lost, **bounds)


@pytest.mark.parametrize("module", FIGURES, ids=lambda module: module.__name__.split(".")[-1])
def test_same_table_same_bytes_and_nothing_outside_the_page(module, partial, tmp_path, drawn):
    first = module.draw(partial, tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 20.0, "axes.facecolor": "red"}):  # a user's own settings
        second = module.draw(partial, tmp_path / "b.png")
    assert sha256(first) == sha256(second)
    data = first.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and b"tEXt" not in data and b"tIME" not in data
    box, page = drawn[0].get_tightbbox(), drawn[0].get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page[0] and box.y1 <= page[1]
    axes = drawn[0].axes[0]
    assert axes.get_xlabel() and axes.get_ylabel()
    low, high = axes.get_ylim()
    for line in axes.lines if module in (r2max_vs_snr, sigma_vs_snr) else []:
        assert np.nanmin(line.get_ydata()) >= low and np.nanmax(line.get_ydata()) <= high


def test_the_histogram_counts_every_node(table, tmp_path, drawn):
    crlb_distribution.draw(table, tmp_path / "a.png")
    counts = [patch.get_data().values.sum() for patch in drawn[0].axes[0].patches]
    assert counts == [1260, 1260, 1260]
    np.testing.assert_array_equal(
        drawn[0].axes[0].patches[0].get_data().values,
        np.trim_zeros(drawn[0].axes[0].patches[1].get_data().values),
    )


@pytest.mark.parametrize("module", [schur_ratio, crlb_distribution, sigma_map])
def test_an_unknown_magnitude_names_the_known_ones(module, table, tmp_path):
    with pytest.raises(ParameterError, match="no magnitude 19; it has 18, 20, 21.5"):
        module.draw(table, tmp_path / "a.png", magnitude=19.0)
    assert not list(tmp_path.iterdir())
