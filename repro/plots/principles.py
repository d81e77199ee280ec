"""The table of principles as a figure: what each says, what was measured, and the verdict on it."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Final, NamedTuple

from matplotlib.figure import Figure

from repro.plots.style import AMBER, BLUE, GREY, ORANGE, save, style


class Principle(NamedTuple):
    """One row: plain text, whoever judged it."""

    name: str
    statement: str
    measured: str
    verdict: str
    experiment: str  # behind it


_COLUMNS: Final = {"name": 9, "statement": 62, "measured": 34, "verdict": 17, "experiment": 40}  # width in characters
_TITLES: Final = ("", "principle", "measured", "verdict", "experiment behind it")
_MARKS: Final = {
    "REPRODUCED": ("✓", BLUE),
    "NOT REPRODUCED": ("✗", ORANGE),
    "INCONCLUSIVE": ("?", AMBER),
}
_LINE: Final = 0.165  # inches
_INCH: Final = 0.062  # inches a character


def draw(principles: Sequence[Principle], path: str | Path) -> Path:
    """Draw all rows, in order; a verdict that is none of the three is written without a mark."""
    widths = list(_COLUMNS.values())
    rows = [[wrap(text, width - 2) or [""] for text, width in zip(row, widths, strict=True)] for row in principles]
    heights = [max(len(cell) for cell in row) for row in rows]
    total = sum(heights) + 0.7 * len(rows) + 4.0
    left = [sum(widths[:k]) for k in range(len(widths))]
    with style():
        figure = Figure(figsize=(_INCH * sum(widths) + 0.3, _LINE * total), layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set(xlim=(-1, sum(widths)), ylim=(total - 2.0, -2.0), xlabel="columns", ylabel="rows")
        for x, title in zip(left, _TITLES, strict=True):
            axes.text(x, -0.6, title, weight="bold", fontsize=8.5, va="center")
        y = 0.4
        for principle, row, height in zip(principles, rows, heights, strict=True):
            axes.axhline(y, color="0.85", lw=0.7)
            mark, colour = _MARKS.get(principle.verdict, ("", GREY))
            for column, (x, cell) in enumerate(zip(left, row, strict=True)):
                words = "\n".join(cell)
                shown = f"{mark} {words}".strip() if column == 3 else words
                ink = colour if column == 3 else "black"
                axes.text(x, y + 0.35, shown, color=ink, fontsize=7.5, va="top", linespacing=1.25)
            y += height + 0.7
        figure.suptitle(f"Principles and what the matrix says of them: {_counts(principles)}", fontsize=10)
        return save(figure, path)


def _counts(principles: Sequence[Principle]) -> str:
    """How often each verdict was given, the most frequent first."""
    verdicts = [principle.verdict for principle in principles]
    names = sorted(set(verdicts), key=lambda name: (-verdicts.count(name), name))
    return ", ".join(f"{verdicts.count(name)} {name.lower()}" for name in names)
