"""Every cell of Track A's trainings, and what each choice gains over the one that was published, paired.

Evidence addresses; <place> is `noise<L>[/test<T> where T != L]/n<N>`:

<experiment>/<model>[/<setting>]/<place>/r2, rmse, mae     every cell [dex]
<the same>/<fact>                                          parameters, parameters_used, epochs, epochs_run, steps, ...
<the same>/gain_over_main                                  R2 minus that of the main model with as many spectra:
                                                           swin, cnn_matched after as many epochs; fast as they are
<the same>/gain_over_matched                               cross_noise: minus the R2 of the same network trained at the
                                                           noise of the test
<experiment>/<model>/<a>-<b>/<place>/r2_gain               R2 of setting a minus that of b: b the published choice of
                                                           the experiment (see `PUBLISHED`), or a without its last part,
                                                           as `tokenizer=sw+init=conv-tokenizer=sw`
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from repro.scores import settings
from repro.scores.arms import ArmScores, Cell, Metric, place
from repro.scores.bootstrap import Scored, Undefined
from repro.scores.contenders import BASELINE, FAST, MAIN
from repro.scores.headline import runs_of
from repro.scores.sensitivity import Item, conditions

# experiment -> the setting that was published
PUBLISHED: Final = {
    "tokenizer": "tokenizer=c1d",
    "positions": "positions=learned",
    "pooling": "pooling=cls",
    "loss": "loss=mse",
    "labels": "labels=zscore",
    "shape": "patch=16+width=256+depth=6",
    "weights": "weights=none",
    "kept": "kept=best",
    "noise": "noise=fresh",
    "decay": "decay=0.01",
    "lattice": "law=paper",
}
AGAINST_MAIN: Final = (FAST, "swin", "cnn_matched")
CROSS: Final = "cross_noise"
FACTS: Final = (
    "parameters",
    "parameters_used",
    "epochs",
    "epochs_run",
    "steps",
    "presentations",
    "best_validation_mae",
    "last_validation_r2",
    "label_mean",
    "label_std",
)
_METRICS: Final[tuple[Metric, ...]] = ("r2", "rmse", "mae")


class Ablation(NamedTuple):
    """A cell and the one that it is compared with."""

    cell: Cell
    reference: Cell

    @property
    def address(self) -> str:
        """Of the gain."""
        cell, other = self
        pair = f"{cell.setting}-{other.setting}"
        return f"{cell.experiment}/{cell.model}/{pair}/{place(cell.train_noise, cell.n_train, cell.test_noise)}/r2_gain"


def ablations(scores: ArmScores) -> list[Ablation]:
    """Every setting against the published one of its experiment, and against itself without its last part."""
    found = []
    for cell in scores.cells():
        if cell.experiment not in PUBLISHED:
            continue
        *rest, _ = (*settings.parts(cell.setting).items(),) or (("", ""),)
        names = dict.fromkeys((PUBLISHED[cell.experiment], settings.joined(dict(rest))))
        others = [cell._replace(setting=name) for name in names if name and name != cell.setting]
        found += [Ablation(cell, other) for other in others if scores.has(other)]
    return found


def own_cells(scores: ArmScores) -> list[Cell]:
    """Cells of Track A's own trainings."""
    return [cell for cell in scores.cells() if cell.experiment != BASELINE]


def main_model(scores: ArmScores) -> str:
    """Name of the headline's model; "" where it was not run."""
    cells = scores.cells(experiment=MAIN)
    return cells[0].model if cells else ""


def cell_items(scores: ArmScores) -> Iterator[Item]:
    """Evidence values of every cell, see above."""
    for cell in own_cells(scores):
        rows = scores.rows(cell)
        where = conditions(scores, rows)
        for metric in _METRICS:
            yield f"{cell.address}/{metric}", scores.measured(rows, metric).scored(), where
        for fact, runs in scores.facts(rows).items():
            if fact in FACTS and cell.train_noise == cell.test_noise:  # the same network at another noise has the same
                yield f"{cell.address}/{fact}", _fact(runs), where
        matched = _matched(scores, cell)
        if matched:
            yield f"{cell.address}/gain_over_matched", scores.difference(cell, matched).scored(), where


def ablation_items(scores: ArmScores) -> Iterator[Item]:
    """Evidence values of all comparisons of settings, see above."""
    for one in ablations(scores):
        yield one.address, scores.difference(*one).scored(), conditions(scores, scores.rows(one.cell))
    for cell, main in against_main(scores):
        gain = scores.difference(cell, main).scored()
        yield f"{cell.address}/gain_over_main", gain, conditions(scores, scores.rows(cell))


def against_main(scores: ArmScores) -> list[Ablation]:
    """Other architectures and the fast recipe against the main model with as many spectra, where both were run.

    Architectures answer to the reference of the ablations, which had as many epochs as they had.
    """
    found = []
    for cell in own_cells(scores):
        if cell.experiment in AGAINST_MAIN:
            references = [one for one in _main_cells(scores, cell) if scores.has(one)]
            alike = [one for one in references if _epochs(scores, one) == _epochs(scores, cell)]
            chosen = references[:1] if cell.experiment == FAST else alike[:1]
            found += [Ablation(cell, one) for one in chosen]
    return found


def _main_cells(scores: ArmScores, cell: Cell) -> list[Cell]:
    """Trainings of the main model under the noise of another one and with as many spectra: experiment `main` first."""
    main = cell._replace(experiment=MAIN, model=main_model(scores), setting="")
    return [main, *(main._replace(experiment=name, setting=own) for name, own in PUBLISHED.items())]


def _epochs(scores: ArmScores, cell: Cell) -> tuple[float, ...]:
    return scores.facts(cell).get("epochs_run", ())


def _matched(scores: ArmScores, cell: Cell) -> Cell | None:
    """The network of a cell of `CROSS` trained at the noise that the cell is tested at."""
    if cell.experiment != CROSS or cell.train_noise == cell.test_noise:
        return None
    here = cell._replace(train_noise=cell.test_noise)
    return next((one for one in (here, here._replace(experiment=MAIN)) if scores.has(one)), None)


def _fact(runs: tuple[float, ...]) -> float | Scored | Undefined:
    return float(runs[0]) if len(set(runs)) == 1 else runs_of(runs)
