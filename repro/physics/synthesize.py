"""Labels in, spectra out: model atmosphere, opacities and emergent flux."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from repro.errors import ParameterError
from repro.physics.atmosphere import model_atmosphere
from repro.physics.background import Background, Interpolation, relative_continuum, smooth_nodes
from repro.physics.depths import visible
from repro.physics.line_opacity import THRESHOLD, LineOpacity, Pixels
from repro.physics.lines import line_list
from repro.physics.molecules.opacity import MolecularOpacity
from repro.physics.transfer import emergent_flux

WAVE_RANGE: Final = (7070.0, 8880.0)  # A, vacuum, of the spectrum
BLUE_END: Final = 6600.0  # A, of the continuum blueward of it

_BLUE_STEP: Final = 10.0  # A
_PIXELS_AT_ONCE: Final = {"cpu": 1 << 17, "cuda": 1 << 19}  # of all stars together, 4 kB each at work


def check_settings(microturbulence: float, wave_step: float) -> None:
    """Raises ParameterError for a microturbulence [km/s] or a step [A] that no spectrum can have."""
    if microturbulence < 0.0 or not 0.0 < wave_step <= 1.0:
        raise ParameterError(f"microturbulence {microturbulence} km/s or wave_step {wave_step} A out of range")


def opacity_pixels(wave_step: float) -> Pixels:
    """Wavelengths of the opacity in steps of `wave_step` [A]: WAVE_RANGE and one pixel of margin at each end."""
    low, high = WAVE_RANGE
    return Pixels(low - wave_step, wave_step, round((high - low) / wave_step) + 3)


@dataclass(frozen=True)
class Spectrum:
    """Spectra of B stars at their surface."""

    wave: Tensor  # (W,) [A] vacuum, 7070 ... 8880
    flux: Tensor  # (B, W) F_lambda [erg s^-1 cm^-2 A^-1]
    continuum: Tensor  # (B, W) the same without lines
    wave_blue: Tensor  # (Wb,) [A] coarse grid 6600 ... 7070
    continuum_blue: Tensor  # (B, Wb)


class Synthesizer:
    """Spectra of LTE model atmospheres at the labels asked for. Tables are loaded once, on one device.

    Lines: 9845 atomic lines, the Paschen series, CN and TiO. `precision` is that of opacities and transfer;
    atmospheres and continua are always computed in float64. A spectrum does not depend on which others are computed
    with it.
    """

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        microturbulence: float = 2.0,
        wave_step: float = 0.05,
        precision: torch.dtype = torch.float32,
        threshold: float = THRESHOLD,
        molecules: bool = True,
    ) -> None:
        """microturbulence in km/s; wave_step in A; lines count where above `threshold` of the other opacity.

        Without `molecules` there are no molecular lines, for comparison with codes that leave them out.
        """
        check_settings(microturbulence, wave_step)
        self._device = torch.device(device)
        self._microturbulence = 1e5 * microturbulence
        pixels = opacity_pixels(wave_step)
        self._stars_at_once = max(1, _PIXELS_AT_ONCE[self._device.type] // pixels.count)
        wave = pixels.wave(self._device)
        self._wave = wave
        self._lines = LineOpacity(line_list(), pixels, device=self._device, dtype=precision, threshold=threshold)
        self._molecules = MolecularOpacity(wave, self._microturbulence, precision) if molecules else None
        self._background = Background(wave, precision)
        self._to_pixels = Interpolation(self._background.nodes, wave, precision)
        self._to_lines = Interpolation(self._background.nodes, self._lines.wave.clamp(wave[0], wave[-1]), precision)
        smooth = smooth_nodes(float(wave[0]), float(wave[-1])).to(self._device)
        self._to_continuum = Interpolation(smooth, wave, torch.float64)
        blue = torch.arange(BLUE_END, WAVE_RANGE[0] + 0.5 * _BLUE_STEP, _BLUE_STEP, dtype=torch.float64)
        self._wave_blue = blue.to(self._device)
        self._continuum_wave = torch.cat([self._wave_blue, smooth])

    def __call__(self, labels: Tensor) -> Spectrum:
        """Spectra for labels (B, 5) in the order of LABELS.

        Differentiable in the labels in forward mode (torch.func.jvp). Raises ParameterError for labels of another
        shape, not finite, or without a model atmosphere.
        """
        labels = labels.to(self._device, torch.float64)
        parts = [self._spectra(part) for part in labels.split(self._stars_at_once)]
        flux, continuum, continuum_blue = (torch.cat(arrays) for arrays in zip(*parts, strict=True))
        return Spectrum(self._wave[1:-1], flux, continuum, self._wave_blue, continuum_blue)

    def _spectra(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Flux, continuum and blue continuum of a few stars."""
        atmosphere = model_atmosphere(labels, self._microturbulence)
        # Opacities are smooth in depth: half the depths are enough, emergent_flux interpolates the others.
        sparse = visible(atmosphere, step=2)
        background = self._background.opacity(sparse)
        opacity = self._to_pixels(background)
        if self._molecules is not None:
            opacity = self._molecules.add(opacity, sparse)
        opacity = self._lines.add(opacity, sparse, self._to_lines(background))
        seen = visible(atmosphere)
        flux = emergent_flux(opacity, seen.log_tau, seen.temperature, self._wave).to(torch.float64)
        ratio = relative_continuum(atmosphere, self._continuum_wave)
        coarse = emergent_flux(ratio, atmosphere.log_tau, atmosphere.temperature, self._continuum_wave)
        blue, smooth = coarse.tensor_split([len(self._wave_blue)], dim=-1)
        return flux[:, 1:-1], self._to_continuum(smooth)[:, 1:-1], blue
