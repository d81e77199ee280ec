"""Stars from their error arrays alone.

Stored errors hold no noise. They are a function of the labels and of the observing conditions, rounded to float32, and
in fluxes of median 0.5 an affine one of the spectrum mu itself,

    sigma^2 = a A mu + a^2 B,    a = 10^(0.4 (magnitude - zero point)),

so that conditions and spectrum can be solved for, and the spectrum looked up among those of a grid:

1. Conditions: those under which the spectrum behind the errors lies closest to the leading directions of the grid.
2. Lines: the pairs of neighbouring nodes between which that spectrum passes closest.
3. Label and conditions together along the best of these lines, by Gauss-Newton on ln sigma.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from repro.bounds.line_search import LineSearch
from repro.bounds.scaling import MEDIAN, unit_median
from repro.bounds.star_noise import COLUMNS, log_sigma_slopes, small_step, unknown_conditions, variances
from repro.instrument.noise import Conditions, NoiseModel
from repro.labels import LABELS
from repro.spectra.interpolate import line_weights
from repro.spectra.lowrank import principal_directions
from repro.spectra.nodes import NodeGrid
from repro.spectra.sampling import CONDITIONS as LAWS

Array = NDArray[np.float64]

IDENTIFIED: Final = 1e-6  # rms of ln sigma: float32 rounding leaves 3e-8, another star far more

_ALPHA: Final = 0.4 * np.log(10.0)  # d ln a / d magnitude
_SINGULAR: Final = 1e-12  # of a normal matrix of unit diagonal: directions of less say nothing
_PIXELS: Final = slice(None, None, 4)  # that conditions and lines are looked for in
_DIRECTIONS: Final = 128
_SAMPLE: Final = 1024  # nodes that the directions are taken from
_CONDITION_STEPS: Final = 12
_CONVERGED: Final = 1e-5  # step of every condition, as a share of its range
_DIFFERENCE: Final = 1e-4  # of a condition's range
_CANDIDATES: Final = (8, 48)  # places on lines to start from; more of them where none of the first leads on
_RESCAN: Final = 33  # starts along a line that fits almost
_STEPS: Final = 25  # along one line, at most
_TRIAL_STEPS: Final = 3  # along one line, whether or not they gain
_GAIN: Final = 0.7  # of the rms of ln sigma: a later step that leaves more of it ends the search on a line
_FLOOR: Final = 5e-8  # the rms that rounding leaves: no more steps are needed


@dataclass(frozen=True)
class Reading:
    """What n error arrays say: the best star found for each.

    labels: (n, 5). mag: (n,). rms: (n,) of ln sigma, observed minus found.
    """

    labels: Array
    mag: Array
    rms: Array

    @property
    def identified(self) -> NDArray[np.bool_]:
        """(n,) whether the star found has these errors up to rounding."""
        return self.rms < IDENTIFIED


class ErrorReader:
    """Reads stars from error arrays in fluxes of median 0.5, without noise and at noise level 1.

    Args:
        grid: of which the stars lie on lines between nodes (sampling mode `paper`).
        noise_model: that made the errors.
    """

    def __init__(self, grid: NodeGrid, noise_model: NoiseModel) -> None:
        self._grid, self._noise_model = grid, noise_model
        self._names = unknown_conditions(noise_model)
        # of the conditions but the magnitude; of the zenith angle its square, in which the air mass is straight at 0
        self._limits = np.array([LAWS[COLUMNS[name]] for name in self._names[1:]])
        self._limits[0] **= 2
        scaled = unit_median(grid)
        sample = scaled.flux[np.linspace(0, grid.lattice.size - 1, min(_SAMPLE, grid.lattice.size)).astype(np.intp)]
        sample = sample[:, _PIXELS]
        self._mean = sample.mean(axis=0, dtype=np.float64)
        # where the sky outshines the star, an error of its level would drown all else: such pixels count less
        light, background = self._terms(self._middle(1))
        self._weight = 1.0 / (1.0 + background[0] / light[0] * np.median(light[0] / background[0]))
        self._directions = principal_directions(
            lambda rows: self._weight * (sample[rows] - self._mean), len(sample), sample.shape[1], _DIRECTIONS
        )
        towards = (self._weight * self._directions).T
        self._mean_place = self._mean @ towards
        surface = grid.flux[:, _PIXELS].astype(np.float64) @ towards
        self._lines = LineSearch(grid.lattice, surface, scaled.zero_point)
        self._ends = {name: (nodes[0], nodes[-1]) for name, nodes in grid.lattice.axes.items()}

    def __call__(self, error: NDArray[np.floating]) -> Reading:
        """The best star for each of the error arrays (n, P), whether or not it fits."""
        log_sigma = np.log(error.astype(np.float64))
        spectrum, conditions = self._behind(np.exp(2.0 * log_sigma[:, _PIXELS]))
        count = len(error)
        state = _State(
            np.full((count, 5), np.nan), np.full(count, "", dtype="U5"), conditions.copy(), np.full(count, np.inf)
        )
        for kept in _CANDIDATES:
            todo = np.flatnonzero(~(state.rms < IDENTIFIED))
            if todo.size:
                self._try_lines(log_sigma[todo], spectrum[todo], conditions[todo], state, todo, kept)
        # two points of a line may have almost the same spectrum, as where an abundance hardly matters
        for share in np.linspace(0.0, 1.0, _RESCAN):
            todo = np.flatnonzero(~(state.rms < IDENTIFIED))
            if not todo.size:
                break
            trial = state.part(todo)
            rows, column, low, high = self._free_label(trial.axis)
            trial.labels[rows, column] = low + share * (high - low)
            state.improve(todo, self._follow(log_sigma[todo], trial))
        return Reading(state.labels, state.conditions[:, 0], state.rms)

    def _try_lines(
        self, log_sigma: Array, spectrum: Array, conditions: Array, state: "_State", stars: NDArray[np.intp], kept: int
    ) -> None:
        """Follow the `kept` nearest lines of each of some stars of a state, one after the other, until one fits."""
        labels, axis, zero_point = self._lines.nearest(spectrum, kept)
        for place in range(labels.shape[1]):
            todo = np.flatnonzero(~(state.rms[stars] < IDENTIFIED))
            if not todo.size:
                break
            begin = conditions[todo]
            begin[:, 0] = zero_point[todo, place] + begin[:, 0] / _ALPHA
            trial = _State(labels[todo, place], axis[todo, place], begin, np.full(len(todo), np.inf))
            state.improve(stars[todo], self._follow(log_sigma[todo], trial))

    def _middle(self, count: int) -> Array:
        """Conditions (n, c) in the middle of their ranges, but for the magnitude, which is 0."""
        return np.tile(np.append(0.0, self._limits.mean(axis=1)), (count, 1))

    def _conditions(self, values: Array) -> Conditions:
        """Named conditions from numbers (n, c), of which the second is the square of the zenith angle."""
        named: dict[str, Any] = {
            name: torch.from_numpy(values[:, place].copy()) for place, name in enumerate(self._names)
        }
        named["zenith_angle"] = named["zenith_angle"].sqrt()
        return Conditions(**{"seeing": 1.0, **named})

    def _terms(self, conditions: Array) -> tuple[Array, Array]:
        """A and B (n, p) of variances a A mu + a^2 B under conditions (n, c), on some pixels; any magnitude will do."""
        zero, flux = np.zeros(len(conditions)), np.zeros((len(conditions), len(self._grid.wave)))
        bare = conditions * (np.arange(conditions.shape[1]) > 0)
        background = variances(self._noise_model, flux, zero, self._conditions(bare))[:, _PIXELS]
        lit = variances(self._noise_model, flux + 1.0, zero, self._conditions(bare))[:, _PIXELS]
        return lit - background, background

    def _behind(self, variance: Array) -> tuple[Array, Array]:
        """Spectra (n, r), by their parts along the directions, and conditions (n, c) behind variances (n, p).

        Gauss-Newton on a and the conditions; what is minimised is the part of mu that the directions do not hold. The
        first entry of the conditions is ln a, of a spectrum of median 0.5.
        """
        count = len(variance)
        found, places = self._middle(count), np.zeros((count, len(self._directions)))
        light, background = self._terms(found)
        # each pixel's a if its mu were 0.5; a grows with mu, so that the median pixel's is that of all
        half = 0.5 * MEDIAN * light
        found[:, 0] = np.log(np.median((np.sqrt(half**2 + background * variance) - half) / background, axis=1))
        todo = np.arange(count)
        for _ in range(_CONDITION_STEPS):
            inside, outside, slopes = self._outside(variance[todo], found[todo])
            places[todo] = inside
            step = _least_squares(slopes, -outside)
            step[:, 0] = step[:, 0].clip(-1.0, 1.0)
            found[todo] += step
            found[todo, 1:] = found[todo, 1:].clip(self._limits[:, 0], self._limits[:, 1])
            ranges = np.append(1.0, self._limits[:, 1] - self._limits[:, 0])
            todo = todo[np.any(np.abs(step) > _CONVERGED * ranges, axis=1)]
            if not todo.size:
                break
        return places, found

    def _outside(self, variance: Array, conditions: Array) -> tuple[Array, Array, Array]:
        """Parts of mu along the directions (n, r), the rest (n, p), and slopes (n, c, p) with ln a and the others."""
        faintness = np.exp(conditions[:, :1])
        light, background = self._terms(conditions)
        mu = (variance / faintness - faintness * background) / light
        slopes = np.empty((len(mu), conditions.shape[1], mu.shape[1]))
        slopes[:, 0] = -(variance / faintness + faintness * background) / light
        for place, (low, high) in enumerate(self._limits, start=1):
            moved = conditions.copy()
            step = np.where(moved[:, place] < 0.5 * (low + high), 1.0, -1.0) * (_DIFFERENCE * (high - low))
            moved[:, place] += step
            light, background = self._terms(moved)
            slopes[:, place] = ((variance / faintness - faintness * background) / light - mu) / step[:, None]
        mu -= self._mean
        for values in (mu, slopes):
            values *= self._weight
        inside = mu @ self._directions.T
        mu -= inside @ self._directions
        slopes -= (slopes @ self._directions.T) @ self._directions
        return inside + self._mean_place, mu, slopes

    def _follow(self, log_sigma: Array, start: "_State") -> "_State":
        """Gauss-Newton along the line of each star, as long as it gains; the best of the points passed."""
        best = start.copy()
        best.rms[:] = np.inf
        todo, now = np.arange(len(start.axis)), start.copy()
        for step in range(_STEPS):
            residual, slopes = self._residual(log_sigma[todo], now)
            now.rms[:] = np.sqrt((residual**2).mean(axis=1))
            gains = ((now.rms < _GAIN * best.rms[todo]) | (step < _TRIAL_STEPS)) & (now.rms > _FLOOR)
            best.improve(todo, now)
            if not gains.any():
                break
            todo, now = todo[gains], now.part(gains)
            self._move(now, _least_squares(slopes[gains], residual[gains]))
        return best

    def _move(self, state: "_State", step: Array) -> None:
        """Move labels and conditions by (n, 1 + c), within their limits."""
        rows, column, low, high = self._free_label(state.axis)
        state.labels[rows, column] = (state.labels[rows, column] + step[:, 0]).clip(low, high)
        state.conditions[:, 0] += step[:, 1]
        state.conditions[:, 1:] = (state.conditions[:, 1:] + step[:, 2:]).clip(self._limits[:, 0], self._limits[:, 1])

    def _free_label(self, axis: NDArray[np.str_]) -> tuple[NDArray[np.intp], NDArray[np.intp], Array, Array]:
        """Rows and columns of the labels that vary along lines, and the ends of their axes, all (n,)."""
        column = np.array([LABELS.index(name) for name in axis], dtype=np.intp)
        low, high = np.array([self._ends[name] for name in axis]).reshape(-1, 2).T
        return np.arange(len(axis)), column, low, high

    def _residual(self, log_sigma: Array, state: "_State") -> tuple[Array, Array]:
        """ln sigma observed minus that of a state (n, P), and its slopes (n, 1 + c, P) with label and conditions."""
        flux, zero_point, along, zero_point_slope = self._on_line(state)
        variance, slopes = log_sigma_slopes(
            self._noise_model,
            flux,
            zero_point,
            along[:, None],
            zero_point_slope[:, None],
            self._conditions(state.conditions),
        )
        zenith = np.sqrt(state.conditions[:, 1])
        slopes[:, 2] /= (2.0 * zenith + small_step("zenith_angle", zenith))[:, None]  # by its square, finite at 0
        return log_sigma - 0.5 * np.log(variance), slopes

    def _on_line(self, state: "_State") -> tuple[Array, Array, Array, Array]:
        """Flux (n, P) of median 0.5, its zero point (n,), and the slopes of both along the lines."""
        lattice = self._grid.lattice
        both = vstack([line_weights(lattice, state.axis, state.labels, order) for order in (0, 1)]).tocsr()
        rows, compact = np.unique(both.indices, return_inverse=True)
        local = csr_array((both.data, compact, both.indptr), shape=(both.shape[0], len(rows)))
        flux, along = np.split(local @ self._grid.flux[rows].astype(np.float64), 2)
        band, band_slope = np.split(local @ 10.0 ** (-0.4 * self._grid.zero_point[rows]), 2)
        half = flux.shape[1] // 2
        middle = np.argpartition(flux, (half - 1, half), axis=1)[:, half - 1 : half + 1]
        median = np.take_along_axis(flux, middle, axis=1).mean(axis=1)
        slope = np.take_along_axis(along, middle, axis=1).mean(axis=1) / median
        scale = MEDIAN / median
        along = (along - slope[:, None] * flux) * scale[:, None]
        zero_point = -2.5 * np.log10(band * scale)
        return flux * scale[:, None], zero_point, along, (slope - band_slope / band) / _ALPHA


@dataclass(frozen=True)
class _State:
    """Stars on lines: labels, axis of the line, magnitude and other conditions, and how well their errors fit."""

    labels: Array  # (n, 5)
    axis: NDArray[np.str_]  # (n,)
    conditions: Array  # (n, c)
    rms: Array  # (n,)

    def copy(self) -> "_State":
        return _State(self.labels.copy(), self.axis.copy(), self.conditions.copy(), self.rms.copy())

    def part(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "_State":
        return _State(self.labels[rows], self.axis[rows], self.conditions[rows], self.rms[rows])

    def improve(self, rows: NDArray[np.intp], other: "_State") -> None:
        """Take over those of the others, found for `rows`, that fit better."""
        better = other.rms < self.rms[rows]
        self.labels[rows[better]] = other.labels[better]
        self.axis[rows[better]] = other.axis[better]
        self.conditions[rows[better]] = other.conditions[better]
        self.rms[rows[better]] = other.rms[better]


def _least_squares(slopes: Array, residual: Array) -> Array:
    """Steps (n, c) that best explain residuals (n, P) by slopes (n, c, P); 0 along what has no effect."""
    normal = slopes @ slopes.swapaxes(1, 2)
    diagonal = np.diagonal(normal, axis1=1, axis2=2)
    scale = np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=diagonal > 0)
    scaled = normal * scale[:, :, None] * scale[:, None, :]
    right = (slopes @ residual[:, :, None]) * scale[:, :, None]
    return (np.linalg.pinv(scaled, rcond=_SINGULAR, hermitian=True) @ right)[:, :, 0] * scale
