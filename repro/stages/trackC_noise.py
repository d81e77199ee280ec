"""Stage `trackC-noise`: bounds and posteriors of log g under noise that is not Gaussian or not independent."""

from typing import Final

from repro.bounds.noise_laws import noise_law_table
from repro.instrument.noise import NoiseModel
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.spectra.store import open_set
from repro.stages.paths import NODES_3D, NODES_5D, NOISE_LAWS, set_path
from repro.stages.runner import Run, run_stage
from repro.stages.trackC_ceiling import fisher_conditions

MAGNITUDES: Final = (21.5, 22.5)  # of the bounds at nodes: those that the published overlay uses


def main(run: Run) -> None:
    """Write results/trackC/noise_laws.h5."""
    params = run.params
    # posteriors under other noise are drawn along the lines of the lattice
    limit = params.size.noise_law_stars if params.spectra.sampling == "paper" else 0
    with open_set(set_path("test")) as stars, progress("other noise") as report:
        noise_law_table(
            NodeGrid.read(NODES_3D),
            MAGNITUDES,
            fisher_conditions(params, MAGNITUDES[0]),
            NodeGrid.read(NODES_5D),
            stars,
            NoiseModel(params.spectra.noise_model),
            noise=params.noise,
            seed=params.seed,
            limit=limit,
            device=run.device,
            report=report,
        ).write(NOISE_LAWS)


if __name__ == "__main__":
    run_stage("trackC-noise", main)
