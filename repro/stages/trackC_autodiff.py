"""Stage `trackC-autodiff`: exact derivatives through the synthesizer at sampled nodes, against the lattice's."""

from typing import Final

from torch import Tensor

from repro.bounds.autodiff import compare_derivatives, sample_nodes
from repro.bounds.scaling import node_errors, unit_median
from repro.files import remove_leftovers
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
    remove_leftovers(AUTODIFF.parent)
    grid = NodeGrid.read(NODES)
    nodes = sample_nodes(grid.lattice.size, params.size.autodiff_nodes, params.seed)
    noise_model = NoiseModel(params.spectra.noise_model)
    error = node_errors(grid, nodes, noise_model, fisher_conditions(params, MAGNITUDE))
    source = LteSource(device=run.device, microturbulence=params.nodes.microturbulence)
    instrument = Instrument()

    def observed(labels: Tensor) -> Tensor:
        flux: Tensor = instrument(source.spectra(labels))[0]
        return flux

    with progress("exact derivatives") as report:
        comparison = compare_derivatives(
            observed, grid.lattice, unit_median(grid.flux)[0], error, nodes, progress=report
        )
    comparison.write(AUTODIFF)


if __name__ == "__main__":
    run_stage("trackC-autodiff", main)
