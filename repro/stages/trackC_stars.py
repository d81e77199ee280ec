"""Stage `trackC-stars`: bounds at the test stars themselves, van Trees bounds, and log g read from error arrays."""

from typing import Final

from repro.bounds.error_leak import read_errors
from repro.bounds.stars import star_bounds
from repro.bounds.van_trees import van_trees
from repro.instrument.noise import NoiseModel
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.spectra.store import open_set
from repro.stages.paths import LEAK, NODES_5D, STARS, VAN_TREES, set_path
from repro.stages.runner import Run, run_stage
from repro.stages.trackC_ceiling import fisher_conditions

LEAK_STARS: Final = 1000  # the answer does not depend on how many are asked


def main(run: Run) -> None:
    """Write results/trackC/stars.h5, van_trees.h5 and leak.h5."""
    params = run.params
    grid, noise_model = NodeGrid.read(NODES_5D), NoiseModel(params.spectra.noise_model)
    magnitudes = params.trackC_ceiling.magnitudes
    with open_set(set_path("test")) as stars:
        with progress("bounds at stars") as report:
            star_bounds(grid, stars, noise_model, params.noise, progress=report).write(STARS)
        with progress("log g from errors") as report:
            # only stars on the lines of the lattice can be told by their errors
            limit = LEAK_STARS if params.spectra.sampling == "paper" else 0
            read_errors(grid, stars, noise_model, limit=limit, progress=report).write(LEAK)
    with progress("van Trees bounds") as report:
        van_trees(
            grid,
            noise_model,
            fisher_conditions(params, magnitudes[0]),
            magnitudes,
            (params.spectra.mag_min, params.spectra.mag_max),
            params.noise,
            progress=report,
        ).write(VAN_TREES)


if __name__ == "__main__":
    run_stage("trackC-stars", main)
