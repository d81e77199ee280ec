"""A decision tree as plain data, and as text. Needs the standard library alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from repro.scores.names import display

Place = tuple[float, int]  # noise level and number of training spectra

_AXES: Final = {"level": "noise level", "size": "training spectra"}


@dataclass(frozen=True)
class Leaf:
    """An answer of the decision tree: the model recommended at all of its `places`, and the R2 that it has there."""

    model: str
    places: tuple[Place, ...]
    r2: tuple[float, float]  # lowest and highest


@dataclass(frozen=True)
class Split:
    """A question of the decision tree: is `axis` (`level` or `size`) at most `below`, or at least `above`?"""

    axis: str
    below: float
    above: float
    low: Tree
    high: Tree


Tree = Leaf | Split


def ask(tree: Tree, level: float, size: float) -> str:
    """The model that a tree names for a noise level and a number of training spectra."""
    while isinstance(tree, Split):
        value = level if tree.axis == "level" else size
        tree = tree.low if value <= tree.below else tree.high
    return tree.model


def lines(tree: Tree) -> Iterator[str]:
    """A tree as text: one line a question and one an answer."""
    if isinstance(tree, Leaf):
        yield _answer(tree)
        return
    shown = "{:g}" if tree.axis == "level" else "{:.0f}"
    sides = ((f"≤ {shown.format(tree.below)}", tree.low, "│  "), (f"≥ {shown.format(tree.above)}", tree.high, "   "))
    for (bound, branch, bar), fork in zip(sides, ("├─ ", "└─ "), strict=True):
        question = f"{fork}{_AXES[tree.axis]} {bound}"
        if isinstance(branch, Leaf):
            yield f"{question}: {_answer(branch)}"
        else:
            yield question
            yield from (bar + line for line in lines(branch))


def _answer(leaf: Leaf) -> str:
    low, high = (f"{value:.3f}" for value in leaf.r2)
    spread = f"R2 {low}" if low == high else f"R2 {low} to {high}"
    count = f"{len(leaf.places)} place{'s' if len(leaf.places) > 1 else ''} of the matrix"
    return f"{display(leaf.model)} ({spread}, {count})"
