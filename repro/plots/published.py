"""Published numbers that figures show beside the kit's own.

All from github.com/ViskaWei/Physics_Informed_AI, folder logg/scaling/exp: six grids of 1260 nodes (3D).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# exp_scaling_fisher_multi_mag_20251224.md and exp_scaling_fisher_upperbound_curves_20251225.md; the SNR of magnitudes
# 22 and 22.5 differ between the two (4.6, 3.0 against 4.0, 2.8): those of the data set's own table are kept
MAGNITUDES: Final = (18.0, 20.0, 21.5, 22.0, 22.5, 23.0)
SNR: Final = (87.4, 24.0, 7.1, 4.6, 3.0, 1.9)
R2MAX_MEDIAN: Final = (0.9994, 0.9906, 0.8914, 0.7396, 0.3658, 0.0)
SIGMA_MEDIAN: Final = (0.0328, 0.1249, 0.4255, 0.6588, 1.0281, 1.6133)  # [dex]
SCHUR_MEDIAN: Final = (0.6641, 0.6842, 0.6906, 0.6921, 0.6922, 0.6923)

# exp_scaling_fisher_ceiling_v2_20251224.md: histogram of log10 CRLB [dex^2] at magnitude 21.5, 50 equal bins over this
# range, read pixel by pixel off the figure
HISTOGRAM_MAGNITUDE: Final = 21.5
HISTOGRAM_RANGE: Final = (7.45e-3, 5.67)
HISTOGRAM: Final = (
    *(3, 2, 2, 0, 5, 10, 6, 12, 23, 26, 32, 37, 26, 32, 34, 41, 50, 42, 46, 33, 38, 49, 35, 43, 38),
    *(26, 45, 39, 33, 36, 37, 25, 38, 33, 22, 33, 19, 32, 21, 18, 27, 17, 17, 14, 12, 12, 13, 13, 5, 8),
)


def histogram_edges() -> NDArray[np.float64]:
    """Bin edges (51,) of the published histogram [dex^2]."""
    return np.geomspace(*HISTOGRAM_RANGE, len(HISTOGRAM) + 1)
