"""The posterior of log g of every test star, and the file that keeps it. Needs numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import arrays_of, check_shapes, read_table, write_table
from repro.labels import LABELS


@dataclass(frozen=True)
class PosteriorTable:
    """Posterior mean and spread of log g of n test stars, as O observers see them.

    Observer `flux` sees the noisy flux alone and marginalises over magnitude and conditions: its mean is the estimator
    of least mean squared error. Observer `weights` is handed the star's error array and weights the pixels with it, but
    reads no labels out of it (chi-square template fit): an estimator like others, no ceiling.
    """

    observers: tuple[str, ...]
    stars: NDArray[np.intp]  # (n,) rows of the test set
    truth: NDArray[np.float64]  # (n,) log g [dex]
    labels: NDArray[np.float64]  # (n, 5)
    mag: NDArray[np.float64]  # (n,) HSC-i
    snr: NDArray[np.float64]  # (n,) median over pixels of flux / error
    mean: NDArray[np.float64]  # (O, n) posterior mean of log g [dex]
    sd: NDArray[np.float64]  # (O, n) posterior standard deviation of log g [dex]
    pit: NDArray[np.float64]  # (O, n) P(g < truth | x) + v P(g = truth | x), v uniform: uniform if calibrated
    coarse_mean: NDArray[np.float64]  # (O, n) the mean from every other template
    effective: NDArray[np.float64]  # (O, n) effective number of templates, 1 / sum of squared probabilities
    monte_carlo_error: NDArray[np.float64]  # (O, n) of `mean` [dex]; 0 where the prior is summed and not sampled
    conditions: Mapping[str, Any] = field(default_factory=dict)  # mode, noise level, refinement, quadrature, ...

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "PosteriorTable":
        """Read a table and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        table = read_table(cls, path)
        n = len(table.stars)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays_of(cls), (len(table.observers), n))
        shapes |= dict.fromkeys(("stars", "truth", "mag", "snr"), (n,)) | {"labels": (n, len(LABELS))}
        check_shapes(table, shapes, path)
        return table
