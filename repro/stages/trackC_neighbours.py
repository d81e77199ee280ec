"""Stage `trackC-neighbours`: the estimate from nearest neighbours that was published first and withdrawn (V1)."""

from typing import Final

import numpy as np

from repro.bounds.neighbours import neighbour_table
from repro.progress import progress
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import labels_of
from repro.spectra.store import open_set
from repro.stages.paths import NEIGHBOURS, NODES_5D, set_path
from repro.stages.runner import Run, run_stage

SAMPLE: Final = 10_000  # spectra, as published; all where the training set holds fewer


def main(run: Run) -> None:
    """Write results/trackC/neighbours.h5."""
    with open_set(set_path("train")) as stars:
        rows = slice(0, min(SAMPLE, stars.size))
        flux, error = stars.read(rows)
        labels = labels_of(stars.labels[rows])
    with progress("bounds from neighbours") as report:
        table = neighbour_table(
            np.asarray(flux),
            np.asarray(error),
            labels,
            NodeGrid.read(NODES_5D),
            run.params.noise,
            progress=report,
        )
    table.write(NEIGHBOURS)


if __name__ == "__main__":
    run_stage("trackC-neighbours", main)
