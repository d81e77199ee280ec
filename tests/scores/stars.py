"""Test stars whose posterior is known: a label of a Gaussian law seen through Gaussian noise of the star's own size."""

import numpy as np

from repro.bounds.star_table import StarBounds
from repro.scores.predictions import PredictionTable

VARIANCE = 1.4


def gaussian_stars(n=1000, seed=0):
    """Truth, bound (noise variance), posterior mean and SNR of n stars, (n,) each."""
    rng = np.random.default_rng(seed)
    snr = rng.uniform(2.5, 20.0, size=n)
    bound = (3.0 / snr) ** 2
    truth = 3.0 + np.sqrt(VARIANCE) * rng.standard_normal(n)
    seen = truth + np.sqrt(bound) * rng.standard_normal(n)
    mean = 3.0 + (seen - 3.0) * VARIANCE / (VARIANCE + bound)
    return truth, bound, mean, snr


def table_of(truth, snr, models, observers=None, runs=1):
    """A table of given predictions, (n,) or (R, n) each, under the Gaussian law alone."""
    n = len(truth)
    rng = np.random.default_rng(1)
    values = np.full((len(models), 1, runs, n), np.nan)
    for row, prediction in enumerate(models.values()):
        prediction = np.atleast_2d(prediction)
        values[row, 0, : len(prediction)] = prediction
    labels = rng.uniform((3750.0, 1.0, -2.5, 0.0, 0.0), (6000.0, 5.0, 0.75, 0.0, 0.0), size=(n, 5))
    labels[:, 1] = truth
    mag = rng.uniform(20.5, 22.5, size=n)
    observers = observers or ("flux",) * len(models)
    return PredictionTable(tuple(models), observers, ("gaussian",), values, np.arange(n), truth, labels, mag, snr)


def bounds_of(table, crlb):
    """Bounds (n,) at the stars of a table; the columns that play no part hold plain values."""
    n = len(crlb)
    return StarBounds(
        target="log_g",
        free=("T_eff", "log_g", "M_H"),
        stars=table.stars,
        labels=table.labels,
        mag=table.mag,
        snr=table.snr,
        crlb=crlb.copy(),
        crlb_3d=crlb,
        conditional=0.7 * crlb,
        schur=np.full(n, 0.7),
        correlations=np.zeros((n, 3)),
        crlb_flux=crlb,
        error_scatter=np.array([0.1]),
        crlb_error=crlb[None],
    )
