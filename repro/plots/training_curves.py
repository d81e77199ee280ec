"""How the networks were trained: loss, validation R2 and error, learning rate, epoch by epoch; every seed."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from repro.errors import DataError
from repro.experiments.table import ArmTable
from repro.plots.looks import Look, shades
from repro.plots.matrix import common_legend, heading
from repro.plots.style import MANY, count, save, style
from repro.scores import settings
from repro.scores.names import display

Array = NDArray[np.float64]

_SHOWN: Final = ("main", "fast", "tokenizer")  # experiments, a column each
_ROWS: Final = {
    "loss": "training loss",
    "validation_r2": "validation R²",
    "validation_mae": "validation error\n(mean absolute, training label)",
    "learning_rate": "learning rate",
}


@dataclass(frozen=True)
class Curve:
    """One training: its arm, and its epochs, of which number `kept` (from 1) is tested; nan if unknown."""

    experiment: str
    model: str
    setting: str
    n_train: int
    seed: int
    kept: float
    epochs: Mapping[str, Array]  # columns (E,) of its history, by name


def read_curves(table: ArmTable, folder: Path) -> list[Curve]:
    """The histories of those arms that have one in a folder, in the order of the table; those of one epoch left out.

    Raises:
        DataError: a file is not a history.
    """
    found = []
    for row, experiment in enumerate(table.experiments):
        file = folder / f"{stem(table, row)}.csv"
        if experiment in _SHOWN and table.train_noise[row] == table.test_noise[row] and file.is_file():
            epochs = _read(file)
            where = (experiment, table.models[row], table.settings[row], int(table.n_train[row]), int(table.seeds[row]))
            if len(epochs["epoch"]) > 1:
                found.append(Curve(*where, table.fact(row, "epochs"), epochs))
    return found


def stem(table: ArmTable, row: int) -> str:
    """Name of the files of an arm that was kept: `<experiment>_<model>[_<setting>]_n<N>_seed<k>`."""
    parts = (table.experiments[row], table.models[row], table.settings[row])
    return "_".join((*filter(None, parts), f"n{table.n_train[row]}", f"seed{table.seeds[row]}"))


def drawable(curves: Sequence[Curve]) -> bool:
    """Whether there are epochs to show."""
    return bool(curves)


def draw(curves: Sequence[Curve], path: str | Path) -> Path:
    """A column an experiment: colour by training size, or by setting where one is varied; a line a seed."""
    columns = list(dict.fromkeys((curve.experiment, curve.model) for curve in curves))
    with style():
        figure = Figure(figsize=(max(4.4 * len(columns), 7.0), 9.4), layout="constrained")
        panels = figure.subplots(len(_ROWS), len(columns), squeeze=False, sharex="col", sharey="row")
        for column, (experiment, model) in zip(panels.T, columns, strict=True):
            own = [curve for curve in curves if (curve.experiment, curve.model) == (experiment, model)]
            looks = _looks(own)
            for axes, name in zip(column, _ROWS, strict=True):
                for curve in own:
                    _line(axes, curve, name, looks[_key(curve)])
            column[0].set_title(f"{display(model)}, {experiment}", fontsize=9)
            column[-1].set_xlabel("epoch")
            column[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes, label in zip(panels[:, 0], _ROWS.values(), strict=True):
            axes.set_ylabel(label)
        common_legend(figure, panels.flat, 3)
        heading(
            figure,
            "Trainings of the transformers, a line a run",
            "dot: the epoch whose weights are tested, chosen on the validation stars",
        )
        return save(figure, path)


def _key(curve: Curve) -> tuple[int, str]:
    return curve.n_train, curve.setting


def _looks(curves: Sequence[Curve]) -> dict[tuple[int, str], tuple[Look, str]]:
    """By size, or by setting: a look, and what the legend says."""
    keys = list(dict.fromkeys(_key(curve) for curve in curves))
    by_size = shades([n for n, _ in keys])
    looks = {}
    for place, (n, setting) in enumerate(keys):
        look = Look(MANY[place % len(MANY)], "o", "-") if setting else by_size[n]
        words = ", ".join(value for _, value in settings.parts(setting).items())
        looks[n, setting] = (look, f"{words} ({count(n)} spectra)" if words else f"{count(n)} spectra")
    return looks


def _line(axes: Axes, curve: Curve, name: str, look: tuple[Look, str]) -> None:
    (colour, _, line), label = look
    epoch, values = curve.epochs["epoch"], curve.epochs[name]
    axes.plot(epoch, values, line, color=colour, lw=1.0, alpha=0.85, label=label)
    kept = epoch == curve.kept
    axes.plot(epoch[kept], values[kept], "o", color=colour, ms=5, mec="black", mew=0.6, zorder=3)


def _read(path: Path) -> dict[str, Array]:
    """Columns of a history."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: np.array([float(row[name]) for row in rows]) for name in ("epoch", *_ROWS)}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not a history of a training ({error!r}); remove it and run trackA-train") from None
