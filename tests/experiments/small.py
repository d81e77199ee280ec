"""Tiny data for arms of experiments: sets in files on all pixels, and data of few pixels that need no files."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from repro.experiments.data import Clean, Data
from repro.instrument.pixels import N_PIXELS
from repro.labels import LABELS
from repro.spectra.sampling import COLUMNS, CONDITIONS
from repro.spectra.store import create_set

SIZES = {"train": 48, "val": 20, "test": 24}


def clean(n, pixels, seed):
    """Stars whose lines deepen with log g in a quarter of the pixels, and whose errors follow their flux."""
    rng = np.random.default_rng(seed)
    table = np.zeros(n, COLUMNS)
    for name in LABELS:
        table[name] = rng.uniform(-1.0, 1.0, n)
    table["log_g"] = rng.uniform(1.0, 5.0, n)
    table["mag"] = rng.uniform(20.5, 22.5, n)
    for name in (*CONDITIONS, "moon_phase"):
        table[name] = rng.uniform(0.0, 50.0, n)
    pixel = np.arange(pixels)
    gravity, temperature = (table["log_g"][:, None] - 3.0) / 2.0, table["T_eff"][:, None]
    lines = np.where(pixel % 4 == 0, 0.04 * np.tanh(gravity + 0.5 * temperature), 0.0)
    flux = 0.5 + 0.05 * temperature * np.cos(0.3 * pixel) - lines
    error = 0.05 * np.sqrt(flux + 0.2) * 10.0 ** (0.2 * (table["mag"][:, None] - 21.5))
    return Clean(flux.astype(np.float32), error.astype(np.float32), table)


def write_sets(folder: Path) -> Path:
    """Files of all splits on the instrument's pixels."""
    for seed, (split, n) in enumerate(SIZES.items()):
        stars = clean(n, N_PIXELS, seed)
        with create_set(folder / f"{split}.h5", n, {"mode": "paper"}) as writer:
            writer.write(stars.flux, stars.error)
            writer.finish(stars.table)
    return folder


@dataclass(frozen=True)
class SmallData(Data):
    """Data of any number of spectra and pixels."""

    pixels: int = 24
    sizes: tuple[int, int, int] = (200, 60, 80)  # train, val, test

    def _read(self, split: str) -> Clean:
        place = ("train", "val", "test").index(split)
        return clean(self.sizes[place], self.pixels, place)

    @cached_property
    def table(self):
        return self.train.table

    @cached_property
    def digest(self):
        return repr((self.seed, self.noise, self.pixels, self.sizes))


def small_data(**others):
    """Data at twice the published noise, so that nothing depends on `noise` being one."""
    return SmallData(Path("absent"), 42, 2.0, **others)
