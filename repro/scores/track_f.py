"""Everything that the matrix of experiments measured: its tables, read together, and what they give.

Needs numpy and scipy alone (and h5py to read files), so that stored evidence can be judged without torch or pandas.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from repro.bounds.posterior.table import PosteriorTable
from repro.experiments.table import ArmTable, joined
from repro.scores.arms import ArmScores
from repro.scores.board import Leaderboard
from repro.scores.bootstrap import Scored, Undefined
from repro.scores.choice import CANDIDATES, candidates
from repro.scores.headroom import Headroom
from repro.scores.leaderboard import leaderboard, leaderboard_items
from repro.scores.references import References
from repro.scores.scaling import scaling_items
from repro.scores.sensitivity import Item, cell_items, choice_items, range_items

Family = tuple[Mapping[str, Any], Mapping[str, float | Scored], Mapping[str, str]]

ARMS: Final = ("linear.h5", "trees.h5", "networks.h5", "roster.h5")  # families of models, in a folder
CEILINGS: Final = ("posterior.h5",)  # of Track C, in its folder

_COMPARED: Final = ("leaderboard", "ceiling", "headroom")


@dataclass(frozen=True)
class Tables:
    """The arms of all families, and the exact Bayes optimum on the same test stars."""

    arms: ArmTable
    posterior: PosteriorTable

    @classmethod
    def read(cls, arms: Path, ceilings: Path) -> "Tables":
        """Read `ARMS` of one folder and `CEILINGS` of another.

        Raises:
            DataError: a file is absent or broken, or two belong to different test stars.
        """
        return cls(read_arms(arms), PosteriorTable.read(ceilings / CEILINGS[0]))

    @cached_property
    def scores(self) -> ArmScores:
        return ArmScores(self.arms)

    @cached_property
    def headroom(self) -> Headroom:
        return Headroom(self.scores, self.posterior)

    def leaderboard(self, conditions: Mapping[str, Any]) -> Leaderboard:
        """What `repro leaderboard` shows, under conditions that hold for all of it."""
        facts = {"n_test": len(self.arms.stars), **conditions}
        return leaderboard(self.scores, facts, self.headroom.optimum())


def read_arms(folder: Path) -> ArmTable:
    """The arms of all families, `ARMS` of a folder. Raises DataError as `Tables.read`."""
    return joined(ArmTable.read(folder / name) for name in ARMS)


def families(tables: Tables) -> Iterator[Family]:
    """Values that share conditions: how these differ from those of the file, the values, and why some have none."""
    yield from by_conditions(items(tables))


def items(tables: Tables) -> Iterator[Item]:
    """All values, each with its conditions."""
    known = References(tables.scores)
    yield from cell_items(tables.scores, known)
    yield from choice_items(tables.scores, known)
    yield from range_items(tables.scores, known)
    yield from leaderboard_items(tables.scores)
    yield from scaling_items(tables.scores, candidates(tables.scores))
    yield from tables.headroom.items()


def compared(address: str) -> bool:
    """Whether a claim may compare the value of an address with others, so that its resamples are kept.

    Of all others there are paired differences (`gain_over_...`, `r2_gain`).
    """
    first, *_, last = address.split("/")
    chosen = "/best/" in address and first in (*CANDIDATES, "error_only")
    return last == "r2" and (first in _COMPARED or chosen)


def by_conditions(found: Iterable[Item]) -> Iterator[Family]:
    """Values gathered by their conditions, in the order in which these come first."""
    groups: dict[tuple[tuple[str, Any], ...], tuple[dict[str, float | Scored], dict[str, str]]] = {}
    for address, value, where in found:
        values, reasons = groups.setdefault(tuple(where.items()), ({}, {}))
        if isinstance(value, Undefined):
            values[address], reasons[address] = math.nan, value.reason
        else:
            values[address] = value
    for key, (values, reasons) in groups.items():
        yield dict(key), values, reasons
