"""Stage `trackC-plot`: the figures of Track C."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from repro.plots import (
    core_figure,
    crlb_distribution,
    efficiency_heatmap,
    error_leak,
    neighbours,
    noise_laws,
    nuisance_ladder,
    paired_map,
    posterior_calibration,
    r2_bayes,
    r2max_vs_snr,
    residual_overlay,
    schur_ratio,
    sigma_map,
    sigma_vs_snr,
    source_difference,
    step_sizes,
    van_trees,
    weighted_loss,
)
from repro.scores.bins import r2
from repro.scores.overlay import overlay
from repro.scores.track_c import Tables
from repro.stages.figures import write_figures
from repro.stages.paths import FIGURES, TRACK_C
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackC/figures/*.png, all or none."""
    write_figures(drawings(Tables.read(TRACK_C)), FIGURES)


def drawings(tables: Tables) -> dict[str, Callable[[Path], object]]:
    """What draws each figure, by name."""
    grids = [tables.three, tables.five]
    result = tables.efficiency()
    leak = r2(tables.leak.truth, tables.leak.estimate)
    drawn: dict[str, Callable[[Path], object]] = {
        "r2max_vs_snr": partial(r2max_vs_snr.draw, grids),
        "sigma_vs_snr": partial(sigma_vs_snr.draw, grids),
        "schur_ratio": partial(schur_ratio.draw, grids),
        "crlb_distribution": partial(crlb_distribution.draw, grids),
        "sigma_map": partial(sigma_map.draw, grids),
        "source_difference": partial(source_difference.draw, grids),
        "neighbours": partial(neighbours.draw, tables.neighbours),
        "nuisance_ladder": partial(nuisance_ladder.draw, tables.nuisances),
        "paired_map": partial(paired_map.draw, tables.nuisances),
        "van_trees": partial(van_trees.draw, tables.van_trees),
        "posterior_calibration": partial(posterior_calibration.draw, tables.posterior),
        "r2_bayes": partial(r2_bayes.draw, tables.posterior, leak),
        "core_figure": partial(core_figure.draw, result, tables.five, tables.van_trees, leak),
        "efficiency_heatmap": partial(efficiency_heatmap.draw, result),
        "residual_overlay": partial(residual_overlay.draw, overlay(tables.predictions, tables.stars, tables.posterior)),
        "weighted_loss": partial(weighted_loss.draw, tables.predictions, tables.stars),
        "noise_laws": partial(noise_laws.draw, tables.noise_laws, predictions=tables.predictions),
    }
    if tables.leak.stars.size:
        drawn["error_leak"] = partial(error_leak.draw, tables.stars, tables.leak)
    if tables.steps.nodes.size:
        drawn["step_sizes"] = partial(step_sizes.draw, tables.steps)
    return drawn


if __name__ == "__main__":
    run_stage("trackC-plot", main)
