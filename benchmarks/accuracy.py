"""How close the synthesizer comes to spectra of others: the table of repro/physics/README.md.

Nothing in the kit is fitted to these spectra. Run with

    REPRO_VALIDATION_DIR=<folder> python -m benchmarks.accuracy

Definitions: rms of (model - data) after dividing both by their medians and removing a straight line; explained
variance of the data after the same; derivatives from pairs one step apart in one label and equal in the others.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch

from repro.instrument.observe import Instrument
from repro.labels import LABELS
from repro.physics.hydrogen import SERIES_LIMIT, paschen_wave
from repro.physics.synthesize import Synthesizer

# Where the residual from BOSZ lies: vacuum wavelengths [A].
PASCHEN = {f"P{n}": float(paschen_wave(torch.tensor(float(n), dtype=torch.float64))) for n in range(11, 21)}
CALCIUM = {"Ca II 8500": 8500.35, "Ca II 8544": 8544.44, "Ca II 8665": 8664.52}
SINGLE_LINES = (8056.7, 8101.1, 8348.6, 8434.2, 8478.2, 8590.0, 8738.2, 8843.6)
RESPONSES = (("dlogg", "log_g", 1.0), ("dTeff", "T_eff", 500.0), ("d[M/H]", "M_H", 0.5))  # name, label, step


def smoothed(wave: np.ndarray, flux: np.ndarray, resolution: float, out: np.ndarray) -> np.ndarray:
    """Spectra (B, W) seen by a Gaussian of FWHM wave / resolution, at wavelengths `out`."""
    step = 5e-6
    grid = np.arange(np.log(wave[0]), np.log(wave[-1]), step)
    sigma = 1.0 / resolution / 2.3548 / step
    kernel = np.exp(-0.5 * (np.arange(-int(5 * sigma), int(5 * sigma) + 1) / sigma) ** 2)
    rows = [np.convolve(np.interp(grid, np.log(wave), row), kernel / kernel.sum(), "same") for row in flux]
    return np.array([np.interp(np.log(out), grid, row) for row in rows])


def straightened(wave: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Rows (B, W) without their best straight line."""
    basis = np.stack([np.ones_like(wave), (wave - wave.mean()) / np.ptp(wave)])
    return values - np.linalg.lstsq(basis.T, values.T, rcond=None)[0].T @ basis


@dataclass(frozen=True)
class Comparison:
    """N spectra of others and ours at the same labels, both over their medians."""

    labels: np.ndarray  # (N, 5) in the order of LABELS
    wave: np.ndarray  # (W,) [A] vacuum
    data: np.ndarray  # (N, W)
    model: np.ndarray  # (N, W)

    def residual(self) -> np.ndarray:
        """model - data (N, W) without straight lines."""
        return straightened(self.wave, self.model - self.data)

    def responses(self, label: str, step: float) -> tuple[np.ndarray, np.ndarray]:
        """Changes (P, W) of data and model, without straight lines, between the P pairs one step apart in a label."""
        pairs = _pairs(self.labels, LABELS.index(label), step)
        data, model = (straightened(self.wave, x[pairs[:, 1]] - x[pairs[:, 0]]) for x in (self.data, self.model))
        return data, model


def bosz_spectra(folder: Path) -> Comparison:
    """Labelled BOSZ 2017 spectra at R = 5000 between 8000 and 8850 A, and ours."""
    with h5py.File(folder / "bosz2017_r5000_sample.h5") as file:
        names = str(file.attrs["label_names"]).split(",")
        table = np.asarray(file["labels"], dtype=np.float64)
        data, wave = np.asarray(file["flux"], dtype=np.float64), np.asarray(file["wave"])
    labels = table[:, [names.index(label) for label in LABELS]]
    inside = (wave >= 8000.0) & (wave <= 8850.0)
    wave, data = wave[inside], data[:, inside]
    spectrum = Synthesizer()(torch.from_numpy(labels))
    model = smoothed(spectrum.wave.numpy(), spectrum.flux.numpy(), 5000.0, wave)
    data /= np.median(data, axis=1, keepdims=True)
    model /= np.median(model, axis=1, keepdims=True)
    return Comparison(labels, wave, data, model)


def scores(found: Comparison) -> dict[str, float]:
    """rms, explained variance, and how the responses to the labels agree."""
    residual, shape = found.residual(), straightened(found.wave, found.data)
    values = {
        "rms": float(np.sqrt((residual**2).mean(axis=1)).mean()),
        "explained variance": 1.0 - float((residual**2).sum() / (shape**2).sum()),
    }
    for name, label, step in RESPONSES:
        data, model = found.responses(label, step)
        correlations = [float(np.corrcoef(one, other)[0, 1]) for one, other in zip(data, model, strict=True)]
        slopes = (data * model).sum(axis=1) / (data**2).sum(axis=1)
        values[f"dF/{name} correlation mean"] = float(np.mean(correlations))
        values[f"dF/{name} correlation worst"] = min(correlations)
        values[f"dF/{name} amplitude"] = float(slopes.mean())
    return values


def bosz(folder: Path) -> dict[str, float]:
    """Scores of the labelled BOSZ 2017 spectra."""
    return scores(bosz_spectra(folder))


