"""Arms of experiments: one fit and its predictions each, and the table of many of them.

Needs numpy alone (and h5py to read a file), so that stored evidence is judged without torch or LightGBM.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from repro.bounds.table import check_shapes, read_table, write_table
from repro.errors import DataError, ParameterError
from repro.labels import LABELS

if TYPE_CHECKING:
    from repro.spectra.presentation import ObservedStars

Array = NDArray[np.float64]

_TEXT: Final = ("experiments", "models", "settings", "facts")  # columns of arms
_NUMBERS: Final = ("train_noise", "test_noise", "n_train", "seeds", "validation_r2", "predictions")


class Stored(Protocol):
    """A fitted model that a file can hold."""

    @property
    def suffix(self) -> str:
        """Of its file."""
        ...

    def save(self, path: Path) -> None:
        """Write it."""
        ...


@dataclass(frozen=True)
class Arm:
    """One fit of one model, and what it says of log g of the test stars.

    Attributes:
        experiment: the question that it belongs to, such as `alpha`.
        model: the estimator, such as `ridge`.
        setting: what the experiment varies, as `name=value` joined by `+`; "" where nothing is varied.
        train_noise, test_noise: published noise levels, which the parameter `noise` multiplies.
        n_train: number of training spectra; 0 for a model that learns from none.
        seed: run number from 0; a run has training noise, initial weights and draws of its own.
        prediction: (n,) log g [dex] of the test stars.
        validation_r2: R2 on the validation stars, by which settings are chosen; nan without.
        facts: what the fit found, such as `trees` or `parameters`.
        kept: the model, where it is one that the leaderboard stands on and that others may want to use.
    """

    experiment: str
    model: str
    setting: str
    train_noise: float
    test_noise: float
    n_train: int
    seed: int
    prediction: NDArray[np.floating[Any]]
    validation_r2: float = float("nan")
    facts: Mapping[str, float] = field(default_factory=dict)
    kept: Stored | None = None

    @property
    def name(self) -> str:
        """What tells the model from others of a place, as the name of a file."""
        return "_".join(filter(None, (self.experiment, self.model, self.setting)))


@dataclass(frozen=True)
class ArmTable:
    """A arms on the same n test stars under the same noise draw."""

    experiments: tuple[str, ...]  # of each arm, as are the next four
    models: tuple[str, ...]
    settings: tuple[str, ...]
    facts: tuple[str, ...]  # JSON
    train_noise: Array  # (A,)
    test_noise: Array  # (A,)
    n_train: NDArray[np.int64]  # (A,)
    seeds: NDArray[np.int64]  # (A,)
    validation_r2: Array  # (A,)
    predictions: NDArray[np.float32]  # (A, n) [dex]
    stars: NDArray[np.intp]  # (n,) rows of the test set
    labels: Array  # (n, 5)
    mag: Array  # (n,) HSC-i, AB
    snr: Array  # (n,) median over the pixels of noise-free flux / error at noise level 1
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def truth(self) -> Array:
        """log g [dex] of the stars, (n,)."""
        values: Array = self.labels[:, LABELS.index("log_g")]
        return values

    def rows(self, **wanted: object) -> NDArray[np.intp]:
        """Arms of which every named field of `Arm` has the wanted value, in order."""
        columns = {
            "experiment": self.experiments,
            "model": self.models,
            "setting": self.settings,
            "train_noise": self.train_noise,
            "test_noise": self.test_noise,
            "n_train": self.n_train,
            "seed": self.seeds,
        }
        chosen = np.ones(len(self.experiments), dtype=bool)
        for name, value in wanted.items():
            if name not in columns:
                raise ParameterError(f"arms: there is no column '{name}'; columns: {', '.join(columns)}")
            chosen &= np.asarray(columns[name], dtype=object) == value
        return np.flatnonzero(chosen)

    def fact(self, row: int, name: str) -> float:
        """What the fit of one arm found; nan where it says nothing of that name."""
        return float(json.loads(self.facts[row]).get(name, float("nan")))

    def write(self, path: str | Path) -> None:
        """Write atomically; the same table gives the same bytes. Raises DataError on a full disk."""
        write_table(self, path)

    @classmethod
    def read(cls, path: str | Path) -> ArmTable:
        """Read a table and check that it is whole. Raises DataError as `CeilingTable.read`."""
        table = read_table(cls, path)
        arms, n = len(table.experiments), len(table.stars)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
            ("train_noise", "test_noise", "n_train", "seeds", "validation_r2"), (arms,)
        )
        shapes |= {"predictions": (arms, n), "labels": (n, len(LABELS)), "mag": (n,), "snr": (n,)}
        check_shapes(table, shapes, path)
        return table


def arm_table(arms: Sequence[Arm], stars: ObservedStars, conditions: Mapping[str, Any] | None = None) -> ArmTable:
    """The table of some arms.

    Args:
        arms: at least one.
        stars: the test stars at noise level 1, whose presentation all arms predict from.
        conditions: what else belongs to the table.
    """
    return ArmTable(
        experiments=tuple(arm.experiment for arm in arms),
        models=tuple(arm.model for arm in arms),
        settings=tuple(arm.setting for arm in arms),
        facts=tuple(json.dumps(dict(arm.facts), sort_keys=True) for arm in arms),
        train_noise=np.array([arm.train_noise for arm in arms], dtype=np.float64),
        test_noise=np.array([arm.test_noise for arm in arms], dtype=np.float64),
        n_train=np.array([arm.n_train for arm in arms], dtype=np.int64),
        seeds=np.array([arm.seed for arm in arms], dtype=np.int64),
        validation_r2=np.array([arm.validation_r2 for arm in arms], dtype=np.float64),
        predictions=np.array([arm.prediction for arm in arms], dtype=np.float32),
        stars=stars.rows,
        labels=stars.labels,
        mag=stars.table["mag"].astype(np.float64),
        snr=stars.snr,
        conditions={"noise": stars.noise, "seed": stars.seed, **(conditions or {})},
    )


def picked(table: ArmTable, rows: NDArray[np.intp]) -> ArmTable:
    """Some arms of a table."""
    columns: dict[str, Any] = {name: tuple(getattr(table, name)[row] for row in rows) for name in _TEXT}
    columns |= {name: getattr(table, name)[rows] for name in _NUMBERS}
    return replace(table, **columns)


def joined(tables: Iterable[ArmTable]) -> ArmTable:
    """All arms of several tables (at least one) of the same stars; conditions that differ are left out.

    Raises:
        DataError: the tables belong to other test stars, or show them under other noise.
    """
    first, *others = tables
    for other in others:
        if not (np.array_equal(other.stars, first.stars) and np.array_equal(other.labels, first.labels)):
            raise DataError("arms: two tables belong to different test stars; run their stages again")
        for name in ("noise", "seed"):
            if other.conditions.get(name) != first.conditions.get(name):
                raise DataError(
                    f"arms: two tables show the test stars under different noise: {name} = "
                    f"{first.conditions.get(name)} and {other.conditions.get(name)}; run their stages again"
                )
    every = [first, *others]
    common = dict(first.conditions)
    for other in others:
        common = {name: value for name, value in common.items() if other.conditions.get(name) == value}
    merged: dict[str, Any] = {name: tuple(v for table in every for v in getattr(table, name)) for name in _TEXT}
    merged |= {name: np.concatenate([getattr(table, name) for table in every]) for name in _NUMBERS}
    return ArmTable(**merged, stars=first.stars, labels=first.labels, mag=first.mag, snr=first.snr, conditions=common)
