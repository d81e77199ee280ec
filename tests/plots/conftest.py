"""A ceiling table with the published distribution of bounds, laid out smoothly over the paper's 3D lattice."""

import numpy as np
import pytest

from repro.bounds.table import CeilingTable
from repro.plots import published
from repro.spectra.lattice import paper_3d


@pytest.fixture(scope="session")
def table():
    lattice = paper_3d()
    temperature, gravity, metals = lattice.labels[:, :3].T
    # hot, metal-poor, high-gravity nodes are worst, as in the published maps
    order = np.argsort(
        np.argsort(0.4 * temperature / 1000.0 + 0.3 * gravity - 0.6 * metals + 0.1 * np.sin(7 * gravity))
    )
    bounds = np.repeat(np.sqrt(published.histogram_edges()[1:] * published.histogram_edges()[:-1]), published.HISTOGRAM)
    faintness = (np.array(published.SIGMA_MEDIAN) / published.SIGMA_MEDIAN[2])[:, None] ** 2
    crlb = faintness * bounds[order]
    schur = np.clip(0.2 + 0.6 * (temperature - 3750.0) / 2250.0 + 0.15 * np.sin(3 * gravity + metals), 0.06, 1.0)
    schur = np.repeat(schur[None], len(crlb), axis=0)
    snr = np.array(published.SNR)
    edge = 1.0 + 0.3 * (gravity == 1.0)
    return CeilingTable(
        target="log_g",
        free=lattice.free,
        magnitudes=np.array(published.MAGNITUDES),
        labels=lattice.labels,
        interior=np.ones(lattice.size, dtype=bool),
        crlb=crlb,
        crlb_inverse=crlb,
        crlb_second_order=crlb * edge,
        crlb_richardson=crlb,
        conditional=crlb * schur,
        schur=schur,
        condition_raw=np.full(crlb.shape, 2e5),
        condition_scaled=np.full(crlb.shape, 9.0),
        correlations=np.zeros((*crlb.shape, 3)),
        rank=np.full(crlb.shape, 3),
        identifiable=np.ones(crlb.shape, dtype=bool),
        snr=np.repeat(snr[:, None], lattice.size, axis=1),
        snr_percentiles=np.stack([snr / 4.0, snr, 1.2 * snr], axis=1),
        error_median=0.5 / snr,
    )
