"""Stage `trackC-posterior`: exact posteriors of log g of the common test stars, also under noise of other shapes."""

from typing import Final

from repro.bounds.noise_laws import noise_law_table
from repro.bounds.posterior.continuous import continuous_posterior
from repro.bounds.posterior.engine import posterior
from repro.bounds.posterior.law import Law
from repro.instrument.noise import NoiseModel
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.spectra.presentation import observed_stars
from repro.spectra.store import open_set
from repro.stages.conditions import fisher_conditions
from repro.stages.paths import NODES_3D, NODES_5D, NOISE_LAWS, POSTERIOR, set_path
from repro.stages.runner import Run, run_stage

MAGNITUDES: Final = (21.5, 22.5)  # of the bounds under other noise: those that the published overlay uses


def main(run: Run) -> None:
    """Write results/trackC/posterior.h5 and noise_laws.h5."""
    grid = NodeGrid.read(NODES_5D)
    sum_posteriors(run, grid)
    change_noise(run, grid)


def sum_posteriors(run: Run, grid: NodeGrid) -> None:
    """The posteriors whose means are the Bayes optimum."""
    params = run.params
    stars = observed_stars(set_path("test"), params.seed, params.noise, params.size.posterior_stars)
    noise_model = NoiseModel(params.spectra.noise_model, device=run.device)
    law = Law(magnitudes=(params.spectra.mag_min, params.spectra.mag_max))
    with progress("posteriors") as report:
        if params.spectra.sampling == "continuous":
            table = continuous_posterior(grid, stars, noise_model, law, device=run.device, report=report)
        else:
            table = posterior(grid, stars, noise_model, params.noise, law, device=run.device, report=report)
    table.write(POSTERIOR)


def change_noise(run: Run, grid: NodeGrid) -> None:
    """Bounds and posteriors under noise that is not Gaussian or not independent."""
    params = run.params
    # posteriors under other noise are drawn along the lines of the lattice
    limit = params.size.noise_law_stars if params.spectra.sampling == "paper" else 0
    with open_set(set_path("test")) as stars, progress("other noise") as report:
        noise_law_table(
            NodeGrid.read(NODES_3D),
            MAGNITUDES,
            fisher_conditions(params, MAGNITUDES[0]),
            grid,
            stars,
            NoiseModel(params.spectra.noise_model),
            noise=params.noise,
            seed=params.seed,
            limit=limit,
            device=run.device,
            report=report,
        ).write(NOISE_LAWS)


if __name__ == "__main__":
    run_stage("trackC-posterior", main)
