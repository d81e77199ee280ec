"""The leading directions of many spectra, from blocks of them: memory is bounded whatever their number."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Rows = Callable[[slice], NDArray[np.float64]]  # some rows (b, P) of a matrix (N, P)

BLOCK: Final = 1024  # rows at a time: 34 MB of 4096 pixels
_SPARE: Final = 32  # directions beyond those asked for
_PASSES: Final = 2  # each sharpens the directions by the squared ratio of their singular values


def blocks(n_rows: int) -> list[slice]:
    """The rows of each block."""
    return [slice(start, min(start + BLOCK, n_rows)) for start in range(0, n_rows, BLOCK)]


def principal_directions(rows: Rows, n_rows: int, n_columns: int, rank: int) -> NDArray[np.float64]:
    """The leading right singular vectors of a matrix (N, P), (rank, P), orthonormal; all of them if rank allows.

    Subspace iteration from a fixed random start (Halko, Martinsson & Tropp 2011, SIAM Review 53, 217, algorithm 4.4).
    Equal matrices give equal bits on one machine.
    """
    rank = min(rank, n_rows, n_columns)
    width = min(rank + _SPARE, n_rows, n_columns)
    directions = _orthonormal(np.random.default_rng(0).standard_normal((n_columns, width)))
    for _ in range(_PASSES):
        product = np.zeros_like(directions)
        for part in blocks(n_rows):
            values = rows(part)
            product += values.T @ (values @ directions)
        directions = _orthonormal(product)
    gram = np.zeros((width, width))
    for part in blocks(n_rows):
        projected = rows(part) @ directions
        gram += projected.T @ projected
    order = np.linalg.eigh(gram)[1][:, ::-1][:, :rank]
    return np.ascontiguousarray((directions @ order).T)


def _orthonormal(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.qr(columns)[0]
