"""The leaderboard as plain data, as results/trackF/leaderboard.json holds it. Needs the standard library alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from repro.errors import DataError
from repro.scores.tree import Leaf, Split, Tree

SCHEMA: Final = 1


@dataclass(frozen=True)
class Entry:
    """One model at one place of the matrix: its scores on all test stars, each with the half width of its interval.

    Attributes:
        model: as `repro.scores.names` knows it.
        level: noise level of training and test.
        size: training spectra at this place.
        n_train: those that the model learnt from: `size`, or 0 for one that learns from none.
        r2, rmse, mae: mean over the runs; errors in dex.
        r2_half, rmse_half, mae_half: h of the 90 % interval; None where the spread of seeds is not known at all.
        runs: R2 of each.
        borrowed: the spread of seeds is that of the nearest place with several runs.
        rank: 1 for the highest R2.
        best: not resolved from the model of rank 1.
        settings: chosen by validation, one a run.
        uses_error: the model is shown the error array.
    """

    model: str
    level: float
    size: int
    n_train: int
    r2: float
    r2_half: float | None
    rmse: float
    rmse_half: float | None
    mae: float
    mae_half: float | None
    runs: tuple[float, ...]
    borrowed: bool
    rank: int
    best: bool
    settings: tuple[str, ...]
    uses_error: bool


@dataclass(frozen=True)
class Comparison:
    """R2 of `first` minus that of `second` at a place, paired; resolved among all pairs of the place (Holm)."""

    first: str
    second: str
    level: float
    size: int
    gain: float
    half: float | None
    resolved: bool


@dataclass(frozen=True)
class Recommendation:
    """The simplest model that is not resolvably worse than the best, among those measured all over the matrix.

    Attributes:
        model: recommended.
        best: the model with the highest R2 among those.
        equal: all that are not resolvably worse than it, the simplest first.
        better: models that were measured at few places and are resolvably better than the recommended one here.
    """

    level: float
    size: int
    model: str
    best: str
    equal: tuple[str, ...]
    better: tuple[str, ...]


@dataclass(frozen=True)
class Optimum:
    """R2 of the exact Bayes optimum of noisy flux, on the `stars` of the test set that it was computed for."""

    level: float
    r2: float
    half: float
    stars: int


@dataclass(frozen=True)
class Principle:
    """A design principle and what became of it, as plain text.

    Attributes:
        id: of the claim that was judged.
        statement: in words.
        claimed, measured: numbers with their intervals, "" where nothing was measured.
        verdict: its word.
        reason: of the verdict.
        experiment: those behind it, as `<experiment>/<model>`.
        evidence: addresses of the measured values.
    """

    id: str
    statement: str
    claimed: str
    measured: str
    verdict: str
    reason: str
    experiment: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Leaderboard:
    """Everything that `repro leaderboard` shows."""

    conditions: Mapping[str, Any]
    entries: tuple[Entry, ...]
    comparisons: tuple[Comparison, ...]
    recommendations: tuple[Recommendation, ...]
    tree: Tree | None
    optimum: Optimum | None

    @property
    def levels(self) -> list[float]:
        return sorted({entry.level for entry in self.entries})

    @property
    def sizes(self) -> list[int]:
        return sorted({entry.size for entry in self.entries})

    def at(self, level: float, size: int) -> list[Entry]:
        """Entries of a place, the best first."""
        return sorted((e for e in self.entries if (e.level, e.size) == (level, size)), key=lambda e: e.rank)

    def largest(self, size: int | None = None) -> list[Entry]:
        """Entries of each model at its largest size, or at the given one."""
        most: dict[str, int] = {}
        for entry in self.entries:
            most[entry.model] = max(most.get(entry.model, 0), entry.size)
        return [entry for entry in self.entries if entry.size == (size or most[entry.model])]

    def as_json(self) -> dict[str, Any]:
        """Plain data that `read_leaderboard` reads back."""
        return {"schema": SCHEMA, **asdict(self)}


def read_leaderboard(path: Path) -> Leaderboard:
    """The leaderboard of a file.

    Raises:
        DataError: the file is absent, or is not what stage `trackF-evaluate` writes.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; `dvc repro trackF` makes it") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}); `dvc repro trackF` makes it again") from None
    try:
        if data["schema"] != SCHEMA:
            raise DataError(f"{path}: schema is {data['schema']}, this version reads {SCHEMA}; run `dvc repro trackF`")
        return Leaderboard(
            conditions=data["conditions"],
            entries=tuple(Entry(**_tuples(entry)) for entry in data["entries"]),
            comparisons=tuple(Comparison(**entry) for entry in data["comparisons"]),
            recommendations=tuple(Recommendation(**_tuples(entry)) for entry in data["recommendations"]),
            tree=_tree(data["tree"]) if data["tree"] else None,
            optimum=Optimum(**data["optimum"]) if data["optimum"] else None,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: is no leaderboard ({error!r}); `dvc repro trackF` makes it again") from None


def _tree(data: Mapping[str, Any]) -> Tree:
    if "axis" in data:
        return Split(data["axis"], data["below"], data["above"], _tree(data["low"]), _tree(data["high"]))
    places = tuple((float(level), int(size)) for level, size in data["places"])
    return Leaf(data["model"], places, (data["r2"][0], data["r2"][1]))


def _tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
