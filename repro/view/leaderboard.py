"""The leaderboard on a terminal: tables for a reader who has not seen the matrix of experiments before."""

import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from repro.errors import ParameterError
from repro.scores.board import Entry, Leaderboard, Principle
from repro.scores.left_out import Missing
from repro.scores.names import display, simplicity
from repro.scores.settings import parts
from repro.scores.tree import lines

WIDTH: Final = 100  # where the output is no terminal

_NAME, _CELL = 17, 13  # columns of text that a model and a number take; a clean one with a fourth digit takes two more

_BEST, _ONCE = "●", "†"
_COLOURS: Final = {"REPRODUCED": "blue", "NOT REPRODUCED": "dark_orange", "INCONCLUSIVE": "cyan"}  # as `repro verify`
_PLUS_MINUS: Final = (
    "±: half of the 90 % interval, from the spread between seeds and the paired bootstrap over test stars."
)


class View:
    """Prints parts of a leaderboard."""

    def __init__(self, board: Leaderboard) -> None:
        self.board = board
        console = Console(highlight=False)
        width = None if console.is_terminal or "COLUMNS" in os.environ else WIDTH
        self._console = Console(width=width, highlight=False)

    def by_noise(self, size: int) -> None:
        """R2 of every model at every noise level, with one number of training spectra."""
        columns = [(f"{level:g}", self.board.at(level, size)) for level in self.board.levels]
        self._matrix(f"R2 of log g by noise level, {_spectra(size)} training spectra", "noise", columns)

    def by_size(self, level: float) -> None:
        """R2 of every model with every number of training spectra, at one noise level."""
        columns = [(_spectra(size), self.board.at(level, size)) for size in self.board.sizes]
        self._matrix(f"R2 of log g by number of training spectra, noise level {level:g}", "spectra", columns)

    def one_place(self, level: float, size: int) -> None:
        """All scores at one noise level and size, and each model's difference to the best."""
        entries = self.board.at(level, size)
        if not entries:
            raise ParameterError(f"leaderboard: nothing was run at noise {level:g} with {size} training spectra")
        self.say(f"Noise level {level:g}, {_spectra(size)} training spectra", style="bold")
        table = _table("", "Model")
        for heading in ("R2", "RMSE [dex]", "MAE [dex]", "seeds", "R2 behind"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("setting chosen")
        for entry in entries:
            scores = (_number(entry.r2, entry.r2_half), _number(entry.rmse, entry.rmse_half))
            last = (_number(entry.mae, entry.mae_half), _seeds(entry), self._behind(entry, entries[0]))
            table.add_row(str(entry.rank), display(entry.model), *scores, *last, escape(_settings(entry)))
        self._print(table)
        self._notes(entries)

    def configurations(self, entries: Sequence[Entry]) -> None:
        """The settings that validation chose, and the R2 to expect of them."""
        self.say("Recommended configurations: what validation chose, and the R2 to expect", style="bold")
        table = _table("Model")
        for heading in ("noise", "spectra", "R2", "seeds"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("setting")
        ordered = sorted(entries, key=lambda e: (simplicity(e.model), e.size, e.level))
        previous = None
        for entry in ordered:
            if previous is not None and entry.model != previous:
                table.add_section()
            name = display(entry.model) if entry.model != previous else ""
            size = _spectra(entry.n_train) if entry.n_train else "–"
            number = _number(entry.r2, entry.r2_half)
            table.add_row(name, f"{entry.level:g}", size, number, _seeds(entry), escape(_settings(entry)))
            previous = entry.model
        self._print(table)
        self.say(f"{_PLUS_MINUS} {self._where()}")

    def tree(self) -> None:
        """The decision tree and how it came about."""
        board = self.board
        if board.tree is None:
            raise ParameterError("leaderboard: no model was run at all places of the matrix, so there is no tree")
        self.say("Which model to take: the simplest one that is not resolvably worse than the best", style="bold")
        for line in lines(board.tree):
            self.say(line)
        self.say("")
        self.say(
            f"Derived from the matrix: the smallest tree of such questions that gives back all "
            f"{len(board.recommendations)} recommendations. Simplicity: {_in_order(board)}. "
            f"A leaf with several models at the top within the interval names the simplest. {self._where()}"
        )
        for text in _exceptions(board):
            self.say(text)

    def principles(self, found: Sequence[Principle]) -> None:
        """Design principles with their verdicts."""
        self.say("Design principles, judged by the matrix", style="bold")
        table = _table("id")
        for heading, ratio in (("principle", 9), ("measured (claimed)", 7), ("verdict", 5), ("experiment", 7)):
            table.add_column(heading, overflow="fold", ratio=ratio)
        table.expand = True
        for one in found:
            numbers = f"{one.measured or '–'} ({one.claimed})"
            cells = map(escape, (one.id, one.statement, numbers, one.verdict, one.experiment))
            id_, statement, numbers, verdict, experiment = cells
            colour = _COLOURS.get(one.verdict)
            table.add_row(id_, statement, numbers, f"[{colour}]{verdict}[/]" if colour else verdict, experiment)
        self._print(table)
        words = Counter(one.verdict for one in found)
        self.say(", ".join(f"{count} {word}" for word, count in words.items()) + ". `repro why <id>` gives reasons.")

    def left_out(self, scale: str, larger: str, missing: Sequence[Missing]) -> None:
        """What a scale leaves to a larger one."""
        self.say(f"What scale {scale} leaves to scale {larger} (params.yaml)", style="bold")
        table = _table("", f"left to {larger}", f"in {scale}")
        for one in missing:
            table.add_row(*map(escape, one))
        self._print(table)

    def say(self, text: str, style: str | None = None) -> None:
        """Print one paragraph."""
        self._console.print(escape(text), style=style)

    def _matrix(self, title: str, what: str, columns: Sequence[tuple[str, Sequence[Entry]]]) -> None:
        self.say(title, style="bold")
        found = {(heading, entry.model): entry for heading, entries in columns for entry in entries}
        top: dict[str, float] = {}
        for (_, model), entry in found.items():
            top[model] = max(top.get(model, -math.inf), entry.r2)
        models = sorted(top, key=lambda model: (-top[model], simplicity(model)))
        fit = max((self._console.width - _NAME) // _CELL, 1)
        for first in range(0, len(columns), fit):
            if first:
                self.say("")
            table = _table(f"Model \\ {what}")
            table.padding = 0
            for heading, _ in columns[first : first + fit]:
                table.add_column(heading, justify="right", no_wrap=True)
            for model in models:
                cells = (_cell(found.get((heading, model))) for heading, _ in columns[first : first + fit])
                table.add_row(display(model), *cells)
            self._print(table)
        self._notes([entry for _, entries in columns for entry in entries])

    def _notes(self, entries: Sequence[Entry]) -> None:
        self.say(self._where())
        self.say(_PLUS_MINUS)
        self.say(f"{_BEST} the best, or not resolved from it (all pairs of its column together, Holm at 10 %).")
        if any(entry.borrowed for entry in entries):
            self.say(f"{_ONCE} one seed; the spread between seeds is that of the nearest size or noise with several.")
        if any(entry.uses_error for entry in entries):
            self.say("(σ): also shown each star's error array, which all others are not.")
        if any(not entry.n_train for entry in entries):
            self.say("Template fits learn from no spectra: they compare with the noise-free node grid.")
        for text in self._resolved(entries):
            self.say(text)
        optimum = self.board.optimum
        if optimum and any(entry.level == optimum.level for entry in entries):
            self.say(
                f"No estimator of the noisy flux does better than R2 = {_number(optimum.r2, optimum.half)} at noise "
                f"{optimum.level:g} (exact Bayes optimum on {optimum.stars} of the test stars)."
            )

    def _resolved(self, entries: Sequence[Entry]) -> Iterable[str]:
        places = dict.fromkeys((entry.level, entry.size) for entry in entries)
        pairs = [c for c in self.board.comparisons if (c.level, c.size) in places]
        if pairs:
            open_ = [c for c in pairs if not c.resolved]
            yield f"Resolved: {len(pairs) - len(open_)} of {len(pairs)} differences between models."
        if len(places) == 1 and pairs:
            names = "; ".join(f"{display(c.first)} and {display(c.second)}" for c in open_) or "none"
            yield f"Not resolved: {names}."

    def _behind(self, entry: Entry, best: Entry) -> str:
        for one in self.board.comparisons:
            here = (one.level, one.size) == (entry.level, entry.size)
            if here and {one.first, one.second} == {entry.model, best.model}:
                return _number(abs(one.gain), one.half) + ("" if one.resolved else " " + _BEST)
        return _BEST

    def _where(self) -> str:
        """What a stranger needs to know of the numbers."""
        facts: dict[str, Any] = dict(self.board.conditions)
        seeds = max(len(entry.runs) for entry in self.board.entries)
        noise = "" if facts["noise"] == 1 else f", all noise times {facts['noise']:g}"
        return (
            f"Source {facts['source']}, scale {facts['scale']}{noise}: {_spectra(facts['n_test'])} test stars, the "
            f"same noisy spectra for every model, settings chosen on validation stars, up to {seeds} seeds."
        )

    def _print(self, table: Table) -> None:
        self._console.print(table)


def _table(name: str, *columns: str) -> Table:
    """A table whose first column is never wrapped."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column(name, no_wrap=True)
    for heading in columns:
        table.add_column(heading)
    return table


def _cell(entry: Entry | None) -> str:
    """`0.458±.014●†`"""
    if entry is None:
        return ""
    text = _number(entry.r2, entry.r2_half)
    mark = (_BEST if entry.best else " ") + (_ONCE if entry.borrowed else " ")
    return f"[bold]{text}{mark}[/]" if entry.best else text + mark


def _number(value: float, half: float | None) -> str:
    """`0.458±.014`; with a fourth digit where the interval has none before it, which is never shown as 0."""
    if half is None:
        return f"{value:.3f}"
    places, half = (3 if half >= 0.00095 else 4), (max(half, 1e-4) if half else 0.0)
    return f"{value:.{places}f}±{half:.{places}f}".replace("±0.", "±.")


def _spectra(count: int) -> str:
    """13000 as `13 000`."""
    return f"{count:,}".replace(",", " ") if count >= 10_000 else str(count)


def _seeds(entry: Entry) -> str:
    return f"{len(entry.runs)}" if entry.n_train else "–"


def _settings(entry: Entry) -> str:
    """`alpha 100 in 2 of 3 runs, alpha 200 in 1`; one setting as it is."""
    count = Counter(entry.settings)
    if len(count) == 1:
        return _plain(entry.settings[0])
    (first, most), *others = count.most_common()
    rest = "".join(f"; {_plain(setting)} in {n}" for setting, n in others)
    return f"{_plain(first)} in {most} of {len(entry.settings)} runs{rest}"


def _plain(setting: str) -> str:
    """`rate=0.05+leaves=31` as `rate 0.05, leaves 31`."""
    return ", ".join(f"{name} {value}".replace("_", " ") for name, value in parts(setting).items()) or "–"


def _in_order(board: Leaderboard) -> str:
    models = {entry.model for entry in board.entries}
    return ", ".join(display(model) for model in sorted(models, key=simplicity))


def _exceptions(board: Leaderboard) -> Iterable[str]:
    """Models that were not run everywhere, and where they do better than what the tree says."""
    matrix = {(one.level, one.size) for one in board.recommendations}
    run: dict[str, set[tuple[float, int]]] = {}
    for entry in board.entries:
        run.setdefault(entry.model, set()).add((entry.level, entry.size))
    partly = sorted((model for model, at in run.items() if not matrix <= at), key=simplicity)
    if partly:
        yield f"Run at a part of the matrix only, and therefore not in the tree: {', '.join(map(display, partly))}."
    for one in board.recommendations:
        if one.better:
            better = " and ".join(map(display, one.better))
            yield f"At noise {one.level:g} with {_spectra(one.size)} spectra {better} did resolvably better."
