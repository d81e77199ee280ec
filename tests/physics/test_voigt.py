"""The Voigt function against scipy's Faddeeva function."""

import numpy as np
import pytest
import torch
from scipy.special import wofz

from repro.physics.voigt import WEAK_DAMPING, voigt, voigt_strong, voigt_weak, voigt_wing

DAMPING = torch.cat([torch.zeros(1), torch.logspace(-6, 2, 81)]).to(torch.float64)[:, None]
DISTANCE = torch.cat([torch.linspace(0, 8, 801), torch.logspace(1, 4, 121)]).to(torch.float64)


def faddeeva(damping: torch.Tensor, distance: torch.Tensor) -> np.ndarray:
    return wofz(distance.numpy() + 1j * damping.numpy()).real


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_relative_error_everywhere(dtype: torch.dtype) -> None:
    found = voigt(DAMPING.to(dtype), DISTANCE.to(dtype)).to(torch.float64).numpy()
    exact = faddeeva(DAMPING, DISTANCE)
    normal = exact > 1e-30
    assert np.abs(found[normal] / exact[normal] - 1.0).max() < 4e-5
    assert np.abs(found - exact).max() < 1.2e-5


def test_the_two_forms_meet() -> None:
    damping = torch.tensor([[WEAK_DAMPING]], dtype=torch.float64)
    ratio = voigt_weak(damping, DISTANCE) / voigt_strong(damping, DISTANCE)
    assert (ratio - 1.0).abs().max() < 2.5e-5


@pytest.mark.parametrize(("nearest", "error"), [(5.0, 4.8e-3), (10.0, 2.7e-4)])
def test_wing_is_the_voigt_function_far_out(nearest: float, error: float) -> None:
    distance = DISTANCE[nearest <= DISTANCE]
    damping = DAMPING[DAMPING >= 1e-4][:, None]
    found, exact = voigt_wing(damping, distance).numpy(), faddeeva(damping, distance)
    assert np.abs(found / exact - 1.0).max() < error


@pytest.mark.parametrize("damping", [0.003, 0.2, 1.5])
def test_area_is_the_square_root_of_pi(damping: float) -> None:
    distance = torch.linspace(-200.0, 200.0, 400_001, dtype=torch.float64)
    area = torch.trapezoid(voigt(torch.tensor(damping, dtype=torch.float64), distance), distance)
    wings = 2.0 * damping / (np.pi**0.5 * 200.0)
    assert float(area + wings) == pytest.approx(np.pi**0.5, rel=1e-5)


def test_derivatives_are_those_of_the_faddeeva_function() -> None:
    """dw/dz = -2 z w + 2 i / sqrt(pi): the derivative along v is its real part, along a minus its imaginary part."""
    damping = torch.tensor([0.001, 0.05, 0.3, 0.7, 3.0], dtype=torch.float64)[:, None].expand(5, 61).contiguous()
    distance = torch.linspace(-6.0, 6.0, 61, dtype=torch.float64).expand(5, 61).contiguous()
    z = distance.numpy() + 1j * damping.numpy()
    slope = -2.0 * z * wofz(z) + 2j / np.pi**0.5
    for direction, expected in (((0.0, 1.0), slope.real), ((1.0, 0.0), -slope.imag)):
        tangents = tuple(torch.full_like(distance, part) for part in direction)
        _, found = torch.func.jvp(voigt, (damping, distance), tangents)
        assert np.abs(found.numpy() - expected).max() < 1e-4


def test_derivatives_agree_with_finite_differences() -> None:
    damping = torch.tensor([0.001, 0.2, 0.7], dtype=torch.float64)[:, None]
    distance = torch.linspace(-5.0, 5.0, 31, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        voigt,
        (damping.requires_grad_(), distance.requires_grad_()),
        check_forward_ad=True,
        check_backward_ad=False,
        check_undefined_grad=False,
        check_batched_grad=False,
    )
