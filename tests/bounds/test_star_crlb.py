"""Bounds of training stars against those of the full table, and the weights made from them."""

import numpy as np
import pytest

from repro.bounds.star_crlb import loss_weights, star_crlb
from repro.bounds.stars import star_bounds
from repro.errors import ParameterError
from repro.instrument.noise import NoiseModel
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.store import open_set


@pytest.mark.parametrize("mode", ["paper", "continuous"])
def test_bounds_are_those_of_the_table(tmp_path, grid, mode):
    noise_model = NoiseModel("paper")
    generate_set(grid, SetRecipe(mode, 70, "train", 3), noise_model, tmp_path / "train.h5")
    done = []
    with open_set(tmp_path / "train.h5") as stars:
        expected = star_bounds(grid, stars, noise_model, 2.0).crlb
        found = star_crlb(grid, stars, 2.0, report=lambda count, total: done.append((count, total)))
        assert star_crlb(grid, stars, 1.0) == pytest.approx(expected / 4.0, rel=1e-9)
        with pytest.raises(ParameterError, match="no bound on 'C_M'"):
            star_crlb(grid, stars, target="C_M")
    np.testing.assert_array_equal(found, expected)
    assert done == [(64, 70), (70, 70)]


def test_weights_have_mean_one_and_fall_with_the_bound():
    crlb = np.array([0.01, 0.1, 1.0, np.nan])
    weights = loss_weights(crlb, 1.4)
    assert list(weights) == ["", "_weighted", "_weighted_prior"]
    assert weights[""] is None
    for weight in (weights["_weighted"], weights["_weighted_prior"]):
        assert weight.mean() == pytest.approx(1.0)
        assert (np.diff(weight) < 0).all()
        assert weight[3] == 0.0
    assert weights["_weighted"][0] / weights["_weighted"][2] == pytest.approx(100.0)
    assert weights["_weighted_prior"][0] / weights["_weighted_prior"][2] == pytest.approx(2.4 / 1.41)


def test_weights_that_depend_on_the_label_bias_the_best_estimate():
    """E[w g | x] / E[w | x] minimises the weighted error and is not the posterior mean: two labels seen alike."""
    labels, crlb = np.array([1.0, 5.0]), np.array([0.1, 0.4])
    weight = loss_weights(crlb, 1.0)["_weighted"]
    guesses = np.linspace(1.0, 5.0, 4001)
    loss = (weight[:, None] * (labels[:, None] - guesses) ** 2).mean(axis=0)
    assert guesses[np.argmin(loss)] == pytest.approx((4 * 1.0 + 5.0) / 5.0, abs=1e-3)
