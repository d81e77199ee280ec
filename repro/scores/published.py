"""Published numbers that figures show beside the kit's own.

All from github.com/ViskaWei/Physics_Informed_AI, folder logg/scaling/exp and its figures: bounds of six grids, one a
magnitude, with three free labels (3D) and with five (5D), and the R2 curves of three models of the project.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAGNITUDES: Final = (18.0, 20.0, 21.5, 22.0, 22.5, 23.0)
# SNR of the grids: median over nodes and pixels of flux / error, table of the data set. The figures of
# exp_scaling_fisher_upperbound_curves_20251225.md and the table beside them put two of the six elsewhere.
SNR: Final = (87.4, 24.0, 7.1, 4.6, 3.0, 1.9)
SNR_AS_DRAWN: Final = (87.4, 24.0, 7.1, 4.0, 2.8, 1.9)

HISTOGRAM_MAGNITUDE: Final = 21.5


@dataclass(frozen=True)
class Ceiling:
    """Published bounds with one set of free labels; rows belong to `MAGNITUDES`.

    histogram: nodes per bin of log10 CRLB [dex^2] at `HISTOGRAM_MAGNITUDE`, equal bins over `histogram_range`, read
    pixel by pixel off a figure.
    placeholders: (statistic, magnitude) of table cells that no computation gave: they repeat another cell or are
    round, and the histogram contradicts them.
    """

    n_nodes: int
    r2max_median: tuple[float, ...]
    r2max_p10: tuple[float, ...]
    r2max_p90: tuple[float, ...]
    sigma_median: tuple[float, ...]  # [dex]
    schur_median: tuple[float, ...]
    histogram: tuple[int, ...]
    histogram_range: tuple[float, float]
    sigma_stated: bool = True  # else from R2max
    placeholders: tuple[tuple[str, float], ...] = ()

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the histogram's bins [dex^2]."""
        return np.geomspace(*self.histogram_range, len(self.histogram) + 1)

    def quantile(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bound [dex^2] below which a `share` in [0, 1] of the published nodes lies, even in log within a bin."""
        counts = np.concatenate([[0], np.cumsum(self.histogram)])
        return 10.0 ** np.interp(share, counts / counts[-1], np.log10(self.edges))


# exp_scaling_fisher_multi_mag_20251224.md; histogram of exp_scaling_fisher_ceiling_v2_20251224.md
PAPER_3D: Final = Ceiling(
    n_nodes=1260,
    r2max_median=(0.9994, 0.9906, 0.8914, 0.7396, 0.3658, 0.0),
    r2max_p10=(0.9946, 0.9192, 0.0480, 0.0, 0.0, 0.0),
    r2max_p90=(0.9999, 0.9983, 0.9804, 0.9530, 0.8854, 0.7180),
    sigma_median=(0.0328, 0.1249, 0.4255, 0.6588, 1.0281, 1.6133),
    schur_median=(0.6641, 0.6842, 0.6906, 0.6921, 0.6922, 0.6923),
    histogram=(
        *(3, 2, 2, 0, 5, 10, 6, 12, 23, 26, 32, 37, 26, 32, 34, 41, 50, 42, 46, 33, 38, 49, 35, 43, 38),
        *(26, 45, 39, 33, 36, 37, 25, 38, 33, 22, 33, 19, 32, 21, 18, 27, 17, 17, 14, 12, 12, 13, 13, 5, 8),
    ),
    histogram_range=(7.45e-3, 5.67),
)

# exp_scaling_fisher_5d_multi_mag_20251226.md; the log gives no sigma: sqrt((1 - R2max) 5/3), and at magnitude 23, where
# R2max is clipped, from the histogram rescaled. Histogram of exp_scaling_fisher_ceiling_v3_chemical_20251225.md, counts
# good to 3; mean 0.8742 and spread 0.0638 of R2max at 21.5 are placeholders too (0.7175 and 0.326 by the histogram)
PAPER_5D: Final = Ceiling(
    n_nodes=30155,
    r2max_median=(0.9993, 0.9892, 0.8742, 0.6983, 0.2647, 0.0),
    r2max_p10=(0.9939, 0.9109, 0.5000, 0.0, 0.0, 0.0),
    r2max_p90=(0.9999, 0.9980, 0.9768, 0.9445, 0.8650, 0.6678),
    sigma_median=(0.034, 0.134, 0.458, 0.709, 1.107, 1.73),
    schur_median=(0.5505, 0.5696, 0.5778, 0.5791, 0.5801, 0.5806),
    histogram=(
        *(0, 0, 4, 10, 23, 29, 40, 66, 112, 277, 286, 627, 722, 1010, 1038, 1182, 1216, 1288, 1241, 1173, 1263, 1226),
        *(1154, 1176, 1012, 1324, 1049, 1108, 989, 1070, 1023, 945, 773, 780, 818, 566, 705, 407, 510, 373, 426, 246),
        *(245, 216, 138, 146, 59, 21, 6),
    ),
    histogram_range=(10.0**-2.415, 10.0**1.141),
    sigma_stated=False,
    placeholders=(("r2max_p10", 21.5),),
)

CEILINGS: Final = {3: PAPER_3D, 5: PAPER_5D}  # by number of free labels


@dataclass(frozen=True)
class Envelope:
    """Median sigma [dex] per gravity node at one magnitude, read off the residual overlays to `ENVELOPE_ERROR`.

    The figures bin gravities by 0.2 dex, so that nodes stand up to 0.1 dex off and the last one, 5.0, is lost.
    """

    magnitude: float
    log_g: tuple[float, ...]
    sigma: tuple[float, ...]


# exp_scaling_fisher_residual_overlay_20251228.md: the envelope of 21.5 is 3D, that of 22.5 is 5D
ENVELOPE_ERROR: Final = 0.02
ENVELOPES: Final = {
    3: Envelope(21.5, (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5), (0.32, 0.35, 0.40, 0.46, 0.52, 0.56, 0.52, 0.43)),
    5: Envelope(22.5, (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5), (0.85, 0.91, 1.05, 1.24, 1.31, 1.39, 1.29, 1.07)),
}

# The SNR column of the data set is this many times the median over pixels of flux / error (1.15 to 1.17)
SNR_COLUMN: Final = 1.16


@dataclass(frozen=True)
class ModelCurves:
    """R2 of the project's models in SNR bins, read off one version of its core figure.

    snr: as drawn; `scale`: what an SNR of that axis is in units of the median over pixels of flux / error.
    """

    where: str
    snr: tuple[float, ...]
    scale: float
    r2: dict[str, tuple[float, ...]]

    @property
    def median_snr(self) -> NDArray[np.float64]:
        """The bins' SNR as median over pixels of flux / error, the scale of the ceilings."""
        return np.array(self.snr) / self.scale


# img/r2_vs_snr_ceiling_test_10k.png as the README shows it, ViT with R2 = 0.698 over all stars
README_CURVES: Final = ModelCurves(
    where="README",
    snr=(3.2, 4.1, 5.0, 6.3, 7.9, 9.8, 12.0, 14.6),
    scale=1.0,
    r2={
        "ViT": (0.46, 0.52, 0.60, 0.68, 0.75, 0.82, 0.87, 0.90),
        "LightGBM": (0.36, 0.42, 0.50, 0.59, 0.68, 0.74, 0.80, 0.84),
        "template": (0.22, 0.11, 0.32, 0.31, 0.55, 0.53, 0.58, 0.56),
    },
)
# the same name, later, as the paper shows it; ViT with 0.711
PAPER_CURVES: Final = ModelCurves(
    where="paper",
    snr=(3.0, 4.0, 5.0, 6.0, 7.0, 10.0, 15.0, 20.0),
    scale=SNR_COLUMN,
    r2={
        "ViT": (0.46, 0.46, 0.54, 0.64, 0.71, 0.80, 0.89, 0.91),
        "LightGBM": (0.27, 0.36, 0.43, 0.52, 0.59, 0.72, 0.82, 0.87),
        "template": (0.21, 0.23, 0.28, 0.36, 0.36, 0.51, 0.56, 0.53),
    },
)
