"""Small spectra with a label in them, and a training of them that can be killed: a module, so that it can be run."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from repro.models.mlp import Mlp
from repro.training.history import write_history
from repro.training.recipe import Recipe
from repro.training.spectra import NoisySpectra, Validation

PIXELS = 24
NOISE = 0.5


def noise_free(n, seed):
    """Flux (n, 24) float32 that is a curved function of the label, error (n, 24) float32 and label (n,)."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(1.0, 5.0, size=n)
    other = rng.uniform(-1.0, 1.0, size=n)
    pixel = np.arange(PIXELS)
    flux = 0.5 + 0.1 * np.sin(0.6 * y[:, None] + 0.2 * pixel) + 0.05 * other[:, None] * np.cos(0.5 * pixel)
    return flux.astype(np.float32), np.full((n, PIXELS), 0.1, dtype=np.float32), y


def source(n=400):
    flux, error, y = noise_free(n, 0)
    return NoisySpectra(torch.from_numpy(flux), torch.from_numpy(error), NOISE, 7), y


def validation(n=300):
    flux, error, y = noise_free(n, 1)
    noisy = flux + NOISE * error * np.random.default_rng(2).standard_normal(flux.shape).astype(np.float32)
    return Validation(noisy, y, error)


def trained(checkpoint=None, epochs=6, report=lambda _done, _total: None, watch=None, live=None, **others):
    """A perceptron trained on `source`."""
    spectra, y = source()
    recipe = Recipe(epochs=epochs, batch=32, learning_rate=5e-3)
    places = {"checkpoint": checkpoint, "every": 0.0, "live": live}
    model = Mlp(recipe, seed=3, widths=(16, 8), report=report, watch=watch, **places)
    return model.fit(spectra, y, validation=validation(), **others)


class Line(nn.Module):
    """x -> slope x + offset, from a stated start."""

    def __init__(self, slope=0.0):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        nn.init.constant_(self.layer.weight, slope)
        nn.init.constant_(self.layer.bias, 0.0)

    def forward(self, flux):
        return self.layer(flux)[:, 0]


def points(n, slope, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, 1)).astype(np.float32)
    return x, slope * x[:, 0].astype(np.float64)


def interrupting(limit):
    """A report that interrupts the training when that many presentations are done."""

    def report(done, _total):
        if done >= limit:
            raise KeyboardInterrupt

    return report


class Halting(nn.Module):
    """A network that interrupts its training before that update."""

    def __init__(self, network, update):
        super().__init__()
        self.network, self.left = network, update

    def forward(self, flux):
        if self.training:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return self.network(flux)


def dropping(seed=0):
    """A small network that draws numbers, with statistics of its batches."""
    torch.manual_seed(seed)
    hidden = nn.Sequential(nn.Linear(PIXELS, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 8))
    return nn.Sequential(hidden, nn.Dropout(0.1), nn.Linear(8, 1), nn.Flatten(0))


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    spectra, y = source()
    recipe = Recipe(epochs=12, batch=16, learning_rate=5e-3, optimizer="muon", average=0.9, select="mae")
    model = Mlp(recipe, seed=3, widths=(16, 8), dropout=0.2, checkpoint=folder / "checkpoint.npz", every=0.0)
    model.fit(spectra, y, validation=validation())
    model.save(folder / "model.safetensors")
    write_history(model.history, folder / "model.csv")
