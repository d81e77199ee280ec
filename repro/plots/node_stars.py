"""Test stars as dots, those on a gravity node apart from those between two: for figures with a dot a star."""

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from repro.plots.style import GREY, SKY
from repro.scores.node_lattice import on_node

Array = NDArray[np.float64]

_CROWD: Final = 500.0  # stars that can be drawn in full colour side by side


def node_stars(axes: Axes, x: Array, y: Array, truth: Array) -> None:
    """Dots at (x, y), (n,) each, of stars whose true log g (n,) [dex] says which of the two they are."""
    nodes, alpha = on_node(truth), float(np.clip(_CROWD / len(truth), 0.08, 0.6))
    form: dict[str, Any] = {"ms": 3.0, "alpha": alpha, "rasterized": True}
    for members, colour, label in ((nodes, GREY, "a star on a node"), (~nodes, SKY, "a star between two nodes")):
        axes.plot(x[members], y[members], ".", color=colour, **form)
        axes.plot([], [], ".", color=colour, ms=6, label=f"{label} of log g")
