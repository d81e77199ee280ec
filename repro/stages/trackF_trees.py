"""Stage `trackF-trees`: gradient-boosted trees on the spectra."""

from repro.experiments.trees import tree_jobs
from repro.stages.matrix import run_family
from repro.stages.paths import MODELS_F, TREES
from repro.stages.runner import Run, run_stage

FIELDS = (
    *("sizes", "seeds", "repeated", "pixels"),
    *("trees", "tree_share", "tree_bins", "tree_rates", "tree_leaves"),
)


def main(run: Run) -> None:
    """Write results/trackF/trees.h5, and models/trackF/trees."""
    run_family(run, tree_jobs, FIELDS, TREES, MODELS_F / "trees")


if __name__ == "__main__":
    run_stage("trackF-trees", main)
