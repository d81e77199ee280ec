"""Figures of attention: inside the page, same bytes, and they show the numbers."""

import numpy as np
import pytest

from repro.files import sha256
from repro.plots import attention, attention_agreement, attention_groups, attention_heads, attention_lines
from repro.plots import attention_pixels as pixels
from repro.scores.attention import AttentionScores
from tests.scores.attention_tables import attention_table


@pytest.fixture(scope="module")
def maps():
    return attention_table()


def test_strips_show_maps_times_uniform_and_say_what_is_below(maps, tmp_path, drawn, inside_the_page):
    attention_lines.draw(maps, tmp_path / "a.png")
    inside_the_page(drawn[0])
    strips = [axes.collections[-1] for axes in drawn[0].axes if axes.get_ylabel() == "maps"]
    shown = strips[0].get_array().reshape(7, 32)
    scores = AttentionScores(maps)
    expected = np.maximum(32.0 * scores.mean("giants", "occlusion"), 0.1)
    np.testing.assert_allclose(shown[4], expected, rtol=1e-6)
    np.testing.assert_allclose(shown[0], np.maximum(16.0 * np.repeat(scores.mean("giants", "attention"), 2), 0.1))
    highest = max(strip.norm.vmax for strip in strips)
    assert highest >= max(strip.get_array().max() for strip in strips)


def test_windows_are_drawn_where_they_are(maps):
    bars = list(attention.runs(maps))
    assert len(bars) == 5
    for group, window in enumerate(maps.windows):
        covered = np.zeros(len(maps.wave), dtype=bool)
        for number, first, last in bars:
            if number == group:
                covered |= (maps.wave >= first) & (maps.wave <= last)
        np.testing.assert_array_equal(covered, window)


def test_no_point_of_the_groups_is_cut_and_bytes_do_not_vary(maps, tmp_path, drawn, inside_the_page):
    attention_groups.draw(maps, tmp_path / "a.png")
    inside_the_page(drawn[0])
    low, high = drawn[0].axes[0].get_xlim()
    scores = AttentionScores(maps)
    for name in ("attention", "saliency", "fisher_marginal"):
        for group in maps.groups:
            for where in ("giants", "subgiants", "dwarfs"):
                assert low < scores.enrichment(where, name, group).value < high
    attention_groups.draw(attention_table(), tmp_path / "b.png")
    assert sha256(tmp_path / "a.png") == sha256(tmp_path / "b.png")


@pytest.mark.slow
@pytest.mark.parametrize("figure", [attention_agreement, attention_heads, pixels])
def test_nothing_stands_outside_the_page(figure, maps, tmp_path, drawn, inside_the_page):
    figure.draw(maps, tmp_path / "a.png")
    inside_the_page(drawn[0])


@pytest.mark.slow
def test_classes_without_stars_are_left_out(maps, tmp_path, drawn, inside_the_page):
    labels = maps.labels.copy()
    labels[:, 1] = np.where(labels[:, 1] < 2.5, 3.0, labels[:, 1])
    table = attention_table(labels=labels)
    for number, figure in enumerate((attention_groups, attention_lines, attention_heads, attention_agreement, pixels)):
        figure.draw(table, tmp_path / "a.png")
        inside_the_page(drawn[number])
        texts = [text.get_text() for axes in drawn[number].axes for text in (axes.title, axes._left_title)]
        assert not any(text.startswith("giants") for text in texts)
