"""Stage `trackF-plot`: the figures of Track F."""

from functools import partial
from pathlib import Path

from repro.plots import (
    alpha_sensitivity,
    cnn_sensitivity,
    components,
    cross_noise,
    data_scaling,
    decision_tree,
    leaderboard,
    scaler_control,
    topk,
    tree_sensitivity,
    validation_size,
)
from repro.scores.arms import ArmScores
from repro.scores.board import read_leaderboard
from repro.scores.track_f import read_arms
from repro.stages.figures import Draw, write_figures
from repro.stages.paths import FIGURES_F, LEADERBOARD, TRACK_F
from repro.stages.runner import Run, run_stage


def main(run: Run) -> None:
    """Write results/trackF/figures/*.png, all or none."""
    write_figures(drawings(TRACK_F, LEADERBOARD), FIGURES_F)


def drawings(arms: Path, board: Path) -> dict[str, Draw]:
    """What draws each figure, by name: those that the scale has the arms for."""
    scores, leaders = ArmScores(read_arms(arms)), read_leaderboard(board)
    drawn: dict[str, Draw] = {
        "leaderboard": partial(leaderboard.draw, leaders),
        "data_scaling": partial(data_scaling.draw, leaders),
    }
    if decision_tree.drawable(leaders):
        drawn["decision_tree"] = partial(decision_tree.draw, leaders)
    figures = (
        *(alpha_sensitivity, tree_sensitivity, cnn_sensitivity, components, topk),
        *(cross_noise, scaler_control, validation_size),
    )
    for figure in figures:
        if figure.drawable(scores):
            drawn[figure.__name__.rpartition(".")[2]] = partial(figure.draw, scores)
    return drawn


if __name__ == "__main__":
    run_stage("trackF-plot", main)
