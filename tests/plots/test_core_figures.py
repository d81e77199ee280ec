"""Figures of models and ceilings on test stars: they show what the scores say, whole, with bytes that do not vary."""

from dataclasses import replace

import numpy as np
import pytest

from repro.bounds.van_trees_table import VanTreesTable
from repro.errors import ParameterError
from repro.files import sha256
from repro.plots import core_figure, efficiency_heatmap, residual_overlay
from repro.scores import published
from repro.scores.efficiency import efficiency, local_prior, posterior_mean, unbiased
from repro.scores.overlay import POSTERIOR, overlay
from tests.scores.overlays import VARIANCE, law_stars, shrunk, tables


@pytest.fixture(scope="module")
def star_tables():
    truth, bound, snr = law_stars(600)
    models = {"weak": shrunk(truth, bound, 0.3), "strong": shrunk(truth, bound, 0.7)}
    models["bad"] = shrunk(truth, 4.0 + 0.0 * bound, 1.0)
    return tables(truth, bound, snr, models)


@pytest.fixture(scope="module")
def result(star_tables):
    predictions, stars, posterior = star_tables
    return efficiency(
        predictions,
        (
            unbiased(stars.stars, stars.crlb),
            local_prior(stars.stars, stars.crlb, VARIANCE),
            posterior_mean(posterior.stars, posterior.truth, posterior.mean[1], "flux"),
        ),
    )


@pytest.fixture(scope="module")
def bounds(table_5d):
    m = len(table_5d.magnitudes)
    box = 0.5 * np.nanmedian(table_5d.crlb, axis=1)
    law = {"law": np.zeros((2, 3)), "law_weights": np.full(2, 0.5)}
    law |= {f"law_{name}": np.full(2, 0.3) for name in ("box", "taper", "unbiased")}
    return VanTreesTable("log_g", table_5d.free, 4 / 3, 0.52, table_5d.magnitudes, box, box / m, 2 * box, **law)


def test_core_figure_is_whole_and_its_bytes_do_not_vary(result, table_5d, bounds, tmp_path, drawn, inside_the_page):
    paths = [core_figure.draw(result, table_5d, bounds, 0.99998, tmp_path / name) for name in ("a.png", "b.png")]
    assert sha256(paths[0]) == sha256(paths[1])
    inside_the_page(drawn[0])
    left, right = drawn[0].axes
    for axes in (left, right):
        low, high = axes.get_ylim()
        for line in axes.lines:
            inside = np.asarray(line.get_ydata(), dtype=float)
            assert not inside.size or (np.nanmin(inside) >= low and np.nanmax(inside) <= high)
    assert "at least 0.9999 over" in " ".join(left.get_legend_handles_labels()[1])
    vit = [line for line in right.lines if list(line.get_ydata()) == list(published.PAPER_CURVES.r2["ViT"])]
    np.testing.assert_allclose(vit[0].get_xdata() * 1.16, published.PAPER_CURVES.snr)  # all on one scale of SNR
    assert [name.split(" ")[0] for name in right.get_legend_handles_labels()[1][-3:]] == ["weak", "strong", "bad"]


def test_points_of_the_core_figure_are_the_bins_with_enough_stars(result, table_5d, bounds, tmp_path, drawn):
    few = result.bins.index("snr_6.5_8.5")
    count = result.count.copy()
    count[few] = 19
    core_figure.draw(replace(result, count=count), table_5d, bounds, 1.0, tmp_path / "a.png")
    figure = drawn[0]
    assert "6.5–8.5" in figure.get_suptitle() and "600 test stars" in figure.get_suptitle()
    drawn_bins = {container.get_label(): container[0].get_xdata() for container in figure.axes[1].containers}
    for snr in drawn_bins.values():
        assert not np.any((snr > 6.5) & (snr < 8.5)) and len(snr) >= 5
    optimum = next(c for c in figure.axes[0].containers if "MMSE" in c.get_label())
    places = [k for k, name in enumerate(result.bins) if name.startswith("snr_") and count[k] >= 20]
    np.testing.assert_allclose(optimum[0].get_ydata(), result.ceiling_r2[2, places, 0])


