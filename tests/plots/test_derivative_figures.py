"""Figures of the step sizes and of V1's estimate: inside the page, nothing hidden, bytes that do not vary."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from repro.bounds.neighbours_table import NeighbourTable
from repro.bounds.steps_table import StepStudy
from repro.files import sha256
from repro.plots import neighbours, step_sizes

FRACTIONS = np.array([1.0, 0.5, 0.25, 0.125, 0.0625, 0.015625])


def study():
    rng = np.random.default_rng(0)
    size = rng.uniform(0.3, 3.0, size=(4, 3, 1))
    difference = 0.03 * size * FRACTIONS**2 + 1e-5 / FRACTIONS
    return StepStudy(
        target="log_g",
        free=("T_eff", "log_g", "M_H"),
        steps=np.array([250.0, 0.5, 0.25]),
        fractions=FRACTIONS,
        nodes=np.arange(4),
        labels=np.zeros((4, 5)),
        difference=difference,
        richardson=0.1 * difference[:, :, 1],
        crlb=np.ones(4),
        crlb_ratio=1.0 + 0.3 * difference[:, 1],
        crlb_ratio_richardson=np.full(4, 1.0003),
    )


def estimate():
    rng = np.random.default_rng(1)
    n, span = 400, rng.uniform(0.05, 10.0, size=(400, 3))
    information = 5.0 * (1.0 + 30.0 * span[:, 1] ** -2.0) * rng.lognormal(size=n)
    crlb = 1.0 / information
    crlb[:2] = 1e10
    succeeded = np.arange(n) % 5 > 0
    control = np.arange(0, n, 4)
    return NeighbourTable(
        labels=rng.uniform(size=(n, 5)),
        succeeded=succeeded,
        span=span,
        other_abundances=np.ones((n, 3), dtype=bool),
        information=information,
        crlb=crlb,
        schur=np.full(n, 0.3),
        condition=np.full(n, 1e5),
        lattice_information=np.full(n, 5.0),
        lattice_crlb=np.full(n, 0.3),
        control=control,
        control_crlb=0.3 * rng.lognormal(sigma=0.1, size=len(control)),
        control_lattice_crlb=np.full(len(control), 0.3),
    )


@pytest.mark.parametrize(("module", "table"), [(step_sizes, study()), (neighbours, estimate())])
def test_same_table_same_bytes_and_nothing_outside_the_page(module, table, tmp_path, drawn):
    first = module.draw(table, tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 20.0, "axes.facecolor": "red"}):
        second = module.draw(table, tmp_path / "b.png")
    assert sha256(first) == sha256(second)
    box, page = drawn[0].get_tightbbox(), drawn[0].get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page[0] and box.y1 <= page[1]
    for axes in drawn[0].axes:
        assert axes.get_xlabel() and axes.get_ylabel()
        low, high = axes.get_ylim()
        for line in axes.lines:
            values = np.asarray(line.get_ydata(), dtype=float)
            assert not values.size or (values.min() >= low and values.max() <= high)


def test_what_lies_outside_the_axis_is_counted(tmp_path, drawn):
    neighbours.draw(estimate(), tmp_path / "a.png")
    words = [text.get_text() for text in drawn[0].axes[1].get_legend().get_texts()]
    assert any("0 below, 1 above this range" in word for word in words)


def test_a_study_of_no_node_says_so(tmp_path, drawn):
    """What a source without exact derivatives leaves."""
    rows = ("nodes", "labels", "difference", "richardson", "crlb", "crlb_ratio", "crlb_ratio_richardson")
    whole = study()
    step_sizes.draw(replace(whole, **{name: getattr(whole, name)[:0] for name in rows}), tmp_path / "a.png")
    assert [text.get_text() for axes in drawn[0].axes for text in axes.texts].count("no node was studied") == 2
