"""Stage `trackC-ceiling`: Cramer-Rao bounds on log g at every node and magnitude, and the cost of further unknowns."""

from typing import Final

from repro.bounds.ceiling import lattice_ceiling
from repro.bounds.nuisances import nuisance_bounds
from repro.instrument.noise import NoiseModel
from repro.params import Params
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.stages.conditions import fisher_conditions
from repro.stages.paths import CEILING_3D, CEILING_5D, NODES_3D, NODES_5D, NUISANCES
from repro.stages.runner import Run, run_stage

GRIDS: Final = {"3D": (NODES_3D, CEILING_3D), "5D": (NODES_5D, CEILING_5D)}
MAGNITUDES: Final = (21.5, 22.5)  # of the ladder of unknowns: those that the published overlay uses


def main(run: Run) -> None:
    """Write results/trackC/ceiling_3d.h5, ceiling_5d.h5 and nuisances.h5."""
    for name in GRIDS:
        bound(run.params, name)
    study_nuisances(run.params)


def bound(params: Params, name: str) -> None:
    """Bounds with three or with five unknown labels."""
    nodes, result = GRIDS[name]
    magnitudes = params.trackC_ceiling.magnitudes
    with progress(f"bounds at nodes, {name}") as report:
        table = lattice_ceiling(
            NodeGrid.read(nodes),
            magnitudes,
            NoiseModel(params.spectra.noise_model),
            fisher_conditions(params, magnitudes[0]),
            params.noise,
            progress=report,
        )
    table.write(result)


def study_nuisances(params: Params) -> None:
    """Bounds with further unknowns, and 3D against 5D on identical nodes."""
    with progress("bounds with nuisances") as report:
        table = nuisance_bounds(
            NodeGrid.read(NODES_5D),
            NoiseModel(params.spectra.noise_model),
            fisher_conditions(params, MAGNITUDES[0]),
            params.noise,
            magnitudes=MAGNITUDES,
            paired_magnitudes=params.trackC_ceiling.magnitudes,
            progress=report,
        )
    table.write(NUISANCES)


if __name__ == "__main__":
    run_stage("trackC-ceiling", main)
