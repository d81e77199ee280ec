"""Leading directions against numpy's full decomposition."""

import numpy as np
import pytest

from repro.spectra import lowrank
from repro.spectra.lowrank import principal_directions


def matrix(n_rows, n_columns, decay):
    """A matrix of known singular values decay^k, and they."""
    random = np.random.default_rng(2)
    size = min(n_rows, n_columns)
    left = np.linalg.qr(random.standard_normal((n_rows, size)))[0]
    right = np.linalg.qr(random.standard_normal((n_columns, size)))[0]
    values = decay ** np.arange(size)
    return (left * values) @ right.T, values


def lost(values, directions):
    """Root of the sum of squares that the directions do not keep."""
    return np.linalg.norm(values - values @ directions.T @ directions)


@pytest.fixture(params=[(300, 120), (120, 300)], ids=["tall", "wide"])
def shape(request, monkeypatch):
    monkeypatch.setattr(lowrank, "BLOCK", 37)  # several blocks, the last one short
    return request.param


@pytest.mark.parametrize("rank", [1, 10, 40])
def test_hardly_more_is_lost_than_by_the_best_directions(shape, rank):
    values, singular = matrix(*shape, 0.85)
    directions = principal_directions(lambda rows: values[rows], *shape, rank)
    np.testing.assert_allclose(directions @ directions.T, np.eye(rank), atol=1e-12)
    best = np.linalg.norm(singular[rank:])
    assert best * (1 - 1e-9) <= lost(values, directions) < 1.01 * best


def test_directions_are_numpys_singular_vectors_in_order(shape):
    values, _ = matrix(*shape, 0.7)
    directions = principal_directions(lambda rows: values[rows], *shape, 5)
    expected = np.linalg.svd(values, full_matrices=False)[2][:5]
    np.testing.assert_allclose(np.abs((directions * expected).sum(axis=1)), 1.0, rtol=1e-9)


def test_with_all_directions_nothing_is_lost(shape):
    values = np.random.default_rng(1).standard_normal(shape)
    directions = principal_directions(lambda rows: values[rows], *shape, 1000)
    assert directions.shape == (120, shape[1])
    assert lost(values, directions) < 1e-10


def test_the_same_matrix_gives_the_same_bits(shape):
    values, _ = matrix(*shape, 0.9)
    first, second = (principal_directions(lambda rows: values[rows], *shape, 8) for _ in range(2))
    np.testing.assert_array_equal(first, second)
