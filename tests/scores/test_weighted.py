"""Gains of weighted models on hand-made predictions."""

import numpy as np
import pytest

from repro.bounds.star_table import StarBounds
from repro.errors import DataError
from repro.scores.bootstrap import resamples
from repro.scores.weighted import informative_half, summarise_weighted, weighted_names
from tests.scores.stars import bounds_of, gaussian_stars, table_of


def tables(n=400):
    truth, bound, mean, snr = gaussian_stars(n)
    rng = np.random.default_rng(4)
    models = {
        "ridge": 3.0 + 0.5 * (mean - 3.0),
        "ridge_weighted": 3.0 + 0.6 * (mean - 3.0),
        "mlp": np.stack((mean, mean + 0.1 * rng.standard_normal(n))),
        "mlp_weighted_prior": np.stack((mean + 0.3, mean - 0.2)),
    }
    table = table_of(truth, snr, models, runs=2)
    return table, bounds_of(table, bound)


def score(truth, prediction):
    return 1.0 - np.mean((prediction - truth) ** 2) / np.var(truth)


def test_gains_are_paired_by_run_and_by_resample():
    table, stars = tables()
    assert weighted_names(table) == {"ridge_weighted": "ridge", "mlp_weighted_prior": "mlp"}
    values = summarise_weighted(table, stars)
    truth = table.truth
    pairs = list(zip(table.of("mlp_weighted_prior"), table.of("mlp"), strict=True))
    each = [score(truth, weighted) - score(truth, plain) for weighted, plain in pairs]
    gain = values["weighted/mlp_prior/r2_gain"]
    assert gain.runs == pytest.approx(each)
    assert gain.value == pytest.approx(np.mean(each))
    rows = resamples(400)[9]
    again = [score(truth[rows], weighted[rows]) - score(truth[rows], plain[rows]) for weighted, plain in pairs]
    assert gain.replicates[9] == pytest.approx(np.mean(again))
    assert values["weighted/ridge/r2"].value == pytest.approx(score(truth, table.of("ridge_weighted")[0]))
    assert values["weighted/ridge/r2_gain"].value > 0 > gain.value


def test_the_informative_half_holds_the_smaller_bounds():
    table, stars = tables()
    order = np.random.default_rng(0).permutation(400)  # bounds may come in any order of the stars
    shuffled = StarBounds(
        **{
            name: value[order] if isinstance(value, np.ndarray) and value.shape[:1] == (400,) else value
            for name, value in vars(stars).items()
        }
    )
    half = informative_half(table, shuffled)
    assert half.sum() == 200
    assert stars.crlb[half].max() <= stars.crlb[~half].min()
    values = summarise_weighted(table, shuffled)
    expected = score(table.truth[half], table.of("ridge_weighted")[0][half])
    assert values["weighted/ridge/r2_informative"].value == pytest.approx(expected)
    stars.crlb[np.flatnonzero(half)[0]] = np.nan  # not identifiable: as little information as can be
    assert not informative_half(table, stars)[np.flatnonzero(half)[0]]


def test_bounds_of_other_stars_are_refused():
    table, stars = tables()
    with pytest.raises(DataError, match="no bound"):
        informative_half(table, StarBounds(**{**vars(stars), "stars": stars.stars + 1}))
