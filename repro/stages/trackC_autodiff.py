"""Stage `trackC-autodiff`: exact derivatives through the synthesizer at sampled nodes, against the lattice's."""

from typing import Final

from torch import Tensor

from repro.bounds.autodiff import compare_derivatives, sample_nodes
from repro.instrument.noise import NoiseModel
from repro.instrument.observe import Instrument
from repro.progress import progress
from repro.sources.lte import LteSource
from repro.spectra.nodes import NodeGrid
from repro.stages.paths import AUTODIFF, NODES
from repro.stages.runner import Run, run_stage
from repro.stages.trackC_ceiling import fisher_conditions

MAGNITUDE: Final = 21.5  # its errors weight the comparison: the grid on which the published headline rests


def main(run: Run) -> None:
    """Write results/trackC/autodiff.h5."""
    params = run.params
    grid = NodeGrid.read(NODES)
    nodes = sample_nodes(grid.lattice.size, params.size.autodiff_nodes, params.seed)
    source = LteSource(device=run.device, microturbulence=params.nodes.microturbulence)
    instrument = Instrument()

    def observed(labels: Tensor) -> Tensor:
        return instrument(source.spectra(labels))[0]

    with progress("exact derivatives") as report:
        comparison = compare_derivatives(
            observed,
            grid,
            nodes,
            NoiseModel(params.spectra.noise_model),
            fisher_conditions(params, MAGNITUDE),
            progress=report,
        )
    comparison.write(AUTODIFF)


if __name__ == "__main__":
    run_stage("trackC-autodiff", main)
