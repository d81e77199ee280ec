"""Stage `trackC-ceiling`: Cramer-Rao bounds on log g at every node and magnitude."""

from repro.bounds.ceiling import lattice_ceiling
from repro.instrument.noise import Conditions, NoiseModel
from repro.params import Params
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.stages.paths import CEILING, NODES_3D
from repro.stages.runner import Run, run_stage


def fisher_conditions(params: Params, magnitude: float) -> Conditions:
    """The observing conditions of the published Fisher grid of one magnitude."""
    fixed = params.trackC_ceiling
    return Conditions(
        mag=magnitude, zenith_angle=fixed.zenith_angle, field_angle=fixed.field_angle, seeing=fixed.seeing
    )


def main(run: Run) -> None:
    """Write results/trackC/ceiling.h5."""
    params = run.params
    magnitudes = params.trackC_ceiling.magnitudes
    with progress("bounds at nodes") as report:
        table = lattice_ceiling(
            NodeGrid.read(NODES_3D),
            magnitudes,
            NoiseModel(params.spectra.noise_model),
            fisher_conditions(params, magnitudes[0]),
            params.noise,
            progress=report,
        )
    table.write(CEILING)


if __name__ == "__main__":
    run_stage("trackC-ceiling", main)
