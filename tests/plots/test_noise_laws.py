from dataclasses import replace

import numpy as np
import pytest

from repro.plots import noise_laws
from repro.scores.noise_laws import summarise_noise_laws
from tests.scores.noise_law_tables import noise_law_table, prediction_table


@pytest.fixture(scope="module")
def table():
    return noise_law_table()


def test_every_law_and_series_is_shown_whole(table, tmp_path, drawn, inside_the_page):
    predictions = prediction_table(table)
    first = noise_laws.draw(table, tmp_path / "a.png", predictions)
    second = noise_laws.draw(table, tmp_path / "b.png", predictions)
    assert first.read_bytes() == second.read_bytes()
    inside_the_page(drawn[0])
    (axes,) = drawn[0].axes
    values = summarise_noise_laws(table, predictions)
    low, high = axes.get_ylim()
    shown = [container.lines[0].get_ydata() for container in axes.containers]
    assert [len(points) for points in shown] == [3, 3, 3, 3, 3, 1]  # the last model saw Gaussian noise alone
    np.testing.assert_allclose(shown[3], [values[f"noise_laws/{law}/posterior/naive/r2"].value for law in table.laws])
    for container in axes.containers:
        for bars in container.lines[2]:
            ends = np.concatenate([segment[:, 1] for segment in bars.get_segments()])
            assert ends.min() >= low and ends.max() <= high


def test_models_may_be_missing(table, tmp_path, drawn, inside_the_page):
    noise_laws.draw(table, tmp_path / "a.png")
    inside_the_page(drawn[0])
    assert len(drawn[0].axes[0].containers) == 4


def test_without_stars_the_page_says_so(table, tmp_path, drawn, inside_the_page):
    cut = {name: getattr(table, name)[..., :0] for name in ("star_bound", "mean", "sd", "pit", "effective")}
    none = {name: getattr(table, name)[:0] for name in ("stars", "truth", "mag", "snr")}
    noise_laws.draw(replace(table, monte_carlo_error=table.mean[..., :0], **cut, **none), tmp_path / "a.png")
    inside_the_page(drawn[0])
    assert "continuous" in drawn[0].axes[0].get_title()
