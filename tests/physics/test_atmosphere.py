"""Model atmospheres: published states, an independent integration, derivatives, and convergence over the box."""

import itertools
import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from repro.errors import ParameterError
from repro.labels import LABELS
from repro.physics.atmosphere import (
    RANGE,
    Atmosphere,
    effective_metallicity,
    model_atmosphere,
    relation_nodes,
    temperature_structure,
)
from repro.physics.composition import ELEMENTS, mixture
from repro.physics.continuum import continuum_opacity
from repro.physics.data import read_table
from repro.physics.equation_of_state import ChemicalEquilibrium, Gas

F64 = torch.float64
SUN = (5777.0, 4.44, 0.0, 0.0, 0.0)
GIANT = (5000.0, 3.0, 0.0, 0.0, 0.0)
COOL_GIANT = (4000.0, 1.0, -1.0, 0.3, 0.2)
COOL_DWARF = (3800.0, 5.0, 0.5, -0.2, -0.4)
TAU_ONE = 50
WAVE_8000 = torch.tensor([8000.0], dtype=F64)


@cache
def models() -> Atmosphere:
    return model_atmosphere(torch.tensor([SUN, GIANT, COOL_GIANT, COOL_DWARF], dtype=F64))


@pytest.mark.parametrize(("model", "log_gas", "log_electron"), [(0, 5.070, 1.571), (1, 4.333, 0.441)])
def test_pressures_at_tau_1_are_those_of_an_independent_build(model, log_gas, log_electron):
    atmosphere = models()
    assert math.log10(atmosphere.gas_pressure[model, TAU_ONE]) == pytest.approx(log_gas, abs=1.5e-3)
    assert math.log10(atmosphere.electron_pressure[model, TAU_ONE]) == pytest.approx(log_electron, abs=1.5e-3)


def bounded(value: float, knee: float, width: float) -> float:
    return value if value <= knee else knee + width * math.tanh((value - knee) / width)


def kernel(point: list[float], node: list[float], lengths: list[float]) -> float:
    scaled = [(u - v) / length for u, v, length in zip(point, node, lengths, strict=True)]
    r = math.sqrt(5.0 * sum(value**2 for value in scaled))
    return (1.0 + r + r * r / 3.0) * math.exp(-r)


def relation_by_hand(effective: float, log_g: float, metals: float, alpha: float) -> np.ndarray:
    """T at the 57 tabulated depths from the formulae in the tables, term by term; rises everywhere in these models."""
    table, dwarfs = read_table("atmosphere_ttau")["recommended"], read_table("atmosphere_dwarfs")
    x, g = 5040.0 / effective - 1.0, bounded(log_g, 4.25, 0.3) - 2.5
    m = -bounded(-metals - math.log10(0.638 * 10.0**alpha + 0.362), 1.7, 0.4)
    m = bounded(m, 0.5, 0.4)
    terms = [1, x, g, m, x**2, x * g, x * m, g**2, g * m, m**2, x**3, x**2 * g, x**2 * m, x * m**2, m**3]
    ratio = sum(term * np.array(row) for term, row in zip(terms, table["B"], strict=True))
    for node, weights in zip(table["X"], table["A"], strict=True):
        change = sum(w * np.array(row) for w, row in zip(weights, table["V"], strict=True))
        ratio = ratio + kernel([x, g, m], node, table["L"]) * change
    s = min(max(log_g - 3.5, 0.0), 1.0)
    for node, weights in zip(dwarfs["nodes"], dwarfs["weights"], strict=True):
        part = kernel([x, log_g - 2.5, m], node, dwarfs["lengths"])
        ratio = ratio + s**3 * (10.0 - 15.0 * s + 6.0 * s * s) * part * np.array(weights)
    return effective * ratio


