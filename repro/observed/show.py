"""Estimates and gaps on a terminal, as CSV and as JSON."""

import csv
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from repro.files import atomic_path
from repro.observed.apply import Estimate, as_record
from repro.observed.gap import Group

WIDTH: Final = 110  # where the output is no terminal
COLUMNS: Final = (
    *("spectrum", "log_g", "spread", "shift", "expected", "misfit", "snr", "coverage", "calmed", "warnings", "refused"),
)
_DECIMALS: Final = {"snr": 1}


class Screen:
    """Prints to standard output."""

    def __init__(self) -> None:
        console = Console(highlight=False)
        width = None if console.is_terminal or "COLUMNS" in os.environ else WIDTH
        self._console = Console(width=width, highlight=False)

    def estimates(self, estimates: Sequence[Estimate], most: int) -> None:
        """One row a spectrum, at most so many, and what the columns mean."""
        table = _table("spectrum", ("log g", "± noise", "± expected", "SNR", "covered"))
        table.add_column("remarks", overflow="fold")
        names = _short([one.name for one in estimates])
        for one, name in zip(estimates[:most], names, strict=False):
            numbers = (_number(one.log_g), _number(one.spread), _number(one.expected), _number(one.snr, 1))
            if one.refused:
                table.add_row(escape(name), *[""] * 5, f"REFUSED: {escape(_without_name(one))}")
            else:
                share = f"{100 * one.coverage:.1f} %"
                table.add_row(escape(name), *numbers, share, escape("; ".join(one.warnings)))
        self._console.print(table)
        if len(estimates) > most:
            self.say(f"{len(estimates) - most} more spectra are not shown; --csv or --json give all.")
        refused = sum(one.refused is not None for one in estimates)
        self.say(f"{len(estimates) - refused} of {len(estimates)} spectra estimated, {refused} refused.")

    def groups(self, groups: Sequence[Group], home: Group | None) -> None:
        """The domain gap, one row a group of stars."""
        table = _table("stars", ("n", "bias", "scatter", "RMSE", "R2", "gap", "90 %"))
        rows = [(group.name, group) for group in groups]
        for name, group in [*rows, *([] if home is None else [("reference set", home)])]:
            low, high = group.interval
            interval = "" if math.isnan(low) else f"{low:.2f}-{high:.2f}"
            numbers = (_number(value, 3) for value in (group.bias, group.scatter, group.rmse, group.r2))
            table.add_row(name, str(group.count), *numbers, _number(group.gap), interval)
        self._console.print(table)

    def say(self, text: str) -> None:
        """Print a line of plain text."""
        self._console.print(text, markup=False, soft_wrap=False)


def write_csv(estimates: Iterable[Estimate], path: Path) -> None:
    """Write all columns of all spectra; the file is whole or absent. Raises DataError where the disk is full."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        _csv(estimates, file)


def as_json(estimates: Iterable[Estimate], groups: Sequence[Group], about: dict[str, Any]) -> str:
    """All that was found."""
    found = [{name: _plain(value) for name, value in vars(group).items()} for group in groups]
    data = about | {"spectra": [as_record(one) for one in estimates]} | ({"groups": found} if found else {})
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)


def _csv(estimates: Iterable[Estimate], file: TextIO) -> None:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in estimates:
        writer.writerow(as_record(one) | {"warnings": "; ".join(one.warnings)})


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _table(first: str, numbers: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _number(value: float, decimals: int = 2) -> str:
    return "–" if math.isnan(value) else f"{value:.{decimals}f}"


def _short(names: Sequence[str]) -> list[str]:
    """Names without folders, where these do not tell spectra apart."""
    short = [Path(name).name for name in names]
    return short if len(set(short)) == len(set(names)) else list(names)


def _without_name(one: Estimate) -> str:
    return str(one.refused).removeprefix(f"{one.name}: ")
