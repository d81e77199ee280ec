"""A smooth analytic source and instrument; a module of its own, so that other processes can unpickle them."""

import numpy as np
import torch

from repro.instrument.pixels import pixel_centres
from repro.spectra.lattice import Lattice

_AB_ZERO = 1.70e-9  # F_lambda of AB = 0 at 8000 A, about


class SmoothSource:
    """Spectra that are products of smooth functions of the labels."""

    name = "smooth"

    def __init__(self, microturbulence=2.0, code="code one"):
        self.microturbulence = microturbulence
        self._code = code
        self.calls = 0

    def fingerprint(self):
        return self._code

    def spectra(self, labels):
        self.calls += 1
        return torch.as_tensor(labels, dtype=torch.float64)


def observe_smooth(labels):
    """Flux (b, 4096) and zero points (b,) of labels (b, 5)."""
    wave = torch.from_numpy((pixel_centres() - 7975.0) / 875.0)
    temperature = (labels[:, :1] - 5000.0) / 1000.0
    depth = torch.sigmoid(0.4 * (labels[:, 1:2] - 3.0) + 0.8 * labels[:, 2:3] - 0.5 * temperature)
    lines = torch.exp(-0.5 * (torch.sin(40.0 * wave) / 0.2) ** 2)
    flux = 1e6 * torch.exp(0.5 * temperature - 0.3 * wave * temperature) * (1.0 - 0.6 * depth * lines)
    return flux, -2.5 * torch.log10(flux.mean(dim=1) / _AB_ZERO)


def small_lattice():
    return Lattice(
        {
            "T_eff": (4000.0, 4500.0, 5000.0, 5500.0, 6000.0),
            "log_g": (1.0, 2.0, 3.0, 4.0, 5.0),
            "M_H": (-1.0, -0.5, 0.0, 0.5),
            "a_M": (0.0,),
            "C_M": (0.0,),
        }
    )


def exact(labels):
    """What the interpolators should come close to: numpy flux and zero points of labels (b, 5)."""
    flux, zero_point = observe_smooth(torch.as_tensor(np.asarray(labels), dtype=torch.float64))
    return flux.numpy(), zero_point.numpy()
