"""A small simulator with few pixels: smooth spectra, noise that is affine in the flux, three unknown conditions."""

from dataclasses import dataclass

import numpy as np
import torch

from repro.bounds.posterior.conditions import ConditionRule
from repro.bounds.posterior.law import Law
from repro.labels import LABELS
from repro.spectra.interpolate import spline_along_axis
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from repro.spectra.presentation import ObservedStars
from repro.spectra.sampling import draw

PIXELS = 400
LAW = Law(magnitudes=(21.0, 21.8))


@dataclass(frozen=True)
class ToyNoise:
    """Affine in the flux like the instrument's; the sky grows with the zenith angle, the throughput falls outwards."""

    mode: str = "paper"

    def __call__(self, flux, zero_point, conditions):
        pixels = torch.arange(flux.shape[1], dtype=torch.float64) / flux.shape[1]
        column = lambda values: torch.as_tensor(values, dtype=torch.float64).reshape(-1, 1)  # noqa: E731
        alpha = 10.0 ** (0.4 * (column(conditions.mag) - zero_point[:, None]))
        sensitivity = 1.5e19 * torch.exp(-column(conditions.field_angle) * (0.3 + 0.2 * pixels))
        sky = 120.0 * (1.0 + 0.006 * column(conditions.zenith_angle) * pixels) * (1.2 + torch.cos(25.0 * pixels))
        if self.mode == "physical":
            sensitivity = sensitivity * torch.exp(-0.2 * (column(conditions.seeing) - 1.0) * (1.0 + pixels))
        return torch.sqrt(alpha * flux / sensitivity + (sky + 20.0) * (alpha / sensitivity) ** 2)


def toy_flux(labels, pixels=PIXELS):
    """(n, 5) -> (n, P) flux and (n,) zero points."""
    labels = np.atleast_2d(labels)
    wave = np.arange(pixels) / pixels
    heat, gravity, metals = (labels[:, [0]] - 5000.0) / 1000.0, labels[:, [1]] - 3.0, labels[:, [2]]
    lines = np.exp(-0.5 * (np.sin(60.0 * wave) / 0.3) ** 2)
    wings = np.exp(-0.5 * ((wave - 0.6) / 0.05) ** 2)
    depth = 0.25 + 0.08 * metals - 0.06 * np.tanh(heat) + 0.02 * gravity
    flux = (1.1 + 0.15 * np.cos(9.0 * wave) - 0.2 * np.tanh(heat) * (wave - 0.5)) * (
        1.0 - depth * lines - (0.12 + 0.04 * gravity + 0.03 * np.tanh(heat)) * wings
    )
    scale = 1e6 * np.exp(0.4 * heat)
    return scale * flux, -36.0 - 2.5 * np.log10((scale * flux).mean(axis=1) / 1e6)


def toy_grid(axes=None, missing=()):
    """Node grid of the toy spectra."""
    axes = axes or {"T_eff": (4800.0, 5000.0, 5200.0), "log_g": (1.0, 2.0, 3.0, 4.0, 5.0), "M_H": (-0.5, 0.0)}
    lattice = Lattice({name: axes.get(name, (0.0,)) for name in LABELS}, missing)
    flux, zero_point = toy_flux(lattice.labels)
    return NodeGrid(lattice, np.arange(PIXELS, dtype=float), flux.astype(np.float32), zero_point, "toy", "", 2.0)


def toy_stars(grid, n, noise=1.0, law=LAW, seed=1, noise_model=None):
    """Stars as the generator makes them, without its 4096 pixels."""
    table = draw("paper", n, grid.lattice, seed, "test", law.magnitudes)
    labels = np.stack([table[name] for name in LABELS], axis=1)
    flux, zero_point = spline_along_axis(grid, table["interp_param"].astype(str), labels)
    conditions = ConditionsOf(table)
    sigma = (noise_model or ToyNoise())(torch.tensor(flux), torch.tensor(zero_point), conditions).numpy()
    scale = 0.5 / np.median(flux, axis=1)[:, None]
    flux, sigma = flux * scale, noise * sigma * scale
    x = flux + sigma * np.random.default_rng(seed).standard_normal(flux.shape)
    snr = np.median(flux / sigma, axis=1)
    return ObservedStars(x.astype(np.float32), sigma.astype(np.float32), table, np.arange(n), snr, noise, seed)


class ConditionsOf:
    """The conditions of a label table."""

    def __init__(self, table):
        self.mag, self.seeing = table["mag"].copy(), table["seeing"].copy()
        self.zenith_angle, self.field_angle = table["target_zenith_angle"].copy(), table["target_field_angle"].copy()


def toy_rule(law=LAW, noise_model=None, **options):
    """The rule of the conditions for the toy's pixels."""
    return ConditionRule(noise_model or ToyNoise(), law, torch.device("cpu"), pixels=PIXELS, **options)
