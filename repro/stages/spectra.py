"""Stage `spectra`: the train, validation and test sets."""

import shutil

from repro.instrument.noise import NoiseModel
from repro.progress import progress
from repro.spectra.generate import SetRecipe, generate_set
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import SPLITS
from repro.stages.paths import NODES, SPECTRA, set_path
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write data/spectra/{train,val,test}.h5; the folder appears when all three are whole."""
    params = run.params
    grid = NodeGrid.read(NODES)
    noise_model = NoiseModel(params.spectra.noise_model)
    temporary = SPECTRA.with_name(f".{SPECTRA.name}.tmp")
    for split in SPLITS:
        recipe = SetRecipe(
            mode=params.spectra.sampling,
            n=getattr(params.size, split),
            split=split,
            seed=params.seed,
            magnitudes=(params.spectra.mag_min, params.spectra.mag_max),
        )
        with progress(f"{split} spectra") as report:
            generate_set(grid, recipe, noise_model, set_path(split, temporary), progress=report)
    shutil.rmtree(SPECTRA, ignore_errors=True)
    temporary.rename(SPECTRA)


if __name__ == "__main__":
    run_stage("spectra", main)
