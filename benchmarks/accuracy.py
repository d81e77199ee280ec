"""How close the synthesizer comes to spectra of others: the table of repro/physics/README.md.

Nothing in the kit is fitted to these spectra. Run with

    REPRO_VALIDATION_DIR=<folder> python -m benchmarks.accuracy

Definitions: rms of (model - data) after dividing both by their medians and removing a straight line; explained
variance of the data after the same; derivatives from pairs one step apart in one label and equal in the others.
"""

import os
from pathlib import Path

import h5py
import numpy as np
import torch

from repro.instrument.observe import Instrument
from repro.labels import LABELS
from repro.physics.synthesize import Synthesizer


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


def bosz(folder: Path) -> dict[str, float]:
    """Labelled BOSZ 2017 spectra at R = 5000 between 8000 and 8850 A."""
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
    residual, shape = straightened(wave, model - data), straightened(wave, data)
    found = {
        "rms": float(np.sqrt((residual**2).mean(axis=1)).mean()),
        "explained variance": 1.0 - float((residual**2).sum() / (shape**2).sum()),
    }
    for name, label, step in (("dlogg", "log_g", 1.0), ("dTeff", "T_eff", 500.0), ("d[M/H]", "M_H", 0.5)):
        pairs = _pairs(labels, LABELS.index(label), step)
        changes = [straightened(wave, values[pairs[:, 1]] - values[pairs[:, 0]]) for values in (data, model)]
        correlations = [float(np.corrcoef(one, other)[0, 1]) for one, other in zip(*changes, strict=True)]
        slopes = (changes[0] * changes[1]).sum(axis=1) / (changes[0] ** 2).sum(axis=1)
        found[f"dF/{name} correlation mean"] = float(np.mean(correlations))
        found[f"dF/{name} correlation worst"] = min(correlations)
        found[f"dF/{name} amplitude"] = float(slopes.mean())
    return found


def _pairs(labels: np.ndarray, column: int, step: float) -> np.ndarray:
    """Index pairs (P, 2) of spectra one step apart in one label and equal in the others."""
    change = labels[None, :, :] - labels[:, None, :]
    change[..., column] -= step
    return np.argwhere(np.abs(change).max(axis=-1) < 1e-4)


def turbospectrum(folder: Path, star: str) -> float:
    """rms difference of flux over continuum from Turbospectrum on a MARCS model at R = 5300, 7110-8850 A."""
    with h5py.File(folder / "turbospectrum_3.h5") as file:
        group = file[star]
        labels = torch.tensor([[float(group.attrs[label]) for label in LABELS]], dtype=torch.float64)
        microturbulence = float(group.attrs["vmic_km_s"])
        wave, data = np.asarray(file["wave_vac"]), np.asarray(group["norm_flux"], dtype=np.float64)
    spectrum = Synthesizer(microturbulence=microturbulence)(labels)
    out = np.arange(7110.0, 8850.0, 0.25)
    model = smoothed(spectrum.wave.numpy(), (spectrum.flux / spectrum.continuum).numpy(), 5300.0, out)
    return float((model - smoothed(wave, data[None], 5300.0, out)).std())


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
    for name, value in bosz(Path(folder)).items():
        print(f"BOSZ 2017, 30 spectra  {name:28s} {value:8.4f}")
    for star in ("sun", "g5000", "arc"):
        print(f"Turbospectrum          {star:28s} {turbospectrum(Path(folder), star):8.4f}")
    for index in (576, 4742, 4684, 4521):
        rms, labels = pfs_example(Path(folder), index)
        fitted = "  ".join(f"{name} {value:.2f}" for name, value in zip(LABELS, labels, strict=True))
        print(f"PFS example            {index:<28d} {rms:8.4f}  {fitted}")


if __name__ == "__main__":
    main()
