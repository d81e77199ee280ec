"""A page that shows a training while it runs: curves, speed and time left, from a folder that is opened as a file."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from repro.files import atomic_path
from repro.training.history import Epoch, write_history


class Live:
    """Writes history.csv, history.json and index.html, each whole at every moment.

    Args:
        folder: made where it is missing.
        total: presentations in all, unless the training stops before.
    """

    def __init__(self, folder: Path, total: int) -> None:
        self._folder, self._total = folder, total
        self._started = time.monotonic()

    def show(self, history: Sequence[Epoch], done: int) -> None:
        """Show the epochs so far, after `done` presentations."""
        write_history(history, self._folder / "history.csv")
        content = {"done": done, "total": self._total, "epochs": [asdict(row) for row in history]}
        with atomic_path(self._folder / "history.json") as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")
