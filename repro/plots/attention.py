"""What the figures of attention share: names, the windows of lines above a wavelength axis, and maps as strips."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.experiments.attention_table import AttentionTable
from repro.plots.style import BLUE, GREEN, ORANGE, count
from repro.scores.attention import EVERY
from repro.scores.names import display

Array = NDArray[np.float64]

MAP_NAMES: Final = {
    "attention": "attention",
    "rollout": "rollout",
    "saliency": "saliency (σ ∂g/∂F)²",
    "grad_input": "gradient × input",
    "occlusion": "occlusion",
    "fisher": "Fisher, others known",
    "fisher_marginal": "Fisher, others unknown",
}
COLOURS: Final = {EVERY: "black", "giants": BLUE, "subgiants": GREEN, "dwarfs": ORANGE}
CLASS_NAMES: Final = {
    EVERY: "all stars",
    "giants": "giants (log g < 2.5)",
    "subgiants": "subgiants (2.5 ≤ log g < 3.5)",
    "dwarfs": "dwarfs (log g ≥ 3.5)",
}
WAVE_LABEL: Final = "wavelength in vacuum [Å]"

_LEAST: Final = 0.1  # times uniform: all below is one colour, as the colour bar shows
_BAND: Final = 30.0  # [A] from which on a window is a band and not shown as a line


def title(table: AttentionTable) -> str:
    """The network and its stars, as figures say them."""
    trained = table.conditions.get("n_train")
    by = f", trained on {count(int(trained))} spectra" if trained else ""
    return f"{display(table.model)}{by}; {count(len(table.stars))} test stars at noise level 1"


def runs(table: AttentionTable) -> Iterator[tuple[int, float, float]]:
    """Windows of every group without gaps: number of the group, first and last wavelength [A]."""
    for number, window in enumerate(table.windows):
        edges = np.diff(window.astype(int), prepend=0, append=0)
        for first, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            yield number, float(table.wave[first]), float(table.wave[end - 1])


def groups(axes: Axes, table: AttentionTable) -> None:
    """One row for every group of lines, a bar for each of its windows."""
    for number, first, last in runs(table):
        axes.barh(number, last - first, left=first, height=0.7, color="0.25", lw=0)
    axes.set_yticks(range(len(table.groups)), table.groups, fontsize=7.5)
    axes.set_ylim(len(table.groups) - 0.4, -0.6)
    axes.grid(visible=False)
    axes.set_ylabel("windows")


def lines(axes: Axes, table: AttentionTable) -> None:
    """Windows of lines, not of bands, as pale stripes."""
    for _, first, last in runs(table):
        if last - first < _BAND:
            axes.axvspan(first, last, color=ORANGE, alpha=0.13, lw=0)


def strips(axes: Axes, table: AttentionTable, rows: list[Array], highest: float) -> QuadMesh:
    """Maps as rows of colours, times uniform; each (places,), a whole number of which takes the wavelengths.

    highest: of the colours.
    """
    step = (table.wave[-1] - table.wave[0]) / (len(table.wave) - 1)
    low, high = table.wave[0] - 0.5 * step, table.wave[-1] + 0.5 * step
    most = max(map(len, rows))
    values = np.array([np.repeat(row * len(row), most // len(row)) for row in rows])
    edges = np.linspace(low, high, most + 1), np.arange(len(rows) + 1) - 0.5
    norm = LogNorm(_LEAST, max(highest, 10.0 * _LEAST))
    shown = axes.pcolormesh(*edges, np.maximum(values, _LEAST), cmap="cividis", norm=norm, rasterized=True)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False)
    return shown


def colour_bar(figure: Figure, image: QuadMesh, panels: list[Axes], label: str) -> None:
    """What the colours of strips mean."""
    bar = figure.colorbar(image, ax=panels, extend="min", pad=0.01, aspect=40, format="{x:g}")
    bar.set_label(label)