def test_temperatures_follow_the_formulae_and_their_continuation():
    for model in range(4):
        effective, log_g, metals, alpha, _ = models().labels[model].tolist()
        expected = relation_by_hand(effective, log_g, metals, alpha)
        temperature = models().temperature[model].numpy()
        np.testing.assert_allclose(temperature[10:67], expected, rtol=3e-5)
        first, last = temperature[10], temperature[66]
        top_slope = 0.8 * (temperature[15] - first) / 0.5
        np.testing.assert_allclose(temperature[:10], first + top_slope * np.arange(-1.0, 0.0, 0.1), rtol=1e-10)
        bottom = last + (last - temperature[65]) * np.arange(1, 5)
        np.testing.assert_allclose(temperature[67:], bottom, rtol=1e-10)


# T [K] at log tau(8000) = -3, -2.5, -2, -1.5, -1, -0.7, -0.5, -0.2, 0 of ATLAS9 models of Kurucz's grids, put on that
# scale by benchmarks/dwarf_temperatures.py. The first (without overshooting) and the last two are not in any fit.
DEPTHS = (-3.0, -2.5, -2.0, -1.5, -1.0, -0.7, -0.5, -0.2, 0.0)
ATLAS9 = {
    (5750.0, 4.5, 0.0): (15.0, (4455, 4570, 4688, 4827, 5033, 5232, 5416, 5808, 6177)),
    (4000.0, 4.5, -0.9): (65.0, (3181, 3257, 3326, 3409, 3643, 3761, 3854, 4006, 4121)),
    (4000.0, 4.5, 0.1): (60.0, (3166, 3231, 3300, 3386, 3535, 3682, 3785, 3983, 4151)),
    (4250.0, 4.5, 0.2): (60.0, (3290, 3371, 3453, 3546, 3680, 3815, 3936, 4197, 4425)),
    (4500.0, 2.0, -0.9): (60.0, (3452, 3566, 3664, 3761, 3898, 4031, 4157, 4427, 4704)),
    (4750.0, 3.5, -2.4): (75.0, (3859, 3902, 3949, 4017, 4146, 4290)),
    (5000.0, 1.5, -2.4): (110.0, (4042, 4105, 4159, 4233, 4369, 4547)),
}


@pytest.mark.parametrize("labels", ATLAS9)
def test_temperatures_agree_with_published_atlas9_models(labels):
    tolerance, expected = ATLAS9[labels]
    temperature = temperature_structure(torch.tensor([[*labels, 0.0, 0.0]], dtype=F64))[0]
    rows = [round(10.0 * (depth + 5.0)) for depth in DEPTHS[: len(expected)]]
    np.testing.assert_allclose(temperature[rows].numpy(), expected, atol=tolerance)


@cache
def paper_nodes() -> tuple[torch.Tensor, torch.Tensor]:
    """The label grid of the paper (carbon, which the relation does not know, left out), and its temperatures."""
    axes = [
        torch.arange(3750.0, 6001.0, 250.0),
        torch.arange(1.0, 5.1, 0.5),
        torch.arange(-2.5, 0.8, 0.25),
        torch.tensor([-0.25, 0.0, 0.25, 0.5]),
        torch.zeros(1),
    ]
    labels = torch.cartesian_prod(*axes).to(F64)
    return labels, temperature_structure(labels)


def test_temperature_rises_inwards_in_every_node_and_beyond():
    low, high = torch.tensor(list(RANGE.values()), dtype=F64).T
    beyond = low + (high - low) * torch.rand(500, 5, generator=torch.Generator().manual_seed(3), dtype=F64)
    labels, temperature = paper_nodes()
    assert float(temperature.diff(dim=-1).min()) > 0.0
    assert float(temperature_structure(beyond).diff(dim=-1).min()) > 0.0
    assert float((temperature[:, 0] / labels[:, 0]).min()) > 0.45
    assert float((temperature[:, -1] / labels[:, 0]).max()) < 2.5


def test_the_floor_on_the_slope_leaves_the_depths_that_form_the_spectrum_alone():
    """Where it acts, it acts deep below tau = 1, in metal-poor cool dwarfs."""
    labels, temperature = paper_nodes()
    change = (temperature[:, 10:67] - labels[:, :1] * relation_nodes(labels)).abs()
    assert float(change[:, 20:44].max()) < 15.0  # log tau -2 ... 0.3
    assert float((change.amax(dim=-1) > 5.0).double().mean()) < 0.02


