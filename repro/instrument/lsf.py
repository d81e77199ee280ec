"""Line-spread function: from a finely sampled spectrum to the 4096 pixels, one linear operator."""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from repro.errors import DataError
from repro.instrument import calibration
from repro.instrument.pixels import N_PIXELS, STEP, pixel_centres

_BLOCK: Final = 32  # pixels that share one dense block of weights: enough for matrix products, little wasted on zeros


class LineSpread:
    """Convolves spectra on one uniform wavelength grid with the line-spread function and samples them at the pixels.

    The kernel depends on (pixel centre - line position) and, linearly between five tabulated rows, on the wavelength of
    the pixel. The integration over the pixel is inside it. It ends at 7.5 pixels; each pixel's weights sum to one, so a
    flat spectrum passes unchanged and the scattered light beyond (0.5 %) is not modelled.

    Args:
        wave: (W,) uniform grid [A, vacuum], at most 0.2 A apart, that reaches 7.5 pixels (3.2 A) beyond the first and
            last pixel centre. Its device is where spectra must lie.

    Raises:
        DataError: the grid is not uniform, too coarse or too short.
    """

    REACH: Final = 7.5 * STEP  # [A]

    def __init__(self, wave: Tensor) -> None:
        grid = wave.detach().cpu().numpy().astype(np.float64)
        _check_grid(grid, self.REACH)
        index, weights = _blocked_weights(grid, self.REACH)
        self._index = torch.from_numpy(index).to(wave.device)
        self._weights = torch.from_numpy(weights).to(wave.device)
        self._size = grid.size

    def __call__(self, flux: Tensor) -> Tensor:
        """Spectra on the grid, (B, W) -> spectra on the pixels, (B, 4096) float64, same units.

        Raises:
            DataError: `flux` does not have the grid's length.
        """
        if flux.shape[-1] != self._size:
            raise DataError(f"line-spread function: spectra have {flux.shape[-1]} samples, the grid has {self._size}")
        windows = flux.to(torch.float64)[:, self._index]  # (B, blocks, window)
        return torch.einsum("bnw,nwp->bnp", windows, self._weights).reshape(flux.shape[0], N_PIXELS)


def _check_grid(grid: np.ndarray, reach: float) -> None:
    centres = pixel_centres()
    needed = (centres[0] - reach, centres[-1] + reach)
    if grid.ndim != 1 or grid.size < 2:
        raise DataError(f"line-spread function: the wavelength grid must be one-dimensional, it has shape {grid.shape}")
    step = (grid[-1] - grid[0]) / (grid.size - 1)
    if not 0 < step <= 0.2 or np.abs(np.diff(grid) - step).max() > 1e-6:
        raise DataError(
            "line-spread function: the wavelength grid must be uniform with a step of at most 0.2 A;"
            f" its steps run from {np.diff(grid).min():.6g} to {np.diff(grid).max():.6g} A"
        )
    if grid[0] > needed[0] or grid[-1] < needed[1]:
        raise DataError(
            f"line-spread function: the wavelength grid {grid[0]:.2f}-{grid[-1]:.2f} A does not cover"
            f" {needed[0]:.2f}-{needed[1]:.2f} A, the pixels and 7.5 pixels on either side"
        )


def _blocked_weights(grid: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Sample indices (blocks, window) and weights (blocks, window, pixels of a block) of the banded operator."""
    centres = pixel_centres().reshape(-1, _BLOCK)
    step = (grid[-1] - grid[0]) / (grid.size - 1)
    window = int(np.ceil((2 * reach + (_BLOCK - 1) * STEP) / step)) + 2
    start = np.floor((centres[:, 0] - reach - grid[0]) / step).astype(np.int64)
    index = np.clip(start, 0, grid.size - window)[:, None] + np.arange(window)
    offset = (centres[:, None, :] - grid[index][:, :, None]) / STEP
    weights = np.zeros_like(offset)
    kernel_wave, kernel_offset = calibration.array("lsf_wave"), calibration.array("lsf_offset_px")
    for row, kernel in enumerate(calibration.array("lsf_kernel")):
        share = np.interp(centres, kernel_wave, np.eye(kernel_wave.size)[row])[:, None, :]
        used = np.flatnonzero(share.any(axis=(1, 2)))
        weights[used] += share[used] * np.interp(offset[used], kernel_offset, kernel, left=0.0, right=0.0)
    return index, weights / weights.sum(axis=1, keepdims=True)
