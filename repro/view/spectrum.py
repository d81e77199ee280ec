"""One spectrum as it is looked at, and what can be done to two of them before they are laid over each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import DataError, ParameterError
from repro.instrument.resample import rebin

Array = NDArray[np.float64]
Scale = Literal["median", "absolute", "continuum"]

_SAME_WAVE: Final = 1e-6  # [A]
_CONTINUUM_ORDER: Final = 5
_CONTINUUM_ROUNDS: Final = 20


@dataclass(frozen=True)
class Slope:
    """dF/dlabel of a spectrum, per unit of the label.

    values: (W,) in the spectrum's own unit per K or dex, or None where it cannot be had.
    how: how it was found, or why it cannot be had.
    span: the two label offsets between which it is a secant; None where it is exact.
    """

    values: Array | None
    how: str
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class View:
    """One noise-free or observed spectrum.

    name: as the user wrote it.
    wave: (W,) [A, vacuum], increasing. flux: (W,) in `unit`, NaN where there is none.
    sampling: what its pixels are, in words.
    error: (W,) 1 sigma. noisy: (W,) one noisy draw. continuum: (W,) the spectrum without lines, where it is known.
    labels: (5,) in the order of LABELS, where they are known.
    slopes: derivatives by label.
    """

    name: str
    wave: Array
    flux: Array
    unit: str
    sampling: str
    error: Array | None = None
    noisy: Array | None = None
    continuum: Array | None = None
    labels: Array | None = None
    slopes: Mapping[str, Slope] = field(default_factory=dict)

    def mapped(self, change: Callable[[Array], Array], wave: Array | None = None) -> "View":
        """The view after one linear change of all its arrays (W,) but the wavelengths, which may be replaced."""

        def maybe(values: Array | None) -> Array | None:
            return None if values is None else change(values)

        return replace(
            self,
            wave=self.wave if wave is None else wave,
            flux=change(self.flux),
            error=maybe(self.error),
            noisy=maybe(self.noisy),
            continuum=maybe(self.continuum),
            slopes={label: replace(slope, values=maybe(slope.values)) for label, slope in self.slopes.items()},
        )

    def between(self, low: float, high: float) -> "View":
        """The part with low <= wave <= high [A, vacuum].

        Raises:
            ParameterError: fewer than two pixels lie there.
        """
        inside = (self.wave >= low) & (self.wave <= high)
        if np.count_nonzero(inside) < 2:
            raise ParameterError(
                f"{self.name}: nothing between {low:g} and {high:g} A (vacuum); "
                f"it covers {self.wave[0]:.1f} to {self.wave[-1]:.1f} A"
            )
        return self.mapped(lambda values: values[inside], self.wave[inside])


def on_one_grid(one: View, other: View) -> tuple[View, View]:
    """Both on the pixels of the coarser of the two, over the range they share; flux is conserved.

    Raises:
        DataError: they share fewer than two pixels.
    """
    low, high = max(one.wave[0], other.wave[0]), min(one.wave[-1], other.wave[-1])
    if min(np.count_nonzero((view.wave >= low) & (view.wave <= high)) for view in (one, other)) < 2:
        raise DataError(
            f"{one.name} ({one.wave[0]:.1f}-{one.wave[-1]:.1f} A) and {other.name} "
            f"({other.wave[0]:.1f}-{other.wave[-1]:.1f} A) have no wavelengths in common"
        )
    parts = one.between(low, high), other.between(low, high)
    if parts[0].wave.size == parts[1].wave.size and np.abs(parts[0].wave - parts[1].wave).max() < _SAME_WAVE:
        return parts
    coarse = min((one, other), key=lambda view: np.count_nonzero((view.wave >= low) & (view.wave <= high)))
    edges = _edges(coarse.wave)
    fits = (edges[:-1] >= _edges(one.wave)[0]) & (edges[:-1] >= _edges(other.wave)[0])
    fits &= (edges[1:] <= _edges(one.wave)[-1]) & (edges[1:] <= _edges(other.wave)[-1])
    chosen = np.flatnonzero(fits)
    target = edges[chosen[0] : chosen[-1] + 2]
    on_grid = [_rebinned(view, target, coarse.wave[chosen]) if view is not coarse else view for view in (one, other)]
    low, high = coarse.wave[chosen[0]], coarse.wave[chosen[-1]]
    return on_grid[0].between(low, high), on_grid[1].between(low, high)


def scaled(view: View, scale: Scale, level: Array | None = None) -> View:
    """The view divided by its median or by a continuum.

    level: the continuum (W,); asked for by scale `continuum` (see `continua`).

    The derivatives then are those of F divided by its median, the median moving with the label as any other pixel: a
    change of brightness alone leaves no trace. Scale `absolute` changes nothing.
    """
    if scale == "absolute":
        return view
    median = float(np.nanmedian(view.flux))
    relative = view.mapped(lambda values: values / median)
    slopes = {label: _without_brightness(view.flux / median, slope) for label, slope in relative.slopes.items()}
    if scale == "median" or level is None:
        return replace(relative, unit="flux / median", slopes=slopes)
    lines = view.mapped(lambda values: values / level)
    return replace(lines, unit="flux / continuum", slopes=slopes)


def continua(*views: View) -> tuple[list[Array], str]:
    """A continuum for each view, all of one kind, and that kind in words.

    The synthesised ones where every view has its own. Otherwise all are fitted alike, so that they can be compared: a
    polynomial of order 5 through the pixels that stay above it, found by dropping those that lie low, again and again.
    """
    own = [view.continuum for view in views if view.continuum is not None]
    if len(own) == len(views):
        return own, "synthesised"
    return [_fitted_continuum(view.wave, view.flux) for view in views], "fitted"


def _without_brightness(relative: Array, slope: Slope) -> Slope:
    """The slope of flux / median from that of flux, `relative` being flux / median and the slope divided alike.

    The slope of the median is the mean over the twentieth of the pixels nearest to it in rank: the derivative of a
    sample median itself is that of the one pixel which happens to hold it (as `bounds.scaling.unit_median_jacobian`).
    """
    if slope.values is None:
        return slope
    good = np.flatnonzero(np.isfinite(relative) & np.isfinite(slope.values))
    ranked = good[np.argsort(relative[good], kind="stable")]
    half = max(ranked.size // 40, 1)
    near = ranked[max(ranked.size // 2 - half, 0) : ranked.size // 2 + half]
    return replace(slope, values=slope.values - slope.values[near].mean() * relative)


def _rebinned(view: View, edges: Array, wave: Array) -> View:
    own = torch.from_numpy(_edges(view.wave))
    target = torch.from_numpy(edges)

    def average(values: Array) -> Array:
        known = np.isfinite(values)
        rows = torch.from_numpy(np.stack([np.where(known, values, 0.0), known.astype(np.float64)]))
        mean, covered = rebin(own, rows, target).numpy()
        return np.where(covered > 1.0 - 1e-9, mean, np.nan)

    result = view.mapped(average, wave)
    # errors of pixels that are averaged do not average; one error bar of the own pixels is the honest thing to show
    error = None if view.error is None else np.interp(wave, view.wave, view.error)
    return replace(result, error=error)


def _edges(wave: Array) -> Array:
    """Pixel edges (W + 1,) halfway between the centres."""
    middles = 0.5 * (wave[1:] + wave[:-1])
    return np.concatenate([[2.0 * wave[0] - middles[0]], middles, [2.0 * wave[-1] - middles[-1]]])


def _fitted_continuum(wave: Array, flux: Array) -> Array:
    x = 2.0 * (wave - wave[0]) / (wave[-1] - wave[0]) - 1.0
    basis = np.polynomial.legendre.legvander(x, _CONTINUUM_ORDER)
    kept = np.isfinite(flux)
    for _ in range(_CONTINUUM_ROUNDS):
        fit: Array = basis @ np.linalg.lstsq(basis[kept], flux[kept], rcond=None)[0]
        spread = float(np.std(flux[kept] - fit[kept]))
        smaller = kept & (flux > fit - 0.5 * spread)
        if np.count_nonzero(smaller) in (np.count_nonzero(kept), *range(4 * _CONTINUUM_ORDER)):
            break
        kept = smaller
    return fit
