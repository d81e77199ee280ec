"""Stage `spectra`: the train, validation and test sets."""

import shutil
from pathlib import Path

from repro.instrument.noise import NoiseModel
from repro.params import Params
from repro.progress import progress
from repro.sources.hdf5.importer import import_set
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import SPLITS
from repro.stages.executors import cluster
from repro.stages.paths import NODES_5D, SPECTRA, set_path
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write data/spectra/{train,val,test}.h5; the folder appears when all three are whole."""
    temporary = SPECTRA.with_name(f".{SPECTRA.name}.tmp")
    if run.params.source == "hdf5":
        imported(run.params, temporary)
    else:
        generated(run, temporary)
    shutil.rmtree(SPECTRA, ignore_errors=True)
    temporary.rename(SPECTRA)


def generated(run: Run, folder: Path) -> None:
    """Draw the sets and interpolate them from the 5D node grid."""
    params = run.params
    grid = NodeGrid.read(NODES_5D)
    noise_model = NoiseModel(params.spectra.noise_model)
    with cluster() as executor:
        remote = (executor, NODES_5D) if executor else None
        for split in SPLITS:
            recipe = SetRecipe(
                mode=params.spectra.sampling,
                n=getattr(params.size, split),
                split=split,
                seed=params.seed,
                magnitudes=(params.spectra.mag_min, params.spectra.mag_max),
            )
            with progress(f"{split} spectra") as report:
                generate_set(grid, recipe, noise_model, set_path(split, folder), remote=remote, progress=report)


def imported(params: Params, folder: Path) -> None:
    """Take the first spectra of the author's files, as many as the scale asks for.

    Raises:
        DataError: a file holds other columns or values than it should, or too few spectra.
    """
    for split in SPLITS:
        with progress(f"{split} spectra") as report:
            summary = import_set(
                getattr(params.hdf5, split),
                set_path(split, folder),
                getattr(params.size, split),
                split=split,
                progress=report,
            )
        low, middle, high = summary.snr_ratio
        print(f"{split}: {summary.n} spectra; the files' snr over ours {middle:.3f} ({low:.3f} to {high:.3f})")
        if summary.absent:
            print(f"{split}: columns that the files lack: {', '.join(summary.absent)}")


if __name__ == "__main__":
    run_stage("spectra", main)
