"""Model atmospheres: temperature from a relation fitted to published models, pressure from hydrostatic equilibrium."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import log
from typing import Final

import torch
from torch import Tensor

from repro.errors import ParameterError
from repro.labels import LABELS
from repro.physics.composition import Composition, mixture
from repro.physics.constants import REFERENCE_WAVE
from repro.physics.continuum import continuum_opacity
from repro.physics.data import read_table
from repro.physics.equation_of_state import ChemicalEquilibrium, Gas
from repro.physics.threads import one_thread

# Where the fits hold, with room for finite differences at the edges: (low, high) of each label.
RANGE: Final = {
    "T_eff": (3400.0, 7100.0),
    "log_g": (-0.2, 5.3),
    "M_H": (-3.0, 1.0),
    "a_M": (-0.5, 0.7),
    "C_M": (-1.0, 0.7),
}
_DEPTHS: Final = 71  # log tau = -5 ... 2
_DEPTH_STEP: Final = 0.1
_TOP_SLOPE: Final = 0.8  # part of the slope of the relation's top half dex with which T continues above it
_TOP_POINTS: Final = 5
_TAU_ONE: Final = 40  # position of tau = 1 among the 57 depths of the relation
_FLATTEST_STEP: Final = 1e-5  # of T / T_eff in 0.1 dex: steps below are raised to it ...
_STEP_BEND: Final = 5e-4  # ... within some times this (models rise by 2e-3 and more)
# Where a coordinate of the relation bends over, and how far it still goes: its models end near these knees.
_METAL_POOR: Final = (1.7, 0.4)  # of minus the effective metallicity
_METAL_RICH: Final = (0.5, 0.4)
_DWARF: Final = (4.25, 0.3)  # of log g
_DWARF_ONSET: Final = 3.5  # log g where the correction to dwarfs sets in
_LN_10: Final = log(10.0)
_LN_STEP: Final = _DEPTH_STEP * _LN_10
_STEP_LIMIT: Final = 2.0
_STEP_TOLERANCE: Final = 1e-9
_MAX_STEPS: Final = 40


@dataclass(frozen=True)
class Atmosphere:
    """B model atmospheres on D depths."""

    labels: Tensor  # (B, 5) in the order of LABELS
    microturbulence: float  # [cm s^-1]
    log_tau: Tensor  # (D,) log10 of the continuous optical depth at 8000 A
    temperature: Tensor  # (B, D) [K]
    gas_pressure: Tensor  # (B, D) [dyn cm^-2]
    electron_pressure: Tensor  # (B, D) [dyn cm^-2]
    density: Tensor  # (B, D) [g cm^-3]
    reference_opacity: Tensor  # (B, D) continuous opacity at 8000 A [cm^-1]
    n_electron: Tensor  # (B, D) [cm^-3]
    n_h1: Tensor  # (B, D) neutral atomic hydrogen [cm^-3]
    n_he1: Tensor  # (B, D) neutral helium [cm^-3]
    n_h2: Tensor  # (B, D) molecular hydrogen [cm^-3]
    gas: Gas

    def number_over_partition(self, species: Sequence[str]) -> Tensor:
        """Density over partition function n / U (B, D, S) [cm^-3] of species such as "Fe I" (see `Gas`)."""
        return self.gas.number_over_partition(species)

    def molecule_density(self, name: str) -> Tensor:
        """Molecules of one kind (B, D) [cm^-3], such as "CN" (see `Gas`)."""
        return self.gas.molecule_density(name)


@cache
def _relation(device: torch.device) -> dict[str, Tensor]:
    """Arrays of the relation for giants and subgiants, and of what dwarfs add to it (nodes, lengths, weights)."""
    table, dwarfs = read_table("atmosphere_ttau")["recommended"], read_table("atmosphere_dwarfs")
    values = {name: table[name] for name in "LBVXA"} | {name: dwarfs[name] for name in ("nodes", "lengths", "weights")}
    return {name: torch.tensor(value, dtype=torch.float64, device=device) for name, value in values.items()}


def _saturated(value: Tensor, knee: float, width: float) -> Tensor:
    """`value` up to the knee; beyond it bends over and tends to knee + width (twice differentiable)."""
    return torch.where(value > knee, knee + width * torch.tanh((value - knee) / width), value)


def matern(points: Tensor, nodes: Tensor, lengths: Tensor) -> Tensor:
    """Matern-5/2 kernel (B, N) between points (B, 3) and nodes (N, 3)."""
    offset = (points[:, None] - nodes) / lengths
    # The tiny term keeps the derivative of the root finite on a node.
    distance = torch.sqrt(5.0 * (offset * offset).sum(dim=-1) + 1e-24)
    return (1.0 + distance + distance**2 / 3.0) * torch.exp(-distance)


def effective_metallicity(labels: Tensor) -> Tensor:
    """Metallicity (B,) of the scaled solar mixture that blankets like labels (B, 5), bounded to -2.1 ... 0.9.

    [M/H] + log10(0.638 10^[alpha/M] + 0.362): Salaris, Chieffi & Straniero (1993, ApJ 414, 580). Carbon is left out.
    Below the most metal-poor models (-1.7) blanketing fades out, and so does the response to metallicity; above the
    most metal-rich ones (+0.25) it is continued and then bounded.
    """
    metals, alpha = labels[:, LABELS.index("M_H")], labels[:, LABELS.index("a_M")]
    scaled = metals + torch.log10(0.638 * 10.0**alpha + 0.362)
    return _saturated(-_saturated(-scaled, *_METAL_POOR), *_METAL_RICH)


def marcs_fit(points: Tensor) -> Tensor:
    """T / T_eff (B, 57) at log tau = -4.0 ... 1.6 as fitted to MARCS models, for points (B, 3).

    Points are 5040 K / T_eff - 1, log g - 2.5 and the effective metallicity.
    """
    table = _relation(points.device)
    x, g, m = points.unbind(dim=-1)
    basis = [torch.ones_like(x), x, g, m, x * x, x * g, x * m, g * g, g * m, m * m]
    basis += [x**3, x * x * g, x * x * m, x * m * m, m**3]
    return torch.stack(basis, dim=-1) @ table["B"] + matern(points, table["X"], table["L"]) @ table["A"] @ table["V"]


def relation_points(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Points (B, 3) of labels (B, 5): those for `marcs_fit`, with log g bounded to 4.55, and the same unbounded."""
    x, m = 5040.0 / labels[:, LABELS.index("T_eff")] - 1.0, effective_metallicity(labels)
    log_g = labels[:, LABELS.index("log_g")]
    bounded, true = (torch.stack([x, g - 2.5, m], dim=-1) for g in (_saturated(log_g, *_DWARF), log_g))
    return bounded, true


