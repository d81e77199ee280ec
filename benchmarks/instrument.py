"""Noise model against the published signal-to-noise ratios, and speed of the instrument against plain numpy loops.

    python -m benchmarks.instrument [node grid pack]

Without a pack the signal-to-noise tables are those of a flat AB spectrum.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from repro.instrument import calibration
from repro.instrument.noise import TABLE_EPOCH, Conditions, NoiseModel
from repro.instrument.observe import Instrument
from repro.instrument.photometry import AB_ZERO, SPEED_OF_LIGHT
from repro.instrument.pixels import STEP, pixel_centres

N_TEST = 10_000
BLOCK = 500


def main() -> None:
    """Print the three tables."""
    packs = sorted(Path("data/pack").glob("*.*"))
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else next(iter(packs), None)
    name, flux, zero_point = _flat_ab() if path is None else _nodes(path)
    print_anchors(name, flux, zero_point)
    print_test_set(name, flux, zero_point)
    print_speed()


def _flat_ab() -> tuple[str, Tensor, Tensor]:
    flux = torch.from_numpy(AB_ZERO * SPEED_OF_LIGHT / pixel_centres() ** 2)[None]
    return "flat AB spectrum", flux, torch.zeros(1, dtype=torch.float64)


def _nodes(path: Path) -> tuple[str, Tensor, Tensor]:
    from repro.spectra.pack import read_pack

    grid = read_pack(path)
    flux = torch.from_numpy(np.asarray(grid.flux, dtype=np.float64))
    return f"{len(flux)} nodes of {path}", flux, torch.from_numpy(grid.zero_point)


def print_anchors(name: str, flux: Tensor, zero_point: Tensor) -> None:
    """The 18 published numbers beside ours: median, 5th and 95th percentile over all pixels and spectra."""
    print(f"SNR at zenith 22.5 deg, field 0.325 deg, 12 x 900 s: {name} beside the published grid of 30182 spectra")
    print("  mag   median ours/publ.      p5 ours/publ.       p95 ours/publ.   within 5 % or half a digit")
    model, passed, logs = NoiseModel("paper"), 0, []
    for row in calibration.notes()["published_snr"]["rows"]:
        conditions = Conditions(row["mag"], zenith_angle=22.5, field_angle=0.325, seeing=1.0)
        ours = np.percentile((flux / model(flux, zero_point, conditions)).numpy(), [50, 5, 95])
        theirs = np.array([row[key] for key in ("median", "p5", "p95")])
        good = np.abs(ours - theirs) <= np.maximum(0.05 * theirs, 0.05)
        passed += int(good.sum())
        logs.append(np.log(ours / theirs))
        cells = [f"{a:7.3f}/{b:5.1f} {100 * (a / b - 1):+5.1f}%" for a, b in zip(ours, theirs, strict=True)]
        print(f"  {row['mag']:<5}" + " ".join(cells) + "   " + " ".join("yes" if value else "NO" for value in good))
    print(f"  {passed} of 18; rms of the logarithmic error {100 * np.sqrt(np.mean(np.square(logs))):.2f} %\n")


def print_test_set(name: str, flux: Tensor, zero_point: Tensor) -> None:
    """Percentiles of the `snr` column of a simulated test set beside those of the original one."""
    published = calibration.notes()["published_test_set_snr"]
    print(
        f"`snr` of {N_TEST} spectra, mag U(20.5, 22.5), zenith U(0, 45), field U(0, 0.65), seeing U(0.5, 1.5): {name}"
    )
    print("  percentile  " + "".join(f"{value:8}" for value in published["percentile"]))
    print("  published   " + "".join(f"{value:8.2f}" for value in published["published"]))
    for mode in ("paper", "physical"):
        ours = np.percentile(_simulated_snr(flux, zero_point, NoiseModel(mode)), published["percentile"])
        print(f"  {mode:12}" + "".join(f"{value:8.2f}" for value in ours))
        print("    ratio     " + "".join(f"{a / b:8.3f}" for a, b in zip(ours, published["published"], strict=True)))
    print()


def _simulated_snr(flux: Tensor, zero_point: Tensor, model: NoiseModel) -> np.ndarray:
    rng = np.random.default_rng(0)
    nodes = rng.integers(0, len(flux), N_TEST)
    columns = _draw_conditions(rng, N_TEST)
    snr = []
    for first in range(0, N_TEST, BLOCK):
        rows = slice(first, first + BLOCK)
        spectra = flux[nodes[rows]]
        conditions = Conditions(**{key: torch.from_numpy(values[rows]) for key, values in columns.items()})
        error = model(spectra, zero_point[nodes[rows]], conditions)
        snr.append(np.percentile((spectra / error).numpy(), 95, axis=1))
    return np.concatenate(snr)


def _draw_conditions(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    spans = {"mag": (20.5, 22.5), "zenith_angle": (0, 45), "field_angle": (0, 0.65), "seeing": (0.5, 1.5)}
    return {key: rng.uniform(*span, n) for key, span in spans.items()}


def print_speed() -> None:
    """Spectra per second of both halves, and the ratio to a numpy loop over spectra timed in the same run."""
    print(
        f"spectra/s, best of 5, {torch.get_num_threads()} threads (the loops use one), and largest relative difference"
    )
    print(f"  {'':24} {'torch':>8} {'loop':>8} {'ratio':>8} {'difference':>12}")
    rng = np.random.default_rng(0)
    wave = 7070 + 0.05 * torch.arange(36201, dtype=torch.float64)
    wave_blue = torch.linspace(6600, 7070, 48, dtype=torch.float64)
    fine = torch.from_numpy(rng.uniform(0.5, 1, (8, len(wave))))
    spectrum = SimpleNamespace(
        wave=wave, flux=fine, continuum=torch.ones_like(fine), wave_blue=wave_blue, continuum_blue=torch.ones(8, 48)
    )
    instrument = Instrument()
    _compare(
        "line spread + magnitude",
        (lambda: instrument(spectrum)[0], len(fine)),
        (lambda: _numpy_line_spread(wave.numpy(), fine[:1].numpy()), 1),
    )

    flux, columns = _flat_ab()[1].expand(BLOCK, -1).contiguous(), _draw_conditions(rng, BLOCK)
    conditions = Conditions(**{key: torch.from_numpy(values) for key, values in columns.items()})
    model, zero = NoiseModel("paper", throughput=TABLE_EPOCH), torch.zeros(BLOCK, dtype=torch.float64)
    _compare(
        "errors",
        (lambda: model(flux, zero, conditions), BLOCK),
        (lambda: _numpy_noise(flux[:50].numpy(), columns), 50),
    )


def _compare(name: str, ours: tuple[Callable[[], Tensor], int], loop: tuple[Callable[[], np.ndarray], int]) -> None:
    """Time a task and its numpy loop by turns, best of five after one to warm up, and compare what both return."""
    result, reference = ours[0]().numpy(), loop[0]()
    best = [float("inf"), float("inf")]
    for _ in range(5):
        for index, (task, _spectra) in enumerate((ours, loop)):
            start = time.perf_counter()
            task()
            best[index] = min(best[index], time.perf_counter() - start)
    rates = ours[1] / best[0], loop[1] / best[1]
    difference = np.abs(result[: len(reference)] / reference - 1).max()
    print(f"  {name:24} {rates[0]:8.0f} {rates[1]:8.1f} {rates[0] / rates[1]:8.1f} {difference:12.0e}")


def _numpy_line_spread(wave: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """The convolution as one would first write it: kernel interpolated anew for every pixel."""
    rows, offsets, kernels = (calibration.array(name) for name in ("lsf_wave", "lsf_offset_px", "lsf_kernel"))
    out = np.empty((len(flux), 4096))
    for pixel, centre in enumerate(pixel_centres()):
        near = slice(*np.searchsorted(wave, [centre - 7.5 * STEP, centre + 7.5 * STEP]))
        right = int(np.clip(np.searchsorted(rows, centre), 1, rows.size - 1))
        share = (centre - rows[right - 1]) / (rows[right] - rows[right - 1])
        kernel = (1 - share) * kernels[right - 1] + share * kernels[right]
        weights = np.interp((centre - wave[near]) / STEP, offsets, kernel)
        out[:, pixel] = flux[:, near] @ (weights / weights.sum())
    return out


def _numpy_noise(flux: np.ndarray, columns: dict[str, np.ndarray]) -> np.ndarray:
    """The variance formula, one spectrum after another."""
    zenith, field_nodes = np.radians(calibration.array("zenith_deg")), calibration.array("field_deg")
    log_signal, sky_table = np.log(calibration.array("signal_ab18")), calibration.array("sky")
    secant, airmass = 1 / np.cos(zenith), (1 - 0.96 * np.sin(zenith) ** 2) ** -0.5
    f_nu = pixel_centres() ** 2 / (SPEED_OF_LIGHT * AB_ZERO * 10 ** (-0.4 * 18))

    def between(table: np.ndarray, nodes: np.ndarray, x: float, y: float) -> np.ndarray:
        i = min(int(np.searchsorted(nodes, x, side="right")) - 1, nodes.size - 2)
        j = min(int(np.searchsorted(field_nodes, y, side="right")) - 1, field_nodes.size - 2)
        u, v = (x - nodes[i]) / (nodes[i + 1] - nodes[i]), (y - field_nodes[j]) / (field_nodes[j + 1] - field_nodes[j])
        low = (1 - v) * table[i, j] + v * table[i, j + 1]
        return (1 - u) * low + u * ((1 - v) * table[i + 1, j] + v * table[i + 1, j + 1])

    out = np.empty_like(flux)
    for row, spectrum in enumerate(flux):
        z, field = np.radians(columns["zenith_angle"][row]), columns["field_angle"][row]
        gain = np.exp(between(log_signal, secant, 1 / np.cos(z), field)) * f_nu * 10 ** (-0.4 * columns["mag"][row])
        sky = between(sky_table, airmass, (1 - 0.96 * np.sin(z) ** 2) ** -0.5, field)
        widest = np.maximum(sky, np.maximum(np.append(sky[1:], 0), np.append(0, sky[:-1])))
        variance = 12 * (gain * spectrum + sky + (0.01 * widest) ** 2 * 12 + 0.015 * sky.mean() + 80.45)
        out[row] = np.sqrt(variance) / (12 * gain)
    return out


if __name__ == "__main__":
    main()