@pytest.mark.parametrize(
    ("label", "where"),
    [("M_H", -2.0), ("M_H", -1.7), ("M_H", 0.5), ("M_H", 0.9), ("log_g", 3.5), ("log_g", 4.25), ("log_g", 4.5)],
)
def test_temperature_has_no_kink_where_the_relation_bends(label, where):
    """Slopes from the left and the right, four steps apart, against the change of slope of a smooth function."""
    step = 0.02
    labels = torch.tensor([[4000.0, 4.0, -1.0, 0.0, 0.0]], dtype=F64).repeat(6, 1)
    labels[:, LABELS.index(label)] = where + step * torch.tensor([-2.0, -1.0, 0.0, 0.0, 1.0, 2.0], dtype=F64)
    temperature = temperature_structure(labels)
    left = (1.5 * temperature[2] - 2.0 * temperature[1] + 0.5 * temperature[0]) / step
    right = (-1.5 * temperature[3] + 2.0 * temperature[4] - 0.5 * temperature[5]) / step
    scale = (left.abs() + right.abs()).max()
    assert float((left - right).abs().max() / scale) < 0.01


def test_alpha_elements_count_by_the_metals_they_add():
    """Salaris et al. (1993): a mixture counts by its mass of metals; here that of our own mixture."""
    labels = torch.tensor([[5000.0, 2.0, -1.0, a, 0.0] for a in (0.0, -0.25, 0.25, 0.5)], dtype=F64)
    metals = torch.tensor([element not in ("H", "He") for element in ELEMENTS])
    masses = [read_table("atomic_partition")["elements"][element]["mass_amu"] for element in ELEMENTS]
    mass = (mixture(labels).abundance * torch.tensor(masses, dtype=F64))[:, metals].sum(dim=-1)
    torch.testing.assert_close(effective_metallicity(labels), -1.0 + torch.log10(mass / mass[0]), rtol=0.0, atol=0.012)


def test_pressure_gradient_is_gravity_over_opacity():
    """dP/dtau of a spline through the pressures against g rho / kappa at every inner depth."""
    atmosphere = models()
    ln_tau = atmosphere.log_tau.numpy() * math.log(10.0)
    for model in range(4):
        slope = CubicSpline(ln_tau, torch.log(atmosphere.gas_pressure[model]).numpy())(ln_tau, 1)
        gravity = 10.0 ** float(atmosphere.labels[model, 1])
        ratio = gravity * atmosphere.density[model] / atmosphere.reference_opacity[model]
        expected = ratio * 10.0**atmosphere.log_tau / atmosphere.gas_pressure[model]
        np.testing.assert_allclose(slope[3:-3], expected[3:-3].numpy(), rtol=4e-3)


def test_pressures_agree_with_a_runge_kutta_integration():
    """Fourth order, two depths a step (so that the midpoints are depths), from log tau = -2 to 1."""
    atmosphere = models()
    composition = mixture(atmosphere.labels)
    gravity = 10.0 ** atmosphere.labels[:, 1:2]

    def slope(ln_pressure: torch.Tensor, depth: int) -> torch.Tensor:
        equilibrium = ChemicalEquilibrium.at(atmosphere.temperature[:, depth, None], composition)
        gas = Gas(equilibrium, equilibrium.solve(ln_pressure))
        opacity = continuum_opacity(gas, WAVE_8000)[..., 0]
        return gravity * gas.density / opacity * 10.0 ** float(atmosphere.log_tau[depth]) / ln_pressure.exp()

    step = 0.2 * math.log(10.0)
    first, last = 30, 60
    ln_pressure = torch.log(atmosphere.gas_pressure[:, first, None])
    for depth in range(first, last, 2):
        k1 = slope(ln_pressure, depth)
        k2 = slope(ln_pressure + 0.5 * step * k1, depth + 1)
        k3 = slope(ln_pressure + 0.5 * step * k2, depth + 1)
        k4 = slope(ln_pressure + step * k3, depth + 2)
        ln_pressure = ln_pressure + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    expected = torch.log(atmosphere.gas_pressure[:, last, None])
    torch.testing.assert_close(ln_pressure, expected, rtol=0.0, atol=1e-3)


