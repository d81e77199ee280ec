"""Ceiling tables with the published distributions of bounds, laid out smoothly over a lattice."""

import numpy as np

from repro.bounds.table import CeilingTable, arrays_of
from repro.scores import published


def ceiling_table(lattice, paper):
    """Bounds of `lattice` distributed as the published ones of `paper` at magnitude 21.5, scaled to the others."""
    temperature, gravity, metals, alpha, carbon = lattice.labels.T
    # hot, metal-poor, high-gravity nodes are worst, as in the published maps
    badness = 0.4 * temperature / 1000.0 + 0.3 * gravity - 0.6 * metals + 0.1 * np.sin(7 * gravity) + alpha - carbon
    rank = np.argsort(np.argsort(badness, kind="stable"), kind="stable")
    bounds = paper.quantile((rank + 0.5) / lattice.size)
    crlb = (np.array(paper.sigma_median) / paper.sigma_median[2])[:, None] ** 2 * bounds
    schur = np.clip(0.2 + 0.6 * (temperature - 3750.0) / 2250.0 + 0.15 * np.sin(3 * gravity + metals), 0.06, 1.0)
    schur = np.repeat(schur[None], len(crlb), axis=0)
    snr = np.array(published.SNR)
    routes = {name: crlb for name in arrays_of(CeilingTable) if name.startswith("crlb")}
    routes["crlb_second_order"] = crlb * (1.0 + 0.3 * (gravity == 1.0))
    k = len(lattice.free)
    return CeilingTable(
        target="log_g",
        free=lattice.free,
        magnitudes=np.array(published.MAGNITUDES),
        labels=lattice.labels,
        interior=np.ones(lattice.size, dtype=bool),
        **routes,
        conditional=crlb * schur,
        schur=schur,
        condition_raw=np.full(crlb.shape, 2e5),
        condition_scaled=np.full(crlb.shape, 9.0),
        correlations=np.zeros((*crlb.shape, k)),
        rank=np.full(crlb.shape, k),
        identifiable=np.ones(crlb.shape, dtype=bool),
        snr=np.repeat(snr[:, None], lattice.size, axis=1),
        snr_percentiles=np.stack([snr / 4.0, snr, 1.2 * snr], axis=1),
        error_median=0.5 / snr,
    )
