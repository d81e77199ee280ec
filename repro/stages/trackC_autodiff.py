"""Stage `trackC-autodiff`: exact derivatives through the synthesizer at sampled nodes, against the lattice's."""

from collections.abc import Callable

import torch
from torch import Tensor

from repro.bounds.autodiff import compare_derivatives, sample_nodes
from repro.files import remove_leftovers
from repro.instrument.noise import NoiseModel, normalise
from repro.instrument.observe import Instrument
from repro.progress import progress
from repro.sources.lte import LteSource
from repro.spectra.nodes import NodeGrid
from repro.stages.runner import Run, run_stage
from repro.stages.trackC_ceiling import FOLDER, NODES, fisher_conditions

OUTPUT = f"{FOLDER}/autodiff.h5"
MAGNITUDE = 21.5  # weights the comparison; of the six published grids the one that the headline rests on


def normalised_spectra(source: LteSource, instrument: Instrument) -> Callable[[Tensor], Tensor]:
    """A differentiable function from labels (B, 5) to spectra (B, 4096) of median 0.5."""

    def spectra(labels: Tensor) -> Tensor:
        flux, _ = instrument(source.spectra(labels))
        return normalise(flux, torch.ones_like(flux))[0]

    return spectra


def main(run: Run) -> None:
    """Write results/trackC/autodiff.h5."""
    params = run.params
    remove_leftovers(FOLDER)
    grid = NodeGrid.read(NODES)
    nodes = sample_nodes(len(grid.flux), params.size.autodiff_nodes, params.seed)
    flux = torch.from_numpy(grid.flux).double()
    conditions = fisher_conditions(params, MAGNITUDE)
    sigma = NoiseModel(params.spectra.noise_model)(flux[nodes], torch.from_numpy(grid.zero_point[nodes]), conditions)
    error = normalise(flux[nodes], sigma)[1]
    source = LteSource(device=run.device, microturbulence=params.nodes.microturbulence)
    with progress("exact derivatives") as report:
        comparison = compare_derivatives(
            normalised_spectra(source, Instrument()),
            grid.lattice,
            normalise(flux, torch.ones_like(flux))[0].numpy(),
            error.numpy(),
            nodes,
            progress=report,
        )
    comparison.write(OUTPUT)


if __name__ == "__main__":
    run_stage("trackC-autodiff", main)
