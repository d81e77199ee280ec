"""A search for the recipe of the small transformer by successive halving, judged on validation spectra alone.

    python -m benchmarks.recipe [folder of spectrum sets]

Jamieson & Talwalkar 2016 (arXiv:1502.07943): many recipes are trained for a short time, the better third of them
anew for longer, and so on. Recipes are drawn at random from the product of CHOICES, the one that `SHORT` had before is
among them. Every training has the whole of its schedule in its own time; all have the same initial weights and noise.

What it can say: which recipe a network of 110 593 parameters likes on 8000 spectra in a minute, within the sampling
error of R2 on 500 validation stars, about 0.03, which most of the differences are below. What it cannot say: what the
published shape with 44 times as many parameters likes on 125 times as many spectra with a batch that fills a GPU. Best
batch and learning rate move with all three. `FAST` takes from it that nothing here speaks against its choices; a
search of its own waits for a GPU.
"""

import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

from repro.errors import DataError
from repro.experiments.data import Data
from repro.experiments.vit.jobs import SHORT
from repro.experiments.vit.sources import PooledNoise
from repro.models.vit import SMALL, Vit
from repro.training.deviates import Deviates
from repro.training.recipe import Recipe

CHOICES = {
    "optimizer": ("adamw", "muon"),
    "learning_rate": (5e-4, 1e-3, 2e-3, 4e-3),
    "batch": (32, 64, 128),
    "warmup": (0.0, 0.05),  # share of the updates
    "schedule": ("cosine", "linear"),
    "average": (0.0, 0.99),
}
RUNGS = ((12, 2), (4, 6), (2, 15))  # recipes, epochs
SEED = 42
EARLIER = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "batch": 64,
    "warmup": 0.0,
    "schedule": "cosine",
    "average": 0.0,
}


def main() -> None:
    """Print what each recipe comes to at each rung."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/spectra")
    data = Data(folder, SEED, 1.0)
    try:
        flux, error = torch.from_numpy(data.train.flux), torch.from_numpy(data.train.error)
    except DataError as problem:
        sys.exit(f"{problem}\nThe search wants the spectrum sets: run `dvc repro spectra`.")
    source = PooledNoise(flux, error, 1.0, Deviates(tuple(flux.shape), SEED, flux.nbytes))
    source.deviates.block(torch.arange(1), 0)
    validation = data.validation(1.0)
    chosen, started = _drawn(RUNGS[0][0]), time.process_time()
    print(f"{len(flux)} spectra, {len(validation.y)} judge, sampling error of R2 about {_error(validation.y):.2f}")
    for count, epochs in RUNGS:
        scores = []
        for settings in chosen[:count]:
            model = Vit(_recipe(settings, epochs, len(flux)), shape=SMALL, seed=SEED)
            model.fit(source, data.y, validation=validation)
            scores.append(max(row.validation_r2 for row in model.history))
        order = np.argsort(-np.array(scores), kind="stable")
        chosen = [chosen[place] for place in order]
        print(f"{epochs} epochs, after {time.process_time() - started:.0f} s of processor time")
        for place, settings in zip(order, chosen, strict=True):
            named = ", ".join(
                f"{name} {value:g}" if isinstance(value, float) else f"{value}" for name, value in settings
            )
            print(f"  R2 {scores[place]:.3f}  {named}", flush=True)


def _drawn(count: int) -> list[tuple[tuple[str, float | str], ...]]:
    every = [tuple(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())]
    first = tuple(EARLIER.items())
    others = [settings for settings in every if settings != first]
    places = np.random.default_rng(SEED).permutation(len(others))[: count - 1]
    return [first, *(others[place] for place in places)]


def _recipe(settings: tuple[tuple[str, float | str], ...], epochs: int, spectra: int) -> Recipe:
    values = dict(settings)
    recipe = replace(SHORT, epochs=epochs, batch=values["batch"], select="r2")
    updates = recipe.plan(spectra)[1]
    return replace(recipe, **(values | {"warmup": round(values["warmup"] * updates)}))


def _error(y: np.ndarray, r2: float = 0.5) -> float:
    """Of R2 from n stars, for normal errors: 2 sqrt(R2) (1 - R2) / sqrt(n)."""
    return float(2.0 * np.sqrt(r2) * (1.0 - r2) / np.sqrt(len(y)))


if __name__ == "__main__":
    main()
