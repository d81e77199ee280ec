"""A model that reads one line, and sets of stars whose line tells their gravity: tests that need no training."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.instrument.pixels import N_PIXELS, pixel_centres
from repro.models.ridge import Ridge
from repro.models.stored import Stored
from repro.spectra.sampling import COLUMNS
from repro.spectra.store import create_set

LINE = 8544.4
Array = NDArray[np.float64]


def spectrum(log_g: float, wave: Array | None = None) -> Array:
    """Flux of median about 0.5 with lines; that at 8544 A is deeper for higher gravity."""
    wave = pixel_centres() if wave is None else wave
    others = sum(0.3 * np.exp(-0.5 * ((wave - at) / 1.5) ** 2) for at in (7699.0, 8185.5, 8500.4))
    line = 0.1 * log_g * np.exp(-0.5 * ((wave - LINE) / 2.0) ** 2)
    return 0.5 * (1.0 - 0.05 * (wave - 7975.0) / 875.0) * (1.0 - others) * (1.0 - line)


def model() -> Ridge:
    """log g from the depth of the line: linear in flux, exact on `spectrum` up to its normalisation."""
    wave = pixel_centres()
    low, high = spectrum(1.0), spectrum(5.0)
    low, high = low * 0.5 / np.median(low), high * 0.5 / np.median(high)
    change = (high - low) / 4.0
    found = Ridge()
    found.coefficients = (
        np.where(np.abs(wave - LINE) < 8.0, change, 0.0) / (change[np.abs(wave - LINE) < 8.0] ** 2).sum()
    )
    found.intercept = 1.0 - float(found.coefficients @ low)
    found.chosen = {"alpha": 1.0}
    return found


def stored(**changes: object) -> Stored:
    return Stored(model(), "ridge model", **({"missing": "refuse", "mean": None} | changes))  # type: ignore[arg-type]


def star_set(path: Path, n: int = 96, level: float = 0.02, seed: int = 5) -> Path:
    """A spectrum set of n such stars; the error grows with the row."""
    rng = np.random.default_rng(seed)
    table = np.zeros(n, COLUMNS)
    table["id"], table["random_seed"] = np.arange(n), seed * 1000 + np.arange(n)
    table["log_g"], table["T_eff"], table["M_H"] = rng.uniform(1.0, 5.0, n), 5000.0, -1.0
    table["interp_param"] = b"log_g"
    flux = np.array([spectrum(g) for g in table["log_g"]])
    flux *= 0.5 / np.median(flux, axis=1, keepdims=True)
    error = level * np.linspace(1.0, 4.0, n)[:, None] * np.where(np.arange(N_PIXELS) % 97 == 0, 5.0, 1.0)
    with create_set(path, n, {"seed": seed, "split": "test", "mode": "paper"}) as writer:
        writer.write(flux.astype("f4"), error.astype("f4"))
        writer.finish(table)
    return path
