"""The figure of weighted losses: drawn whole, the same bytes twice, with titles that are computed."""

import numpy as np

from repro.plots import weighted_loss
from tests.scores.stars import bounds_of, gaussian_stars, table_of


def tables():
    truth, bound, mean, snr = gaussian_stars(300)
    bound[5] = np.nan
    models = {
        "ridge": 3.0 + 0.5 * (mean - 3.0),
        "ridge_weighted": 3.0 + 0.7 * (mean - 3.0),
        "mlp": np.stack((mean, mean + 0.1)),
        "mlp_weighted": np.stack((mean + 0.4, mean - 0.4)),
        "mlp_weighted_prior": np.stack((mean, mean)),
    }
    table = table_of(truth, snr, models, runs=2)
    return table, bounds_of(table, bound)


def test_the_figure_says_what_it_shows(tmp_path, drawn, inside_the_page):
    weighted_loss.draw(*tables(), tmp_path / "figure.png")
    (figure,) = drawn
    inside_the_page(figure)
    ridge, mlp = (axes.get_title().splitlines() for axes in figure.axes[:2])
    assert ridge[0] == "Ridge"
    assert ridge[1].startswith("weights 1 / C: R² changes by +0.")
    assert mlp[1].startswith("weights 1 / C: R² changes by \N{MINUS SIGN}0.")
    assert mlp[2].startswith("weights 1 / (C + V): R² changes by +0.00")
    lines = figure.axes[3].containers
    assert len(lines) == 2
    points = lines[0].lines[0].get_xydata()
    assert len(points) == weighted_loss.GROUPS
    assert (points[:, 1] > 0).all()  # an offset of 0.4 does worse in every group


def test_the_file_is_the_same_twice(tmp_path, drawn):
    for name in ("one.png", "two.png"):
        weighted_loss.draw(*tables(), tmp_path / name)
    assert len(drawn) == 2
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
