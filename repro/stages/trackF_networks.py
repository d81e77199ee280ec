"""Stage `trackF-networks`: perceptrons and convolutional networks on the spectra."""

from functools import partial

from repro.experiments.networks import network_jobs
from repro.stages.matrix import run_family
from repro.stages.paths import MODELS_F, NETWORKS, WORK
from repro.stages.runner import Run, run_stage

FIELDS = (
    *("seeds", "network_sizes", "network_levels", "epochs", "validation_sizes"),
    *("cnn_size", "cnn_batch", "cnn_kernels", "cnn_rates", "cnn_steps"),
)


def main(run: Run) -> None:
    """Write results/trackF/networks.h5, and models/trackF/networks."""
    family = partial(network_jobs, checkpoints=WORK / f"{run.stage}-checkpoints")
    run_family(run, family, FIELDS, NETWORKS, MODELS_F / "networks")


if __name__ == "__main__":
    run_stage("trackF-networks", main)
