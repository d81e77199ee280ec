"""Figures of the ceilings: they draw any tables, inside the page, with bytes that do not vary."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from repro.errors import ParameterError
from repro.files import sha256
from repro.plots import (
    crlb_distribution,
    r2max_vs_snr,
    schur_ratio,
    sigma_map,
    sigma_vs_snr,
    source_difference,
)
from repro.scores import published

FIGURES = [r2max_vs_snr, sigma_vs_snr, schur_ratio, crlb_distribution, sigma_map, source_difference]


def without_some_bounds(table):
    lost = np.zeros(table.crlb.shape, dtype=bool)
    lost[:, ::17] = True
    bounds = {name: np.where(lost, np.nan, getattr(table, name)) for name in ("crlb", "crlb_second_order", "schur")}
    return replace(table, identifiable=~lost, **bounds)


@pytest.mark.parametrize("module", FIGURES, ids=lambda module: module.__name__.split(".")[-1])
def test_same_tables_same_bytes_and_nothing_outside_the_page(module, table, table_5d, tmp_path, drawn, inside_the_page):
    tables = [without_some_bounds(table), without_some_bounds(table_5d)]
    first = module.draw(tables, tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 20.0, "axes.facecolor": "red"}):  # a user's own settings
        second = module.draw(tables, tmp_path / "b.png")
    assert sha256(first) == sha256(second)
    data = first.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and b"tEXt" not in data and b"tIME" not in data
    inside_the_page(drawn[0])
    for axes in drawn[0].axes if module in (r2max_vs_snr, sigma_vs_snr) else []:
        low, high = axes.get_ylim()
        for line in axes.lines:
            assert np.nanmin(line.get_ydata()) >= low and np.nanmax(line.get_ydata()) <= high


@pytest.mark.parametrize("module", [crlb_distribution, source_difference])
def test_one_table_alone_is_drawn(module, table_5d, tmp_path, drawn, inside_the_page):
    module.draw([table_5d], tmp_path / "a.png")
    inside_the_page(drawn[0])


def test_published_points_stand_at_the_snr_of_the_data_set_and_the_wrong_ones_are_shown_too(
    table, table_5d, tmp_path, drawn
):
    r2max_vs_snr.draw([table, table_5d], tmp_path / "a.png")
    lines = {line.get_label(): line for line in drawn[0].axes[0].lines}
    right = lines["3D: published median (1260 nodes)"]
    np.testing.assert_array_equal(right.get_xdata(), [87.4, 24.0, 7.1, 4.6, 3.0, 1.9])
    wrong = next(line for name, line in lines.items() if "where the published figures draw it" in name)
    np.testing.assert_array_equal(wrong.get_xdata(), [4.0, 2.8])
    np.testing.assert_array_equal(wrong.get_ydata(), [0.7396, 0.3658])
    placeholder = next(line for name, line in lines.items() if "placeholder" in name)
    assert (placeholder.get_xdata(), placeholder.get_ydata()) == ([7.1], [0.5])


def test_the_histograms_count_every_node(table, table_5d, tmp_path, drawn):
    crlb_distribution.draw([table, table_5d], tmp_path / "a.png")
    for axes in drawn[0].axes:
        drawn_bins = [patch.get_data() for patch in axes.patches]
        for values, edges, _ in drawn_bins:
            assert np.sum(values * np.diff(np.log10(edges))) == pytest.approx(1.0)
    values, edges, _ = drawn[0].axes[0].patches[0].get_data()
    np.testing.assert_allclose(values * np.diff(np.log10(edges)) * 1260, published.PAPER_3D.histogram)


@pytest.mark.parametrize("module", [schur_ratio, crlb_distribution, sigma_map])
def test_an_unknown_magnitude_names_the_known_ones(module, table, tmp_path):
    with pytest.raises(ParameterError, match="no magnitude 19; it has 18, 20, 21.5"):
        module.draw([table], tmp_path / "a.png", magnitude=19.0)
    assert not list(tmp_path.iterdir())


def test_a_table_of_four_free_labels_is_refused(table, tmp_path):
    with pytest.raises(ParameterError, match="4 free labels; the figures show those with 3 or 5"):
        sigma_vs_snr.draw([replace(table, free=("T_eff", "log_g", "M_H", "a_M"))], tmp_path / "a.png")
