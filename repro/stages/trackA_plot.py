"""Stage `trackA-plot`: the figures of Track A."""

from functools import partial
from pathlib import Path
from types import ModuleType

from repro.plots import (
    attention_agreement,
    attention_groups,
    attention_heads,
    attention_lines,
    attention_pixels,
    training_curves,
    vit_ablations,
    vit_core,
    vit_gap,
    vit_lattice,
    vit_noise,
    vit_parity,
    vit_residuals,
    vit_scaling,
    vit_types,
)
from repro.scores.track_a import Tables
from repro.stages.figures import Draw, write_figures
from repro.stages.paths import FIGURES_A, MODELS_A, TRACK_A
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackA/figures/*.png, all or none."""
    write_figures(drawings(Tables.read(TRACK_A), MODELS_A), FIGURES_A)


def drawings(tables: Tables, models: Path) -> dict[str, Draw]:
    """What draws each figure, by name: those that the scale has the arms for."""
    known, references, result = tables.known, tables.references, tables.efficiency
    drawn: dict[str, Draw] = {
        "vit_core": partial(vit_core.draw, known, result),
        "vit_gap": partial(vit_gap.draw, known, result),
        "vit_scaling": partial(vit_scaling.draw, known, result),
        "vit_residuals": partial(vit_residuals.draw, known),
        "vit_types": partial(vit_types.draw, known),
        "vit_parity": partial(vit_parity.draw, known, references),
        "vit_lattice": partial(vit_lattice.draw, known, references),
    }
    for figure in (vit_ablations, vit_noise):
        if figure.drawable(known.scores):
            drawn[_name(figure)] = partial(figure.draw, known.scores)
    curves = training_curves.read_curves(known.own, models)
    if training_curves.drawable(curves):
        drawn["training_curves"] = partial(training_curves.draw, curves)
    attention = (attention_lines, attention_heads, attention_groups, attention_agreement, attention_pixels)
    return drawn | {_name(figure): partial(figure.draw, tables.attention) for figure in attention}


def _name(figure: ModuleType) -> str:
    """Of a figure: that of its module."""
    return figure.__name__.rpartition(".")[2]


if __name__ == "__main__":
    run_stage("trackA-plot", main)
