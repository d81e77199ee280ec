"""Stage `trackC-posterior`: the exact posterior of log g of the common test stars, whose mean is the Bayes optimum."""

from repro.bounds.posterior.continuous import continuous_posterior
from repro.bounds.posterior.engine import posterior
from repro.bounds.posterior.law import Law
from repro.instrument.noise import NoiseModel
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.spectra.presentation import observed_stars
from repro.stages.paths import NODES_5D, POSTERIOR, set_path
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackC/posterior.h5."""
    params = run.params
    grid = NodeGrid.read(NODES_5D)
    stars = observed_stars(set_path("test"), params.seed, params.noise, params.size.posterior_stars)
    noise_model = NoiseModel(params.spectra.noise_model, device=run.device)
    law = Law(magnitudes=(params.spectra.mag_min, params.spectra.mag_max))
    with progress("posteriors") as report:
        if params.spectra.sampling == "continuous":
            table = continuous_posterior(grid, stars, noise_model, law, device=run.device, report=report)
        else:
            table = posterior(grid, stars, noise_model, params.noise, law, device=run.device, report=report)
    table.write(POSTERIOR)


if __name__ == "__main__":
    run_stage("trackC-posterior", main)
