"""Bounds on log g when more than the labels is unknown: amplitude, continuum, velocity, line width, conditions.

Making the coefficients of further columns B unknown beside the labels leaves of the derivatives J what the columns
cannot mimic, J - B (B^T S^-1 B)^-1 B^T S^-1 J; that is the marginal bound of the information of J and B together.

The stored spectra are divided by their own noise-free median, so that the amplitude is known exactly. No observer knows
it: he divides by something measured. All nuisances act on the divided spectrum mu:

    amplitude     d mu = mu. With it unknown the label derivatives may contain any multiple of mu, hence the bound no
                  longer depends on what spectra were divided by.
    continuum_d   mu times Legendre polynomials up to degree d in wavelength over the pixels' range (degree 0 is the
                  amplitude): errors of the flux calibration.
    velocity      d mu / d v = -(lambda / c) d mu / d lambda [per km/s]
    width         d mu / d ln s = s^2 d2 mu / d lambda^2 for the r.m.s. width s of the line-spread function at each
                  pixel: exact where a Gaussian broadens a little more (d K / d s^2 = K'' / 2). Stretching the
                  instrument's kernel gives almost the same column (cosine 0.999) and so almost the same bound

A shifted or broadened spectrum would be divided by a median of its own, which adds a multiple of mu: of no consequence
once the amplitude is unknown, and else left out (on the LTE grid it would change the bound with the width unknown by
1e-6 in the median and at most 4 % at a node, with the velocity unknown by at most 0.3 %). Slopes and curvatures on the
pixels are those of the quintic spline through them: the line-spread function leaves little near the Nyquist frequency.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from threadpoolctl import threadpool_limits

from repro.bounds.derivatives import Stencil, derivative_stencil, interior
from repro.bounds.fisher import marginal_bound, weighted_information
from repro.bounds.nuisance_table import CONTINUUM, FLUX_NUISANCES, PARAMETERS, RUNGS, TARGET, NuisanceTable, Rung
from repro.bounds.scaling import unit_median
from repro.bounds.scatter import RANGES, Scatter, scatter_information
from repro.errors import ParameterError
from repro.instrument import calibration
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.photometry import SPEED_OF_LIGHT
from repro.instrument.pixels import STEP
from repro.labels import LABELS
from repro.spectra.nodes import NodeGrid

Array = NDArray[np.float64]

_SPEED_OF_LIGHT: Final = SPEED_OF_LIGHT * 1e-13  # [km/s]
_FLUX: Final = len(LABELS) + len(FLUX_NUISANCES)  # leading parameters, which act on the flux
_LABELS_AND_CONDITIONS: Final = [*range(len(LABELS)), *range(_FLUX, len(PARAMETERS))]


def nuisance_columns(flux: Array, wave: Array) -> Array:
    """Derivatives (B, 6, P) of spectra (B, P) with respect to `FLUX_NUISANCES`; wave (P,) uniform [A]."""
    middle, half = 0.5 * (wave[0] + wave[-1]), 0.5 * (wave[-1] - wave[0])
    polynomials = legendre.legvander((wave - middle) / half, len(CONTINUUM) - 1).T
    spline = make_interp_spline(wave, flux, k=5, axis=1)
    columns = np.empty((len(flux), len(FLUX_NUISANCES), len(wave)))
    columns[:, : len(CONTINUUM)] = flux[:, None] * polynomials
    columns[:, -2] = spline(wave, 1) * (-wave / _SPEED_OF_LIGHT)
    columns[:, -1] = spline(wave, 2) * line_spread_width(wave) ** 2
    return columns


def line_spread_width(wave: Array) -> Array:
    """R.m.s. width [A] of the line-spread function, pixel included, at wavelengths (P,) [A]."""
    offset, kernel = calibration.array("lsf_offset_px"), calibration.array("lsf_kernel")
    width = STEP * np.sqrt((kernel * offset**2).sum(axis=1) / kernel.sum(axis=1))
    return np.interp(wave, calibration.array("lsf_wave"), width)


def nuisance_bounds(
    grid: NodeGrid,
    noise_model: NoiseModel,
    conditions: Conditions,
    noise_level: float = 1.0,
    *,
    magnitudes: Sequence[float],
    paired_magnitudes: Sequence[float],
    block: int = 16,
    progress: Callable[[int, int], None] | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> NuisanceTable:
    """Bounds on log g at every node of a five-label `grid` for every rung of `RUNGS`.

    magnitudes: of the ladder; paired_magnitudes: of the comparison of 3D and 5D. Both replace that of `conditions`.
    progress: called with (nodes done, nodes in all) after each block.
    recorded: further conditions to store in the table beside the noise level and the ranges of bounded parameters.

    Raises:
        ParameterError: a noise level that is not positive and finite, or a grid without five free labels.
        DataError: an error or derivative that is not finite.
    """
    if not (np.isfinite(noise_level) and noise_level > 0):
        raise ParameterError(f"noise level {noise_level} must be positive and finite: without noise there is no bound")
    if grid.lattice.free != LABELS:
        raise ParameterError(
            f"the lattice has {len(grid.lattice.free)} free labels ({', '.join(grid.lattice.free)}): the nuisances are"
            f" compared with a bound in all five ({', '.join(LABELS)})"
        )
    work = _Work(
        unit_median(grid),
        derivative_stencil(grid.lattice),
        Scatter.of(noise_model, conditions),
        noise_level,
        tuple(paired_magnitudes),
        tuple(magnitudes),
    )
    count = grid.lattice.size
    blocks = [slice(start, min(start + block, count)) for start in range(0, count, block)]
    found: dict[str, list[Array]] = {"labels": [], "flux": [], "scatter": []}
    # one block a core: the matrix products are too small to be shared between threads
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for nodes, parts in zip(blocks, pool.map(work, blocks), strict=True):
            for name, part in parts.items():
                found[name].append(part)
            if progress:
                progress(nodes.stop, count)
    labels, flux, scatter = (np.concatenate(parts, axis=1) for parts in found.values())
    ranges = {name: (nodes[0], nodes[-1]) for name, nodes in grid.lattice.axes.items()} | RANGES
    ladder = np.empty((len(RUNGS), len(magnitudes), count))
    for m in range(len(magnitudes)):
        without = _whole(flux[m])
        everything = _whole(flux[m], scatter[m])
        for row, rung in enumerate(RUNGS.values()):
            ladder[row, m] = bound(everything if rung.without_scatter else without, rung, ranges)
    paired = {name: np.array([bound(each, RUNGS[name], ranges) for each in labels]) for name in ("3D", "5D")}
    return NuisanceTable(
        rungs=tuple(RUNGS),
        magnitudes=np.asarray(magnitudes, dtype=float),
        paired_magnitudes=np.asarray(paired_magnitudes, dtype=float),
        labels=np.asarray(grid.lattice.labels, dtype=float),
        interior=interior(grid.lattice),
        crlb=ladder,
        crlb_3d=paired["3D"],
        crlb_5d=paired["5D"],
        conditions={"noise": float(noise_level), "ranges": ranges, **(recorded or {})},
    )


def bound(information: Array, rung: Rung, ranges: Mapping[str, tuple[float, float]]) -> Array:
    """Bound (N,) on log g in one state of knowledge, from information (N, K, K) on the first K of `PARAMETERS`."""
    chosen = [PARAMETERS.index(name) for name in (*rung.unknown, TARGET)]
    matrix = information[:, chosen][:, :, chosen]
    for place, name in enumerate(rung.unknown):
        if name in rung.box:
            low, high = ranges[name]
            matrix[:, place, place] += 12.0 / (high - low) ** 2
    return marginal_bound(matrix, len(rung.unknown))


@dataclass(frozen=True)
class _Work:
    """What one block of nodes takes; threads share it."""

    grid: NodeGrid  # of median 0.5
    stencil: Stencil
    scatter: Scatter
    noise_level: float
    paired: tuple[float, ...]
    ladder: tuple[float, ...]

    def __call__(self, nodes: slice) -> dict[str, Array]:
        """Information in the flux on the labels (K, B, 5, 5) and on all that acts on it (M, B, 11, 11); and in the
        size of the noise on labels and conditions (M, B, 9, 9)."""
        grid = self.grid
        flux, zero_point = grid.flux[nodes].astype(np.float64), grid.zero_point[nodes]
        jacobian = self.stencil.jacobian(grid.flux, nodes)
        slopes = self.stencil.jacobian(grid.zero_point[:, None], nodes)[:, :, 0]
        columns = np.concatenate([jacobian, nuisance_columns(flux, grid.wave)], axis=1)
        in_flux, in_scatter = [], []
        for magnitude, weight in zip(self.ladder, self._weights(flux, zero_point, self.ladder), strict=True):
            weighted = columns * np.sqrt(weight)[:, None]
            in_flux.append(weighted @ weighted.swapaxes(1, 2))
            of_sigma = self.scatter.log_sigma_slopes(flux, zero_point, jacobian, slopes, magnitude)
            in_scatter.append(scatter_information(of_sigma))
        weights = self._weights(flux, zero_point, self.paired).swapaxes(0, 1)
        labels = np.moveaxis(weighted_information(jacobian, weights), 1, 0)
        return {"labels": labels, "flux": np.stack(in_flux), "scatter": np.stack(in_scatter)}

    def _weights(self, flux: Array, zero_point: Array, magnitudes: Sequence[float]) -> Array:
        """1 / error^2 (M, B, P)."""
        variances = self.scatter.terms.variances(flux, zero_point, magnitudes)
        return 1.0 / (self.noise_level**2 * variances.swapaxes(0, 1))


def _whole(flux: Array, scatter: Array | None = None) -> Array:
    """Information (N, K, K) on all `PARAMETERS` from its parts (N, 11, 11) and (N, 9, 9)."""
    result = np.zeros((len(flux), len(PARAMETERS), len(PARAMETERS)))
    result[:, :_FLUX, :_FLUX] = flux
    if scatter is not None:
        rows, columns = np.ix_(_LABELS_AND_CONDITIONS, _LABELS_AND_CONDITIONS)
        result[:, rows, columns] += scatter
    return result
