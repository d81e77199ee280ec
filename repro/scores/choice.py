"""Settings that are chosen, run by run: on the validation stars as one may, or on the test stars as the papers did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from repro.scores import settings
from repro.scores.arms import ArmScores, Cell, Rows, place

# what may enter the leaderboard; residuals of Ridge on its own training spectra are the control of those out of fold
_LINEAR: Final = ("alpha", "alpha_standardised", "ols", "pca", "pls")
CANDIDATES: Final = (*_LINEAR, "trees", "networks", "cnn", "template", "roster")
CONTROLS: Final = (("networks", "ridge=in_sample"),)

FIXED: Final = ("trees_fixed",)  # settings of these are never chosen between but for the tuned parts
TUNED: Final = ("alpha", "k", "rate", "leaves", "kernel", "steps")  # parts of settings; all others are the experiment's

Spot = tuple[float, int]  # noise level, training spectra


@dataclass(frozen=True)
class Choice:
    """One setting out of several, for each run.

    Attributes:
        experiment, model: of all of them.
        controls: the parts of their settings that are not tuned, where they have them in common; else "".
        place: noise level and number of training spectra.
        offered: arms to choose from.
        rows: the arm chosen in each run on the validation stars.
        by_test: the same on the test stars.
    """

    experiment: str
    model: str
    controls: str
    place: Spot
    offered: Rows
    rows: Rows
    by_test: Rows

    def address(self, how: str = "best") -> str:
        """`<experiment>/<model>[/<controls>]/best/noise<L>/n<N>`, or `test_chosen` instead of `best`."""
        name = f"{self.experiment}/{self.model}" + (f"/{self.controls}" if self.controls else "")
        return f"{name}/{how}/{place(*self.place)}"


def chosen(scores: ArmScores, offered: Rows, *, by_test: bool = False) -> Rows:
    """Of arms with several settings, the best one of each seed: by validation R2, or by R2 of the test stars."""
    merit = scores.r2[:, 0] if by_test else scores.table.validation_r2
    merit = np.where(np.isfinite(merit), merit, -np.inf)
    seeds = scores.table.seeds
    best = [max(offered[seeds[offered] == seed], key=lambda row: merit[row]) for seed in np.unique(seeds[offered])]
    return np.array(best, dtype=np.intp)


def choices(scores: ArmScores) -> Iterator[Choice]:
    """Every choice that the table offers: given the parts of a setting that are not tuned, and over these too.

    Made in the runs that were offered every setting.
    """
    groups: dict[tuple[str, str, str, Spot], list[int]] = {}
    for row in range(len(scores.table.experiments)):
        cell = scores.cell(row)
        if cell.train_noise != cell.test_noise or not settings.only(cell.setting, TUNED):
            continue
        controls = settings.without(cell.setting, TUNED)
        for given in dict.fromkeys((controls,) if cell.experiment in FIXED else ("", controls)):
            key = (cell.experiment, cell.model, given, (cell.train_noise, cell.n_train))
            groups.setdefault(key, []).append(row)
    for key, rows in groups.items():
        offered = _whole_runs(scores, rows)
        yield Choice(*key, offered, chosen(scores, offered), chosen(scores, offered, by_test=True))


def candidates(scores: ArmScores) -> dict[tuple[str, float, int], Rows]:
    """Arms of the leaderboard, one a run, by (model, noise level, training spectra).

    The setting of each run is the one with the highest validation R2 over all experiments that the model takes part in,
    among the settings that every run was offered: a grid that one run alone searched makes no leaderboard. A model that
    weights the pixels with each star's error array is one of its own, `<model>_error`: it is shown more.
    """
    groups: dict[tuple[str, float, int], list[int]] = {}
    for row, experiment in enumerate(scores.table.experiments):
        cell = scores.cell(row)
        if experiment in CANDIDATES and cell.train_noise == cell.test_noise and not _control(cell):
            groups.setdefault((name(cell), cell.train_noise, cell.n_train), []).append(row)
    return {key: chosen(scores, _common_settings(scores, rows)) for key, rows in groups.items()}


def name(cell: Cell) -> str:
    """What the leaderboard calls the model of a cell."""
    return f"{cell.model}_error" if settings.part(cell.setting, "weights") == "error" else cell.model


def shown(cell: Cell) -> str:
    """The setting of a cell with what its experiment is: penalties have other units for standardised flux."""
    if cell.experiment == "alpha_standardised":
        return f"{cell.setting}+input=standardised"
    return cell.setting


def uses_error(model: str) -> bool:
    """Whether a model of the leaderboard is shown the error array."""
    return model.endswith("_error")


def _whole_runs(scores: ArmScores, rows: Sequence[int]) -> Rows:
    """Arms of the runs that have every setting; of the runs with most of them, should none have all."""
    offered: dict[int, set[tuple[str, str]]] = {}
    for row in rows:
        offered.setdefault(int(scores.table.seeds[row]), set()).add(_setting(scores, row))
    most = max(map(len, offered.values()))
    return np.array([row for row in rows if len(offered[int(scores.table.seeds[row])]) == most], dtype=np.intp)


def _common_settings(scores: ArmScores, rows: Sequence[int]) -> Rows:
    """Arms with the settings that every run has; all arms should there be none."""
    offered: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        offered.setdefault(_setting(scores, row), set()).add(int(scores.table.seeds[row]))
    seeds = {int(scores.table.seeds[row]) for row in rows}
    common = [row for row in rows if offered[_setting(scores, row)] == seeds]
    return np.array(common or rows, dtype=np.intp)


def _setting(scores: ArmScores, row: int) -> tuple[str, str]:
    return scores.table.experiments[row], scores.table.settings[row]


def _control(cell: Cell) -> bool:
    return (cell.experiment, cell.setting) in CONTROLS
