"""Spectra with smooth derivatives: absorption lines whose depth and width follow the labels."""

import numpy as np
import pytest
import torch

from repro.instrument.pixels import pixel_centres
from repro.labels import LABELS
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid

ZERO_POINT = -20.0


def line_spectra(labels):
    """(B, 5) -> surface fluxes (B, 4096): twenty Gaussian lines on a continuum of known median."""
    wave = torch.tensor(pixel_centres())
    rng = np.random.default_rng(7)
    centres = torch.tensor(rng.uniform(7120.0, 8830.0, size=20))
    response = torch.tensor(rng.normal(size=(20, 3)))
    heat, gravity, metals = (labels[:, 0:1] - 5000.0) / 1500.0, (labels[:, 1:2] - 3.0) / 4.0, labels[:, 2:3] / 3.0
    drive = heat * response[:, 0] + gravity * response[:, 1] + metals * response[:, 2].abs()
    depth = 0.6 * torch.sigmoid(drive - 0.5)
    sharpness = torch.exp(-0.3 * gravity * response[:, 1]) / 1.2
    offset = (wave - centres[:, None]) * sharpness[..., None]
    flux = torch.exp(-(depth[..., None] * torch.exp(-0.5 * offset**2)).sum(dim=1))
    # three steps, the middle one wide enough to hold the median whatever the lines do
    continuum = 1.2 - 0.2 * (wave > 7500.0) - 0.2 * (wave > 8500.0)
    flux = flux * continuum
    return 4e6 * (labels[:, 0:1] / 5000.0) ** 4 * flux


@pytest.fixture(scope="session")
def spectrum_function():
    return line_spectra


@pytest.fixture(scope="session")
def make_grid():
    """Node grid of the line spectra on given axes."""

    def make(**axes):
        lattice = Lattice({name: tuple(axes.get(name, (0.0,))) for name in LABELS})
        flux = torch.cat([line_spectra(part) for part in torch.tensor(lattice.labels).split(32)]).numpy()
        zero_point = np.full(lattice.size, ZERO_POINT) - 10.0 * np.log10(lattice.labels[:, 0] / 5000.0)
        return NodeGrid(lattice, pixel_centres(), flux.astype(np.float32), zero_point, "lines", "test", 2.0)

    return make


@pytest.fixture(scope="session")
def grid(make_grid):
    return make_grid(T_eff=range(4000, 6001, 500), log_g=np.arange(1.0, 5.1, 1.0), M_H=(-1.0, -0.5, 0.0, 0.5))