def relation_nodes(labels: Tensor) -> Tensor:
    """T / T_eff (B, 57) at log tau = -4.0 ... 1.6, before the floor on its slope and any continuation."""
    table = _relation(labels.device)
    bounded, true = relation_points(labels)
    dwarfs = matern(true, table["nodes"], table["lengths"]) @ table["weights"]
    return marcs_fit(bounded) + _dwarf_share(labels)[:, None] * dwarfs


def _dwarf_share(labels: Tensor) -> Tensor:
    """Share (B,) of the correction to dwarfs that applies: 0 up to log g 3.5, 1 from 4.5 (twice differentiable)."""
    rise = (labels[:, LABELS.index("log_g")] - _DWARF_ONSET).clamp(0.0, 1.0)
    return rise**3 * (10.0 - 15.0 * rise + 6.0 * rise**2)


def _rising(nodes: Tensor) -> Tensor:
    """T / T_eff (B, 57) that rises inwards: the steps of `nodes` with a smooth floor, added up from tau = 1."""
    above = nodes.diff(dim=-1) - _FLATTEST_STEP
    steps = _FLATTEST_STEP + torch.nn.functional.softplus(above, beta=1.0 / _STEP_BEND)
    total = torch.nn.functional.pad(steps.cumsum(dim=-1), (1, 0))
    return nodes[:, _TAU_ONE, None] + total - total[:, _TAU_ONE, None]