def test_a_star_without_a_bound_leaves_its_bin_without_the_unbiased_ceiling(
    star_tables, table_5d, bounds, tmp_path, drawn
):
    predictions, stars, posterior = star_tables
    lost = np.flatnonzero(np.abs(stars.snr - 5.0) < 0.5)[0]
    bound = np.where(np.arange(stars.snr.size) == lost, np.nan, stars.crlb)
    optimum = posterior_mean(posterior.stars, posterior.truth, posterior.mean[1], "flux")
    result = efficiency(predictions, (unbiased(stars.stars, bound), optimum))
    core_figure.draw(result, table_5d, bounds, 1.0, tmp_path / "a.png")
    unbiased_curve = next(c for c in drawn[0].axes[0].containers if "unbiased" in c.get_label())[0]
    empty = np.isnan(unbiased_curve.get_ydata())
    assert empty.sum() == 1 and 4.5 < unbiased_curve.get_xdata()[empty][0] < 5.5
    assert np.isfinite(drawn[0].axes[0].get_ylim()).all()


def test_heatmap_prints_every_number_and_hatches_what_has_none(result, tmp_path, drawn, inside_the_page):
    empty = result.bins.index("snr_3.5_4.5")
    count = result.count.copy()
    count[empty] = 3
    changed = replace(result, count=count)
    paths = [efficiency_heatmap.draw(changed, tmp_path / name) for name in ("a.png", "b.png")]
    assert sha256(paths[0]) == sha256(paths[1])
    inside_the_page(drawn[0])
    top = drawn[0].axes[0]
    printed = {(round(t.get_position()[0] - 0.5), round(t.get_position()[1] - 0.5)): t.get_text() for t in top.texts}
    bins = ["all", *(name for name in result.bins if name.startswith("snr_"))]
    for row in range(3):
        for column, name in enumerate(bins):
            place = result.bins.index(name)
            if count[place] < 20:
                assert (column, row) not in printed
            else:
                value = f"{result.eta[row, 2, place, 0]:.2f}".replace("-", "−")
                assert printed[column, row].startswith(value)
    assert bins.index("snr_3.5_4.5") not in {column for column, _ in printed}


def test_heatmap_against_another_ceiling_and_an_unknown_one(result, tmp_path, drawn):
    efficiency_heatmap.draw(result, tmp_path / "a.png", ceiling="crlb")
    assert "unbiased bound" in drawn[0].get_suptitle()
    with pytest.raises(ParameterError, match="no ceiling 'none'; there are crlb, local_prior, mmse_flux"):
        efficiency_heatmap.draw(result, tmp_path / "b.png", ceiling="none")


def test_overlay_shows_every_star_and_estimator(star_tables, tmp_path, drawn, inside_the_page):
    table = overlay(*star_tables)
    paths = [residual_overlay.draw(table, tmp_path / name) for name in ("a.png", "b.png")]
    assert sha256(paths[0]) == sha256(paths[1])
    inside_the_page(drawn[0])
    panels = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert [axes.get_title().split(":")[0] for axes in panels] == [POSTERIOR, "weak", "strong", "bad"]
    low, high = panels[0].get_ylim()
    for axes, name in zip(panels, (POSTERIOR, "weak", "strong", "bad"), strict=True):
        points = axes.lines[0]
        np.testing.assert_array_equal(points.get_ydata(), table.residuals[table.names.index(name)][0])
        assert np.abs(points.get_xdata() - table.truth).max() <= 0.16
        for line in axes.lines:
            assert np.min(line.get_ydata()) >= low and np.max(line.get_ydata()) <= high
    assert f"RMSE {np.sqrt(np.mean(table.residuals[0] ** 2)):.2f}" in panels[1].get_title()


def test_a_bound_that_is_infinite_leaves_the_overlay_in_one_piece(tmp_path, drawn, inside_the_page):
    truth, bound, snr = law_stars(400)
    bound[truth == 3.0] = np.nan
    residual_overlay.draw(overlay(*tables(truth, bound, snr, {"one": shrunk(truth, 1.0, 0.5)})), tmp_path / "a.png")
    inside_the_page(drawn[0])
    assert np.isfinite(drawn[0].axes[0].get_ylim()).all()
