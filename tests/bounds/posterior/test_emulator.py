"""Spectra and noise of the emulator against the generator of spectrum sets and the noise model itself."""

import numpy as np
import pytest
import torch

from repro.bounds.posterior.emulator import MAGNITUDE, Emulator, noise_rule
from repro.bounds.posterior.law import Law
from repro.instrument.noise import Conditions, NoiseModel
from repro.spectra.generate import SetMaker, SetRecipe
from repro.spectra.sampling import CONDITIONS, labels_of


@pytest.fixture(scope="module")
def made(grid):
    return SetMaker(grid, SetRecipe("continuous", 16, "test", 3), NoiseModel("paper"))(slice(0, 16))


def fractions(grid, table):
    free = [list(grid.lattice.axes).index(name) for name in grid.lattice.free]
    ends = np.array([(nodes[0], nodes[-1]) for nodes in grid.lattice.axes.values()])[free]
    return torch.tensor((labels_of(table)[:, free] - ends[:, 0]) / (ends[:, 1] - ends[:, 0]))


def test_spectra_are_those_of_the_generator(grid, made):
    flux, _, table = made
    mu, _ = Emulator(grid)(fractions(grid, table))
    np.testing.assert_allclose(mu, flux, rtol=1e-5)
    np.testing.assert_allclose(np.median(mu, axis=1), 0.5, rtol=1e-6)


def test_box_corners_are_nodes(grid):
    corners = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 1.0]], dtype=torch.float64)
    mu, _ = Emulator(grid)(corners)
    labels = [[4000.0, 1.0, -1.0, 0, 0], [6000.0, 5.0, 0.5, 0, 0], [6000.0, 1.0, 0.5, 0, 0]]
    flux = grid.flux[grid.lattice.index(np.array(labels))].astype(np.float64)
    np.testing.assert_allclose(mu, 0.5 * flux / np.median(flux, axis=1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("mode", ["paper", "physical"])
@pytest.mark.parametrize("noise", [1.0, 2.0])
def test_errors_are_those_of_the_noise_model(grid, made, mode, noise):
    flux, _, table = made
    model = NoiseModel(mode)
    rule = noise_rule(model, noise, Law(), "cpu", points=3)
    assert float(rule.shares.sum()) == pytest.approx(1.0)
    number = 3 * (3 if mode == "physical" else 1) + 2  # the second zenith angle
    zenith, field, seeing = _place(mode, number)
    mu, log_alpha = Emulator(grid)(fractions(grid, table))
    point = torch.full((16,), number)
    variance, background = rule.variance(mu, log_alpha + MAGNITUDE * torch.tensor(table["mag"]), point)
    band = 10.0 ** (-0.4 * _zero_point(grid, table))
    # the model's own errors of the normalised spectrum, whose zero point is shifted by the normalisation
    scale = np.exp(log_alpha.numpy()) / band
    shifted = torch.tensor(-2.5 * np.log10(band * scale))
    conditions = Conditions(torch.tensor(table["mag"]), zenith, field, seeing)
    expected = noise * model(torch.tensor(flux).double(), shifted, conditions)
    np.testing.assert_allclose(variance.sqrt(), expected, rtol=3e-5)
    # background / variance is the slope of ln variance in magnitude beyond that of photon noise
    later = rule.variance(mu, log_alpha + MAGNITUDE * (torch.tensor(table["mag"]) + 1e-2), point)[0]
    slope = (later.log() - variance.log()) / (1e-2 * MAGNITUDE)
    np.testing.assert_allclose(slope, 1.0 + background / variance, atol=0.02)


def _place(mode, number):
    x = 0.5 * (np.polynomial.legendre.leggauss(3)[0] + 1.0)
    names = ["target_zenith_angle", "target_field_angle"] + ["seeing"] * (mode == "physical")
    digits = np.unravel_index(number, [3] * len(names))
    values = [CONDITIONS[name][0] + np.ptp(CONDITIONS[name]) * x[d] for name, d in zip(names, digits, strict=True)]
    return (*values, 1.0)[:3]


def _zero_point(grid, table):
    from repro.spectra.interpolate import TensorSpline

    return TensorSpline(grid)(labels_of(table))[1]
