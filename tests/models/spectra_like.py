"""Small spectra with a label in them, for linear models."""

import numpy as np
from torch import Tensor

from repro.training.spectra import FixedSpectra

ALPHAS = (1e-2, 1.0, 30.0, 1e3)


def problem(n, pixels, seed=0, noise=0.05):
    """Flux (n, P) float32 of three shapes and noise, and a label (n,) that is not quite linear in it."""
    rng = np.random.default_rng(seed)
    shapes = np.random.default_rng(99).normal(size=(3, pixels))
    signal = rng.normal(size=(n, 3))
    flux = 0.5 + 0.1 * signal @ shapes + noise * rng.normal(size=(n, pixels))
    return flux.astype(np.float32), 3.0 + signal[:, 0] + 0.3 * signal[:, 1] ** 2


def fading(n, pixels, decades, seed=0):
    """Noise-free flux (n, P) float64 whose singular values fall by `decades`, and a label (n,) linear in it."""
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** np.linspace(0.0, -decades, pixels)
    hidden, _ = np.linalg.qr(rng.normal(size=(n, pixels)) - 0.0)
    turn, _ = np.linalg.qr(np.random.default_rng(98).normal(size=(pixels, pixels)))
    return 0.5 + (np.sqrt(n) * hidden * sizes) @ turn, 3.0 + np.sqrt(n) * hidden @ np.linspace(0.1, 0.3, pixels)


class Watched:
    """Spectra that note which rows were asked for, and how many at once."""

    def __init__(self, flux: Tensor) -> None:
        self.spectra = FixedSpectra(flux)
        self.shown: list[int] = []
        self.largest = 0

    @property
    def shape(self) -> tuple[int, int]:
        return self.spectra.shape

    def block(self, rows: Tensor, epoch: int) -> Tensor:
        self.shown += rows.tolist()
        self.largest = max(self.largest, len(rows))
        return self.spectra.block(rows, epoch)
