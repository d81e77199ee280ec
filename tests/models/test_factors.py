"""Band and tridiagonal reductions against the matrices they are of."""

import numpy as np
import pytest
import torch

from repro.errors import DataError
from repro.models.factors import banded, eigen

SHIFTS = (1e-2, 1.0, 30.0)


def symmetric(size, rank=None, seed=0):
    root = np.random.default_rng(seed).normal(size=(rank or size + 3, size))
    return root.T @ root


def dense(band):
    """B from its diagonals."""
    full = np.zeros((band.diagonals.shape[1],) * 2)
    for below, diagonal in enumerate(band.diagonals):
        size = len(full) - below
        full[np.arange(size) + below, np.arange(size)] = full[np.arange(size), np.arange(size) + below] = diagonal[
            :size
        ]
    return full


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 23, 50])
@pytest.mark.parametrize("width", [1, 3, 8])
def test_a_band_matrix_is_the_matrix_turned(size, width):
    matrix = torch.from_numpy(symmetric(size))
    band = banded(matrix, width)
    turn = band.back(np.eye(size), matrix).numpy()
    assert turn.T @ turn == pytest.approx(np.eye(size), abs=1e-13)
    assert turn @ dense(band) @ turn.T == pytest.approx(matrix.numpy(), abs=1e-11)
    assert band.diagonals.shape == (min(width, size - 1) + 1, size)
    vector = np.random.default_rng(1).normal(size=size)
    assert band.times(vector) == pytest.approx(dense(band) @ vector, abs=1e-11)
    assert band.turned(torch.from_numpy(vector)) == pytest.approx(turn.T @ vector, abs=1e-13)


@pytest.mark.parametrize("size", [1, 2, 97, 98, 250])
def test_shifted_solutions_at_the_usual_width(size):
    matrix, right = symmetric(size), np.random.default_rng(2).normal(size=size)
    expected = [np.linalg.solve(matrix + shift * np.eye(size), right) for shift in SHIFTS]
    found = banded(torch.from_numpy(matrix)).solutions(torch.from_numpy(right), SHIFTS)
    np.testing.assert_allclose(found.T, expected, rtol=1e-9)


@pytest.mark.parametrize("matrix", [np.zeros((9, 9)), np.diag(np.arange(9.0)), symmetric(9, rank=2)])
def test_what_is_singular_is_reduced_as_well(matrix):
    right = np.arange(1.0, 10.0)
    band, values = banded(torch.from_numpy(matrix), 2), eigen(torch.from_numpy(matrix)).values
    expected = np.linalg.solve(matrix + np.eye(9), right)
    assert band.solutions(torch.from_numpy(right), (1.0,))[:, 0].numpy() == pytest.approx(expected, rel=1e-12)
    assert values == pytest.approx(np.linalg.eigvalsh(matrix)[::-1], abs=1e-13)


@pytest.mark.parametrize("size", [1, 2, 40])
def test_eigenvectors_are_right_in_what_they_do(size):
    matrix, right = symmetric(size), np.random.default_rng(3).normal(size=size)
    found, like = eigen(torch.from_numpy(matrix)), torch.from_numpy(right)
    values, vectors = np.linalg.eigh(matrix)
    assert found.values == pytest.approx(values[::-1], rel=1e-11)
    ours = found.back(np.eye(size), like).numpy()
    assert np.abs((ours * vectors[:, ::-1]).sum(axis=0)) == pytest.approx(np.ones(size), abs=1e-9)
    assert found.coordinates(like) == pytest.approx(ours.T @ right, abs=1e-12)
    few = min(size, 3)
    assert found.back(np.eye(few), like).numpy() == pytest.approx(ours[:, :few], abs=1e-14)


def test_what_cannot_be_factorised_is_refused():
    right = torch.ones(3, dtype=torch.float64)
    with pytest.raises(DataError, match="3 unknowns with penalty 0.5 cannot be solved.*raise the penalty"):
        banded(torch.diag(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)), 1).solutions(right, (4.0, 0.5))
    with pytest.raises(DataError, match="3 x 3 normal equations cannot be factorised"):
        eigen(torch.full((3, 3), float("nan"), dtype=torch.float64))