def temperature_structure(labels: Tensor) -> Tensor:
    """Temperature (B, 71) [K] at log tau(8000 A) = -5, -4.9 ... 2 for labels (B, 5), increasing inwards.

    Up to log g 3.5 a fit to MARCS models (Gustafsson et al. 2008, A&A 486, 951); above, that fit continued and
    corrected to ATLAS9 dwarfs (Kurucz 1993, CD-ROM 13; `atmosphere_dwarfs.json`). Continued linearly in log tau: above
    -4 with 0.8 of the slope of the top half dex, below 1.6 with the last slope.
    """
    nodes = _rising(relation_nodes(labels))
    top = _TOP_SLOPE * (nodes[:, _TOP_POINTS] - nodes[:, 0]) / _TOP_POINTS
    bottom = nodes[:, -1] - nodes[:, -2]
    above = torch.arange(-10, 0, dtype=torch.float64, device=labels.device)
    below = torch.arange(1, 5, dtype=torch.float64, device=labels.device)
    parts = [nodes[:, :1] + top[:, None] * above, nodes, nodes[:, -1:] + bottom[:, None] * below]
    return labels[:, :1] * torch.cat(parts, dim=-1)


@cache
def _cumulative_quadrature(device: torch.device) -> Tensor:
    """Weights (D, D) of the integral in ln tau from the first depth to each: cubic through four points a layer."""
    layer = torch.zeros(_DEPTHS - 1, _DEPTHS, dtype=torch.float64)
    for i in range(1, _DEPTHS - 2):
        layer[i, i - 1 : i + 3] = torch.tensor([-1.0, 13.0, 13.0, -1.0], dtype=torch.float64)
    layer[0, :4] = torch.tensor([9.0, 19.0, -5.0, 1.0], dtype=torch.float64)
    layer[-1, -4:] = torch.tensor([1.0, -5.0, 19.0, 9.0], dtype=torch.float64)
    weights = torch.cat([torch.zeros(1, _DEPTHS, dtype=torch.float64), layer.cumsum(dim=0)])
    return (weights * _LN_STEP / 24.0).to(device)


def _ln_mass_opacity(gas: Gas) -> Tensor:
    """ln of the opacity at 8000 A (B, D) [cm^2 g^-1]."""
    wave = torch.tensor([REFERENCE_WAVE], dtype=torch.float64, device=gas.temperature.device)
    return torch.log(continuum_opacity(gas, wave)[..., 0] / gas.density)


def _integrate(ln_integrand: Tensor) -> tuple[Tensor, Tensor]:
    """ln P (B, D) from ln of 1.5 g tau P^(1/2) / kappa, and the derivatives (B, D, D) of the one to the other.

    Above the first depth the integrand is a power of tau, with the exponent it has between the first two.
    """
    integrand = torch.exp(ln_integrand)
    exponent = (ln_integrand[:, 1] - ln_integrand[:, 0]) / _LN_STEP
    top = integrand[:, 0] / exponent
    total = top[:, None] + integrand @ _cumulative_quadrature(ln_integrand.device).T
    slopes = _cumulative_quadrature(ln_integrand.device) * integrand[:, None, :]
    change = top / (exponent * _LN_STEP)
    edge = torch.stack([top + change, -change], dim=-1)
    edge = torch.nn.functional.pad(edge, (0, _DEPTHS - 2))
    return torch.log(total) / 1.5, (slopes + edge[:, None, :]) / (1.5 * total[..., None])


def _ln_integrand(ln_pressure: Tensor, ln_mass_opacity: Tensor, ln_gravity: Tensor, log_tau: Tensor) -> Tensor:
    return log(1.5) + ln_gravity[:, None] + _LN_10 * log_tau + 0.5 * ln_pressure - ln_mass_opacity


def _pressure_guess(labels: Tensor, log_tau: Tensor) -> Tensor:
    """Rough ln P (B, D) to start from; within a factor of about ten everywhere in the box."""
    _, log_g, metals, _, _ = labels.unbind(dim=-1)
    level = 5.1 + 0.6 * (log_g - 4.4) - 0.3 * metals
    depth = torch.where(log_tau < 0.0, 0.6 * log_tau, 0.2 * log_tau)
    return _LN_10 * (level[:, None] + depth)


