"""Fit of the table `atmosphere_dwarfs.json`: what dwarfs add to the temperature relation of giants.

    python -m benchmarks.dwarf_temperatures <folder of ATLAS9 models> [--write]

The folder holds models, one a file, in the format of Kurucz's grids (TEFF, GRAVITY, ABUNDANCE SCALE, READ DECK6 ...).
They are not part of the kit; the table names those it was fitted to. Each gives T against column mass; our own
equation of state and continuum turn that into T against tau(8000 A). From the difference to the relation of giants is
subtracted what the same grid differs by in giants, where the relation stands on MARCS models: that is the difference
between two codes, and the relation stays with one. The models contain convective overshooting, which the relation (and
BOSZ) does not: hotter than 4500 K they count only above log tau = -1.2, fading out at -0.8.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

from repro.physics.atmosphere import marcs_fit, matern, relation_points
from repro.physics.composition import mixture
from repro.physics.constants import REFERENCE_WAVE
from repro.physics.continuum import continuum_opacity
from repro.physics.data import TABLES, read_table
from repro.physics.equation_of_state import ChemicalEquilibrium, Gas

LOG_TAU = np.round(np.arange(-4.0, 1.61, 0.1), 1)
# The grid of 1993 has more metals than ours at equal [M/H] (Anders & Grevesse 1989 against Asplund et al. 2005): with
# this its tabulated electron densities agree with ours within 1.5 % (4000/4.5/0, 4250/4.5/+0.1, 4500/2.0/-1).
MIXTURE = 0.10
LENGTHS = (0.2, 2.0, 3.0)  # of the kernel in 5040/T_eff - 1, log g, metallicity
NOISE = 0.1  # of the prior's standard deviation
FADING = (-1.2, -0.8)  # log tau where models with overshooting fade out: their convection reaches up to -1
ALL_DEPTHS_BELOW = 4500.0  # K

SOURCE = (
    "ATLAS9 models of Kurucz (1993, ATLAS9 Stellar Atmosphere Programs and 2 km/s grid, CD-ROM 13), with convective"
    " overshooting: difference to the relation, less the mean difference in the giants among them (log g <= 3); used"
    " above log tau = -1.2 only, fading out at -0.8, except below 4500 K. The dwarfs among the models of the relation"
    " keep their temperatures. Only fit coefficients are stored here; no model structure is redistributed."
)
FORMULA = (
    "T/Teff += S(log g) sum_n kappa(r_n) weights[n], log tau = -4.0 ... 1.6; S = s^3 (10 - 15 s + 6 s^2), s = clip("
    "log g - 3.5, 0, 1); r_n^2 = 5 sum_i ((u_i - nodes[n][i])/lengths[i])^2, u = (5040/Teff - 1, log g - 2.5, m);"
    " kappa(r) = (1 + r + r^2/3) exp(-r)"
)


@dataclass(frozen=True)
class Model:
    """One plane-parallel model atmosphere."""

    labels: torch.Tensor  # (1, 5)
    column: np.ndarray  # g cm^-2
    temperature: np.ndarray  # K

    @property
    def effective(self) -> float:
        return float(self.labels[0, 0])

    @property
    def log_g(self) -> float:
        return float(self.labels[0, 1])


def read_model(path: Path) -> Model:
    """One model of a Kurucz grid."""
    lines = path.read_text(encoding="ascii").splitlines()
    effective, log_g = float(lines[0].split()[1]), float(lines[0].split()[3])
    scale = next(line for line in lines if "UNDANCE SCALE" in line).split("SCALE")[1].split()[0]
    start = next(row for row, line in enumerate(lines) if "DECK6" in line)
    count = int(lines[start].split("DECK6")[1].split()[0])
    rows = np.array([line.split()[:2] for line in lines[start + 1 : start + 1 + count]], dtype=float)
    labels = torch.tensor([[effective, log_g, np.log10(float(scale)) + MIXTURE, 0.0, 0.0]], dtype=torch.float64)
    return Model(labels, rows[:, 0], rows[:, 1])


def temperatures(model: Model) -> np.ndarray:
    """T (57,) [K] at LOG_TAU."""
    ln_column = np.linspace(np.log(model.column[0]), np.log(model.column[-1]), 400)
    temperature = torch.from_numpy(PchipInterpolator(np.log(model.column), model.temperature)(ln_column))[None]
    equilibrium = ChemicalEquilibrium.at(temperature, mixture(model.labels))
    ln_pressure = torch.from_numpy(ln_column + np.log(10.0) * model.log_g)[None]
    gas = Gas(equilibrium, equilibrium.solve(ln_pressure))
    opacity = continuum_opacity(gas, torch.tensor([REFERENCE_WAVE], dtype=torch.float64))[..., 0] / gas.density
    integrand = opacity[0].numpy() * np.exp(ln_column)
    top = integrand[0] * (ln_column[5] - ln_column[0]) / np.log(integrand[5] / integrand[0])  # a power law above
    tau = top + np.concatenate([[0.0], np.cumsum(0.5 * (integrand[1:] + integrand[:-1]) * np.diff(ln_column))])
    return np.interp(LOG_TAU, np.log10(tau), temperature[0].numpy())


def difference(model: Model) -> np.ndarray:
    """T - relation of giants (57,) [K]."""
    return temperatures(model) - model.effective * marcs_fit(relation_points(model.labels)[0])[0].numpy()


def fading() -> np.ndarray:
    """1 above, 0 below the depths where overshooting matters."""
    part = np.clip((FADING[1] - LOG_TAU) / (FADING[1] - FADING[0]), 0.0, 1.0)
    return part**2 * (3.0 - 2.0 * part)


def anchors() -> tuple[np.ndarray, np.ndarray]:
    """Dwarfs among the models of the relation: points (N, 3) and what the bound on log g takes from them (N, 57)."""
    nodes = torch.tensor(read_table("atmosphere_ttau")["recommended"]["X"], dtype=torch.float64)
    nodes = torch.unique(nodes[nodes[:, 1] > 1.5], dim=0)
    labels = torch.stack([5040.0 / (1.0 + nodes[:, 0]), nodes[:, 1] + 2.5, nodes[:, 2]], dim=-1)
    labels = torch.nn.functional.pad(labels, (0, 2))
    return nodes.numpy(), (marcs_fit(nodes) - marcs_fit(relation_points(labels)[0])).numpy()


def main() -> None:
    """Fits, prints residuals of leaving each model out, and writes the table if asked to."""
    if len(sys.argv) < 2:
        print("skipped: name a folder of ATLAS9 models")
        return
    models = [read_model(path) for path in sorted(Path(sys.argv[1]).iterdir())]
    giants = [model for model in models if model.log_g <= 3.0]
    dwarfs = [model for model in models if model.log_g >= 4.5]
    codes = np.mean([difference(model) for model in giants], axis=0) * fading()
    changes = []
    for model in dwarfs:
        change = (difference(model) - codes) / model.effective
        changes.append(change if model.effective < ALL_DEPTHS_BELOW else change * fading())
    points = np.concatenate([relation_points(model.labels)[1].numpy() for model in dwarfs])
    fixed, kept = anchors()
    nodes, values = np.concatenate([points, fixed]), np.concatenate([np.array(changes), kept])
    kernel = matern(*(torch.from_numpy(nodes),) * 2, torch.tensor(LENGTHS, dtype=torch.float64)).numpy()
    inverse = np.linalg.inv(kernel + NOISE**2 * np.eye(len(nodes)))
    weights = inverse @ values
    scale = np.array([model.effective for model in dwarfs])[:, None]
    left_out = (weights / np.diag(inverse)[:, None])[: len(dwarfs)] * scale
    shown = [int(np.argmin(np.abs(LOG_TAU - depth))) for depth in (-4, -3, -2, -1, -0.5, 0, 0.5, 1, 1.5)]
    report = {
        "log_tau": LOG_TAU[shown].tolist(),
        "grid_minus_relation_in_giants_K": codes[shown].round().tolist(),
        "correction_rms_K": np.sqrt(((np.array(changes) * scale) ** 2).mean(axis=0))[shown].round().tolist(),
        "leave_one_out_rms_K": np.sqrt((left_out**2).mean(axis=0))[shown].round().tolist(),
        "leave_one_out_max_K": np.abs(left_out).max(axis=0)[shown].round().tolist(),
    }
    print(json.dumps(report, indent=1))
    for model, row in zip(dwarfs, left_out, strict=True):
        print(model.labels[0, :3].tolist(), "left out: fit - model [K]", (-row[shown]).round().tolist())
    if "--write" in sys.argv:
        write(models, nodes, weights, report)


def write(models: list[Model], nodes: np.ndarray, weights: np.ndarray, report: dict[str, Any]) -> None:
    """The table, with what it stands on."""
    named = [[m.effective, m.log_g, round(float(m.labels[0, 2]) - MIXTURE, 2)] for m in models]
    text = {
        "title": "What dwarfs add to T(tau_8000)/Teff of the relation fitted to MARCS giants",
        "source_data": SOURCE,
        "formula": FORMULA,
        "metallicity": f"[M/H] of the models + {MIXTURE} (their mixture is that of Anders & Grevesse 1989)",
        "made_by": "benchmarks/dwarf_temperatures.py",
    }
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in (text | {"lengths": LENGTHS}).items()]
    tables = {"accuracy": report, "models_Teff_logg_MH": named, "nodes": nodes.round(5), "weights": weights.round(6)}
    lines += [_laid_out(name, value) for name, value in tables.items()]
    (TABLES / "atmosphere_dwarfs.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _laid_out(name: str, value: Any) -> str:
    """One line a row of a table, or a name of a report."""
    if isinstance(value, dict):
        rows = [f"{json.dumps(key)}: {json.dumps(row)}" for key, row in value.items()]
        return f" {json.dumps(name)}: {{\n  " + ",\n  ".join(rows) + "\n }"
    rows = [json.dumps(row) for row in np.asarray(value).tolist()]
    return f" {json.dumps(name)}: [\n  " + ",\n  ".join(rows) + "\n ]"


if __name__ == "__main__":
    main()
