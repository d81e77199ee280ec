"""Figures of the matrix of experiments: drawn whole, nothing cut, the numbers of the scores, parts may be missing."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from repro.plots import data_scaling, decision_tree, leaderboard, matrix, principles, residual_direct, scaler_control
from repro.plots.looks import look_of
from repro.plots.style import style
from repro.scores import leaderboard as scores_of_all
from repro.scores.arms import ArmScores
from repro.scores.board import Optimum, Principle
from repro.scores.interval import Measured
from repro.scores.names import display
from tests.plots.whole import nothing_is_cut, words
from tests.scores.arm_tables import everything, without

FAST = ("ols_rank", "validation_size")
LARGE = ("alpha_sensitivity", "cnn_sensitivity", "components", "error_only", "topk", "tree_sensitivity")
ARMS = (*FAST, *LARGE, "cross_noise", "residual_direct", "scaler_control")
EXPERIMENTS = {
    "alpha_sensitivity": "alpha",
    "cnn_sensitivity": "cnn",
    "cross_noise": "cross_noise",
    "error_only": "error_only",
    "ols_rank": "ols_cut",
    "residual_direct": "networks",
    "scaler_control": "scaler",
    "topk": "topk",
    "tree_sensitivity": "trees",
    "validation_size": "validation_size",
}


def figure_of(name):
    return importlib.import_module(f"repro.plots.{name}")


@pytest.fixture(scope="module")
def scores():
    return ArmScores(everything(stars=80))


@pytest.fixture(scope="module")
def small():
    """One level, one seed."""
    return ArmScores(everything(stars=40, sizes=(1000, 2000), levels=(1.0,), seeds=(0,)))


@pytest.fixture(scope="module")
def board(scores):
    return scores_of_all.leaderboard(scores, {"n_test": 80}, Optimum(1.0, 0.77, 0.03, 64))


@pytest.mark.parametrize("name", FAST)
def test_figures_are_whole(name, scores, tmp_path, drawn, inside_the_page):
    figure = figure_of(name)
    assert figure.drawable(scores)
    figure.draw(scores, tmp_path / "a.png")
    inside_the_page(drawn[0])
    nothing_is_cut(drawn[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_figures_are_whole(name, scores, tmp_path, drawn, inside_the_page):
    test_figures_are_whole(name, scores, tmp_path, drawn, inside_the_page)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARMS)
def test_one_level_size_and_seed_are_drawn_too(name, small, tmp_path, drawn, inside_the_page):
    figure = figure_of(name)
    if figure.drawable(small):
        figure.draw(small, tmp_path / "a.png")
        inside_the_page(drawn[0])
        nothing_is_cut(drawn[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ARMS)
def test_ridge_may_be_absent(name, scores, tmp_path, drawn, inside_the_page):
    rest, figure = ArmScores(without(scores.table, model="ridge")), figure_of(name)
    if figure.drawable(rest):
        figure.draw(rest, tmp_path / "a.png")
        inside_the_page(drawn[0])


@pytest.mark.parametrize(("name", "experiment"), EXPERIMENTS.items())
def test_without_its_experiment_a_figure_is_not_drawable(name, experiment, scores):
    assert not figure_of(name).drawable(ArmScores(without(scores.table, experiment=experiment)))


def test_cross_noise_prints_the_scores_and_frames_the_matched_level(scores, tmp_path, drawn, inside_the_page):
    figure_of("cross_noise").draw(scores, tmp_path / "a.png")
    inside_the_page(drawn[0])
    axes = drawn[0].axes[0]
    wanted = scores.measured(
        scores.cells(experiment="cross_noise", setting="choice=validation", train_noise=1.2, test_noise=0.5)[0]
    )
    assert f"{wanted.value:.2f}" in {t.get_text() for t in axes.texts if t.get_position() == (3, 5)}
    framed = {(round(patch.get_x() + 0.5), round(patch.get_y() + 0.5)) for patch in axes.patches}
    levels = [0.0, 0.1, 0.2, 0.5, 1.0, 1.2, 2.0]
    assert framed == {(k, levels.index(level)) for k, level in enumerate((0.0, 0.1, 0.2, 0.5, 1.0, 2.0))}


def test_residual_networks_are_paired_with_the_direct_ones(scores, tmp_path, drawn, inside_the_page):
    residual_direct.draw(scores, tmp_path / "a.png")
    inside_the_page(drawn[0])
    nothing_is_cut(drawn[0])
    (axes,) = drawn[0].axes
    pairs = residual_direct._pairs(scores)
    shown = sorted(float(c.lines[0].get_xdata()[0]) for c in axes.containers)
    assert shown == pytest.approx(sorted(scores.difference(*pair).value for pair in pairs))
    assert len(shown) == 8  # two levels, two sizes, two kinds of residuals


def test_scaler_control_says_how_many_trees_there_were(scores, tmp_path, drawn, inside_the_page):
    scaler_control.draw(scores, tmp_path / "a.png")
    inside_the_page(drawn[0])
    nothing_is_cut(drawn[0])
    trees = [text for text in words(drawn[0]) if text.endswith("trees")]
    assert len(trees) == 12 and trees.count(" 4 trees") == 5  # 3 + mean of seeds 0, 1, 2


def test_the_leaderboard_is_in_order_and_the_same_twice(board, tmp_path, drawn, inside_the_page):
    paths = [leaderboard.draw(board, tmp_path / name) for name in ("a.png", "b.png")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    inside_the_page(drawn[0])
    nothing_is_cut(drawn[0])
    names = [label.get_text() for label in drawn[0].axes[1].get_yticklabels()]
    best = {entry.model: entry for entry in sorted(board.entries, key=lambda e: e.size) if entry.level == 1.0}
    order = [entry.model for entry in sorted(best.values(), key=lambda e: -e.r2)]
    assert [name.split(" (no")[0].split(" (2000")[0] for name in names] == [display(model) for model in order]


@pytest.mark.slow
def test_scaling_with_data_is_whole(board, tmp_path, drawn, inside_the_page):
    data_scaling.draw(board, tmp_path / "a.png")
    inside_the_page(drawn[0])
    nothing_is_cut(drawn[0])


@pytest.mark.slow
def test_a_board_of_one_place_is_drawn_too(small, tmp_path, drawn):
    lone = scores_of_all.leaderboard(small, {})
    for figure in (leaderboard, data_scaling, decision_tree):
        figure.draw(lone, tmp_path / "a.png")
    assert len(drawn) == 3


def test_the_tree_shows_every_answer_and_the_map_every_place(board, tmp_path, drawn):
    decision_tree.draw(board, tmp_path / "a.png")
    places, tree = drawn[0].axes
    assert len(places.texts) == len(board.recommendations)
    shares = [int(line.split()[0]) for text in tree.texts for line in text.get_text().split("\n") if "places" in line]
    assert sum(shares) == len(board.recommendations)
    assert drawn[0].get_tightbbox().x1 <= drawn[0].get_size_inches()[0] + 0.02


def test_no_tree_without_a_matrix(board):
    assert decision_tree.drawable(board) and not decision_tree.drawable(replace(board, tree=None))


def test_principles_keep_their_order_and_count_their_verdicts(tmp_path, drawn):
    rows = [
        Principle("F-P-1", "word " * 60, "1", "0.1 ± 0.2", "NOT REPRODUCED", "", "alpha/ridge", ()),
        Principle("F-P-2", "short", "", "", "NOT RUN", "", "", ()),
        Principle("F-P-3", "short", "2 < 3", "1", "NOT REPRODUCED", "", "trees/lightgbm", ()),
    ]
    first, second = (principles.draw(rows, tmp_path / name) for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
    texts = words(drawn[0])
    assert [text for text in texts if text.startswith("F-P")] == ["F-P-1", "F-P-2", "F-P-3"]
    assert texts.count("✗ NOT REPRODUCED") == 2 and "NOT RUN" in texts
    assert drawn[0].get_suptitle().endswith("2 not reproduced, 1 not run")
    box, page = drawn[0].get_tightbbox(), drawn[0].get_size_inches()
    assert box.x0 >= -0.02 and box.x1 <= page[0] + 0.02 and box.y0 >= -0.02


def test_the_axis_of_r2_is_its_own_inverse_and_has_room(tmp_path):
    values = np.array([-2000.0, -1.0, 0.0, 0.5, 0.999])
    np.testing.assert_allclose(matrix._grow(matrix._shrink(values)), values, rtol=1e-9)
    with style():
        axes = Figure().subplots()
        axes.plot(values, "o")
        matrix.fit_r2(axes)
    low, high = axes.get_ylim()
    assert low < -2000 and 0.999 < high < 1.0
    ticks = axes.get_yticks()
    assert {0.0, 0.9, 0.99, -100.0} <= set(ticks) and (np.diff(ticks) > 0).all()


def test_one_run_of_a_seeded_arm_has_the_bars_of_the_stars_alone():
    samples = np.concatenate([[0.5], 0.5 + 0.1 * np.random.default_rng(0).standard_normal(200)])
    one = Measured((0.5,), samples)
    assert not np.isfinite(one.half_width)
    assert matrix.half_width(one) == pytest.approx(1.6449 * np.std(samples[1:], ddof=1), rel=1e-4)
    three = Measured((0.4, 0.5, 0.6), samples)
    assert matrix.half_width(three) == three.half_width


def test_models_that_the_kit_does_not_know_look_different_from_each_other():
    names = ["ridge", "mine", "yours"]
    looks = {look_of(name, names) for name in names}
    assert len(looks) == 3
