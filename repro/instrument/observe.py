"""The spectrograph as one call: from a synthetic spectrum to its 4096 pixels and its magnitude."""

from typing import Protocol

import torch
from torch import Tensor

from repro.instrument.lsf import LineSpread
from repro.instrument.photometry import ZeroPoint


class SpectrumLike(Protocol):
    """Noise-free spectra at high resolution, with their continuum, in cgs units per Angstrom."""

    @property
    def wave(self) -> Tensor: ...  # (W,) uniform [A, vacuum]
    @property
    def flux(self) -> Tensor: ...  # (B, W)
    @property
    def continuum(self) -> Tensor: ...  # (B, W)
    @property
    def wave_blue(self) -> Tensor: ...  # (V,) coarse, from the filter's blue end up to wave[0]
    @property
    def continuum_blue(self) -> Tensor: ...  # (B, V)


class Instrument:
    """PFS-MR without noise: line-spread function, pixels and HSC-i magnitude.

    The operators of a wavelength grid are built at its first spectrum and kept for those that follow.
    """

    def __init__(self) -> None:
        self._grids: tuple[Tensor, Tensor] | None = None

    def __call__(self, spectrum: SpectrumLike) -> tuple[Tensor, Tensor]:
        """Pixel fluxes (B, 4096) in the units of `spectrum.flux` and HSC-i zero points (B,), both float64.

        A star of magnitude m has the pixel fluxes times 10^(-0.4 (m - zero point)).

        Raises:
            DataError: the spectrum's grids do not suit the line-spread function or the filter.
        """
        self._prepare(spectrum.wave, spectrum.wave_blue)
        flux, continuum, blue = (
            values.to(torch.float64) for values in (spectrum.flux, spectrum.continuum, spectrum.continuum_blue)
        )
        return self._line_spread(flux), self._zero_point(flux, continuum, blue)

    def _prepare(self, wave: Tensor, wave_blue: Tensor) -> None:
        if self._grids is not None and all(map(_same, self._grids, (wave, wave_blue))):
            return
        self._line_spread = LineSpread(wave)
        self._zero_point = ZeroPoint(wave, wave_blue)
        self._grids = (wave, wave_blue)


def _same(one: Tensor, other: Tensor) -> bool:
    return one is other or (one.device == other.device and torch.equal(one, other))
