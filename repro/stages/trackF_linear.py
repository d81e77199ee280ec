"""Stage `trackF-linear`: linear models on the spectra."""

from repro.experiments.linear.family import linear_jobs
from repro.stages.matrix import run_family
from repro.stages.paths import LINEAR, MODELS_F
from repro.stages.runner import Run, run_stage

FIELDS = ("sizes", "seeds", "repeated", "components", "pixels")


def main(run: Run) -> None:
    """Write results/trackF/linear.h5, and models/trackF/linear."""
    run_family(run, linear_jobs, FIELDS, LINEAR, MODELS_F / "linear")


if __name__ == "__main__":
    run_stage("trackF-linear", main)
