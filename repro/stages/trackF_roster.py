"""Stage `trackF-roster`: template fits, and every other model that needs no settings."""

from functools import partial

from repro.experiments.roster import roster_jobs
from repro.spectra.nodes import NodeGrid
from repro.spectra.store import open_set
from repro.stages.matrix import run_family
from repro.stages.paths import NODES_5D, ROSTER, set_path
from repro.stages.runner import Run, run_stage

FIELDS = ("sizes", "seeds", "repeated")


def main(run: Run) -> None:
    """Write results/trackF/roster.h5."""
    with open_set(set_path("test")) as stars:
        own = stars.own  # sets that came from elsewhere do not say from which nodes they were made
    grid = NodeGrid.read(NODES_5D) if own else None
    run_family(run, partial(roster_jobs, grid=grid), FIELDS, ROSTER)


if __name__ == "__main__":
    run_stage("trackF-roster", main)
