"""Stage `trackA-train`: the vision transformer, its sizes, and what it is compared with, on the spectra.

With several GPUs: `torchrun --nproc_per_node=2 -m repro.stages.trackA_train`. The folder `data/work/trackA-train-live`
has a page for each training, which may be opened while it runs. What they take is kept beside it, in
`data/work/trackA-train-provenance.json`, outside the outputs.
"""

import shutil
from types import SimpleNamespace
from typing import Final

from repro.experiments.data import Data
from repro.experiments.jobs import run_jobs
from repro.experiments.vit.bench import Announced
from repro.experiments.vit.jobs import quiet, vit_jobs
from repro.experiments.vit.sources import Laws
from repro.instrument.noise import NoiseModel
from repro.params import Params
from repro.progress import progress
from repro.stages.paths import MODELS_A, NODES_5D, SPECTRA, VIT, WORK
from repro.stages.runner import Run, run_stage
from repro.stages.trainings import TRAININGS_A, Ledger
from repro.training.parallel import main_process, together, wait

FIELDS: Final = (
    *("main", "sizes", "seeds", "epochs", "batch", "published_steps", "fast_epochs"),
    *("ablations", "ablation_size", "ablation_epochs"),
)


def main(run: Run) -> None:
    """Write results/trackA/vit.h5 and models/trackA."""
    params, vit = run.params, run.params.size.trackA
    plan = SimpleNamespace(**{name: getattr(vit, name) for name in FIELDS})
    levels, work = params.trackF.levels, WORK / run.stage
    with together():
        announced: Announced = progress if main_process() else quiet
        laws = _laws(params, "lattice" in plan.ablations)
        data = Data(SPECTRA, params.seed, params.noise, run.device)
        ledger = Ledger(TRAININGS_A, run.device)
        jobs = vit_jobs(
            data,
            plan,
            levels,
            checkpoints=WORK / f"{run.stage}-checkpoints",
            laws=laws,
            announced=announced,
            live=WORK / f"{run.stage}-live",
            counted=ledger.counting,
        )
        run_jobs(jobs, data, work, VIT, models=MODELS_A, settings=f"{plan} {levels}")
        if main_process():
            ledger.close(VIT, {job.name for job in jobs})
            if laws is not None:
                shutil.rmtree(laws.folder, ignore_errors=True)
        wait()


def _laws(params: Params, wanted: bool) -> Laws | None:
    """What draws labels of another law: where the sets are the kit's own, of which the law is known."""
    if not wanted or params.source == "hdf5":
        return None
    return Laws(
        own=params.spectra.sampling,
        grid=NODES_5D,
        noise_model=NoiseModel(params.spectra.noise_model),
        seed=params.seed,
        magnitudes=(params.spectra.mag_min, params.spectra.mag_max),
        folder=WORK / "trackA-train-laws",
    )


if __name__ == "__main__":
    run_stage("trackA-train", main)
