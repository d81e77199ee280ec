"""Comparisons with spectra and lines of others that the accuracy table has no numbers of: arrays to draw and to test.

Nothing in the kit is fitted to these data. `folder` is the folder of the published validation spectra.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import torch

from benchmarks.accuracy import pfs_example, smoothed, turbospectrum_spectra
from repro.instrument.observe import Instrument
from repro.physics.constants import BOLTZMANN_EV, ELECTRON_VOLT, PLANCK, SPEED_OF_LIGHT
from repro.physics.molecules import cn
from repro.physics.synthesize import Synthesizer

PFS_EXAMPLES: Final = (576, 4742, 4684, 4521)
TURBOSPECTRUM_STARS: Final = ("sun", "g5000", "arc")

# Index CaT of Cenarro et al. (2001, MNRAS 326, 959, table 2): bands of the three lines and of the continuum [A, air]
CALCIUM_BANDS: Final = ((8484.0, 8513.0), (8522.0, 8562.0), (8642.0, 8682.0))
CONTINUUM_BANDS: Final = ((8474.0, 8484.0), (8563.0, 8577.0), (8619.0, 8642.0), (8700.0, 8725.0), (8776.0, 8792.0))
_STELIB_FWHM: Final = 3.0  # A (Le Borgne et al. 2003)
_LARGEST_SHIFT: Final = 4.0  # A, 140 km/s
_EDGE: Final = 50.0  # A

_LISTED_DIGITS: Final = 0.003  # eV, by which energies of lower levels are held equal
_CN_MATTERS: Final = 0.1  # of the strongest line at the temperature below
_CN_TEMPERATURE: Final = 4500.0  # K


@dataclass(frozen=True)
class Spectrum:
    """Data and model (W,) at vacuum wavelengths (W,) [A]."""

    name: str
    wave: np.ndarray
    data: np.ndarray
    model: np.ndarray

    @property
    def rms(self) -> float:
        """Of model - data, in the units of the data."""
        return float(np.sqrt(np.mean((self.model - self.data) ** 2)))


def pfs_fit(folder: Path, index: int) -> tuple[Spectrum, np.ndarray]:
    """A noise-free example of the original data set and the best fit to it, over their medians, and its labels (5,)."""
    labels = pfs_example(folder, index)[1]
    with h5py.File(folder / "pfs_examples.h5") as file:
        row = int(np.flatnonzero(np.asarray(file["idx"]) == index)[0])
        data, wave = np.asarray(file["flux"])[row], np.asarray(file["wave"])
    model = Instrument()(Synthesizer()(torch.from_numpy(labels)[None]))[0][0].numpy()
    return Spectrum(str(index), wave, data / np.median(data), model / np.median(model)), labels


def turbospectrum_pair(folder: Path, star: str) -> Spectrum:
    """Flux over continuum at R = 5300, by Turbospectrum and by the synthesizer with its labels, without molecules."""
    return Spectrum(star, *turbospectrum_spectra(folder, star))


@dataclass(frozen=True)
class CalciumWidths:
    """Equivalent widths (40, 3) [A] of the Ca II triplet, observed and synthesised, and the stars' labels (40, 5)."""

    names: list[str]
    labels: np.ndarray
    observed: np.ndarray
    model: np.ndarray
    shift: np.ndarray  # (40,) [A] of the star to the red, taken out

    @property
    def rank_correlation(self) -> float:
        """Spearman's, of the sums of the three lines."""
        ranks = [np.argsort(np.argsort(widths.sum(axis=1))) for widths in (self.observed, self.model)]
        return float(np.corrcoef(*ranks)[0, 1])

    @property
    def median_ratio(self) -> float:
        """Of model to observed, the three lines together."""
        return float(np.median(self.model.sum(axis=1) / self.observed.sum(axis=1)))


def calcium_widths(folder: Path) -> CalciumWidths:
    """Widths of the triplet in 40 stars of STELIB in the bands of Cenarro et al. 2001, the same on both sides.

    The model has the literature labels, [alpha/M] of the standard mixture of MARCS models (Gustafsson et al. 2008,
    A&A 486, 951, table 1), and the library's resolution. A star is brought to rest by the shift that gives the smallest
    difference from its model, both over their pseudo-continua. Widths are counted from the model's continuum, for the
    star times the cubic polynomial in wavelength that fits star over model outside of the three bands: fluxes of the
    library bend by several per cent over a few hundred A.
    """
    with h5py.File(folder / "stelib_sample.h5") as file:
        names = [name.decode() for name in file["name"]]
        known, air = np.asarray(file["labels"], dtype=np.float64), np.asarray(file["wave_air"])
        vacuum = np.asarray(file["wave_vac"])
        flux = np.where(np.asarray(file["good"]), np.asarray(file["flux"], dtype=np.float64), np.nan)
    labels = np.column_stack([known, np.clip(-0.4 * known[:, 2], 0.0, 0.4), np.zeros(len(known))])
    synthesizer, model, continuum = Synthesizer(), np.empty_like(flux), np.empty_like(flux)
    for row in range(len(labels)):
        spectrum = synthesizer(torch.from_numpy(labels[row : row + 1]))
        resolution = float(vacuum.mean()) / _STELIB_FWHM
        model[row] = smoothed(spectrum.wave.numpy(), spectrum.flux.numpy(), resolution, vacuum)[0]
        continuum[row] = np.interp(vacuum, spectrum.wave.numpy(), spectrum.continuum.numpy()[0])
    shift = np.array([_shift(air, *pair) for pair in zip(flux, model, strict=True)])
    at_rest = [np.interp(air + step, air, row) for row, step in zip(flux, shift, strict=True)]
    return CalciumWidths(
        names=names,
        labels=labels,
        observed=np.array(
            [
                _widths(air, row / (_bend(air, row / like) * level))
                for row, like, level in zip(at_rest, model, continuum, strict=True)
            ]
        ),
        model=np.array([_widths(air, row / level) for row, level in zip(model, continuum, strict=True)]),
        shift=shift,
    )