def test_pressure_at_the_top_hardly_depends_on_where_the_top_is():
    """The power law above the first depth makes P there agree with its own gradient."""
    atmosphere = models()
    ln_p = torch.log(atmosphere.gas_pressure)
    slope = (ln_p[:, 1] - ln_p[:, 0]) / (0.1 * math.log(10.0))
    gravity = 10.0 ** atmosphere.labels[:, 1]
    expected = gravity * atmosphere.density[:, 0] / atmosphere.reference_opacity[:, 0] * 1e-5 / slope
    torch.testing.assert_close(atmosphere.gas_pressure[:, 0], expected, rtol=0.05, atol=0.0)


def quantities(labels: torch.Tensor) -> torch.Tensor:
    """Logarithms (B, D, K) of what the line formation reads from an atmosphere."""
    atmosphere = model_atmosphere(labels)
    waves = torch.tensor([7100.0, 8800.0], dtype=F64)
    parts = [atmosphere.temperature, atmosphere.gas_pressure, atmosphere.density, atmosphere.n_electron]
    parts += [atmosphere.n_h1, atmosphere.n_he1, atmosphere.n_h2, atmosphere.molecule_density("CN")]
    parts += list(atmosphere.number_over_partition(["Fe I", "Ca II", "Na I", "Ti I"]).unbind(dim=-1))
    parts += list(continuum_opacity(atmosphere, waves).unbind(dim=-1))
    return torch.log(torch.stack(parts, dim=-1))


@pytest.mark.parametrize(("label", "step"), [("T_eff", 0.1), *((name, 1e-4) for name in LABELS[1:])])
def test_forward_derivatives_agree_with_differences_to_eight_digits(label, step):
    """Fourth-order central differences; (4000, 2, 0) lies on a node of the temperature relation.

    The steps are small because second derivatives jump where a depth crosses 2500 K, the end of the tabulated fits.
    """
    labels = torch.tensor([SUN, COOL_GIANT, COOL_DWARF, (4000.0, 2.0, 0.0, 0.0, 0.0)], dtype=F64)
    direction = torch.zeros_like(labels)
    direction[:, LABELS.index(label)] = 1.0
    _, derivative = torch.func.jvp(quantities, (labels,), (direction,))
    shifted = [quantities(labels + k * step * direction) for k in (-2, -1, 1, 2)]
    difference = (shifted[0] - 8.0 * shifted[1] + 8.0 * shifted[2] - shifted[3]) / (12.0 * step)
    scale = derivative.abs().amax(dim=(0, 1)).clamp(min=1e-4 / step)  # rounding alone leaves 1e-13 / step
    error = (derivative - difference).abs().amax(dim=(0, 1))
    assert float((error / scale).max()) < 1e-8


def test_backward_derivatives_are_the_forward_ones():
    labels = torch.tensor([GIANT], dtype=F64)
    direction = torch.tensor([[50.0, 0.3, -0.2, 0.1, 0.2]], dtype=F64)
    _, forward = torch.func.jvp(lambda x: quantities(x).sum(), (labels,), (direction,))
    leaf = labels.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(quantities(leaf).sum(), leaf)
    assert float((gradient * direction).sum()) == pytest.approx(float(forward), rel=1e-9)


def check_physical(atmosphere: Atmosphere) -> None:
    for name in ("temperature", "gas_pressure", "electron_pressure", "density", "reference_opacity", "n_h2"):
        values = getattr(atmosphere, name)
        assert bool(torch.isfinite(values).all()) and float(values.min()) > 0.0, name
    assert float(atmosphere.temperature.diff(dim=-1).min()) >= 0.0
    assert float(atmosphere.gas_pressure.diff(dim=-1).min()) > 0.0
    assert bool((atmosphere.electron_pressure < atmosphere.gas_pressure).all())


