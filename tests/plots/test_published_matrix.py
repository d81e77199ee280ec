"""Published numbers of the matrix agree where their sources give one number twice."""

import pytest

from repro.scores import published_matrix as published


def test_one_fit_has_one_number():
    assert dict(published.LEVEL_1["ridge"])[32_000] == published.RIDGE_BEST[1.0][1]
    assert dict(published.LEVEL_1["ridge"])[100_000] == published.RIDGE_BEST_100K[1.0][1]
    assert dict(published.LEVEL_1["lightgbm"])[32_000] == pytest.approx(published.LIGHTGBM[1.0], abs=5e-4)
    assert published.SCALER["lightgbm"]["raw"] == dict(published.SCALING["lightgbm"])[100_000]


def test_the_gain_of_residuals_is_that_of_the_networks_that_the_readme_names():
    direct, residual = (dict(published.LEVEL_1[model]) for model in ("mlp", "residual_mlp"))
    assert residual[32_000] - direct[32_000] == pytest.approx(published.RESIDUAL_GAIN["32k, best of each"], abs=1e-9)
    assert residual[100_000] - direct[100_000] == pytest.approx(published.RESIDUAL_GAIN["100k"], abs=1e-9)


def test_every_fit_loses_to_noise_and_ridge_is_ahead_of_least_squares():
    for by_level in (published.LIGHTGBM, published.OLS, {k: r2 for k, (_, r2) in published.RIDGE_BEST.items()}):
        values = [by_level[level] for level in sorted(by_level)]
        assert values == sorted(values, reverse=True)
    assert all(published.RIDGE_BEST[level][1] > r2 for level, r2 in published.OLS.items())


def test_the_best_kernel_is_another_one_at_each_learning_rate():
    best = {rate: max(curve, key=lambda point: point[1])[0] for rate, curve in published.CNN.items()}
    assert best == {0.001: 21, 0.003: 9}
