"""Stage `trackC-nuisances`: what each further unknown costs, and 3D against 5D on identical nodes."""

from typing import Final

from repro.bounds.nuisances import nuisance_bounds
from repro.instrument.noise import NoiseModel
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.stages.paths import NODES_5D, NUISANCES
from repro.stages.runner import Run, run_stage
from repro.stages.trackC_ceiling import fisher_conditions

MAGNITUDES: Final = (21.5, 22.5)  # of the ladder: those that the published overlay uses


def main(run: Run) -> None:
    """Write results/trackC/nuisances.h5."""
    params = run.params
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
    run_stage("trackC-nuisances", main)
