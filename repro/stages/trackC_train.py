"""Stage `trackC-train`: the first models, with and without weights from the bounds, and what they say of test stars."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.bounds.star_crlb import loss_weights, star_crlb
from repro.instrument.noise import NoiseModel
from repro.labels import LABELS
from repro.models.baselines import Labelled, train_baselines
from repro.params import Params
from repro.progress import progress
from repro.scores.predictions import GAUSSIAN, predictions
from repro.spectra.nodes import NodeGrid
from repro.spectra.noise_laws import LAWS, present_law
from repro.spectra.presentation import observed_stars
from repro.spectra.store import open_set
from repro.stages.paths import MODELS_C, NODES_5D, PREDICTIONS, set_path
from repro.stages.runner import Run, run_stage
from repro.training.loop import Recipe
from repro.training.spectra import Validation

SEEDS: Final = 2
CHECKPOINTS: Final = Path("data/work/trackC-train")


def main(run: Run) -> None:
    """Write models/trackC and results/trackC/predictions.h5."""
    params = run.params
    grid = NodeGrid.read(NODES_5D)
    with open_set(set_path("train")) as stars:
        with progress("bounds of training stars") as report:
            crlb = star_crlb(grid, stars, params.noise, report=report)
        flux, error = stars.read()
        train = Labelled(flux, error, stars.labels["log_g"].astype(np.float64), params.noise)
    seen = observed_stars(set_path("val"), params.seed, params.noise)
    with progress("training") as report:
        models = train_baselines(
            train,
            Validation(seen.x, seen.labels[:, LABELS.index("log_g")]),
            loss_weights(crlb, float(np.var(train.y))),
            [params.seed + run_number for run_number in range(SEEDS)],
            Recipe(epochs=params.size.epochs),
            folder=MODELS_C,
            checkpoints=CHECKPOINTS,
            device=run.device,
            report=report,
        )
    stars_seen = observed_stars(set_path("test"), params.seed, params.noise)
    predictions(models, stars_seen, _other_laws(params)).write(PREDICTIONS)


def _other_laws(params: Params) -> dict[str, Callable[[], NDArray[np.float32]]]:
    """What makes the test stars under each law of the noise that is not the one trained on."""
    noise_model = NoiseModel(params.spectra.noise_model)
    with open_set(set_path("test")) as stars:
        (flux, error), table = stars.read(), stars.labels
    show = partial(
        present_law, flux, error, table, noise=params.noise, seed=params.seed, split="test", noise_model=noise_model
    )
    return {law: partial(show, law=law, rows=np.arange(len(table))) for law in LAWS if law != GAUSSIAN}


if __name__ == "__main__":
    run_stage("trackC-train", main)