def regions(wave: np.ndarray) -> dict[str, np.ndarray]:
    """Disjoint masks (W,) that cover all wavelengths.

    In the order of precedence: cores of P11 ... P20 (4 A), Ca II triplet (12 A), lines known to differ (2 A), the rest
    of the merging Paschen lines (from the series limit to P20), everything else.
    """
    wanted = {
        "Paschen cores P11-P20": _near(wave, PASCHEN.values(), 4.0),
        "Ca II triplet": _near(wave, CALCIUM.values(), 12.0),
        **{f"line {line}": _near(wave, [line], 2.0) for line in SINGLE_LINES},
        "merging lines": (wave > SERIES_LIMIT) & (wave < PASCHEN["P20"]),
        "rest": np.ones(wave.shape, dtype=bool),
    }
    free, masks = np.ones(wave.shape, dtype=bool), {}
    for name, mask in wanted.items():
        masks[name] = mask & free
        free = free & ~mask
    return masks


def _near(wave: np.ndarray, centres: Iterable[float], distance: float) -> np.ndarray:
    return np.abs(wave[:, None] - np.array(list(centres))).min(axis=1) <= distance


def residual_shares(wave: np.ndarray, residual: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """For each region: its share of the variance of residuals (N, W), its share of the pixels, its mean residual."""
    total = float((residual**2).sum())
    return {
        name: (float((residual[:, mask] ** 2).sum()) / total, float(mask.mean()), float(residual[:, mask].mean()))
        for name, mask in regions(wave).items()
        if mask.any()
    }


def _pairs(labels: np.ndarray, column: int, step: float) -> np.ndarray:
    """Index pairs (P, 2) of spectra one step apart in one label and equal in the others."""
    change = labels[None, :, :] - labels[:, None, :]
    change[..., column] -= step
    return np.argwhere(np.abs(change).max(axis=-1) < 1e-4)


def turbospectrum_spectra(folder: Path, star: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wavelengths, and flux over continuum at R = 5300 by Turbospectrum on MARCS and by us, without molecules."""
    with h5py.File(folder / "turbospectrum_3.h5") as file:
        group = file[star]
        labels = torch.tensor([[float(group.attrs[label]) for label in LABELS]], dtype=torch.float64)
        microturbulence = float(group.attrs["vmic_km_s"])
        wave, data = np.asarray(file["wave_vac"]), np.asarray(group["norm_flux"], dtype=np.float64)
    spectrum = Synthesizer(microturbulence=microturbulence, molecules=False)(labels)
    out = np.arange(7110.0, 8850.0, 0.25)
    model = smoothed(spectrum.wave.numpy(), (spectrum.flux / spectrum.continuum).numpy(), 5300.0, out)
    return out, smoothed(wave, data[None], 5300.0, out)[0], model[0]


def turbospectrum(folder: Path, star: str) -> float:
    """rms difference of `turbospectrum_spectra`, 7110-8850 A."""
    _, data, model = turbospectrum_spectra(folder, star)
    return float((model - data).std())


def pfs_example(folder: Path, index: int) -> tuple[float, np.ndarray]:
    """Best rms over median, and the labels (5,), of a noise-free example of the original data set."""
    with h5py.File(folder / "pfs_examples.h5") as file:
        row = int(np.flatnonzero(np.asarray(file["idx"]) == index)[0])
        data, start = np.asarray(file["flux"])[row], np.asarray(file["labels_inferred"])[row]
    synthesizer, instrument = Synthesizer(), Instrument()
    data = data / np.median(data)

    def model(labels: np.ndarray) -> np.ndarray:
        flux = instrument(synthesizer(torch.from_numpy(labels)))[0].numpy()
        return flux / np.median(flux, axis=1, keepdims=True)

    steps = np.diag([20.0, 0.05, 0.03, 0.03, 0.03])
    lowest, highest = np.array([3700.0, 0.8, -2.7, -0.5, -1.0]), np.array([6200.0, 5.2, 0.9, 0.6, 0.6])
    labels, damping, best = np.array(start, dtype=np.float64), 1e-3, np.inf
    for _ in range(10):  # Levenberg-Marquardt
        rows = model(np.vstack([labels, labels + steps]))
        jacobian, residual = (rows[1:] - rows[0]).T, data - rows[0]
        best = min(best, float(np.sqrt((residual**2).mean())))
        scale = np.sqrt((jacobian**2).sum(axis=0))
        normal = (jacobian / scale).T @ (jacobian / scale) + damping * np.eye(len(labels))
        change = np.linalg.solve(normal, (jacobian / scale).T @ residual) / scale
        trial = np.clip(labels + change @ steps, lowest, highest)
        rms = float(np.sqrt(((data - model(trial[None])[0]) ** 2).mean()))
        if rms < best:
            gain, labels, best, damping = best - rms, trial, rms, 0.3 * damping
            if gain < 1e-6:
                break
        else:
            damping *= 10.0
    return best, labels


def main() -> None:
    """Prints every number of the table."""
    folder = os.environ.get("REPRO_VALIDATION_DIR")
    if not folder:
        print("skipped: REPRO_VALIDATION_DIR is not set; it names the folder of the published validation spectra")
        return
    found = bosz_spectra(Path(folder))
    for name, value in scores(found).items():
        print(f"BOSZ 2017, 30 spectra  {name:28s} {value:8.4f}")
    for name, (share, pixels, mean) in residual_shares(found.wave, found.residual()).items():
        print(
            f"  residual in          {name:28s} {share:8.1%} of its variance, {pixels:.1%} of pixels, mean {mean:+.2%}"
        )
    for star in ("sun", "g5000", "arc"):
        print(f"Turbospectrum          {star:28s} {turbospectrum(Path(folder), star):8.4f}")
    for index in (576, 4742, 4684, 4521):
        rms, labels = pfs_example(Path(folder), index)
        fitted = "  ".join(f"{name} {value:.2f}" for name, value in zip(LABELS, labels, strict=True))
        print(f"PFS example            {index:<28d} {rms:8.4f}  {fitted}")


if __name__ == "__main__":
    main()
