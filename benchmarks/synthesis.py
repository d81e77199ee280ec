"""Time of one spectrum by phase, memory, and the line opacity beside a plain numpy and scipy one.

    python -m benchmarks.synthesis [threads]

Two processes of one thread use two cores better than one process of two, and much better when the cores are shared.
"""

import math
import os
import resource
import sys
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory

import numpy as np
import torch
from scipy.special import wofz

from repro.physics.atmosphere import Atmosphere, model_atmosphere
from repro.physics.background import Background, Interpolation
from repro.physics.constants import BOLTZMANN, BOLTZMANN_EV, SECOND_RADIATION, SPEED_OF_LIGHT
from repro.physics.depths import visible
from repro.physics.line_opacity import THRESHOLD, LineOpacity, Pixels
from repro.physics.lines import ABSORPTION, PERTURBERS, WIDTH_TEMPERATURE, line_list
from repro.physics.molecules.build import build_cross_section
from repro.physics.molecules.line_list import MOLECULES
from repro.physics.molecules.opacity import MolecularOpacity
from repro.physics.synthesize import Synthesizer
from repro.physics.transfer import emergent_flux

PIXELS = Pixels(7069.95, 0.05, 36203)
SAMPLE = torch.tensor(
    [
        [5777.0, 4.44, 0.0, 0.0, 0.0],
        [5000.0, 3.0, 0.0, 0.0, 0.0],
        [4000.0, 1.5, -1.0, 0.2, 0.0],
        [3750.0, 5.0, 0.5, 0.0, 0.0],
        [6000.0, 2.0, -2.0, 0.2, 0.0],
        [4500.0, 4.0, -0.5, 0.0, 0.2],
    ],
    dtype=torch.float64,
)
DEPTHS = (20, 35, 45, 55)
TURBULENCE = 2.0e5  # cm/s


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print(f"{torch.get_num_threads()} thread(s), {len(SAMPLE)} stars across the box, best of 3")
    print_phases()
    print_whole()
    print_molecules()
    print_peer()
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def best(work: Callable[[], object], repeats: int = 3) -> tuple[float, float]:
    """Shortest wall and processor time [s] of a call."""
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(t for t, _ in times), min(t for _, t in times)


def print_phases() -> None:
    """Seconds a star of each phase, three stars at a time."""
    stars = SAMPLE[:3]
    wave = PIXELS.wave()
    background, lines = Background(wave, torch.float32), _line_opacity()
    to_pixels = Interpolation(background.nodes, wave, torch.float32)
    to_lines = Interpolation(background.nodes, lines.wave.clamp(float(wave[0]), float(wave[-1])), torch.float32)
    molecules = MolecularOpacity(wave, TURBULENCE, torch.float32)
    whole = model_atmosphere(stars)
    atmosphere, seen = visible(whole, step=2), visible(whole)
    coarse = background.opacity(atmosphere)
    smooth, at_lines = to_pixels(coarse), to_lines(coarse)
    opacity = lines.add(molecules.add(smooth, atmosphere), atmosphere, at_lines)
    phases: dict[str, Callable[[], object]] = {
        "model atmosphere": lambda: model_atmosphere(stars),
        "continuum and Paschen lines": lambda: background.opacity(atmosphere),
        "interpolation to pixels": lambda: to_pixels(coarse),
        "molecular lines": lambda: molecules.add(smooth, atmosphere),
        "atomic lines": lambda: lines.add(smooth, atmosphere, at_lines),
        "emergent flux": lambda: emergent_flux(opacity, seen.log_tau, seen.temperature, wave),
    }
    for name, work in phases.items():
        wall, cpu = best(work)
        print(f"  {name:30s} {wall / 3:7.3f} s   processor {cpu / 3:7.3f} s")


def print_whole() -> None:
    """Seconds a star from labels to spectrum, and of a derivative to one label."""
    synthesizer = Synthesizer()
    wall, cpu = best(lambda: synthesizer(SAMPLE))
    print(f"  {'whole spectrum':30s} {wall / len(SAMPLE):7.3f} s   processor {cpu / len(SAMPLE):7.3f} s")
    without = Synthesizer(molecules=False)
    wall, cpu = best(lambda: without(SAMPLE))
    print(f"  {'without molecules':30s} {wall / len(SAMPLE):7.3f} s   processor {cpu / len(SAMPLE):7.3f} s")
    direction = torch.zeros_like(SAMPLE)
    direction[:, 1] = 1.0
    wall, cpu = best(lambda: torch.func.jvp(lambda x: synthesizer(x).flux, (SAMPLE,), (direction,)), 2)
    print(f"  {'with derivative to one label':30s} {wall / len(SAMPLE):7.3f} s   processor {cpu / len(SAMPLE):7.3f} s")


