"""Stage `trackC-ceiling`: Cramer-Rao bounds on log g at every node and magnitude, with three and with five labels."""

from typing import Final

from repro.bounds.ceiling import lattice_ceiling
from repro.instrument.noise import Conditions, NoiseModel
from repro.params import Params
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.stages.paths import CEILING_3D, CEILING_5D, NODES_3D, NODES_5D
from repro.stages.runner import Run, run_stage

GRIDS: Final = {"3D": (NODES_3D, CEILING_3D), "5D": (NODES_5D, CEILING_5D)}


def fisher_conditions(params: Params, magnitude: float) -> Conditions:
    """The observing conditions of the published Fisher grid of one magnitude."""
    fixed = params.trackC_ceiling
    return Conditions(
        mag=magnitude, zenith_angle=fixed.zenith_angle, field_angle=fixed.field_angle, seeing=fixed.seeing
    )


def main(run: Run) -> None:
    """Write results/trackC/ceiling_3d.h5 and ceiling_5d.h5."""
    params = run.params
    magnitudes = params.trackC_ceiling.magnitudes
    for name, (nodes, result) in GRIDS.items():
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


if __name__ == "__main__":
    run_stage("trackC-ceiling", main)
