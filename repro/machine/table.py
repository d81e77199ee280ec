"""Plain text tables for the terminal: aligned columns, the last one wrapped."""

import shutil
import textwrap
from collections.abc import Mapping, Sequence

import click


def table(rows: Sequence[Sequence[str]], colours: Mapping[str, str] | None = None) -> str:
    """Rows of equal length as lines of text; cells that are keys of `colours` are shown in that colour.

    The last column is wrapped to the terminal's width (100 where the output is not a terminal).
    """
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    indent = sum(widths) + 2 * len(widths)
    room = max(shutil.get_terminal_size((100, 24)).columns - indent, 30)
    lines = []
    for row in rows:
        *front, last = row
        cells = [
            click.style(f"{cell:<{width}}", fg=(colours or {}).get(cell))
            for cell, width in zip(front, widths, strict=True)
        ]
        first, *rest = textwrap.wrap(last, room) or [""]
        lines.append("  ".join([*cells, first]).rstrip())
        lines += [" " * indent + line for line in rest]
    return "\n".join(lines)
