"""A table of noise laws with known answers, and predictions for its stars and others."""

import numpy as np

from repro.bounds.noise_law_table import NoiseLawTable
from repro.scores.predictions import PredictionTable

N, LAWS = 400, ("gaussian", "student", "sky")


def noise_law_table():
    """Stars whose posteriors are exact but for the naive one under `sky`, twice as wide of the mark as it believes."""
    rng = np.random.default_rng(2)
    truth = rng.normal(3.0, 1.2, N)
    sd = np.full((2, 3, N), 0.5)
    sd[0, 1] = 0.4
    off = sd.copy()
    off[1, 2] = 1.0
    deviate = rng.normal(size=(2, 1, N))
    mean = truth + off * deviate
    pit = np.clip(0.5 + 0.25 * -deviate * off / sd, 0.0, 1.0)
    labels = np.zeros((9, 5))
    labels[:, 1] = np.linspace(1.0, 5.0, 9)
    bound = np.full((2, 3, 1, 9), 0.25)
    bound[0, 1] = 0.16
    bound[1, 2] = 1.0
    bound[:, :, 0, 8] = np.nan
    information = np.stack([np.diag([1.0, scale, 1.0])[None] for scale in (4.0, 6.25, 4.0)])
    return NoiseLawTable(
        target="log_g",
        laws=LAWS,
        free=("T_eff", "log_g", "M_H"),
        magnitudes=np.array([21.5]),
        labels=labels,
        bound=bound,
        mean_information=information,
        stars=np.arange(N),
        truth=truth,
        mag=np.full(N, 21.5),
        snr=np.full(N, 7.0),
        star_bound=np.repeat(bound[:, :, 0, :1], N, axis=2),
        mean=mean,
        sd=sd,
        pit=pit,
        monte_carlo_error=np.full((2, 3, N), 0.01),
        effective=np.full((2, 3, N), 300.0),
        conditions={"noise": 1.0},
    )


def prediction_table(table):
    """One model of two runs on twice as many stars, in another order; a second one that saw only Gaussian noise."""
    rng = np.random.default_rng(5)
    stars = np.concatenate([table.stars[::-1], N + np.arange(N)])
    truth = np.concatenate([table.truth[::-1], rng.normal(3.0, 1.2, N)])
    values = truth + rng.normal(size=(2, 3, 2, 2 * N)) * np.array([0.5, 0.5, 1.0])[:, None, None]
    values[1, 1:] = np.nan
    return PredictionTable(
        models=("ridge", "mlp"),
        observers=("flux", "flux"),
        noise_laws=LAWS,
        predictions=values,
        stars=stars,
        truth=truth,
        labels=np.zeros((2 * N, 5)),
        mag=np.zeros(2 * N),
        snr=np.ones(2 * N),
    )
