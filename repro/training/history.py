"""What a training says of itself, epoch by epoch: numbers that repeat themselves, and so may stand in outputs."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from repro.files import atomic_path


@dataclass(frozen=True)
class Epoch:
    """One row of a history.

    Attributes:
        epoch: numbered from 1.
        learning_rate: of its last update.
        loss: mean over the presentations of the epoch, each before the update that it was part of.
        validation_r2: of the weights that are judged, after the epoch.
        validation_mae: their mean absolute error, in units of the label that the network is trained on.
    """

    epoch: int
    learning_rate: float
    loss: float
    validation_r2: float
    validation_mae: float


def write_history(history: Sequence[Epoch], path: str | Path) -> None:
    """Write a history as CSV, atomically. Raises DataError on a full disk."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, list(Epoch.__dataclass_fields__), lineterminator="\n")
        rows.writeheader()
        rows.writerows(asdict(row) for row in history)
