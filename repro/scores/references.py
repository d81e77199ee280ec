"""What cells and choices of the matrix are measured against, paired: the references of `gain_over_<reference>`.

At the same noise level and number of training spectra unless said, and as far as they were run:

full         topk: all pixels, tuned, the same model
matched      topk_clean: Ridge on all pixels, tuned, trained at the noise of the test
             cross_noise: the same choice, trained at the noise of the test
ridge        pca, pca_fixed, pls, alpha_standardised, trees_fixed, networks, cnn: Ridge on all pixels, tuned
             topk of another model: Ridge on as many pixels of its own; error_only of one: Ridge on the error array
best         alpha, alpha_standardised, pca, trees, cnn (with average pooling): the setting chosen by validation
pca          pls: PCA with as many components and a tuned penalty; pca_fixed: the same with the published penalty
direct       networks, Ridge + MLP: the MLP alone
out_of_fold  networks: Ridge + MLP on residuals of spectra that Ridge did not learn from
stopped      trees_fixed: the same boosters, stopped early
error        error_only, chosen penalty: the error array as it is
all          topk_clean: all pixels in the same experiment
largest      validation_size: the largest validation set
steps        cnn: the fewest updates
raw, uncut, average, random and those that are named after a part, such as `rate=0.05`: the same but for that part
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from repro.scores import settings
from repro.scores.arms import ArmScores, Cell, Rows
from repro.scores.choice import Choice, candidates, choices

# experiment -> name of a reference -> the parts in which it differs from the cell
_SWAPPED: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    "scaler": {"raw": {"input": "raw", "validation": "transformed"}},
    "ols_cut": {"uncut": {"cut": "0"}},
    "error_only": {"uncut": {"cut": "0"}},
    "cnn": {"average": {"pool": "average"}, "kernel=9": {"kernel": "9"}, "rate=0.003": {"rate": "0.003"}},
    "topk": {"random": {"selector": "random"}, "k=200": {"k": "200"}},
    "pca": {"k=50": {"k": "50"}},
    "trees": {"rate=0.05": {"rate": "0.05"}, "leaves=31": {"leaves": "31"}},
    "trees_fixed": {"rate=0.05": {"rate": "0.05"}, "leaves=31": {"leaves": "31"}},
    "validation_size": {"validation=128": {"validation": "128"}},
    "networks": {"out_of_fold": {"ridge": "out_of_fold"}},
}
# experiment -> name of a reference -> a numeric part, and which of its values the reference has
_EXTREME: Final[Mapping[str, Mapping[str, tuple[str, Callable[[Iterable[float]], float]]]]] = {
    "topk_clean": {"all": ("k", max)},
    "validation_size": {"largest": ("validation", max)},
    "cnn": {"steps": ("steps", min)},
}
_TUNED_RIDGE: Final = ("pca", "pca_fixed", "pls", "alpha_standardised", "trees_fixed", "networks", "cnn")
_BEST: Final = {
    "alpha": "",
    "alpha_standardised": "",
    "pca": "",
    "trees": "",
    "cnn": "pool=average",
}  # given these parts


class References:
    """The references of a table."""

    def __init__(self, scores: ArmScores) -> None:
        self._scores = scores
        self._tuned = candidates(scores)
        self.choices = {(c.experiment, c.model, c.controls, c.place): c for c in choices(scores)}

    def of_cell(self, cell: Cell) -> dict[str, Rows]:
        """Name -> arms that a cell is measured against."""
        found = {name: self._rows(other) for name, other in self._cells(cell).items() if other != cell}
        found["ridge"] = self._ridge(cell)
        found["best"] = self._best(cell)
        if cell.experiment == "topk":
            found["full"] = self._tuned.get((cell.model, cell.train_noise, cell.n_train))
        elif cell.experiment == "topk_clean":
            found["matched"] = self._tuned.get(("ridge", cell.test_noise, cell.n_train))
        return {name: rows for name, rows in found.items() if rows is not None}

    def of_choice(self, choice: Choice) -> dict[str, Rows]:
        """Name -> arms that a chosen setting is measured against."""
        found: dict[str, Rows | None] = {}
        if choice.experiment == "error_only" and choice.controls not in ("", "input=error"):
            found["error"] = self._chosen(choice.experiment, choice.model, "input=error", choice.place)
        if choice.experiment in _TUNED_RIDGE:
            found["ridge"] = self._tuned.get(("ridge", *choice.place))
        if choice.experiment == "topk":
            found["full"] = self._tuned.get((choice.model, *choice.place))
        return {name: rows for name, rows in found.items() if rows is not None}

    def _cells(self, cell: Cell) -> dict[str, Cell]:
        own = settings.parts(cell.setting)
        found = {
            name: cell._replace(setting=settings.joined({part: swap.get(part, value) for part, value in own.items()}))
            for name, swap in _SWAPPED.get(cell.experiment, {}).items()
        }
        for name, (part, pick) in _EXTREME.get(cell.experiment, {}).items():
            extreme = self._extreme(cell, part, pick)
            if extreme:
                found[name] = extreme
        if cell.experiment == "cross_noise":
            found["matched"] = cell._replace(train_noise=cell.test_noise)
        elif cell.experiment == "trees_fixed":
            stopped = settings.without(cell.setting, ("trees",))
            found["stopped"] = cell._replace(experiment="trees", setting=stopped)
        elif cell.experiment == "networks":
            found["direct"] = cell._replace(model="mlp", setting="")
        elif cell.experiment == "pls":
            found["pca"] = cell._replace(experiment="pca", model="pca_ridge")
            found["pca_fixed"] = cell._replace(experiment="pca_fixed", model="pca_ridge")
        return found

    def _extreme(self, cell: Cell, part: str, pick: Callable[[Iterable[float]], float]) -> Cell | None:
        """The cell that differs in one numeric part alone, whose value is the largest or smallest."""
        alike: dict[str, Any] = {name: value for name, value in cell._asdict().items() if name != "setting"}
        rest = settings.without(cell.setting, (part,))
        others = {
            settings.number(other.setting, part): other
            for other in self._scores.cells(**alike)
            if settings.without(other.setting, (part,)) == rest
        }
        numbers = [value for value in others if not math.isnan(value)]
        return others[pick(numbers)] if numbers else None

    def _ridge(self, cell: Cell) -> Rows | None:
        if cell.experiment in _TUNED_RIDGE and cell.experiment != "alpha_standardised":  # of its choices alone
            return self._tuned.get(("ridge", cell.train_noise, cell.n_train))
        if cell.experiment == "topk" and cell.model != "ridge":
            own = settings.joined(settings.parts(cell.setting) | {"selector": "1"})
            return self._rows(cell._replace(model="ridge", setting=own))
        if cell.experiment == "error_only" and cell.model != "ridge":
            return self._chosen("error_only", "ridge", "input=error", (cell.train_noise, cell.n_train))
        return None

    def _best(self, cell: Cell) -> Rows | None:
        if cell.experiment not in _BEST:
            return None
        given = _BEST[cell.experiment]
        return self._chosen(cell.experiment, cell.model, given, (cell.train_noise, cell.n_train))

    def _chosen(self, experiment: str, model: str, controls: str, place: tuple[float, int]) -> Rows | None:
        choice = self.choices.get((experiment, model, controls, place))
        return choice.rows if choice else None

    def _rows(self, cell: Cell) -> Rows | None:
        return self._scores.rows(cell) if self._scores.has(cell) else None
