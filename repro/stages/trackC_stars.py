"""Stage `trackC-stars`: bounds that stars give, not nodes: exact, van Trees, from their errors, from neighbours."""

from typing import Final

import numpy as np

from repro.bounds.error_leak import read_errors
from repro.bounds.neighbours import neighbour_table
from repro.bounds.stars import star_bounds
from repro.bounds.van_trees import van_trees
from repro.instrument.noise import NoiseModel
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import labels_of
from repro.spectra.store import open_set
from repro.stages.conditions import fisher_conditions
from repro.stages.paths import LEAK, NEIGHBOURS, NODES_5D, STARS, VAN_TREES, set_path
from repro.stages.runner import Run, run_stage

LEAK_STARS: Final = 1000  # the answer does not depend on how many are asked
SAMPLE: Final = 10_000  # training spectra whose neighbours are sought, as published; all where there are fewer


def main(run: Run) -> None:
    """Write results/trackC/stars.h5, leak.h5, van_trees.h5 and neighbours.h5."""
    grid = NodeGrid.read(NODES_5D)
    bound_stars(run, grid)
    bound_estimators(run, grid)
    seek_neighbours(run, grid)


def bound_stars(run: Run, grid: NodeGrid) -> None:
    """Bounds at the test stars, and log g read from their error arrays."""
    params, noise_model = run.params, NoiseModel(run.params.spectra.noise_model)
    with open_set(set_path("test")) as stars:
        with progress("bounds at stars") as report:
            star_bounds(grid, stars, noise_model, params.noise, progress=report).write(STARS)
        with progress("log g from errors") as report:
            # only stars on the lines of the lattice can be told by their errors
            limit = LEAK_STARS if params.spectra.sampling == "paper" else 0
            read_errors(grid, stars, noise_model, limit=limit, progress=report).write(LEAK)


def bound_estimators(run: Run, grid: NodeGrid) -> None:
    """Van Trees bounds, which hold for biased estimators too."""
    params = run.params
    magnitudes = params.trackC_ceiling.magnitudes
    with progress("van Trees bounds") as report:
        van_trees(
            grid,
            NoiseModel(params.spectra.noise_model),
            fisher_conditions(params, magnitudes[0]),
            magnitudes,
            (params.spectra.mag_min, params.spectra.mag_max),
            params.noise,
            progress=report,
        ).write(VAN_TREES)


def seek_neighbours(run: Run, grid: NodeGrid) -> None:
    """The estimate from nearest neighbours that was published first and withdrawn (V1)."""
    with open_set(set_path("train")) as stars:
        rows = slice(0, min(SAMPLE, stars.size))
        flux, error = stars.read(rows)
        labels = labels_of(stars.labels[rows])
    with progress("bounds from neighbours") as report:
        table = neighbour_table(np.asarray(flux), np.asarray(error), labels, grid, run.params.noise, progress=report)
    table.write(NEIGHBOURS)


if __name__ == "__main__":
    run_stage("trackC-stars", main)
