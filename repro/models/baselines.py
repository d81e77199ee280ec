"""The models of Track C: Ridge and a perceptron, each with the losses of `bounds.star_crlb.loss_weights`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from repro.models.mlp import Mlp
from repro.models.protocol import Predictor
from repro.models.ridge import Ridge
from repro.progress import Report, silent
from repro.training.loop import Recipe, write_history
from repro.training.spectra import NoisySpectra, RememberedSpectra, Validation

# presentations kept in memory: ten of 8000 spectra; of a large set, which is trained on a GPU, they are drawn anew
REMEMBERED: Final = 1_400_000_000


@dataclass(frozen=True)
class Labelled:
    """Noise-free spectra with their label: flux and error (n, P) float32, y (n,), noise level."""

    flux: NDArray[np.float32]
    error: NDArray[np.float32]
    y: NDArray[np.float64]
    noise: float


def train_baselines(
    train: Labelled,
    validation: Validation,
    weights: Mapping[str, NDArray[np.float64] | None],
    seeds: Sequence[int],
    recipe: Recipe,
    *,
    folder: Path | None = None,
    checkpoints: Path | None = None,
    device: str | torch.device = "cpu",
    report: Report = silent,
) -> dict[str, list[Predictor]]:
    """Train every model with every loss: runs of each by its name, `ridge` or `mlp` and the name of its weights.

    A run's seed is the root of its noise, initial weights and order; runs of one seed share them, so that losses are
    compared on equal terms. Ridge has nothing random but the noise and runs with the first seed alone.

    Args:
        weights: of the squared errors of the training spectra, (n,), by name; None: all equal.
        folder: where models and histories are written, as ridge<...>_seed<seed>.npz,
            mlp<...>_seed<seed>.safetensors and, of its history, .csv.
        checkpoints: where an interrupted training left its state; emptied as the trainings end.
        report: called with the presentations learnt from and in all.

    Raises:
        DataError: as `Ridge.fit` and `Mlp.fit`.
    """
    flux, error = (torch.as_tensor(array, device=device) for array in (train.flux, train.error))
    count = len(train.y)
    total = count * len(weights) * (1 + len(seeds) * recipe.epochs)
    done = 0
    models: dict[str, list[Predictor]] = {f"{kind}{name}": [] for kind in ("ridge", "mlp") for name in weights}
    for seed in seeds:
        source = RememberedSpectra(NoisySpectra(flux, error, train.noise, seed), REMEMBERED)
        if seed == seeds[0]:
            for name, weight in weights.items():
                ridge = Ridge(device=device).fit(source, train.y, validation=validation, sample_weight=weight)
                models[f"ridge{name}"].append(ridge)
                if folder is not None:
                    ridge.save(folder / f"ridge{name}_seed{seed}.npz")
                done += count
                report(done, total)
        for name, weight in weights.items():
            label, before = f"mlp{name}_seed{seed}", done
            checkpoint = checkpoints / f"{label}.npz" if checkpoints is not None else None
            mlp = Mlp(
                recipe,
                seed=seed,
                device=device,
                checkpoint=checkpoint,
                report=_shifted(report, before, total),
            )
            models[f"mlp{name}"].append(mlp.fit(source, train.y, validation=validation, sample_weight=weight))
            if folder is not None:
                mlp.save(folder / f"{label}{mlp.suffix}")
                write_history(mlp.history, folder / f"{label}.csv")
            done = before + recipe.epochs * count
    for leftover in checkpoints.glob("*.npz") if checkpoints is not None else ():
        leftover.unlink()
    return models


def _shifted(report: Report, before: int, total: int) -> Report:
    """Progress of one part of the work as progress of the whole."""
    return lambda done, _of_part: report(before + done, total)
