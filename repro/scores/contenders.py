"""Who is compared in Track A: its own networks, and the tuned models of the matrix at noise level 1 on the same stars.

The baselines were trained by the matrix of experiments; their arms are carried in one table, `baselines.h5`, with the
setting of each run chosen by validation, so that nothing is trained twice and the evidence stands on one folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from repro.errors import DataError
from repro.experiments.table import ArmTable, joined, picked
from repro.scores.arms import ArmScores, Cell, Rows
from repro.scores.choice import candidates
from repro.scores.headroom import prediction_table
from repro.scores.predictions import PredictionTable

LEVEL: Final = 1.0  # noise of training and test that the headline stands at
BASELINES: Final = ("lightgbm", "mlp", "cnn", "ridge", "template")
MAIN: Final = "main"  # experiments of the headline model and of its fast recipe
FAST: Final = "fast"
BASELINE: Final = "baseline"  # "experiment" of a carried arm


def baseline_arms(arms: ArmTable) -> ArmTable:
    """The tuned arms of `BASELINES` at `LEVEL` of the matrix, all sizes and runs, as one experiment `baseline`.

    Raises:
        DataError: the matrix has none of them.
    """
    tuned = candidates(ArmScores(arms))
    rows = [row for (model, level, _), own in tuned.items() if model in BASELINES and level == LEVEL for row in own]
    if not rows:
        raise DataError(
            f"baselines: the matrix has none of {', '.join(BASELINES)} at noise {LEVEL:g}; run trackF first"
        )
    chosen = picked(arms, np.array(sorted(rows), dtype=np.intp))
    return replace(chosen, experiments=(BASELINE,) * len(rows))


@dataclass(frozen=True)
class Contenders:
    """Models by size, on the same stars: the arms (one a run) of each."""

    own: ArmTable
    baselines: ArmTable

    @cached_property
    def scores(self) -> ArmScores:
        """Of all arms of both tables."""
        return ArmScores(joined((self.own, self.baselines)))

    @cached_property
    def main(self) -> Cell:
        """The headline: experiment `main` at its largest size. Raises DataError where it was not run."""
        return self._largest(MAIN)

    @property
    def name(self) -> str:
        """Of the headline's model: `vit`, or its stand-in `vit_small`."""
        return self.main.model

    @cached_property
    def fast(self) -> Cell | None:
        """Experiment `fast` at its largest size."""
        return self._largest(FAST) if self._sizes(FAST) else None

    @cached_property
    def by_size(self) -> Mapping[str, Mapping[int, Rows]]:
        """Model -> training spectra -> arms, sizes rising: the main model, then the baselines; 0 learns from none."""
        found = {self.name: self._sizes(MAIN)}
        table = self.scores.table
        for model in BASELINES:
            rows = table.rows(experiment=BASELINE, model=model)
            sizes = np.unique(table.n_train[rows])
            if len(rows):
                found[model] = {int(n): rows[table.n_train[rows] == n] for n in sizes}
        return found

    @cached_property
    def headline(self) -> Mapping[str, Rows]:
        """Model -> arms at its largest size, the fast recipe among them."""
        found = {model: sizes[max(sizes)] for model, sizes in self.by_size.items()}
        return found if self.fast is None else found | {self.fast.model: self.scores.rows(self.fast)}

    def common(self, first: str, second: str) -> list[int]:
        """Sizes that both models have, rising; a model that learns from no spectra stands at all of the other's."""
        one, other = self.by_size[first], self.by_size[second]
        return sorted(n for n in one if n in other or 0 in other)

    def at(self, model: str, n: int) -> Rows:
        """Arms of a model at a size."""
        sizes = self.by_size[model]
        return sizes[n] if n in sizes else sizes[0]

    def predictions(self) -> PredictionTable:
        """What each model at its largest size says of the test stars, all runs."""
        return prediction_table(self.scores, self.headline)

    def _sizes(self, experiment: str) -> dict[int, Rows]:
        """Of an experiment of one model trained and tested at `LEVEL` without settings."""
        cells = [
            cell
            for cell in self.scores.cells(experiment=experiment, setting="")
            if cell.train_noise == cell.test_noise == LEVEL
        ]
        return {cell.n_train: self.scores.rows(cell) for cell in sorted(cells, key=lambda cell: cell.n_train)}

    def _largest(self, experiment: str) -> Cell:
        sizes = self._sizes(experiment)
        if not sizes:
            raise DataError(
                f"results/trackA: experiment '{experiment}' has no arm at noise {LEVEL:g}; run trackA-train"
            )
        return self.scores.cell(int(sizes[max(sizes)][0]))
