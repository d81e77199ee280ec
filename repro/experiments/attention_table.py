"""Where a vision transformer looks, and what its estimate depends on: maps over wavelength of some test stars.

Needs numpy alone (and h5py to read a file), so that stored evidence is judged without torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import check_shapes, read_table, write_table
from repro.labels import LABELS

Array = NDArray[np.float64]

MAPS: Final = ("attention", "rollout", "saliency", "grad_input", "occlusion")
REFERENCES: Final = ("fisher", "fisher_marginal")
NOISY: Final = "noisy"
VARIANTS: Final = (NOISY, "clean", "untrained", "another")
BY_TOKEN: Final = MAPS[:2]  # that are even over a token

# class -> log g [dex] from (included) and to (excluded); the published limits
CLASSES: Final[dict[str, tuple[float, float]]] = {
    "giants": (-np.inf, 2.5),
    "subgiants": (2.5, 3.5),
    "dwarfs": (3.5, np.inf),
}
PUBLISHED_STAR: Final = (1.5, 13.0)  # log g [dex] and SNR of the one star whose attention was published


@dataclass(frozen=True)
class AttentionTable:
    """Maps of n stars over C cells of neighbouring pixels, each the share of a whole: it is >= 0 and sums to 1.

    A cell has the pixels of a published token, 6.8 A, or fewer; a token of the network may be several cells wide.

    Maps are `MAPS`:
    attention: weights that the pooled token (CLS, or the mean over queries) gives the tokens, mean over layers and
        heads; a token's weight is spread evenly over its pixels, and what CLS gives itself is left out.
    rollout: the same after attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928).
    saliency: (sigma d log g / d flux)^2, what each pixel's noise adds to the variance of the estimate at first order.
    grad_input: |sum over the cell of d log g / d flux (flux - mean flux)|.
    occlusion: |change of the estimate| when the cell shows the mean flux instead; of the first variant alone.

    Variants are `VARIANTS`: the trained network on noisy stars (level 1) and on the same without noise; the network
    with its initial weights, on the noisy ones; and, where there is one, the same network trained in another run.

    References are `REFERENCES`: the Fisher information on log g that each cell holds under the same errors, the other
    labels known (dF/dlog g / sigma)^2, or unknown: the same of what is left of dF/dlog g, in units of sigma, beside
    the derivatives with respect to the other labels. The saliency of an efficient estimator equals the latter.
    Shares of a whole that is 0 are nan, as of a star without Fisher information (on the edge of an incomplete grid).
    """

    model: str
    variants: tuple[str, ...]  # (V,)
    maps: tuple[str, ...]  # (M,)
    references: tuple[str, ...]  # (R,)
    groups: tuple[str, ...]  # (G,) of lines and bands
    wave: Array  # (P,) [A, vacuum]
    windows: NDArray[np.bool_]  # (G, P) pixels of each group; groups may overlap
    stars: NDArray[np.intp]  # (n,) rows of the test set
    labels: Array  # (n, 5)
    snr: Array  # (n,) median over the pixels of noise-free flux / error
    cells_a_token: int  # from the start of one token to that of the next
    values: NDArray[np.float32]  # (V, M, n, C)
    reference_values: NDArray[np.float32]  # (R, n, C)
    heads: NDArray[np.float32]  # (V, 3, L, H, C) raw weights by layer and head, mean over the stars of each of CLASSES
    row_sums: Array  # (V, 2) least and largest sum of a row of attention weights, over stars, layers, heads, queries
    predictions: Array  # (V, n) [dex]
    occluded: (
        Array  # (n, G) change of the first variant's estimate [dex] when all windows of a group show the mean flux
    )
    flux: NDArray[np.float32]  # (3, P) mean noise-free flux of the stars of each class
    profiles: NDArray[np.float32]  # (2, 3, P) mean shares, by pixel, of the trained saliency and of fisher_marginal
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def log_g(self) -> Array:
        """Of the stars [dex], (n,)."""
        values: Array = self.labels[:, LABELS.index("log_g")]
        return values

    @property
    def cells(self) -> int:
        """Number of cells C."""
        return self.values.shape[3]

    @property
    def cell_wave(self) -> Array:
        """Middle of each cell, (C,) [A, vacuum]."""
        middles: Array = self.wave.reshape(self.cells, -1).mean(axis=1)
        return middles

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> "AttentionTable":
        """Read a table and check that it is whole. Raises DataError as `CeilingTable.read`."""
        table = read_table(cls, path)
        v, m, r, g = (len(names) for names in (table.variants, table.maps, table.references, table.groups))
        n, p, k = len(table.stars), len(table.wave), len(CLASSES)
        c, layers_heads = table.values.shape[-1], table.heads.shape[2:4]
        shapes: dict[str, tuple[int, ...]] = {
            "windows": (g, p),
            "labels": (n, len(LABELS)),
            "snr": (n,),
            "values": (v, m, n, c),
            "reference_values": (r, n, c),
            "heads": (v, k, *layers_heads, c),
            "row_sums": (v, 2),
            "predictions": (v, n),
            "occluded": (n, g),
            "flux": (k, p),
            "profiles": (2, k, p),
        }
        check_shapes(table, shapes, path)
        return table


def classes_of(log_g: Array) -> dict[str, NDArray[np.bool_]]:
    """Members (n,) of every star class among stars of these gravities (n,) [dex]."""
    return {name: (log_g >= low) & (log_g < high) for name, (low, high) in CLASSES.items()}


def published_star(log_g: Array, snr: Array) -> int:
    """The star most like the published one: nearest in log g, in steps of 0.5 dex, and in ln SNR."""
    wanted, level = PUBLISHED_STAR
    return int(np.argmin(((log_g - wanted) / 0.5) ** 2 + np.log(snr / level) ** 2))
