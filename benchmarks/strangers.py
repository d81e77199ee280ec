"""What it costs a trained model that stars are not those of the sets: moved, blurred, in air, with holes.

    python -m benchmarks.strangers MODEL [MODEL ...]

Test stars of the pipeline with one draw of noise, each written as another spectrograph would have given it and brought
back by `repro.observed.prepare`. R2 of log g; the misfit is that of `repro.observed.domain`, 1 at home.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from repro.instrument.pixels import N_PIXELS, STEP, pixel_centres
from repro.models.stored import load_model
from repro.observed import prepare as preparation
from repro.observed.domain import home
from repro.observed.prepare import SPEED_OF_LIGHT, Wishes, prepare
from repro.observed.resample import PER_SIGMA, instrument_width
from repro.observed.spectrum import Observed, checked
from repro.scores.bins import r2
from repro.spectra.store import open_set
from repro.stages.paths import set_path
from repro.view.air import to_air

STARS, MARGIN, SEED = 1000, 40, 1  # pixels that spectra are continued by, so that moved ones are complete

Change = Callable[["Sky", int], Observed]


@dataclass(frozen=True)
class Sky:
    """Noise-free flux and error (n, 4096 + 80) at wavelengths (4096 + 80,), deviates, and where each star moves to."""

    wave: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    normal: np.ndarray
    way: np.ndarray  # (n,) in -1 to 1

    def seen(self, row: int, flux: np.ndarray, redshift: float = 0.0, **others: object) -> Observed:
        """Flux with the noise of the detector."""
        known = {"medium": "vacuum", "redshift": redshift, "resolution": None, "layout": "benchmark"} | others
        wave, bad = known.pop("wave", self.wave), known.pop("bad", None)
        noisy = flux + self.error[row] * self.normal[row]
        return checked(str(row), wave, noisy, self.error[row], bad, **known)  # type: ignore[arg-type]


def moved(speed: float, told: bool = True) -> Change:
    """Stars within `speed` km/s, whose velocity is known or not."""

    def change(sky: Sky, row: int) -> Observed:
        redshift = speed * sky.way[row] / SPEED_OF_LIGHT
        flux = CubicSpline(sky.wave * (1.0 + redshift), sky.flux[row])(sky.wave)
        return sky.seen(row, flux, redshift if told else 0.0)

    return change


def blurred(resolution: float) -> Change:
    """Stars seen at another resolving power in the middle of the arm."""
    width = np.sqrt(max((7975.0 / resolution) ** 2 - float(np.median(instrument_width())) ** 2, 0.0))
    return lambda sky, row: sky.seen(row, gaussian_filter1d(sky.flux[row], width / PER_SIGMA / STEP))


def in_air(told: bool) -> Change:
    """Wavelengths in air, said or not."""
    return lambda sky, row: sky.seen(row, sky.flux[row], wave=to_air(sky.wave), medium="air" if told else "vacuum")


def lacking(count: int, together: bool) -> Change:
    """Stars that lack pixels, scattered or in a row."""

    def change(sky: Sky, row: int) -> Observed:
        rng, bad = np.random.default_rng((SEED, row)), np.zeros(len(sky.wave), bool)
        first = MARGIN + int(rng.integers(0, N_PIXELS - count))
        bad[slice(first, first + count) if together else MARGIN + rng.choice(N_PIXELS, count, replace=False)] = True
        return sky.seen(row, sky.flux[row], bad=bad)

    return change


def cases() -> dict[str, tuple[Change, Wishes]]:
    """Name -> how stars are changed and what is wished for."""
    plain, calm = Wishes(calm=np.inf, any_resolution=True), Wishes(any_resolution=True)
    found: dict[str, tuple[Change, Wishes]] = {}
    for speed in (0.0, 20.0, 50.0, 200.0):
        found[f"within {speed:g} km/s"] = moved(speed), plain
        found[f"within {speed:g} km/s, calmed"] = moved(speed), calm
    found["within 200 km/s, velocity not known"] = moved(200.0, told=False), calm
    found |= {"in air": (in_air(True), calm), "in air, taken to be vacuum": (in_air(False), calm)}
    found |= {f"R = {power:g}": (blurred(power), calm) for power in (5000.0, 4500.0, 3000.0, 1800.0)}
    found |= {f"{n} pixels lacking, scattered": (lacking(n, False), calm) for n in (20, 80)}
    found |= {f"{n} pixels lacking in a row": (lacking(n, True), calm) for n in (20, 40, 80)}
    return found


def sky() -> tuple[Sky, np.ndarray]:
    """The first test stars, continued at both ends, and their log g."""
    with open_set(set_path("test")) as spectra:
        flux, error = spectra.read(slice(0, STARS))
        labels = spectra.labels[:STARS]["log_g"]
    wave = pixel_centres()[0] + STEP * np.arange(-MARGIN, N_PIXELS + MARGIN)
    rng = np.random.default_rng(SEED)
    continued = [np.pad(values.astype(np.float64), ((0, 0), (MARGIN, MARGIN)), "reflect") for values in (flux, error)]
    return Sky(wave, *continued, rng.standard_normal((len(flux), wave.size)), rng.uniform(-1, 1, len(flux))), labels


def main(paths: list[str]) -> None:
    """Print one row a case."""
    torch.set_num_threads(1)
    preparation.MOST_MISSING["refuse"] = preparation.MOST_MISSING["mask"]  # to see what the limits are for
    preparation.WIDEST_HOLE = N_PIXELS  # type: ignore[misc]
    models = {Path(path).stem: load_model(path).model for path in paths}
    reference = home(next(iter(models.values())), set_path("val"))
    stars, truth = sky()
    width = max(len(name) for name in cases())
    print(f"{'':{width}}  misfit  strange  " + "  ".join(models))
    for name, (change, wishes) in cases().items():
        seen = [prepare(change(stars, row), wishes) for row in range(len(truth))]
        flux = np.stack([star.flux for star in seen])
        misfit = np.array([reference.misfit(star) for star in seen])
        scores = [f"{r2(truth, model.predict(flux)):{len(label)}.3f}" for label, model in models.items()]
        strange = f"{100 * np.mean(misfit > reference.limit):5.1f} %"
        print(f"{name:{width}}  {misfit.mean():6.3f}  {strange}  " + "  ".join(scores), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
