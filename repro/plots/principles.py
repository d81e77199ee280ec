"""The table of principles as a figure: what each says, what was measured, and the verdict on it."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Final

from matplotlib.figure import Figure

from repro.plots.style import AMBER, BLUE, GREY, ORANGE, save, style
from repro.scores.board import Principle

# field -> title and width in characters
_COLUMNS: Final = {
    "id": ("", 13),
    "statement": ("principle", 62),
    "claimed": ("claimed", 24),
    "measured": ("measured", 30),
    "verdict": ("verdict", 20),
    "experiment": ("experiment behind it", 34),
}
_MARKS: Final = {
    "REPRODUCED": ("✓", BLUE),
    "NOT REPRODUCED": ("✗", ORANGE),
    "INCONCLUSIVE": ("?", AMBER),
}
_LINE: Final = 0.165  # inches
_INCH: Final = 0.062  # inches a character


def draw(principles: Sequence[Principle], path: str | Path) -> Path:
    """Draw all rows, in order; a verdict that is none of the three is written without a mark."""
    widths = [width for _, width in _COLUMNS.values()]
    rows = [[wrap(getattr(one, name), width - 2) for name, (_, width) in _COLUMNS.items()] for one in principles]
    heights = [max(1, *map(len, row)) for row in rows]
    total = sum(heights) + 0.7 * len(rows) + 4.0
    left = [sum(widths[:k]) for k in range(len(widths))]
    with style():
        figure = Figure(figsize=(_INCH * sum(widths) + 0.3, _LINE * total), layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set(xlim=(-1, sum(widths)), ylim=(total - 2.0, -2.0))
        for x, (title, _) in zip(left, _COLUMNS.values(), strict=True):
            axes.text(x, -0.6, title, weight="bold", fontsize=8.5, va="center")
        y = 0.4
        for principle, row, height in zip(principles, rows, heights, strict=True):
            axes.axhline(y, color="0.85", lw=0.7)
            mark, colour = _MARKS.get(principle.verdict, ("", GREY))
            for x, name, cell in zip(left, _COLUMNS, row, strict=True):
                words, judged = "\n".join(cell), name == "verdict"
                shown = f"{mark} {words}".strip() if judged else words
                ink = colour if judged else "black"
                axes.text(x, y + 0.35, shown, color=ink, fontsize=7.5, va="top", linespacing=1.25)
            y += height + 0.7
        figure.suptitle(f"Principles and what the matrix says of them: {_counts(principles)}", fontsize=10)
        return save(figure, path)


def _counts(principles: Sequence[Principle]) -> str:
    """How often each verdict was given, the most frequent first."""
    verdicts = [principle.verdict for principle in principles]
    names = sorted(set(verdicts), key=lambda name: (-verdicts.count(name), name))
    return ", ".join(f"{verdicts.count(name)} {name.lower()}" for name in names)
