"""Verdicts on a terminal: one entry a claim, then the reasons, then the count. Symbols say it without colour.

Drawn here rather than with rich, whose import and layout take longer than judging 200 claims.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Final

import click

from repro.claims.report import summary
from repro.claims.verdict import DECIDES, FLAG, WORDS, Verdict

_SYMBOLS: Final = dict(zip(WORDS, "✔✘?≠○–", strict=True))
# blue against orange: told apart by every kind of colour vision
_COLOURS: Final[dict[str, str | int | None]] = {"REPRODUCED": "blue", "NOT REPRODUCED": 208, "INCONCLUSIVE": "cyan"}
_FLAG_SYMBOL: Final = "⚑"
_ASCII: Final = str.maketrans(
    {"✔": "+", "✘": "x", "≠": "#", "○": "o", "–": "-", "⚑": "!", "±": "+-", "…": "..", "≥": ">=", "≤": "<=", "─": "-"}
)
_HEADINGS: Final = ("Claim", "Statement", "Claimed", "Measured", "Verdict", "From")
_NARROW: Final = 120  # below this many columns a claim takes a line for its statement and one for its numbers
_STACKED: Final = (23, 26, 21, 12)  # widest columns of the line with the numbers: 80 in all
_MOST_NAMES: Final = 8  # ids listed of a group that shares one reason


class Report:
    """Prints verdicts as wide as the terminal (COLUMNS, or 80 in a pipe); no colour in a pipe or under NO_COLOR."""

    def __init__(self) -> None:
        self.width = max(shutil.get_terminal_size().columns, 40)
        self._colour = None if not os.environ.get("NO_COLOR") else False
        self._ascii = not (sys.stdout.encoding or "").lower().startswith("utf")

    def track(self, title: str, verdicts: Sequence[Verdict]) -> None:
        """Print one track: its table, then what a reader needs to know about its verdicts."""
        self._print(click.style(title, bold=True))
        self._print(click.style("─" * self.width, dim=True))
        if self.width < _NARROW:
            self._stacked(verdicts)
        else:
            self._table(verdicts)
        self._reasons(verdicts)
        self._print()

    def count(self, verdicts: Sequence[Verdict]) -> None:
        """Print 'judged k of n' and the counts by verdict."""
        total = summary(verdicts)
        parts = [f"{_SYMBOLS[word]} {n} {word}" for word, n in total["counts"].items() if n]
        self.say(f"judged {total['judged']} of {total['total']}: " + ", ".join(parts))

    def say(self, text: str, indent: int = 0, hanging: int = 0) -> None:
        """Print one paragraph, wrapped at the width."""
        first, rest = " " * indent, " " * (indent + hanging)
        for line in textwrap.wrap(
            text, self.width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
        ):
            self._print(line)

    def _stacked(self, verdicts: Sequence[Verdict]) -> None:
        rows = [_cells(verdict) for verdict in verdicts]
        widths = [min(limit, max((len(row[i]) for row in rows), default=0)) for i, limit in enumerate(_STACKED)]
        for verdict, row in zip(verdicts, rows, strict=True):
            name = verdict.claim.id
            lines = textwrap.wrap(f"{name}  {verdict.claim.statement}", self.width, subsequent_indent="  ")
            self._print(click.style(name, bold=True) + lines[0][len(name) :])
            for line in lines[1:]:
                self._print(line)
            cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
            numbers = "  ".join(cells[1:]).rstrip()
            room = self.width - widths[0] - 4
            if len(numbers) > room:
                numbers = "  ".join(cell for cell in row[1:] if cell)
            first, *rest = textwrap.wrap(numbers, room, drop_whitespace=True) if len(numbers) > room else [numbers]
            self._print(f"  {_styled(cells[0], verdict)}  {first}")
            for line in rest:
                self._print(" " * (widths[0] + 4) + line)

    def _table(self, verdicts: Sequence[Verdict]) -> None:
        cells = [(v.claim.id, v.claim.statement, v.claimed, v.shown or "–", _word(v), _origin(v)) for v in verdicts]
        limits = (24, 10**6, 24, 24, 24, 12)
        widths = [
            min(limit, max([len(row[i]) for row in cells] + [len(heading)]))
            for i, (limit, heading) in enumerate(zip(limits, _HEADINGS, strict=True))
        ]
        widths[1] = self.width - sum(widths) + widths[1] - 2 * (len(widths) - 1)
        self._row([click.style(h, underline=True) for h in _HEADINGS], [len(h) for h in _HEADINGS], widths)
        for verdict, row in zip(verdicts, cells, strict=True):
            columns = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
            for i in range(max(map(len, columns))):
                parts = [column[i] if i < len(column) else "" for column in columns]
                name = click.style(parts[0], bold=True) if parts[0] else ""
                styled = [name, *parts[1:4], _styled(parts[4], verdict), parts[5]]
                self._row(styled, [len(part) for part in parts], widths)

    def _row(self, styled: Sequence[str], lengths: Sequence[int], widths: Sequence[int]) -> None:
        padded = [text + " " * (width - n) for text, n, width in zip(styled, lengths, widths, strict=True)]
        self._print("  ".join(padded).rstrip())

    def _reasons(self, verdicts: Sequence[Verdict]) -> None:
        for word in WORDS[1:3]:
            chosen = [v for v in verdicts if v.word == word]
            if chosen:
                self._print()
                self._print(_styled(f"{_SYMBOLS[word]} {word}", chosen[0]))
                for verdict in chosen:
                    self.say(f"{verdict.claim.id}: {verdict.reason}", indent=2, hanging=2)
        for word in WORDS[3:5]:
            chosen = [v for v in verdicts if v.word == word]
            if chosen:
                self._print()
                self._print(f"{_SYMBOLS[word]} {word}")
                for reason, ids in _grouped(chosen).items():
                    self.say(f"{_names(ids)}: {reason}", indent=2, hanging=2)
        flagged = [v.claim.id for v in verdicts if v.claim.contradicts_itself]
        if flagged:
            self._print()
            self._print(f"{_FLAG_SYMBOL} {FLAG}")
            self.say(f"{_names(flagged)}; `repro claims --contradictions` shows what differs", indent=2, hanging=2)

    def _print(self, text: str = "") -> None:
        if self._ascii:
            text = text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
        click.echo(text, color=self._colour)


def _cells(verdict: Verdict) -> tuple[str, str, str, str]:
    """Verdict, claimed, measured and origin, each saying what it is."""
    measured = f"measured {verdict.shown}" if verdict.shown else "not measured"
    return _word(verdict), f"claimed {verdict.claimed}", measured, _origin(verdict)


def _word(verdict: Verdict) -> str:
    """The verdict between its symbol and, where the documents disagree, the flag."""
    return f"{_SYMBOLS[verdict.word]} {verdict.label}" + (
        f" {_FLAG_SYMBOL}" if verdict.claim.contradicts_itself else ""
    )


def _origin(verdict: Verdict) -> str:
    return f"{verdict.source} {verdict.scale}".strip()


def _styled(text: str, verdict: Verdict) -> str:
    colour = _COLOURS.get(verdict.word) if text else None
    return click.style(text, fg=colour, bold=True) if colour else text


def _grouped(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    """What would decide (or, without that, the reason) -> ids of the claims that share it."""
    groups: dict[str, list[str]] = {}
    for verdict in verdicts:
        reason, _, decides = verdict.reason.partition(DECIDES)
        key = f"to be decided by {decides}" if decides else reason
        groups.setdefault(key, []).append(verdict.claim.id)
    return groups


def _names(ids: Sequence[str]) -> str:
    if len(ids) <= _MOST_NAMES:
        return ", ".join(ids)
    return f"{', '.join(ids[: _MOST_NAMES - 1])} and {len(ids) - _MOST_NAMES + 1} more"
