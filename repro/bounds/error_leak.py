"""The leak of the error array: log g of test stars, read from their stored errors alone.

An observer who is handed the error array beside the flux (`flux+error`) knows at least this much.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from repro.bounds.error_reader import ErrorReader
from repro.bounds.leak_table import LeakTable
from repro.errors import ParameterError
from repro.instrument.noise import NoiseModel
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import labels_of
from repro.spectra.store import SpectrumSet

_BLOCK: Final = 64


def read_errors(
    grid: NodeGrid,
    stars: SpectrumSet,
    noise_model: NoiseModel,
    *,
    target: str = "log_g",
    limit: int = 1000,
    progress: Callable[[int, int], None] | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> LeakTable:
    """Labels of the first `limit` stars of a set from their error arrays, and the true ones beside them.

    Of a star whose errors are not met up to rounding nothing is claimed: its estimate is the middle of each axis.

    progress: called with (stars done, stars in all) after each block. recorded: further conditions to store.

    Raises:
        ParameterError: the set is not of sampling mode `paper`, whose stars lie on the lines of the grid.
    """
    if limit and stars.mode != "paper":
        raise ParameterError(
            f"{stars.path}: errors are read along the lines of a grid, on which the stars of sampling mode "
            f"'{stars.mode}' do not lie; use a set of mode paper"
        )
    reader = ErrorReader(grid, noise_model)
    table, count = stars.labels, min(stars.size, limit)
    middle = np.array([0.5 * (nodes[0] + nodes[-1]) for nodes in grid.lattice.axes.values()])
    labels, mag, rms = np.tile(middle, (count, 1)), np.full(count, np.nan), np.empty(count)
    identified = np.zeros(count, dtype=bool)
    blocks = [slice(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]
    errors = (stars.read(rows)[1] for rows in blocks)
    # one block a core: the matrix products are too small to be shared between threads
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows, reading in zip(blocks, pool.map(reader, errors), strict=True):
            found: NDArray[np.bool_] = reading.identified
            labels[rows][found], mag[rows][found] = reading.labels[found], reading.mag[found]
            rms[rows], identified[rows] = reading.rms, found
            if progress:
                progress(rows.stop, count)
    return LeakTable(
        target=target,
        stars=np.arange(count),
        labels=labels_of(table[:count]),
        mag=table["mag"][:count].astype(np.float64),
        found_labels=labels,
        found_mag=mag,
        rms=rms,
        identified=identified,
        conditions={"mode": "paper", **(recorded or {})},
    )
