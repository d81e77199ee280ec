"""R2 and errors of every arm of the matrix of experiments on all resamples of the test stars, and of cells of arms.

A cell is one fit repeated with other seeds. All numbers rest on the same stars, the same noise and the same resamples,
so that any difference of two is paired. Needs numpy and scipy alone.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from repro.errors import ParameterError
from repro.experiments.table import ArmTable
from repro.scores.bootstrap import SIZE, counts
from repro.scores.interval import Measured

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Metric = Literal["r2", "rmse", "mae"]

_CLOSED: Final = ("ols", "ridge", "pca_ridge", "pls")  # nothing in these is random but the noise they learn from
_RANDOM: Final = ("random", "shuffled", "permuted", "smoothed")  # nor in their settings but for these
_BLOCK: Final = 50_000_000  # bytes of squared errors held at a time


class Cell(NamedTuple):
    """One fit of the matrix, whatever its seed; fields as of `Arm`."""

    experiment: str
    model: str
    setting: str
    train_noise: float
    test_noise: float
    n_train: int

    @property
    def address(self) -> str:
        """Of its evidence: `<experiment>/<model>[/<setting>]/noise<L>[/test<T> where T != L]/n<N>`."""
        name = f"{self.experiment}/{self.model}" + (f"/{self.setting}" if self.setting else "")
        return f"{name}/{place(self.train_noise, self.n_train, self.test_noise)}"


def place(level: float, n: int | str, test: float | None = None) -> str:
    """The part of an address that says where in the matrix: `noise1/n8000`, `noise0/test1/n8000`."""
    shown = "" if test is None or test == level else f"/test{test:g}"
    return f"noise{level:g}{shown}/n{n}"


@dataclass(frozen=True)
class ArmScores:
    """Scores of all A arms of a table."""

    table: ArmTable

    @cached_property
    def r2(self) -> Array:
        """(A, 1 + B): on all test stars, then on each resample."""
        scores: Array = 1.0 - self._errors[0] / self._variance
        return scores

    @cached_property
    def rmse(self) -> Array:
        """(A, 1 + B) [dex]."""
        scores: Array = np.sqrt(self._errors[0])
        return scores

    @cached_property
    def mae(self) -> Array:
        """(A, 1 + B) [dex]."""
        return self._errors[1]

    def cells(self, **wanted: object) -> list[Cell]:
        """Cells whose arms have every wanted value (see `ArmTable.rows`), in order."""
        return list(dict.fromkeys(self.cell(row) for row in self.table.rows(**wanted)))

    def cell(self, row: int) -> Cell:
        """The cell of an arm."""
        t = self.table
        text = (t.experiments[row], t.models[row], t.settings[row])
        return Cell(*text, float(t.train_noise[row]), float(t.test_noise[row]), int(t.n_train[row]))

    def rows(self, cell: Cell) -> Rows:
        """Arms of a cell, one a seed. Raises ParameterError where there is none, or two of one seed."""
        rows = self._places.get(cell)
        if rows is None:
            raise ParameterError(f"arms: nothing was run at {cell.address}")
        if len(set(self.table.seeds[rows].tolist())) < len(rows):
            raise ParameterError(
                f"arms: {cell.address} has two arms of one seed; its experiment gives one setting twice"
            )
        return rows

    def has(self, cell: Cell) -> bool:
        """Whether it was run."""
        return cell in self._places

    def seeded(self, rows: Rows) -> bool:
        """Whether arms of other seeds differ, or would: not without training, nor in closed form without noise."""
        t = self.table
        closed = all(
            t.n_train[row] == 0
            or (t.models[row] in _CLOSED and t.train_noise[row] == 0 and not any(w in t.settings[row] for w in _RANDOM))
            for row in rows
        )
        return not closed or any(not np.array_equal(t.predictions[row], t.predictions[rows[0]]) for row in rows)

    def measured(self, of: Cell | Rows, metric: Metric = "r2") -> Measured:
        """A score of a cell, or of arms of other seeds each."""
        rows = self.rows(of) if isinstance(of, Cell) else of
        return over_runs(getattr(self, metric)[rows], self.seeded(rows))

    def difference(self, first: Cell | Rows, second: Cell | Rows) -> Measured:
        """R2 of the first minus that of the second, paired as in `combined`."""
        return self.combined(np.subtract, first, second)

    def combined(self, function: Callable[..., Array], *of: Cell | Rows) -> Measured:
        """A number made of the R2 of several cells, paired over stars, and over the seeds that all of them have.

        An arm that no seed enters is paired with every run of the others.

        Args:
            function: of the R2 of each, (R, 1 + B), to the number (R, 1 + B).
            of: cells, or arms of other seeds each.

        Raises:
            ParameterError: they have no seed in common.
        """
        aligned, seeded = self.aligned(*of)
        return over_runs(function(*(self.r2[rows] for rows in aligned)), seeded)

    def aligned(self, *of: Cell | Rows) -> tuple[list[list[int]], bool]:
        """Arms (R,) of each that are paired with each other, see `combined`, and whether seeds enter any of them."""
        groups = [self.rows(one) if isinstance(one, Cell) else one for one in of]
        seeded = [self.seeded(rows) for rows in groups]
        runs = [dict(zip(self.table.seeds[rows].tolist(), rows.tolist(), strict=True)) for rows in groups]
        of_seeded = [own for own, free in zip(runs, seeded, strict=True) if free]
        common = sorted(set.intersection(*map(set, of_seeded))) if of_seeded else [0]
        if not common:
            cells = " and ".join(self.cell(rows[0]).address for rows in groups)
            raise ParameterError(f"arms: {cells} have no seed in common, so that they are not paired")
        aligned = [
            [own[seed] for seed in common] if free else [int(rows[0])] * len(common)
            for own, rows, free in zip(runs, groups, seeded, strict=True)
        ]
        return aligned, bool(of_seeded)

    def facts(self, of: Cell | Rows) -> dict[str, tuple[float, ...]]:
        """Name -> what the fit of each run found, of names that every run has."""
        rows = self.rows(of) if isinstance(of, Cell) else of
        found = [json.loads(self.table.facts[row]) for row in rows]
        return {name: tuple(float(f[name]) for f in found) for name in found[0] if all(name in f for f in found)}

    @cached_property
    def _places(self) -> dict[Cell, Rows]:
        found: dict[Cell, list[int]] = {}
        for row in range(len(self.table.experiments)):
            found.setdefault(self.cell(row), []).append(row)
        return {cell: np.array(rows, dtype=np.intp) for cell, rows in found.items()}

    @cached_property
    def draws(self) -> Array:
        """How often each star counts, (1 + B, n), see `bootstrap.counts`."""
        return counts(len(self.table.truth))

    @cached_property
    def _variance(self) -> Array:
        """Of the truth of the drawn stars, (1 + B,)."""
        centred = self.table.truth - self.table.truth.mean()
        n = len(centred)
        variance: Array = self.draws @ centred**2 / n - (self.draws @ centred / n) ** 2
        return np.where(variance > 0, variance, np.nan)

    @cached_property
    def _errors(self) -> tuple[Array, Array]:
        """Mean squared and mean absolute error (A, 1 + B)."""
        predictions, n = self.table.predictions, len(self.table.truth)
        squared, absolute = (np.empty((len(predictions), 1 + SIZE)) for _ in range(2))
        step = max(_BLOCK // (8 * n), 1)
        for first in range(0, len(predictions), step):
            rows = slice(first, first + step)
            error = predictions[rows] - self.table.truth
            squared[rows] = error**2 @ self.draws.T / n
            absolute[rows] = np.abs(error) @ self.draws.T / n
        return squared, absolute


def over_runs(samples: Array, seeded: bool) -> Measured:
    """The mean of (R, 1 + B) over runs; runs that seeds do not enter are one run."""
    if not seeded:
        samples = samples[:1]
    return Measured(tuple(map(float, samples[:, 0])), samples.mean(axis=0), seeded)


def grouped(cells: Iterable[Cell], key: Callable[[Cell], str]) -> dict[str, list[Cell]]:
    """Cells by a key, in order."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(key(cell), []).append(cell)
    return found