def _hydrostatic_equilibrium(equilibrium: ChemicalEquilibrium, labels: Tensor, log_tau: Tensor) -> tuple[Tensor, Gas]:
    """ln P (B, D) and the gas of dP/dtau = g / (opacity per gram), both with derivatives.

    Newton's method on all depths at once: the equation of state gives d ln kappa / d ln P at each depth, the integral
    couples the depths linearly. The last step carries the derivatives to the labels (implicit function theorem).
    """
    ln_gravity = _LN_10 * labels[:, LABELS.index("log_g")]
    fixed = equilibrium.detach()
    fixed_gravity = ln_gravity.detach()
    ln_pressure = _pressure_guess(labels.detach(), log_tau)
    unknowns: Tensor | None = None
    identity = torch.eye(_DEPTHS, dtype=torch.float64, device=labels.device)
    for _ in range(_MAX_STEPS):
        unknowns = fixed.solve(ln_pressure, unknowns)
        response = fixed.pressure_response(unknowns)
        opacity, opacity_slope = _opacity_and_slope(fixed, unknowns, response)
        target, slopes = _integrate(_ln_integrand(ln_pressure, opacity, fixed_gravity, log_tau))
        jacobian = identity - slopes * (0.5 - opacity_slope)[:, None, :]
        step = torch.linalg.solve(jacobian, ln_pressure - target).clamp(-_STEP_LIMIT, _STEP_LIMIT)
        if bool((step.abs() < _STEP_TOLERANCE).all()):
            break
        ln_pressure = ln_pressure - step
        unknowns = unknowns - step[..., None] * response
    else:
        row = int(torch.nan_to_num(step.abs().amax(dim=-1), nan=torch.inf).argmax())
        raise ParameterError(f"no hydrostatic equilibrium for {dict(zip(LABELS, labels[row].tolist(), strict=True))}")
    gas = Gas(equilibrium, equilibrium.newton_step(unknowns, ln_pressure))
    target, _ = _integrate(_ln_integrand(ln_pressure, _ln_mass_opacity(gas), ln_gravity, log_tau))
    ln_pressure = ln_pressure - torch.linalg.solve(jacobian, ln_pressure - target)
    return ln_pressure, Gas(equilibrium, equilibrium.newton_step(unknowns, ln_pressure))


def _opacity_and_slope(equilibrium: ChemicalEquilibrium, unknowns: Tensor, response: Tensor) -> tuple[Tensor, Tensor]:
    """ln mass opacity and its derivative to ln P, both (B, D), the latter by central differences along `response`."""
    half_step = 1e-4
    low, here, high = (
        _ln_mass_opacity(Gas(equilibrium, unknowns + shift * response)) for shift in (-half_step, 0.0, half_step)
    )
    return here, (high - low) / (2.0 * half_step)


def _check(labels: Tensor) -> None:
    if labels.dim() != 2 or labels.shape[-1] != len(LABELS):
        raise ParameterError(f"labels must have the shape (B, {len(LABELS)}), got {tuple(labels.shape)}")
    for column, (name, (low, high)) in enumerate(RANGE.items()):
        values = labels[:, column]
        inside = (values >= low) & (values <= high)
        if not bool(inside.all()):
            row = int(torch.argmin(inside.to(torch.int8)))
            raise ParameterError(f"model {row}: {name} = {float(values[row]):g} is outside of {low:g} ... {high:g}")


@one_thread()
def model_atmosphere(labels: Tensor, microturbulence: float = 2.0e5) -> Atmosphere:
    """Atmospheres for labels (B, 5) in the order of LABELS; microturbulence in cm/s (carried along for the lines).

    Differentiable once in the labels (torch.func.jvp, forward_ad, backward). Raises ParameterError when the labels
    have another shape or leave RANGE.
    """
    labels = labels.to(torch.float64)
    _check(labels)
    steps = torch.arange(_DEPTHS, dtype=torch.float64, device=labels.device)
    log_tau = (steps - 50.0) / 10.0
    composition: Composition = mixture(labels)
    equilibrium = ChemicalEquilibrium.at(temperature_structure(labels), composition)
    ln_pressure, gas = _hydrostatic_equilibrium(equilibrium, labels, log_tau)
    wave = torch.tensor([REFERENCE_WAVE], dtype=torch.float64, device=labels.device)
    return Atmosphere(
        labels=labels,
        microturbulence=microturbulence,
        log_tau=log_tau,
        temperature=gas.temperature,
        gas_pressure=torch.exp(ln_pressure),
        electron_pressure=gas.electron_pressure,
        density=gas.density,
        reference_opacity=continuum_opacity(gas, wave)[..., 0],
        n_electron=gas.n_electron,
        n_h1=gas.n_h1,
        n_he1=gas.n_he1,
        n_h2=gas.n_h2,
        gas=gas,
    )