def test_every_corner_of_the_range_has_an_atmosphere():
    corners = torch.tensor(list(itertools.product(*RANGE.values())), dtype=F64)
    for block in corners.split(8):
        check_physical(model_atmosphere(block))


def test_a_seeded_sample_of_the_range_has_atmospheres():
    low, high = torch.tensor(list(RANGE.values()), dtype=F64).T
    labels = low + (high - low) * torch.rand(48, 5, generator=torch.Generator().manual_seed(11), dtype=F64)
    for block in labels.split(24):
        check_physical(model_atmosphere(block))


def test_the_corners_and_a_sample_of_the_nodes_of_the_paper_have_atmospheres():
    """Among them carbon in excess of oxygen, where CO leaves no oxygen to the rest."""
    labels, _ = paper_nodes()
    carbon = torch.arange(-0.75, 0.6, 0.25, dtype=F64)
    corners = torch.cartesian_prod(*torch.stack([labels.amin(dim=0), labels.amax(dim=0)]).T[:4], carbon[[0, -1]])
    generator = torch.Generator().manual_seed(7)
    sample = labels[torch.randint(len(labels), (32,), generator=generator)].clone()
    sample[:, LABELS.index("C_M")] = carbon[torch.randint(len(carbon), (32,), generator=generator)]
    for block in torch.cat([corners, sample]).split(16):
        check_physical(model_atmosphere(block))


def test_a_model_does_not_depend_on_its_batch():
    alone = model_atmosphere(torch.tensor([COOL_GIANT], dtype=F64))
    for name in ("gas_pressure", "electron_pressure", "n_h2", "reference_opacity"):
        torch.testing.assert_close(getattr(models(), name)[2:3], getattr(alone, name), rtol=1e-9, atol=0.0)


def test_a_second_run_is_bit_identical():
    again = model_atmosphere(torch.tensor([SUN, GIANT, COOL_GIANT, COOL_DWARF], dtype=F64))
    assert torch.equal(again.gas_pressure, models().gas_pressure)
    assert torch.equal(again.electron_pressure, models().electron_pressure)


def test_pressure_grows_with_gravity_and_falls_with_metals():
    labels = torch.tensor([GIANT, (5000.0, 4.0, 0.0, 0.0, 0.0), (5000.0, 3.0, 0.5, 0.0, 0.0)], dtype=F64)
    pressure = model_atmosphere(labels).gas_pressure[:, TAU_ONE]
    assert float(pressure[1]) > 2.0 * float(pressure[0])
    assert float(pressure[2]) < float(pressure[0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([list(SUN), [9000.0, 4.0, 0.0, 0.0, 0.0]], "model 1: T_eff = 9000 is outside of 3400"),
        ([[5000.0, 4.0, math.nan, 0.0, 0.0]], "model 0: M_H = nan is outside"),
        ([[5000.0, 4.0, 0.0, 0.0]], "shape"),
        (list(SUN), "shape"),
    ],
)
def test_labels_that_cannot_be_are_refused(labels, message):
    with pytest.raises(ParameterError, match=message):
        model_atmosphere(torch.tensor(labels, dtype=F64))


def test_temperature_relation_has_derivatives_on_its_own_nodes():
    node = read_table("atmosphere_ttau")["recommended"]["X"][100]
    labels = torch.tensor([[5040.0 / (1.0 + node[0]), node[1] + 2.5, node[2], 0.0, 0.0]], dtype=F64)
    _, derivative = torch.func.jvp(temperature_structure, (labels,), (torch.ones_like(labels),))
    assert bool(torch.isfinite(derivative).all())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_same_atmospheres():
    there = model_atmosphere(models().labels.cuda())
    for name in ("gas_pressure", "electron_pressure", "reference_opacity"):
        torch.testing.assert_close(getattr(there, name).cpu(), getattr(models(), name), rtol=1e-8, atol=0.0)
