"""Posteriors of a linear Gaussian problem, in which every number is known: g ~ N(3, 1), measured with errors."""

import numpy as np
from scipy.stats import norm

from repro.bounds.posterior.table import PosteriorTable

PRIOR_MEAN = 3.0
ERRORS = (0.5, 0.7)  # of the measurements of the observers flux and weights [dex]


def gaussian_table(n=1000, seed=0, claimed=1.0):
    """Exact posteriors of two observers with independent errors; their widths are scaled by `claimed`."""
    rng = np.random.default_rng(seed)
    truth = PRIOR_MEAN + rng.standard_normal(n)
    errors = np.array(ERRORS)[:, None]
    measured = truth + errors * rng.standard_normal((2, n))
    share = 1.0 / (1.0 + errors**2)
    mean = PRIOR_MEAN + share * (measured - PRIOR_MEAN)
    sd = np.broadcast_to(claimed * errors * np.sqrt(share), mean.shape).copy()
    labels = np.stack([rng.uniform(3750, 6000, n), truth, rng.uniform(-2.5, 0.75, n), np.zeros(n), np.zeros(n)], axis=1)
    snr = np.exp(rng.uniform(np.log(2.5), np.log(20.0), n))
    return PosteriorTable(
        observers=("flux", "weights"),
        stars=np.arange(n),
        truth=truth,
        labels=labels,
        mag=rng.uniform(20.5, 22.5, n),
        snr=snr,
        mean=mean,
        sd=sd,
        pit=norm.cdf((truth - mean) / sd),
        coarse_mean=mean + 0.01,
        effective=np.full((2, n), 500.0),
        monte_carlo_error=np.full((2, n), 0.02),
        conditions={"mode": "paper"},
    )


def expected_r2(observer):
    """Of the posterior mean: posterior variance e^2 / (1 + e^2) of a prior variance of 1."""
    return 1.0 / (1.0 + ERRORS[observer] ** 2)
