"""Error of central differences against their step, on lines whose derivatives are known."""

from dataclasses import fields
from functools import partial

import numpy as np
import pytest
import torch

from repro.bounds.autodiff import in_processes
from repro.bounds.ceiling import lattice_ceiling
from repro.bounds.derivatives import interior
from repro.bounds.steps import StepStudy, lattice_steps, star_slopes, step_nodes, step_study
from repro.files import sha256
from repro.instrument.noise import Conditions, NoiseModel
from repro.scores.steps import summarise_steps
from repro.spectra.lattice import paper_3d

CONDITIONS = Conditions(mag=21.5, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
FRACTIONS = (1.0, 0.5, 0.25, 0.125)


@pytest.fixture(scope="module")
def lines(make_grid):
    return make_grid(T_eff=(4500.0, 5000.0, 5500.0), log_g=(2.5, 3.0, 3.5), M_H=(-0.25, 0.0, 0.25))


def study_of(function, lines, fractions=FRACTIONS, **options):
    nodes = step_nodes(lines.lattice, 3, 0)
    steps = lattice_steps(lines.lattice)
    slopes = (star_slopes(function, labels, steps, fractions) for labels in lines.lattice.labels[nodes])
    return step_study(slopes, lines, nodes, NoiseModel("paper"), CONDITIONS, fractions=fractions, **options)


@pytest.fixture(scope="module")
def study(spectrum_function, lines):
    return study_of(spectrum_function, lines)


def test_truncation_falls_with_the_square_of_the_step_and_faster_once_extrapolated(study):
    assert study.free == ("T_eff", "log_g", "M_H") and list(study.steps) == [500.0, 0.5, 0.25]
    assert study.nodes.tolist() == [13]  # the only interior one
    np.testing.assert_allclose(study.difference[:, :, :-1] / study.difference[:, :, 1:], 4.0, rtol=0.05)
    assert (study.richardson < 0.1 * study.difference[:, :, 1]).all()
    change = np.abs(study.crlb_ratio - 1.0)[0]
    np.testing.assert_allclose(change[1:-1] / change[2:], 4.0, rtol=0.1)
    assert abs(study.crlb_ratio_richardson[0] - 1.0) < 0.2 * change[1]
    values = summarise_steps(study)
    assert values["3D/steps/n_nodes"] == 1
    for label in study.free:
        assert values[f"3D/steps/order_{label}"] == pytest.approx(2.0, abs=0.06)
        assert values[f"3D/steps/best_fraction_{label}"] == 0.125
    assert values["3D/steps/crlb_ratio/0.5"] == study.crlb_ratio[0, 1]
    assert values["3D/steps/crlb_change_max/richardson"] == abs(study.crlb_ratio_richardson[0] - 1.0)


def test_the_whole_step_is_the_lattice_s_own_secant(study, lines):
    """Second route: the bound of the node grid itself, whose spectra are scaled by their own medians."""
    table = lattice_ceiling(lines, (21.5,), NoiseModel("paper"), CONDITIONS)
    assert study.crlb[0] * study.crlb_ratio[0, 0] == pytest.approx(table.crlb[0, 13], rel=2e-3)


def test_rounding_sets_a_floor_that_grows_as_the_step_shrinks(spectrum_function, lines):
    def rounded(labels):
        return spectrum_function(labels).to(torch.float32).to(torch.float64)

    fractions = (1.0, 2.0**-4, 2.0**-12, 2.0**-15)
    by_step = study_of(rounded, lines, fractions).difference[0]
    assert (by_step[:, 1] < 0.06 * by_step[:, 0]).all()
    # steps eight times shorter; single roundings scatter about that factor
    assert (by_step[:, 3] > 4.0 * by_step[:, 2]).all() and (by_step[:, 2] > 4.0 * by_step[:, 1]).all()


def test_only_interior_nodes_are_studied():
    lattice = paper_3d()
    nodes = step_nodes(lattice, 6, 1)
    assert len(set(nodes)) == 6 and interior(lattice)[nodes].all()
    np.testing.assert_array_equal(nodes, step_nodes(lattice, 6, 1))
    assert lattice_steps(lattice) == {"T_eff": 250.0, "log_g": 0.5, "M_H": 0.25}
    assert not step_nodes(lattice, 0, 1).size


def test_a_study_survives_its_file(study, tmp_path):
    study.write(tmp_path / "a.h5")
    read = StepStudy.read(tmp_path / "a.h5")
    for entry in fields(StepStudy):
        np.testing.assert_array_equal(getattr(read, entry.name), getattr(study, entry.name))
    read.write(tmp_path / "b.h5")
    assert sha256(tmp_path / "a.h5") == sha256(tmp_path / "b.h5")


def test_a_study_of_no_node_says_so(spectrum_function, lines):
    empty = step_study([], lines, np.zeros(0, dtype=np.intp), NoiseModel("paper"), CONDITIONS)
    assert summarise_steps(empty) == {"3D/steps/n_nodes": 0.0}


def doubled(offset):
    return partial(_doubled, offset)


def _doubled(offset, block):
    return 2.0 * block + offset


def test_blocks_come_back_in_order():
    with in_processes(partial(doubled, 1.0), [3.0], "cpu") as found:
        assert list(found) == [7.0]
    with in_processes(partial(doubled, 1.0), list(range(5)), "cuda") as found:
        assert list(found) == [1.0, 3.0, 5.0, 7.0, 9.0]
    with in_processes(partial(doubled, 1.0), [], "cpu") as found:
        assert list(found) == []


@pytest.mark.slow
def test_processes_give_what_one_gives():
    with in_processes(partial(doubled, 1.0), list(range(40)), "cpu") as found:
        assert list(found) == [2.0 * block + 1.0 for block in range(40)]
