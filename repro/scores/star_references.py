"""What test stars are measured against, star by star: ceilings, the exact optimum, and other definitions of SNR.

One file holds all that Track A takes from the bounds of Track C, so that its evidence can be recomputed from the files
of one folder. Needs numpy alone (and h5py for files).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.star_table import StarBounds
from repro.bounds.table import CeilingTable, check_shapes, read_table, write_table
from repro.bounds.van_trees_table import VanTreesTable
from repro.errors import DataError
from repro.scores.efficiency import Ceiling, kit_ceilings, power_law

Array = NDArray[np.float64]

# names in addresses of evidence, by those of `efficiency.kit_ceilings`
NAMES: Final = {"crlb": "crlb", "local_prior": "local_prior", "mmse_flux": "mmse", "ceiling_5D": "median"}
VAN_TREES: Final = "van_trees"


@dataclass(frozen=True)
class StarReferences:
    """C ceilings of n test stars, nan where one is not known, and what else is known of them."""

    names: tuple[str, ...]
    observers: tuple[str, ...]  # of whom each is the exact optimum; "" for a bound of another kind
    relative: NDArray[np.bool_]  # (C,) loss in units of the label variance of the bin
    loss: Array  # (C, n) squared error [dex^2]; infinite where log g is not identifiable
    stars: NDArray[np.intp]  # (n,) rows of the test set
    optimum: Array  # (n,) posterior mean of log g [dex] of observer `flux`
    snr_column: Array  # (n,) the published column: 95th percentile over the pixels of noise-free flux / error
    snr_noisy: Array  # (n,) median over the pixels of noisy flux / error
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def ceilings(self) -> tuple[Ceiling, ...]:
        """Each ceiling on the stars that it is known for."""
        found = []
        for name, observer, relative, loss in zip(self.names, self.observers, self.relative, self.loss, strict=True):
            known = ~np.isnan(loss)
            seen = cast(Literal["", "flux", "flux+error"], observer)
            found.append(Ceiling(name, self.stars[known], loss[known], bool(relative), seen))
        return tuple(found)

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> StarReferences:
        """Read a table and check that it is whole. Raises DataError as `CeilingTable.read`."""
        table = read_table(cls, path)
        count, n = len(table.names), len(table.stars)
        shapes: dict[str, tuple[int, ...]] = {"relative": (count,), "loss": (count, n)}
        check_shapes(table, shapes | dict.fromkeys(("optimum", "snr_column", "snr_noisy"), (n,)), path)
        return table


def star_references(
    stars: NDArray[np.intp],
    snr: Mapping[str, Array],
    bounds: StarBounds,
    posterior: PosteriorTable,
    nodes: CeilingTable,
    van_trees: VanTreesTable,
) -> StarReferences:
    """The references of test stars.

    Args:
        stars: (n,) rows of the test set.
        snr: `column` and `noisy`, see `StarReferences`, (n,) each.
        bounds: Cramer-Rao bounds of test stars.
        posterior: exact posteriors of test stars.
        nodes: bounds at nodes with five free labels, whose median is the published ceiling.
        van_trees: bounds for stars drawn evenly from the box.

    Raises:
        DataError: no star has bounds or a posterior.
    """
    known = [*kit_ceilings(bounds, posterior, nodes), van_trees_curve(bounds, nodes, van_trees)]
    loss = np.full((len(known), len(stars)), np.nan)
    for row, ceiling in enumerate(known):
        loss[row] = _placed(ceiling.loss, ceiling.stars, stars)
    if np.isnan(loss).all():
        raise DataError("references: no test star has bounds; Track C and the arms belong to different test sets")
    flux = posterior.mean[posterior.observers.index("flux")]
    return StarReferences(
        names=tuple(NAMES.get(ceiling.name, ceiling.name) for ceiling in known),
        observers=tuple(ceiling.observer for ceiling in known),
        relative=np.array([ceiling.relative for ceiling in known]),
        loss=loss,
        stars=stars,
        optimum=_placed(flux, posterior.stars, stars),
        snr_column=snr["column"],
        snr_noisy=snr["noisy"],
    )


def van_trees_curve(bounds: StarBounds, nodes: CeilingTable, table: VanTreesTable) -> Ceiling:
    """The bound of van Trees type at each star's SNR, for any estimator of stars drawn evenly from the box.

    A power law of the SNR between the magnitudes of the table; relative to the variance of that law. Stars of sampling
    mode `paper` stand on nodes and are of another law, so that this bound does not bind them: it is shown for scale.
    """
    rows = [int(np.flatnonzero(nodes.magnitudes == m)[0]) for m in table.magnitudes if m in nodes.magnitudes]
    use = np.isin(table.magnitudes, nodes.magnitudes)
    points, values = np.log(nodes.snr_percentiles[rows, 1]), np.log(table.box[use])
    order = np.argsort(points)
    bound = np.exp(power_law(np.log(bounds.snr), points[order], values[order]))
    return Ceiling(VAN_TREES, bounds.stars, np.minimum(bound / table.variance_box, 1.0), relative=True)


def _placed(values: Array, stars: NDArray[np.intp], wanted: NDArray[np.intp]) -> Array:
    """Values of wanted stars, nan where they are not known."""
    order = np.argsort(stars)
    place = np.minimum(np.searchsorted(stars, wanted, sorter=order), len(stars) - 1)
    found: Array = np.where(stars[order[place]] == wanted, values[order[place]], np.nan)
    return found
