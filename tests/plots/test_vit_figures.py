"""Figures of the transformer: whole, nothing cut, the numbers of the scores by other routes, parts may be missing."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from repro.errors import DataError
from repro.files import sha256
from repro.plots import (
    training_curves,
    vit_ablations,
    vit_core,
    vit_gap,
    vit_lattice,
    vit_parity,
    vit_residuals,
    vit_scaling,
    vit_types,
)
from repro.scores import published
from repro.scores.ablations import ablation_items
from repro.scores.ceiling_gap import against_ceilings
from repro.scores.contenders import Contenders
from repro.scores.interval import Measured
from repro.scores.names import display
from repro.scores.published_vit import VIT
from repro.stages.trackA_plot import drawings
from tests.plots.vit_tables import contenders, histories, r2_of, references, resampled, with_predictions
from tests.plots.whole import nothing_is_cut, words


@pytest.fixture(scope="module")
def known():
    """As scale ci: two sizes, no choices."""
    return contenders()


@pytest.fixture(scope="module")
def many():
    """As the larger scales: five sizes, every choice."""
    return contenders(sizes=(1000, 2000, 4000, 8000, 16000), choices=True, model="vit", stars=200)


def line_of(axes, label):
    """The line or bars whose label starts so."""
    handles, labels = axes.get_legend_handles_labels()
    found = [handle for handle, name in zip(handles, labels, strict=True) if name.startswith(label)]
    assert len(found) == 1, f"{label}: {labels}"
    return found[0][0] if isinstance(found[0], tuple) else found[0]


def whole(figure, inside_the_page):
    inside_the_page(figure)
    nothing_is_cut(figure)


def core(known, path):
    refs = references(known)
    return vit_core.draw(known, against_ceilings(known.predictions(), refs), path)


def test_core_figure_shows_r2_of_bins_with_the_intervals_of_the_stars(known, tmp_path, drawn, inside_the_page):
    core(known, tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    left, right, below, _ = drawn[0].axes
    table = known.scores.table
    inside = (table.snr >= 6.5) & (table.snr < 8.5)
    rows = known.headline["vit_small"]

    def r2(stars):
        chosen = stars[inside[stars]]
        return np.mean([r2_of(table.truth[chosen], table.predictions[row][chosen]) for row in rows])

    line = line_of(left, "ViT (small) (8000 spectra")
    place = np.flatnonzero(np.abs(line.get_xdata() / np.sqrt(6.5 * 8.5) - 1.0) < 0.05)[0]
    assert line.get_ydata()[place] == pytest.approx(r2(np.arange(len(table.truth))), abs=1e-6)
    band = left.collections[0].get_paths()[0].vertices
    own = band[np.isclose(band[:, 0], line.get_xdata()[place])][:, 1]
    wanted = np.percentile(resampled(r2, len(table.truth)), (5.0, 95.0))
    assert (own.min(), own.max()) == pytest.approx(tuple(wanted), abs=1e-6)
    assert str(int(inside.sum())) in [text.get_text() for text in below.texts]
    vit = line_of(right, "ViT, published (v2")
    np.testing.assert_allclose(vit.get_xdata() * 1.16, published.PAPER_CURVES.snr)


@pytest.mark.slow
def test_core_figure_leaves_out_bins_of_few_stars_and_ceilings_that_are_not_known(tmp_path, drawn, inside_the_page):
    few = contenders(stars=60)
    refs = references(few)
    lone = against_ceilings(few.predictions(), refs.__class__(**{**vars(refs), "names": ("a", "b", "c", "d")}))
    vit_core.draw(few, lone, tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    left, _, below, _ = drawn[0].axes
    assert not any("ceiling" in label for label in left.get_legend_handles_labels()[1])
    numbers = [int(text.get_text()) for text in below.texts]
    assert sum(n >= 20 for n in numbers) == len(line_of(left, "ViT").get_xdata()) < len(numbers)
    assert sum(numbers) == np.sum((few.scores.table.snr >= 2.5) & (few.scores.table.snr <= 28.0))


@pytest.mark.slow
def test_gaps_are_those_of_the_same_stars_and_of_the_published_curves(known, tmp_path, drawn, inside_the_page):
    refs = references(known)
    vit_gap.draw(known, against_ceilings(known.predictions(), refs), tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    (axes,) = drawn[0].axes
    table = known.scores.table
    inside = (table.snr >= 8.5) & (table.snr < 12.5)
    truth = table.truth[inside]
    models = [table.predictions[row][inside] for row in known.headline["vit_small"]]
    wanted = r2_of(truth, refs.optimum[inside]) - np.mean([r2_of(truth, one) for one in models])
    line = line_of(axes, "ViT (small) to the exact")
    place = np.argmin(np.abs(line.get_xdata() / np.sqrt(8.5 * 12.5) - 1.0))
    assert line.get_ydata()[place] == pytest.approx(wanted, abs=1e-6)
    # v1 at SNR 4.6 lies between 0.52 at 4.1 and 0.60 at 5.0, the published ceiling there is 0.6983
    hollow = line_of(axes, "follows from the published curve (v1")
    between = 0.52 + 0.08 * np.log(4.6 / 4.1) / np.log(5.0 / 4.1)
    assert hollow.get_ydata()[np.argmin(np.abs(hollow.get_xdata() - 4.6))] == pytest.approx(0.6983 - between)


def test_training_curves_mark_the_epoch_that_is_tested(known, tmp_path, drawn, inside_the_page):
    stems = histories(known, tmp_path)
    curves = training_curves.read_curves(known.own, tmp_path)
    assert len(curves) == len(stems) == 6
    training_curves.draw(curves, tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    r2 = drawn[0].axes[1]
    marks = sorted((line.get_xdata()[0], line.get_ydata()[0]) for line in r2.lines if line.get_marker() == "o")
    # facts of run k say epoch 2 + k; its R2 is lower by 0.01 a run and by 0.1 an epoch after the second
    wanted = sorted((2.0 + k, 0.5 - 0.11 * k) for k in (0, 1, 2) for _ in (2000, 8000))
    np.testing.assert_allclose(marks, wanted)
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels == ["2000 spectra", "8000 spectra"]


def test_histories_may_be_absent_but_not_broken(known, tmp_path):
    assert not training_curves.drawable(training_curves.read_curves(known.own, tmp_path))
    first = histories(known, tmp_path)[0]
    (tmp_path / f"{first}.csv").write_text("epoch,loss\n1,0.5\n")
    with pytest.raises(DataError, match=f"{first}.csv: not a history"):
        training_curves.read_curves(known.own, tmp_path)


@pytest.mark.slow
def test_scaling_shows_every_size_and_no_fit_of_two(known, tmp_path, drawn, inside_the_page):
    vit_scaling.draw(known, against_ceilings(known.predictions(), references(known)), tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    left, right = drawn[0].axes
    table = known.scores.table
    for model in ("vit_small", "lightgbm"):
        line = line_of(left, {"vit_small": "ViT (small)", "lightgbm": "LightGBM"}[model])
        wanted = [
            np.mean([r2_of(table.truth, table.predictions[row]) for row in known.by_size[model][n]])
            for n in (2000, 8000)
        ]
        np.testing.assert_allclose(line.get_ydata(), wanted, atol=1e-6)
    assert not left.collections or not any(path.vertices.size > 200 for c in left.collections for path in c.get_paths())
    hollow = line_of(right, "ViT, published, 10 000")
    assert list(hollow.get_ydata()) == list(VIT.values()) and hollow.get_markerfacecolor() == "none"


@pytest.mark.slow
def test_scaling_of_five_sizes_has_a_fit_near_its_points(many, tmp_path, drawn, inside_the_page):
    vit_scaling.draw(many, against_ceilings(many.predictions(), references(many)), tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    left = drawn[0].axes[0]
    fits = [line for line in left.lines if line.get_linestyle() == "--" and line.get_color() == "black"]
    fits = [line for line in fits if len(line.get_xdata()) == 60]
    points = line_of(left, "ViT")
    assert len(fits) == 1
    at = np.interp(np.log(points.get_xdata()), np.log(fits[0].get_xdata()), fits[0].get_ydata())
    np.testing.assert_allclose(at, points.get_ydata(), atol=0.05)


def test_choices_are_paired_differences_in_their_groups(many, tmp_path, drawn, inside_the_page):
    vit_ablations.draw(many.scores, tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    (axes,) = drawn[0].axes
    table = many.scores.table

    def mean_r2(**where):
        return np.mean([r2_of(table.truth, table.predictions[row]) for row in table.rows(**where)])

    gain = mean_r2(experiment="tokenizer", setting="tokenizer=sw") - mean_r2(
        experiment="tokenizer", setting="tokenizer=c1d"
    )
    shown = {round(float(c.lines[0].get_ydata()[0]), 6): float(c.lines[0].get_xdata()[0]) for c in axes.containers}
    names = {
        round(place, 6): text.get_text() for place, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    }
    assert len(shown) == len(names) == 2 + 1 + 2 + 3 + 2 + 1 + 3
    (place,) = [place for place, name in names.items() if name.startswith("sw ")]
    assert shown[place] == pytest.approx(gain, abs=1e-6)
    assert f"{gain:+.3f}".replace("-", "−") in names[place]
    (control,) = [place for place, name in names.items() if "init conv against sw" in name]
    assert control > place
    groups = [text.split(":")[0] for text in words(drawn[0])]
    assert groups == ["tokenizer", "loss", "shape", "kept", "lattice", "other networks against ViT"]
    hollow = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "D" and len(line.get_xdata())]
    wanted = {round(0.6139 - 0.5814, 4), round(0.6016 - 0.5814, 4)}  # fact sheet, section 3.1
    assert {round(one, 4) for one in hollow if np.isfinite(one)} == wanted


def gains_over_main(scores, tmp_path, drawn):
    """As the figure shows them, by network."""
    vit_ablations.draw(scores, tmp_path / "a.png")
    (axes,) = drawn[-1].axes
    shown = {round(float(c.lines[0].get_ydata()[0]), 6): float(c.lines[0].get_xdata()[0]) for c in axes.containers}
    labels = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    names = {text.get_text(): shown[round(float(place), 6)] for place, text in labels}
    return {name.split(",")[0]: gain for name, gain in names.items() if "spectra" in name}


def test_other_networks_answer_to_trainings_of_as_many_epochs_as_the_evidence_has_it(many, tmp_path, drawn):
    def trained(**epochs):
        facts = tuple(json.dumps({"epochs_run": epochs.get(name, 50)}) for name in many.own.experiments)
        return Contenders(replace(many.own, facts=facts), many.baselines).scores

    table = many.scores.table

    def mean_r2(experiment, **where):
        rows = table.rows(experiment=experiment, n_train=16000, **where)
        return np.mean([r2_of(table.truth, table.predictions[row]) for row in rows])

    unequal = trained(main=200, cnn_matched=30)  # nothing else had 30 epochs
    found = gains_over_main(unequal, tmp_path, drawn)
    reference = mean_r2("tokenizer", setting="tokenizer=c1d")
    assert set(found) == {display("vit_fast"), display("swin")}
    assert found[display("swin")] == pytest.approx(mean_r2("swin") - reference, abs=1e-6)
    assert found[display("vit_fast")] == pytest.approx(mean_r2("fast") - mean_r2("main"), abs=1e-6)
    evidence = {address: value for address, value, _ in ablation_items(unequal)}
    assert evidence["swin/swin/noise1/n16000/gain_over_main"].value == pytest.approx(found[display("swin")], abs=1e-9)
    equal = gains_over_main(trained(), tmp_path, drawn)
    assert equal[display("swin")] == pytest.approx(mean_r2("swin") - mean_r2("main"), abs=1e-6)


def test_choices_are_not_drawable_without_any(known):
    assert not vit_ablations.drawable(known.scores)


@pytest.mark.slow
def test_residuals_show_every_star_and_the_line_of_shrinkage(known, tmp_path, drawn, inside_the_page):
    vit_residuals.draw(known, tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    gravity = drawn[0].axes[1]
    table, rows = known.scores.table, known.headline["vit_small"]
    stars = [line for line in gravity.lines if line.get_marker() == "."]
    x, y = (np.concatenate([get(line) for line in stars]) for get in (lambda i: i.get_xdata(), lambda i: i.get_ydata()))
    order = np.argsort(x, kind="stable")
    assert len(x) == len(table.truth)
    np.testing.assert_allclose(np.sort(x), np.sort(table.truth))
    np.testing.assert_allclose(np.sort(y), np.sort(table.predictions[rows[0]] - table.truth), atol=1e-6)
    assert len(order) == len(table.truth)
    slope = np.mean([np.polyfit(table.truth, table.predictions[row], 1)[0] for row in rows])
    label = next(name for name in gravity.get_legend_handles_labels()[1] if name.startswith("shrinkage"))
    assert f"= {slope:.2f} ·" in label
    bins = line_of(gravity, "mean of a bin")
    low = (table.truth >= 1.5) & (table.truth < 2.0)
    wanted = np.mean([np.mean(table.predictions[row][low] - table.truth[low]) for row in rows])
    assert np.min(np.abs(bins.get_ydata() - wanted)) < 1e-6


@pytest.mark.slow
def test_errors_by_type_are_means_of_their_stars(known, tmp_path, drawn, inside_the_page):
    vit_types.draw(known, tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    (axes,) = drawn[0].axes
    table = known.scores.table
    giants = table.truth < 2.5
    rows = known.headline["lightgbm"]
    wanted = np.mean([np.mean(np.abs(table.predictions[row] - table.truth)[giants]) for row in rows])
    handles, labels = axes.get_legend_handles_labels()
    assert handles[labels.index("LightGBM")][0].get_ydata()[0] == pytest.approx(wanted, abs=1e-6)
    assert f"{giants.sum()} stars" in axes.get_xticklabels()[0].get_text()
    hollow = line_of(axes, "ViT, published")
    assert hollow.get_ydata().tolist() == [0.430, 0.417, 0.466]


def test_parity_shows_the_numbers_of_the_run_and_the_nodes(known, tmp_path, drawn, inside_the_page):
    refs = references(known)
    vit_parity.draw(known, refs, tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    table = known.scores.table
    first, second, third = drawn[0].axes
    prediction = table.predictions[known.headline["vit_small"][0]]
    assert f"R² {r2_of(table.truth, prediction):.3f}" in first.get_title()
    assert f"MAE {np.mean(np.abs(prediction - table.truth)):.3f} dex" in first.get_title()
    assert "Template fit" in second.get_title() and "Bayes" in third.get_title()
    stripes = next(line for line in first.lines if line.get_marker() == "." and len(line.get_xdata()))
    assert set(np.unique(stripes.get_xdata() * 2.0 % 1.0)) == {0.0}
    assert "80 % of the true gravities" in drawn[0].get_suptitle()


def test_planted_attraction_to_the_nodes_is_seen(known, tmp_path, drawn, inside_the_page):
    near = np.round(2.0 * known.own.predictions[0]) / 2.0 + 0.03
    vit_lattice.draw(with_predictions(known, "main", near), references(known), tmp_path / "a.png")
    whole(drawn[0], inside_the_page)
    left, middle, _ = drawn[0].axes
    shares = [patch.get_data().values for patch in left.patches if isinstance(patch, StepPatch)]
    assert [one.sum() for one in shares] == pytest.approx([100.0, 100.0])  # the model and the optimum
    assert shares[0][5] == pytest.approx(100.0) and shares[1].max() < 40.0
    found = line_of(middle, "stars off the nodes").get_xdata()
    assert float(found[0]) == pytest.approx(np.cos(2.0 * np.pi * 0.03 / 0.5), abs=1e-4)


@pytest.mark.slow
def test_every_figure_of_the_larger_scales_is_whole(many, tmp_path, drawn, inside_the_page):
    histories(many, tmp_path)
    refs = references(many)
    tables = SimpleNamespace(
        known=many, references=refs, efficiency=against_ceilings(many.predictions(), refs), attention=None
    )
    drawn_by = {name: one for name, one in drawings(tables, tmp_path).items() if not name.startswith("attention")}
    assert {"vit_core", "vit_ablations", "vit_noise", "training_curves"} <= set(drawn_by)
    for name, one in drawn_by.items():
        one(tmp_path / f"{name}.png")
        whole(drawn[-1], inside_the_page)
    again = drawn_by["vit_ablations"](tmp_path / "again.png")
    assert sha256(again) == sha256(tmp_path / "vit_ablations.png")


def test_a_scale_without_choices_has_the_other_figures(known, tmp_path):
    refs = references(known)
    tables = SimpleNamespace(known=known, references=refs, efficiency=None, attention=None)
    names = set(drawings(tables, tmp_path))
    assert {"vit_core", "vit_gap", "vit_types", "vit_scaling", "vit_residuals", "vit_parity", "vit_lattice"} <= names
    assert not {"vit_ablations", "vit_noise", "training_curves"} & names


@pytest.mark.slow
def test_one_run_is_drawn_too(tmp_path, drawn, inside_the_page):
    lone = contenders(seeds=(0,), sizes=(2000,), stars=120)
    assert isinstance(lone.scores.measured(lone.main), Measured)
    refs = references(lone)
    vit_scaling.draw(lone, against_ceilings(lone.predictions(), refs), tmp_path / "a.png")
    vit_lattice.draw(lone, refs, tmp_path / "b.png")
    for figure in drawn:
        whole(figure, inside_the_page)
