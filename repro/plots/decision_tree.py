"""Which model to take: what was measured at each place of the matrix, and the tree of questions that it leads to."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Final

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from repro.plots.looks import look_of
from repro.plots.matrix import heading
from repro.plots.style import MINUS, count, save, style
from repro.scores.board import Leaderboard, Recommendation
from repro.scores.names import display
from repro.scores.tree import Leaf, Split, Tree

_QUESTIONS: Final = {"level": "noise level", "size": "training spectra"}
_BOX: Final = {"boxstyle": "round,pad=0.4", "fc": "white", "ec": "0.4", "lw": 0.8}

Place = tuple[float, float]


def drawable(board: Leaderboard) -> bool:
    """Whether there is a tree to show."""
    return board.tree is not None


def draw(board: Leaderboard, path: str | Path) -> Path:
    """Left: the recommended model of every place, with its R2. Right: the tree that gives them all back.

    Raises:
        ValueError: the board has no tree, see `drawable`.
    """
    if board.tree is None:
        raise ValueError("leaderboard: no model was measured all over the matrix, so that there is no tree to draw")
    models = list(dict.fromkeys(found.model for found in board.recommendations))
    leaves = sum(1 for _ in _leaves(board.tree))
    with style():
        figure = Figure(figsize=(6.2 + max(1.75 * leaves, 4.5), 5.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(6.0, max(1.75 * leaves, 4.5)))
        _places(left, board, models)
        _tree(right, board.tree, models)
        title = "Recommended: the simplest model that is not resolvably worse than the best one"
        note = (
            "among the models that were measured all over the matrix; paired over stars and seeds, Holm over the pairs "
            "of a place; the tree is the smallest that gives back every recommendation"
        )
        heading(figure, title, note)
        return save(figure, path)


def _places(axes: Axes, board: Leaderboard, models: list[str]) -> None:
    found = {(r.level, r.size): r for r in board.recommendations}
    levels, sizes = (sorted({place[axis] for place in found}) for axis in (0, 1))
    r2 = {(entry.model, entry.level, entry.size): entry.r2 for entry in board.entries}
    axes.grid(visible=False)
    for (level, size), one in found.items():
        x, y = levels.index(level), sizes.index(size)
        colour = _tint(look_of(one.model, models).colour)
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fc=colour, ec="white", lw=1.5))
        axes.text(x, y, _words(one, r2[one.model, level, int(size)]), ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    axes.set_yticks(range(len(sizes)), [count(int(size)) for size in sizes])
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_ylim(-0.5, len(sizes) - 0.5)
    axes.set(xlabel="noise level", ylabel="training spectra", title="measured")


def _words(one: Recommendation, r2: float) -> str:
    lines = [*wrap(display(one.model), 13), f"{r2:.3f}".replace("-", MINUS)]
    if one.best != one.model:
        lines += wrap(f"(best: {display(one.best)})", 13)
    return "\n".join(lines)


def _tint(colour: str) -> tuple[float, ...]:
    """A quarter of a colour on white."""
    return tuple(1.0 - 0.25 * (1.0 - part) for part in to_rgb(colour))


def _tree(axes: Axes, tree: Tree, models: list[str]) -> None:
    """Leaves side by side, each question above the middle of its answers."""
    depth = _depth(tree)
    axes.set_axis_off()
    axes.set_xlim(-0.6, sum(1 for _ in _leaves(tree)) - 0.4)
    axes.set_ylim(-depth - 0.5, 0.5)
    axes.set_title("derived")
    _branch(axes, tree, 0, [0], models)


def _branch(axes: Axes, tree: Tree, level: int, used: list[int], models: list[str]) -> float:
    """Draw a tree below a question and return where its top stands; `used` counts the leaves drawn so far."""
    if isinstance(tree, Leaf):
        x = float(used[0])
        used[0] += 1
        low, high = tree.r2
        spread = f"{low:.3f}" if low == high else f"{low:.3f} – {high:.3f}"
        spread = spread.replace("-", MINUS)
        colour = _tint(look_of(tree.model, models).colour)
        name = "\n".join(wrap(display(tree.model), 16))
        text = f"{name}\nR² {spread}\n{len(tree.places)} of the places"
        axes.text(x, -level, text, ha="center", va="center", fontsize=7.5, bbox={**_BOX, "fc": colour}, zorder=3)
        return x
    places = [_branch(axes, side, level + 1, used, models) for side in (tree.low, tree.high)]
    x = sum(places) / 2
    shown = (lambda value: f"{value:g}") if tree.axis == "level" else (lambda value: count(int(value)))
    bounds = (f"≤ {shown(tree.below)}", f"≥ {shown(tree.above)}")
    for place, bound in zip(places, bounds, strict=True):
        axes.plot([x, place], [-level, -level - 1], color="0.4", lw=1.0, zorder=1)
        at = (x + 0.5 * (place - x), -level - 0.5)
        axes.text(*at, bound, ha="center", va="center", fontsize=8, bbox={"fc": "white", "ec": "none", "pad": 1.5})
    axes.text(x, -level, f"{_QUESTIONS[tree.axis]}?", ha="center", va="center", fontsize=8.5, bbox=_BOX, zorder=3)
    return x


def _leaves(tree: Tree) -> Iterator[Leaf]:
    if isinstance(tree, Leaf):
        yield tree
    else:
        yield from (leaf for side in (tree.low, tree.high) for leaf in _leaves(side))


def _depth(tree: Tree) -> int:
    return 1 + max(_depth(tree.low), _depth(tree.high)) if isinstance(tree, Split) else 0
