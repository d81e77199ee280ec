"""The synthesizer as a whole: independence of the batch, precision, derivatives, and the Sun."""

import math
import os
import subprocess
import sys

import pytest
import torch

from repro.errors import ParameterError
from repro.physics.line_opacity import THRESHOLD
from repro.physics.synthesize import Synthesizer

F64 = torch.float64
STARS = torch.tensor(
    [[5100.0, 3.1, -0.3, 0.1, 0.05], [3900.0, 4.7, 0.3, 0.0, 0.2], [5900.0, 1.4, -1.6, 0.2, -0.3]], dtype=F64
)
# Change of each label small enough for the truncation of central differences, large enough for their rounding.
STEPS = (0.5, 3e-4, 1e-3, 1e-3, 1e-3)


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return Synthesizer(wave_step=0.2)


def test_a_spectrum_does_not_depend_on_its_company_or_on_the_run(synthesizer: Synthesizer) -> None:
    together = synthesizer(STARS)
    for star in range(len(STARS)):
        alone = synthesizer(STARS[star : star + 1])
        assert float((alone.flux[0] / together.flux[star] - 1.0).abs().max()) < 1e-6
        assert float((alone.continuum[0] / together.continuum[star] - 1.0).abs().max()) < 1e-6
    again = synthesizer(STARS)
    assert torch.equal(again.flux, together.flux)
    assert torch.equal(again.continuum_blue, together.continuum_blue)


def test_shapes_and_sanity(synthesizer: Synthesizer) -> None:
    spectrum = synthesizer(STARS[:2])
    assert (float(spectrum.wave[0]), float(spectrum.wave[-1])) == pytest.approx((7070.0, 8880.0))
    assert (float(spectrum.wave_blue[0]), float(spectrum.wave_blue[-1])) == pytest.approx((6600.0, 7070.0))
    assert spectrum.flux.shape == spectrum.continuum.shape == (2, len(spectrum.wave))
    assert spectrum.continuum_blue.shape == (2, len(spectrum.wave_blue))
    depth = 1.0 - spectrum.flux / spectrum.continuum
    assert float(depth.min()) > -1e-5 and 0.3 < float(depth.max()) < 1.0
    # The continua of the two ranges are one curve, and near that of a black body of the effective temperature.
    assert spectrum.continuum_blue[:, -1].tolist() == pytest.approx(spectrum.continuum[:, 0].tolist(), rel=1e-5)
    black = 2.0 * math.pi * 6.62607e-27 * 2.997925e10**2 * 1e-8 / 8e-5**5 / math.expm1(1.438777e8 / 8000.0 / 5100.0)
    middle = int((spectrum.wave - 8000.0).abs().argmin())
    assert float(spectrum.continuum[0, middle]) == pytest.approx(black, rel=0.1)


def test_single_precision_and_threshold(synthesizer: Synthesizer) -> None:
    """Single precision costs 3e-7 rms, the threshold 0.05 % rms and 0.4 % at the worst pixel."""
    flux = synthesizer(STARS[:2]).flux
    exact = Synthesizer(wave_step=0.2, precision=F64)(STARS[:2]).flux
    assert float((flux / exact - 1.0).abs().max()) < 2e-5
    assert float((flux / exact - 1.0).std()) < 1e-6
    complete = Synthesizer(wave_step=0.2, threshold=0.01 * THRESHOLD)(STARS[:2]).flux
    lost = flux / complete - 1.0
    assert float(lost.std(dim=-1).max()) < 5e-4
    assert float(lost.abs().max()) < 4e-3


def test_derivatives_agree_with_central_differences() -> None:
    """In float64 to 1e-5 rms of the derivative; what remains is the truncation of the differences."""
    exact = Synthesizer(wave_step=1.0, precision=F64)
    star = STARS[:1].repeat(5, 1)
    directions = torch.eye(5, dtype=F64)
    change = directions * torch.tensor(STEPS, dtype=F64)
    _, slopes = torch.func.jvp(lambda labels: exact(labels).flux, (star,), (directions,))
    differences = (exact(star + change).flux - exact(star - change).flux) / (2.0 * change.diag()[:, None])
    errors = (differences - slopes).norm(dim=-1) / slopes.norm(dim=-1)
    assert float(errors.max()) < 1e-5


def test_single_precision_derivatives(synthesizer: Synthesizer) -> None:
    direction = torch.zeros_like(STARS[:1])
    direction[:, 1] = 1.0
    slopes = [
        torch.func.jvp(lambda labels, run=run: run(labels).flux, (STARS[:1],), (direction,))[1]
        for run in (Synthesizer(wave_step=1.0), Synthesizer(wave_step=1.0, precision=F64))
    ]
    assert float((slopes[0] - slopes[1]).norm() / slopes[1].norm()) < 1e-5


@pytest.mark.parametrize(
    ("centre", "window", "measured", "tolerance"),
    [
        (8544.438, 16.0, 3.67, 0.1),
        (8664.520, 10.0, 2.60, 0.12),  # 0.09 A of it are other lines
        (8185.505, 1.5, 0.225, 0.1),
        (8197.07, 2.0, 0.305, 0.1),
        (8809.176, 1.5, 0.50, 0.1),
        (7701.083, 1.0, 0.153, 0.12),
        (8691.011, 1.2, 0.285, 0.1),
    ],
)
def test_solar_equivalent_widths(sun: tuple, centre: float, window: float, measured: float, tolerance: float) -> None:
    """Ca II 8542 and 8662, Na I 8183 and 8194, Mg I 8807, K I 7699, Fe I 8688 [A] (air), vmic 1 km/s."""
    wave, depth = sun
    width = 0.05 * float(depth[(wave - centre).abs() < window].sum())
    assert width == pytest.approx(measured, rel=tolerance)


@pytest.fixture(scope="module")
def sun() -> tuple[torch.Tensor, torch.Tensor]:
    spectrum = Synthesizer(microturbulence=1.0)(torch.tensor([[5777.0, 4.44, 0.0, 0.0, 0.0]], dtype=F64))
    return spectrum.wave, 1.0 - (spectrum.flux / spectrum.continuum)[0]


@pytest.mark.parametrize("values", [{"wave_step": 0.0}, {"wave_step": 2.0}, {"microturbulence": -1.0}])
def test_impossible_settings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="out of range"):
        Synthesizer(**values)


def test_labels_of_another_shape_are_refused(synthesizer: Synthesizer) -> None:
    with pytest.raises(ParameterError, match="shape"):
        synthesizer(STARS[0])


PROBE = """
import hashlib, resource, torch
from repro.physics.synthesize import Synthesizer
torch.set_num_threads(2)
labels = torch.tensor([[5800.0, 4.4, 0.7, 0.1, 0.1], [3800.0, 4.9, 0.7, 0.0, 0.2]], dtype=torch.float64)
flux = Synthesizer()(labels.repeat(6, 1)).flux
print(hashlib.sha256(flux.numpy().tobytes()).hexdigest(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_two_processes_of_two_threads_agree_to_the_last_bit_within_the_memory() -> None:
    runs = []
    for _ in range(2):
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        result = subprocess.run(
            [sys.executable, "-c", PROBE], capture_output=True, text=True, env=environment, check=True
        )
        runs.append(result.stdout.split())
    assert runs[0][0] == runs[1][0]
    assert max(int(memory) for _, memory in runs) < 4e6  # kB
