"""Where the transformer looks, in numbers: lines and bands, moved windows, an untrained network, physics.

Needs numpy alone, so that stored evidence can be judged without torch or pandas.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from repro.errors import ParameterError
from repro.experiments.attention_table import BY_TOKEN, CLASSES, NOISY, AttentionTable, classes_of, published_star
from repro.scores.bootstrap import Scored, counts

Array = NDArray[np.float64]

EVERY: Final = "all"
STAR: Final = "star"  # the one test star most like the published one
_INTERVAL: Final = (2.5, 97.5)  # percentiles of moved windows
_ROUNDING: Final = 1e-12  # of an enrichment: two sums of the same numbers in another order


@dataclass(frozen=True)
class Moved:
    """A group of windows moved around the circle of places by every whole number of places, its pattern kept.

    Under a map that knows of no lines, stationary along the circle, the windows where they are and the windows moved
    are exchangeable: p is then uniform, in steps of one over the number of places. Places are tokens for attention and
    its rollout, cells for maps that are finer.

    Attributes:
        p: share of the places, the own one among them, with at least as much of the map.
        low, high: 95 % interval of the enrichment over the places.
    """

    p: float
    low: float
    high: float


class AttentionScores:
    """Statistics of an `AttentionTable`; `where` is `all`, a star class, or `star`, the one like the published star.

    The mean map of a class is scored with the bootstrap over its stars; one star has no resamples. A map has as many
    places as it can tell apart: tokens for attention and its rollout, otherwise cells.
    """

    def __init__(self, table: AttentionTable) -> None:
        self.table = table
        self.stars: Mapping[str, NDArray[np.bool_]] = {
            EVERY: np.ones(len(table.stars), dtype=bool),
            **classes_of(table.log_g),
            STAR: np.arange(len(table.stars)) == published_star(table.log_g, table.snr),
        }
        self._cells: Array = table.windows.reshape(len(table.groups), table.cells, -1).mean(axis=2)
        self._samples: dict[tuple[str, str, str], Array] = {}
        self._ranked: dict[tuple[str, str, str], Array] = {}

    def samples(self, where: str, name: str, variant: str = NOISY) -> Array:
        """Mean map of the stars there, (1 + B, places): measured, then on each resample; of one star (1, places).

        nan where no star has the map, or a resample has no such star.

        Args:
            where: as the class says.
            name: of a map, or of a reference, which is that of the noisy stars.
            variant: of the network and its input.
        """
        key = (where, name, variant)
        if key not in self._samples:
            values = self._gathered(self._maps(name, variant), name)
            members = self.stars[where] & np.isfinite(values).all(axis=1)
            draws = self._drawn(where, members)
            with np.errstate(invalid="ignore", divide="ignore"):
                self._samples[key] = draws @ values[members] / draws.sum(axis=1, keepdims=True)
        return self._samples[key]

    def mean(self, where: str, name: str, variant: str = NOISY) -> Array:
        """Mean map of the stars there, (places,)."""
        mean: Array = self.samples(where, name, variant)[0]
        return mean

    def wave(self, name: str) -> Array:
        """Middles of the places of a map, (places,) [A, vacuum]."""
        middles: Array = self.table.cell_wave.reshape(-1, self._width(name)).mean(axis=1)
        return middles

    def window(self, name: str, group: str) -> Array:
        """Share of each place of a map that lies in the windows of a group, (places,)."""
        cells = self._cells[self.table.groups.index(group)]
        window: Array = cells.reshape(-1, self._width(name)).mean(axis=1)
        return window

    def enrichment(self, where: str, name: str, group: str, variant: str = NOISY) -> Scored:
        """Share of the map in the windows of a group, over the share of the pixels that they take."""
        return _scored(self._enriched(where, name, group, variant))

    def over_untrained(self, where: str, name: str, group: str) -> Scored:
        """Enrichment of the trained network minus that of its initial weights, on the same stars."""
        trained, untrained = (self._enriched(where, name, group, variant) for variant in (NOISY, "untrained"))
        return _scored(trained - untrained)

    def moved(self, where: str, name: str, group: str, variant: str = NOISY) -> Moved:
        """The permutation control of an enrichment."""
        values = _enrichments(self.mean(where, name, variant), self.window(name, group))
        low, high = np.percentile(values, _INTERVAL)
        return Moved(_p(values), float(low), float(high))

    def heads(self, where: str, variant: str = NOISY) -> Array:
        """Mean attention of each layer and head, (L, H, tokens), shares, of all stars or a class.

        Raises:
            ParameterError: another group of stars.
        """
        table = self.table
        own = np.array([self.stars[name].sum() * (where in (EVERY, name)) for name in CLASSES], dtype=float)
        if not own.any():
            raise ParameterError(f"attention: maps by head are kept of star classes that have stars, not of '{where}'")
        raw = table.heads[table.variants.index(variant)].astype(np.float64)
        maps = self._gathered(np.tensordot(own / own.sum(), np.nan_to_num(raw), axes=1), BY_TOKEN[0])
        shares: Array = maps / maps.sum(axis=-1, keepdims=True)
        return shares

    def best_head(self, where: str, group: str) -> tuple[float, float]:
        """Largest enrichment over layers and heads, and its p: moved windows choose their best head too."""
        heads, window = self.heads(where), self.window(BY_TOKEN[0], group)
        best = np.max([_enrichments(head, window) for layer in heads for head in layer], axis=0)
        return float(best[0]), _p(best)

    def agreement(self, where: str, first: str, second: str, variants: tuple[str, str] = (NOISY, NOISY)) -> Scored:
        """Spearman's rank correlation of two mean maps over the tokens."""
        one, two = (self._ranks(where, name, v) for name, v in zip((first, second), variants, strict=True))
        return _scored((one * two).sum(axis=1))

    def effective_share(self, where: str, name: str) -> Scored:
        """exp(entropy) of the mean map over the number of places: 1 where it is flat."""
        maps = self.samples(where, name)
        logs = np.log(maps, out=np.zeros_like(maps), where=maps > 0)
        return _scored(np.exp(-(maps * logs).sum(axis=1)) / maps.shape[1])

    def peaks(self, where: str, name: str, count: int) -> list[tuple[float, float]]:
        """Wavelength [A] and share of the highest places that no neighbour exceeds, highest first."""
        mean = self.mean(where, name)
        tops = _tops(mean)
        order = tops[np.argsort(-mean[tops], kind="stable")][:count]
        return [(float(self.wave(name)[place]), float(mean[place])) for place in order]

    def lead(self, where: str, name: str, group: str) -> Scored:
        """Highest place that touches a group's windows over the highest that does not: above 1, the first peak."""
        maps, inside = self.samples(where, name), self.window(name, group) > 0
        return _scored(maps[:, inside].max(axis=1) / maps[:, ~inside].max(axis=1))

    def rank(self, where: str, name: str, group: str) -> int:
        """Number of the highest place that touches a group's windows among the peaks, from 1: how many are higher."""
        mean = self.mean(where, name)
        return 1 + int((mean[_tops(mean)] > mean[self.window(name, group) > 0].max()).sum())

    def ratio(self, where: str, name: str, first: str, second: str) -> Scored:
        """Highest place of a group's windows over that of another's."""
        maps = self.samples(where, name)
        one, two = (maps[:, self.window(name, group) > 0].max(axis=1) for group in (first, second))
        return _scored(one / two)

    def occluded(self, where: str, group: str) -> Scored:
        """Root mean square change of the estimate [dex] when all windows of a group show the mean flux."""
        members = self.stars[where]
        change = self.table.occluded[members, self.table.groups.index(group)]
        draws = self._drawn(where, members)
        with np.errstate(invalid="ignore", divide="ignore"):
            return _scored(np.sqrt(draws @ change**2 / draws.sum(axis=1)))

    def _drawn(self, where: str, members: NDArray[np.bool_]) -> Array:
        """How often each member counts, (1 + B, members); one star is not drawn again."""
        return np.ones((1, int(members.sum()))) if where == STAR else self._draws[:, members]

    @cached_property
    def _draws(self) -> Array:
        return counts(len(self.table.stars))

    def _width(self, name: str) -> int:
        return self.table.cells_a_token if name in BY_TOKEN else 1

    def _gathered(self, values: Array, name: str) -> Array:
        """Shares by cell (..., C) as those by place of a map."""
        places: Array = values.reshape(*values.shape[:-1], -1, self._width(name)).sum(axis=-1)
        return places

    def _maps(self, name: str, variant: str) -> Array:
        table = self.table
        if name in table.references:
            return table.reference_values[table.references.index(name)].astype(np.float64)
        if name not in table.maps or variant not in table.variants:
            raise ParameterError(f"attention: there is no map '{name}' of variant '{variant}'")
        return table.values[table.variants.index(variant), table.maps.index(name)].astype(np.float64)

    def _enriched(self, where: str, name: str, group: str, variant: str) -> Array:
        window = self.window(name, group)
        values: Array = self.samples(where, name, variant) @ window / window.mean()
        return values

    def _ranks(self, where: str, name: str, variant: str) -> Array:
        """Centred ranks of the tokens, (1 + B, N) of unit length; those of equal tokens are their mean."""
        key = (where, name, variant)
        if key not in self._ranked:
            maps = self.samples(where, name, variant)
            tokens = maps.reshape(len(maps), -1, self.table.cells_a_token // self._width(name)).sum(axis=2)
            ranks = _centred_ranks(tokens)
            with np.errstate(invalid="ignore"):
                self._ranked[key] = ranks / np.sqrt((ranks**2).sum(axis=1, keepdims=True))
        return self._ranked[key]


def _scored(samples: Array) -> Scored:
    """A number and its resamples (1 + B,)."""
    value, *replicates = samples.tolist()
    return Scored(value, tuple(replicates))


def _tops(mean: Array) -> NDArray[np.intp]:
    """Places that no neighbour exceeds; of equal neighbours the last."""
    values = np.pad(mean, 1, constant_values=-np.inf)
    return np.flatnonzero((mean >= values[:-2]) & (mean > values[2:]))


def _enrichments(mean: Array, window: Array) -> Array:
    """Enrichment (N,) of windows (N,) moved around the circle by 0 ... N - 1 places."""
    places = np.arange(len(mean))
    moved = window[(places - places[:, None]) % len(mean)]
    values: Array = moved @ mean / (window.mean() * mean.sum())
    return values


def _p(values: Array) -> float:
    """Share of places (N,) that reach the first."""
    return float(np.mean(values >= values[0] - _ROUNDING)) if np.isfinite(values).all() else float("nan")


def _centred_ranks(values: Array) -> Array:
    """Ranks (R, N) within each row about their mean; equal values share the mean of theirs; nan of rows with nan."""
    rows, places = values.shape
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    starts = np.diff(ordered, axis=1, prepend=np.nan) != 0.0
    groups = np.cumsum(starts.ravel()) - 1  # of equal values: a row begins with one of its own
    sizes = np.bincount(groups)
    ends = np.cumsum(sizes)
    means = (ends - 0.5 * (sizes + 1))[groups].reshape(rows, places)
    means -= means.mean(axis=1, keepdims=True)
    ranks = np.empty_like(means)
    np.put_along_axis(ranks, order, means, axis=1)
    ranks[np.isnan(values).any(axis=1)] = np.nan
    return ranks