def _normalised(wave: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Flux over the straight line through the continuum bands."""
    used = np.any([(wave >= low) & (wave <= high) for low, high in CONTINUUM_BANDS], axis=0) & np.isfinite(flux)
    return flux / np.polyval(np.polyfit(wave[used] - 8600.0, flux[used], 1), wave - 8600.0)


def _bend(wave: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Cubic polynomial that fits a ratio outside of the bands of the lines and of the ends, where nothing is sure."""
    lines = np.any([(wave >= low) & (wave <= high) for low, high in CALCIUM_BANDS], axis=0)
    used = ~lines & np.isfinite(ratio) & (wave > wave[0] + _EDGE) & (wave < wave[-1] - _EDGE)
    return np.polyval(np.polyfit((wave[used] - 8600.0) / 200.0, ratio[used], 3), (wave - 8600.0) / 200.0)


def _widths(wave: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Equivalent widths (3,) [A] of the three bands; pixels without flux count with the mean of their band."""
    depth = 1.0 - flux
    bands = [(wave >= low) & (wave <= high) for low, high in CALCIUM_BANDS]
    step = (wave[-1] - wave[0]) / (wave.size - 1)
    return np.array([np.nanmean(depth[band]) * np.count_nonzero(band) * step for band in bands])


def _shift(wave: np.ndarray, data: np.ndarray, model: np.ndarray) -> float:
    """Shift of data to the red of model [A]: the vertex of a parabola through the best of steps of 0.1 A."""
    steps = np.arange(-_LARGEST_SHIFT, _LARGEST_SHIFT + 0.05, 0.1)
    inside = (wave > wave[0] + _LARGEST_SHIFT) & (wave < wave[-1] - _LARGEST_SHIFT)
    target = _normalised(wave, model)[inside]
    seen = _normalised(wave, data)
    costs = np.array([np.nanmean((np.interp(wave + step, wave, seen)[inside] - target) ** 2) for step in steps])
    best = int(np.clip(costs.argmin(), 1, len(steps) - 2))
    below, here, above = costs[best - 1 : best + 2]
    return float(steps[best] + 0.05 * (below - above) / (below - 2.0 * here + above))


@dataclass(frozen=True)
class CnLines:
    """N published 12CN lines that matter: those above a tenth of the strongest at 4500 K."""

    wave: np.ndarray  # (N,) [A] vacuum
    strength: np.ndarray  # (N,) gf exp(-E / kT), the strongest being 1
    off: np.ndarray  # (N,) [A] ours - published; NaN without a line of ours within 0.2 A and 0.003 eV
    stronger: np.ndarray  # (N,) [dex] log gf, ours - published

    @property
    def matched(self) -> float:
        """Share within 0.05 A and 0.1 dex."""
        return float(np.mean((np.abs(self.off) < 0.05) & (np.abs(self.stronger) < 0.1)))


def cn_lines(folder: Path) -> CnLines:
    """The published lines beside those that the kit generates from spectroscopic constants."""
    with gzip.open(folder / "cn_reference.csv.gz", "rt") as file:
        rows = np.array([line.split(",") for line in file if line[0].isdigit()], dtype=np.float64)
    wave, energy, log_gf = rows[rows[:, 1] == 12][:, [0, 2, 3]].T
    strength = 10.0**log_gf * np.exp(-energy / (BOLTZMANN_EV * _CN_TEMPERATURE))
    strength /= strength.max()
    wave, energy, log_gf, strength = (values[strength > _CN_MATTERS] for values in (wave, energy, log_gf, strength))
    lines = cn.lines("12C14N", 1e8 / (wave.max() + 0.5), 1e8 / (wave.min() - 0.5))["red"]
    order = np.argsort(-lines.wavenumber)
    ours = 1e8 / lines.wavenumber[order]
    ours_energy = lines.energy[order] * PLANCK * SPEED_OF_LIGHT / ELECTRON_VOLT
    ours_gf = np.log10(lines.gf[order])
    off, stronger = np.full((2, wave.size), np.nan)
    for row in range(wave.size):
        first, last = np.searchsorted(ours, (wave[row] - 0.2, wave[row] + 0.2))
        near = np.arange(first, last)[np.abs(ours_energy[first:last] - energy[row]) < _LISTED_DIGITS]
        if near.size:
            apart = np.abs(ours[near] - wave[row]) + 0.3 * np.abs(ours_gf[near] - log_gf[row])
            nearest = near[apart.argmin()]
            off[row], stronger[row] = ours[nearest] - wave[row], ours_gf[nearest] - log_gf[row]
    return CnLines(wave, strength, off, stronger)