def print_molecules() -> None:
    """Seconds to make the cross-sections of the molecules, as a first run does."""
    wave = PIXELS.wave().numpy()
    for molecule in MOLECULES:
        with TemporaryDirectory() as folder:
            os.environ["REPRO_CACHE_DIR"] = folder
            made = build_cross_section(molecule, wave, TURBULENCE)
        print(
            f"  cross-section of {molecule}, once: {made.seconds:.1f} s for {made.lines} lines, "
            f"interpolated in temperature to {made.largest_error:.0e}"
        )


def print_peer() -> None:
    """All depths of the kit's line opacity against a few depths of the plain one, per depth."""
    atmosphere = model_atmosphere(SAMPLE[1:2])
    lines = _line_opacity()
    zero = torch.zeros(1, 71, PIXELS.count)
    ones = torch.ones(1, 71, len(lines.wave))
    ours, _ = best(lambda: lines.add(zero, atmosphere, ones))
    plain, theirs = {}, 0.0
    for depth in DEPTHS:
        start = time.perf_counter()
        plain[depth] = plain_line_opacity(atmosphere, depth)
        theirs += time.perf_counter() - start
    found = lines.add(zero, atmosphere, ones)[0].numpy()
    error = max(float(np.abs(found[d, 1:-1] - plain[d][1:-1]).max() / plain[d].max()) for d in DEPTHS)
    n_depths = int((atmosphere.log_tau <= 1.2).sum())
    print(
        f"line opacity of one depth: {1e3 * ours / n_depths:.1f} ms; numpy and scipy.special.wofz line by line "
        f"{1e3 * theirs / len(DEPTHS):.1f} ms: {theirs / len(DEPTHS) / (ours / n_depths):.0f} times slower "
        f"(largest difference over the largest opacity {error:.1e})"
    )


def plain_line_opacity(atmosphere: Atmosphere, depth: int) -> np.ndarray:
    """Line opacity over reference opacity (W,) of star 0 at one depth: one line after the other, same windows."""
    table = line_list()
    kelvin = float(atmosphere.temperature[0, depth])
    column = table.species_index.numpy()
    density = atmosphere.number_over_partition(table.species)[0, depth].numpy()[column]
    speed = np.sqrt(2.0 * BOLTZMANN * kelvin / table.species_mass.numpy()[column] + atmosphere.microturbulence**2)
    wave = table.wave.numpy()
    doppler = speed / (wave * 1e-8)
    strength = ABSORPTION * table.gf.numpy() * density * np.exp(-table.energy.numpy() / (BOLTZMANN_EV * kelvin))
    strength *= -np.expm1(-SECOND_RADIATION / (wave * kelvin)) / (math.sqrt(math.pi) * doppler)
    strength /= float(atmosphere.reference_opacity[0, depth])
    densities = (atmosphere.n_h1, atmosphere.n_he1, atmosphere.n_h2)
    perturbers = sum(w * float(n[0, depth]) for w, n in zip(PERTURBERS, densities, strict=True))
    width = table.width.numpy() * (kelvin / WIDTH_TEMPERATURE) ** table.exponent.numpy() * perturbers
    damping = (table.radiative.numpy() + width) / (4.0 * math.pi * doppler)
    threshold = THRESHOLD * (1.0 + 10.0**-1.5 / 10.0 ** float(atmosphere.log_tau[depth]))
    scale = PIXELS.step / wave * SPEED_OF_LIGHT / speed
    total, pixels = np.zeros(PIXELS.count), np.arange(PIXELS.count)
    for i in np.flatnonzero(strength > threshold):
        excess = strength[i] / threshold
        reach = math.sqrt(max(math.log(2.0 * excess), 2.6 * excess * damping[i] / math.sqrt(math.pi))) / scale[i]
        position = (wave[i] - PIXELS.start) / PIXELS.step
        near = slice(max(0, math.floor(position - reach)), max(0, math.ceil(position + reach) + 1))
        distance = (pixels[near] - position) * scale[i]
        total[near] += strength[i] * wofz(distance + 1j * damping[i]).real
    return total


def _line_opacity() -> LineOpacity:
    return LineOpacity(line_list(), PIXELS, device=torch.device("cpu"), dtype=torch.float32)


if __name__ == "__main__":
    main()
