"""Figures of posteriors: nothing outside the page, nothing cut, bytes that do not vary."""

from dataclasses import replace

import numpy as np
import pytest

from repro.files import sha256
from repro.plots import posterior_calibration, r2_bayes
from repro.scores.bins import FEWEST
from repro.scores.posterior import PIT_BINS, summarise_posterior
from tests.scores.posteriors import gaussian_table


@pytest.fixture(scope="module")
def posterior():
    return gaussian_table()


@pytest.mark.parametrize(
    "draw",
    [posterior_calibration.draw, lambda table, path: r2_bayes.draw(table, None, path)],
    ids=["calibration", "r2"],
)
def test_same_table_same_bytes_and_nothing_outside_the_page(draw, posterior, tmp_path, drawn, inside_the_page):
    first, second = (draw(posterior, tmp_path / f"{name}.png") for name in "ab")
    assert sha256(first) == sha256(second)
    inside_the_page(drawn[0])


def test_r2_is_that_of_the_scores_and_nothing_is_cut(posterior, tmp_path, drawn, inside_the_page):
    # a useless posterior mean: R2 far below zero
    useless = replace(posterior, mean=posterior.mean + np.array([[0.0], [3.0]]))
    r2_bayes.draw(useless, 0.99999, tmp_path / "a.png")
    inside_the_page(drawn[0])
    values = summarise_posterior(useless)
    left = drawn[0].axes[0]
    shown = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in left.lines])
    for observer in ("mmse/flux", "weights"):
        for name, value in values.items():
            if name.startswith(f"{observer}/snr_") and name.endswith("/r2"):
                assert np.isclose(shown, value.value).any()
    low, high = left.get_ylim()
    assert low < shown.min() < -5 and shown.max() < high
    assert "R² ≥ 0.9999" in " ".join(text.get_text() for text in drawn[0].legends[0].get_texts())


def test_the_histogram_counts_every_star(posterior, tmp_path, drawn):
    posterior_calibration.draw(posterior, tmp_path / "a.png")
    counts = [patch.get_data().values for patch in drawn[0].axes[0].patches if hasattr(patch, "get_data")]
    assert [values.sum() for values in counts] == [1000, 1000] and len(counts[0]) == PIT_BINS


def test_few_stars_and_one_observer_are_drawn_too(tmp_path, drawn, inside_the_page):
    few = gaussian_table(n=FEWEST + 5)
    names = ("mean", "sd", "pit", "coarse_mean", "effective", "monte_carlo_error")
    alone = replace(few, observers=("flux",), **{name: getattr(few, name)[:1] for name in names})
    posterior_calibration.draw(alone, tmp_path / "a.png")
    r2_bayes.draw(alone, None, tmp_path / "b.png")
    for figure in drawn:
        inside_the_page(figure)
