"""A search for the recipe of a transformer by successive halving, judged on validation spectra alone.

    python -m benchmarks.recipe [folder of spectrum sets] [--shape stand-in|fast] [--spectra N] [--device cpu|cuda]

Jamieson & Talwalkar 2016 (arXiv:1502.07943): many recipes are trained for a short time, the better third of them
anew for longer, and so on. Recipes are drawn at random from the product of the choices of a search, the one that it
started from is among them. Every training has the whole of its schedule in its own time; all have the same initial
weights and noise.

What it can say of the stand-in: which recipe a network of 110 593 parameters likes on 8000 spectra in a minute, within
the sampling error of R2 on 500 validation stars, about 0.03, which most of the differences are below. What it cannot
say: what the published shape with 44 times as many parameters likes on 125 times as many spectra with a batch that
fills a GPU. Best batch and learning rate move with all three. `FAST` takes from it that nothing here speaks against its
choices. A search of its own is one command on a GPU,

    python -m benchmarks.recipe data/spectra --shape fast --device cuda

NOT RUN so far: 54 passes over the spectra in all, which with their errors lie in the memory of the machine and of the
GPU (33 GB for a million), and 18 compilations; `--spectra` takes the first of them for less.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from repro.errors import ReproError
from repro.experiments.data import Data
from repro.experiments.vit.jobs import SHORT
from repro.experiments.vit.sources import PooledNoise
from repro.models import vit
from repro.training.deviates import Deviates
from repro.training.recipe import FAST, Recipe
from repro.training.spectra import Source

SEED: Final = 42
Settings = tuple[tuple[str, Any], ...]


class Search(NamedTuple):
    """What is trained, the values that are tried (`warmup`: share of the updates), those that it starts from, and
    recipes and epochs of each rung.
    """

    shape: vit.Shape
    recipe: Recipe
    choices: Mapping[str, tuple[Any, ...]]
    first: Mapping[str, Any]
    rungs: tuple[tuple[int, int], ...]


SEARCHES: Final = {
    "stand-in": Search(
        vit.SMALL,
        SHORT,
        {
            "optimizer": ("adamw", "muon"),
            "learning_rate": (5e-4, 1e-3, 2e-3, 4e-3),
            "batch": (32, 64, 128),
            "warmup": (0.0, 0.05),
            "schedule": ("cosine", "linear"),
            "average": (0.0, 0.99),
        },
        {
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "batch": 64,
            "warmup": 0.0,
            "schedule": "cosine",
            "average": 0.0,
        },
        ((12, 2), (4, 6), (2, 15)),
    ),
    "fast": Search(
        vit.FAST,
        FAST,
        {
            "optimizer": ("adamw", "muon"),
            "learning_rate": (3e-4, 1e-3, 2e-3, 4e-3),
            "batch": (512, 1024, 2048),
            "warmup": (0.0, 0.02, 0.1),
            "schedule": ("cosine", "linear"),
            "average": (0.0, 0.99, 0.999),
        },
        {
            "optimizer": "muon",
            "learning_rate": 1e-3,
            "batch": 1024,
            "warmup": 0.02,
            "schedule": "linear",
            "average": 0.999,
        },
        ((12, 1), (4, 3), (2, 15)),
    ),
}


def main() -> None:
    """Print what each recipe comes to at each rung."""
    options = argparse.ArgumentParser()
    options.add_argument("folder", nargs="?", type=Path, default=Path("data/spectra"))
    options.add_argument("--shape", choices=SEARCHES, default="stand-in")
    options.add_argument("--spectra", type=int, help="the first N of the training set; without it all")
    options.add_argument("--device", default="cpu")
    chosen = options.parse_args()
    data = Data(chosen.folder, SEED, 1.0, chosen.device)
    try:
        count = min(chosen.spectra or len(data.y), len(data.y))
        source = _source(data, count)
    except ReproError as problem:
        sys.exit(f"{problem}\nThe search wants the spectrum sets: run `dvc repro spectra`.")
    _search(SEARCHES[chosen.shape], data, source)


def _search(search: Search, data: Data, source: Source) -> None:
    count, validation = source.shape[0], data.validation(1.0)
    chosen, started = _drawn(search, search.rungs[0][0]), time.perf_counter()
    print(f"{count} spectra, {len(validation.y)} judge, sampling error of R2 about {_error(validation.y):.2f}")
    for trained, epochs in search.rungs:
        scores = []
        for settings in chosen[:trained]:
            torch.compiler.reset()  # it keeps few compiled networks for one piece of code
            recipe = _recipe(search.recipe, settings, epochs, count)
            model = vit.Vit(recipe, shape=search.shape, seed=SEED, device=data.device)
            model.fit(source, data.y[:count], validation=validation)
            scores.append(max(row.validation_r2 for row in model.history))
        order = np.argsort(-np.array(scores), kind="stable")
        chosen = [chosen[place] for place in order]
        print(f"{epochs} epochs, after {time.perf_counter() - started:.0f} s")
        for place, settings in zip(order, chosen, strict=True):
            named = ", ".join(
                f"{name} {value:g}" if isinstance(value, float) else f"{value}" for name, value in settings
            )
            print(f"  R2 {scores[place]:.3f}  {named}", flush=True)


def _source(data: Data, count: int) -> Source:
    """The first spectra under other noise at every presentation: drawn on a GPU, from a pool on a processor."""
    if data.device != "cpu":
        return data.resident(1.0, count)
    flux, error = (torch.from_numpy(values[:count]) for values in (data.train.flux, data.train.error))
    source = PooledNoise(flux, error, 1.0, Deviates(tuple(flux.shape), SEED, flux.nbytes))
    source.deviates.block(torch.arange(1), 0)
    return source


def _drawn(search: Search, count: int) -> list[Settings]:
    every = [tuple(zip(search.choices, values, strict=True)) for values in product(*search.choices.values())]
    first = tuple(search.first.items())
    others = [settings for settings in every if settings != first]
    places = np.random.default_rng(SEED).permutation(len(others))[: count - 1]
    return [first, *(others[place] for place in places)]


def _recipe(base: Recipe, settings: Settings, epochs: int, spectra: int) -> Recipe:
    values = dict(settings)
    recipe = replace(base, epochs=epochs, batch=values["batch"], select="r2")
    updates = recipe.plan(spectra)[1]
    return replace(recipe, **(values | {"warmup": round(values["warmup"] * updates)}))


def _error(y: np.ndarray, r2: float = 0.5) -> float:
    """Of R2 from n stars, for normal errors: 2 sqrt(R2) (1 - R2) / sqrt(n)."""
    return float(2.0 * np.sqrt(r2) * (1.0 - r2) / np.sqrt(len(y)))


if __name__ == "__main__":
    main()
