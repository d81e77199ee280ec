"""Stage `trackE-plot`: the figures of Track E."""

from functools import partial

from repro.plots import error_only, ols_rank, residual_direct
from repro.scores.arms import ArmScores
from repro.scores.track_f import read_arms
from repro.stages.figures import write_figures
from repro.stages.paths import FIGURES_E, TRACK_F
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackE/figures/*.png, all or none: those that the scale has the arms for."""
    scores = ArmScores(read_arms(TRACK_F))
    figures = {"error_only": error_only, "ols_rank": ols_rank, "residual_direct": residual_direct}
    drawn = {name: partial(figure.draw, scores) for name, figure in figures.items() if figure.drawable(scores)}
    write_figures(drawn, FIGURES_E)


if __name__ == "__main__":
    run_stage("trackE-plot", main)
