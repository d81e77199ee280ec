"""Test stars of the paper's label law with bounds that span decades, and estimators whose bias is known."""

import numpy as np

from repro.bounds.posterior.table import PosteriorTable
from repro.bounds.star_table import StarBounds
from tests.scores.stars import table_of

VARIANCE = 1.4


def law_stars(n=2000, seed=3):
    """Truth (n,), four in five on nodes every 0.5 dex, bound (n,) over two decades and SNR (n,)."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(1.0, 5.0, size=n)
    truth = np.where(rng.random(n) < 0.8, np.round(2.0 * truth) / 2.0, truth)
    bound = 10.0 ** rng.uniform(-1.5, 0.7, size=n)
    return truth, bound, rng.uniform(2.5, 17.0, size=n)


def shrunk(truth, bound, factor, seed=4):
    """Estimates with E[estimate] = 3 + factor (truth - 3) that reach the biased bound of each star."""
    noise = np.random.default_rng(seed).standard_normal(truth.size)
    return 3.0 + factor * (truth - 3.0) + factor * np.sqrt(bound) * noise


def tables(truth, bound, snr, models, runs=1):
    """Predictions, bounds and posteriors of the same stars; the posterior is that of a Gaussian prior."""
    predictions = table_of(truth, snr, models, runs=runs)
    n, ones, labels = truth.size, np.ones(truth.size), predictions.labels
    stars = StarBounds(
        target="log_g",
        free=("T_eff", "log_g", "M_H", "a_M", "C_M"),
        stars=predictions.stars,
        labels=labels,
        mag=predictions.mag,
        snr=snr,
        crlb=bound,
        crlb_3d=0.8 * bound,
        conditional=0.5 * bound,
        schur=0.5 * ones,
        correlations=np.zeros((n, 5)),
        crlb_flux=bound,
        error_scatter=np.array([0.1]),
        crlb_error=bound[None],
    )
    factor = VARIANCE / (VARIANCE + np.nan_to_num(bound, nan=np.inf))
    mean, spread = shrunk(truth, np.nan_to_num(bound), factor, seed=5), np.sqrt(VARIANCE * (1.0 - factor))
    posterior = PosteriorTable(
        observers=("weights", "flux"),
        stars=predictions.stars,
        truth=truth,
        labels=labels,
        mag=predictions.mag,
        snr=snr,
        mean=np.stack([mean + 1.0, mean]),
        sd=np.stack([spread, spread]),
        pit=np.full((2, n), 0.5),
        coarse_mean=np.stack([mean, mean]),
        effective=np.full((2, n), 9.0),
        monte_carlo_error=np.zeros((2, n)),
    )
    return predictions, stars, posterior
