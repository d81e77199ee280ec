"""Flux-conserving change of wavelength bins."""

import torch
from torch import Tensor

from repro.errors import DataError


def rebin(wave_edges_in: Tensor, flux: Tensor, wave_edges_out: Tensor) -> Tensor:
    """Average a spectrum given in bins over other bins, so that the integral over any range of output bins is kept.

    Args:
        wave_edges_in: (W + 1,) increasing bin edges [A].
        flux: (..., W) mean flux per unit wavelength in each input bin.
        wave_edges_out: (V + 1,) increasing bin edges [A], inside the input range.

    Returns:
        (..., V) mean flux per unit wavelength in each output bin; linear in `flux`.

    Raises:
        DataError: edges do not increase, do not fit `flux`, or the output reaches beyond the input.
    """
    _check_edges("input", wave_edges_in)
    _check_edges("output", wave_edges_out)
    if flux.shape[-1] != wave_edges_in.shape[0] - 1:
        raise DataError(f"rebin: {wave_edges_in.shape[0]} input edges do not bound {flux.shape[-1]} bins")
    if wave_edges_out[0] < wave_edges_in[0] or wave_edges_out[-1] > wave_edges_in[-1]:
        raise DataError(
            f"rebin: output bins {float(wave_edges_out[0]):.4f}-{float(wave_edges_out[-1]):.4f} reach beyond the input"
            f" {float(wave_edges_in[0]):.4f}-{float(wave_edges_in[-1]):.4f}"
        )
    width = torch.diff(wave_edges_in)
    integral = torch.nn.functional.pad(torch.cumsum(flux * width, dim=-1), (1, 0))
    bins = (torch.searchsorted(wave_edges_in, wave_edges_out, right=True) - 1).clamp(0, flux.shape[-1] - 1)
    at_edges = integral[..., bins] + flux[..., bins] * (wave_edges_out - wave_edges_in[bins])
    return torch.diff(at_edges, dim=-1) / torch.diff(wave_edges_out)


def _check_edges(name: str, edges: Tensor) -> None:
    if edges.ndim != 1 or edges.shape[0] < 2 or not bool((torch.diff(edges) > 0).all()):
        raise DataError(f"rebin: the {name} bin edges must be one increasing list of at least two")
