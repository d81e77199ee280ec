"""Figures of the leak and of the Bayesian bounds: inside the page, same bytes, nothing cut."""

import numpy as np
import pytest

from repro.bounds.leak_table import LeakTable
from repro.bounds.star_table import StarBounds
from repro.bounds.van_trees_table import VanTreesTable
from repro.files import sha256
from repro.plots import error_leak, van_trees

N = 90


def star_table():
    rng = np.random.default_rng(0)
    mag = np.linspace(20.5, 22.5, N)
    crlb = 0.3 * 10 ** (0.7 * (mag - 21.5)) * rng.lognormal(0.0, 0.5, N)
    scatter = np.geomspace(1e-4, 1.0, 9)
    return StarBounds(
        target="log_g",
        free=("T_eff", "log_g", "M_H", "a_M", "C_M"),
        stars=np.arange(N),
        labels=np.column_stack([np.full(N, 5000.0), rng.uniform(1, 5, N), *np.zeros((3, N))]),
        mag=mag,
        snr=np.full(N, 7.0),
        crlb=crlb,
        crlb_3d=crlb,
        conditional=crlb,
        schur=np.ones(N),
        correlations=np.zeros((N, 5)),
        crlb_flux=crlb,
        error_scatter=scatter,
        crlb_error=1.0 / (1.0 / crlb + 1e-4 / scatter[:, None] ** 2),
    )


def leak_table(stars):
    found = stars.labels.copy()
    found[::2, 1] += 1e-6
    identified = np.arange(N) != 4
    found[4, 1] = 3.0
    return LeakTable("log_g", stars.stars, stars.labels, stars.mag, found, stars.mag, np.full(N, 2e-8), identified)


def bayes_table():
    magnitudes = np.array([18.0, 20.0, 21.5, 22.0, 22.5, 23.0])
    unbiased = 0.003 * 10 ** (0.7 * (magnitudes - 18.0))
    box, taper = 1.0 / (1.0 / unbiased + 0.75), 1.0 / (1.0 / unbiased + 2.0)
    law = np.array([[20.7, 9.5, 0.1], [21.5, 9.5, 0.1], [22.3, 9.5, 0.1]])
    return VanTreesTable(
        "log_g", ("T_eff", "log_g", "M_H", "a_M", "C_M"), 4.0 / 3.0, 0.5228, magnitudes, box, taper, unbiased, law,
        np.full(3, 1.0 / 3.0), box[1:4], taper[1:4], unbiased[1:4],
    )  # fmt: skip


@pytest.mark.parametrize("figure", ["error_leak", "van_trees"])
def test_same_tables_same_bytes_and_nothing_outside_the_page(figure, tmp_path, drawn, inside_the_page):
    stars = star_table()

    def draw(name):
        if figure == "error_leak":
            return error_leak.draw(stars, leak_table(stars), tmp_path / name)
        return van_trees.draw(bayes_table(), tmp_path / name)

    assert sha256(draw("a.png")) == sha256(draw("b.png"))
    inside_the_page(drawn[0])
    for axes in drawn[0].axes:
        low, high = axes.get_ylim()
        for line in axes.lines:
            values = np.asarray(line.get_ydata(), dtype=float)
            if values.size and line.get_transform() == axes.transData:
                assert values.min() >= low and values.max() <= high
        for patch in axes.patches if figure == "error_leak" else []:
            assert patch.get_height() <= high


def test_every_star_stands_in_the_histogram(tmp_path, drawn):
    stars = star_table()
    error_leak.draw(stars, leak_table(stars), tmp_path / "a.png")
    heights = [patch.get_height() for patch in drawn[0].axes[1].patches]
    assert sum(heights) == N
