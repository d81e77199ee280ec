"""What noise of other shapes does to bounds and posteriors of log g: the table. Needs numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import arrays_of, check_shapes, read_table, write_table
from repro.labels import LABELS

# who knows the law of the noise, and who takes all pixels for independent and Gaussian
OBSERVERS: Final = ("optimal", "naive")


@dataclass(frozen=True)
class NoiseLawTable:
    """L laws of the noise, at N nodes and M magnitudes, and on n test stars; O = 2 `OBSERVERS`.

    Every law has the same variance in each pixel (`spectra.noise_laws`). Of an optimal observer the bounds are the
    Cramer-Rao bounds under the law; of a naive one they are the variance that its weighted least squares then have,
    not the one it believes in, which is that of the Gaussian law.
    """

    target: str
    laws: tuple[str, ...]
    free: tuple[str, ...]  # the k free labels of the nodes' grid
    magnitudes: NDArray[np.float64]  # (M,)
    labels: NDArray[np.float64]  # (N, 5)
    bound: NDArray[np.float64]  # (O, L, M, N) of unbiased estimators [target unit^2]; nan: not identifiable
    mean_information: NDArray[np.float64]  # (L, M, k, k) mean over nodes, all that a van Trees bound sees of the law
    stars: NDArray[np.intp]  # (n,) rows of the test set
    truth: NDArray[np.float64]  # (n,) target
    mag: NDArray[np.float64]  # (n,)
    snr: NDArray[np.float64]  # (n,) median over pixels of noise-free flux / error
    star_bound: NDArray[np.float64]  # (O, L, n) as `bound`, at the stars' own labels and errors
    mean: NDArray[np.float64]  # (O, L, n) of the posterior, the error array being known
    sd: NDArray[np.float64]  # (O, L, n) its standard deviation
    pit: NDArray[np.float64]  # (O, L, n) its probability integral at the truth, randomised where it has atoms
    monte_carlo_error: NDArray[np.float64]  # (O, L, n) standard error of `mean`
    effective: NDArray[np.float64]  # (O, L, n) templates that carry the posterior, 1 / sum of squared weights
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "NoiseLawTable":
        """Read a table and check that it is whole.

        Raises:
            DataError: the file is absent, cut short, of another format, or its arrays do not fit together.
        """
        table = read_table(cls, path)
        o, count, m, k = len(OBSERVERS), len(table.laws), len(table.magnitudes), len(table.free)
        n_nodes, n_stars = len(table.labels), len(table.stars)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays_of(cls), (o, count, n_stars))
        shapes |= dict.fromkeys(("stars", "truth", "mag", "snr"), (n_stars,))
        shapes |= {
            "magnitudes": (m,),
            "labels": (n_nodes, len(LABELS)),
            "bound": (o, count, m, n_nodes),
            "mean_information": (count, m, k, k),
        }
        check_shapes(table, shapes, path)
        return table

    def row(self, law: str) -> int:
        """Row of a law."""
        return self.laws.index(law)
