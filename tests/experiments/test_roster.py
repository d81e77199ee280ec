"""The roster: every model is trained, shown what it may see and asked in every cell, and failures are named."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from repro.errors import DataError
from repro.experiments.roster import ROSTER, Entry, Setup, roster_jobs
from repro.experiments.table import arm_table
from repro.labels import LABELS
from repro.models.template import Template
from repro.models.templates import Templates
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid
from tests.experiments.small import small_data

LEVELS = (0.0, 0.1, 1.0)
PLAN = SimpleNamespace(sizes=(20, 100), seeds=2, repeated=(1.0,))
DATA = small_data()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def grid():
    """Nodes of the law that the small data follow."""
    lattice = Lattice(
        {"T_eff": (-1.0, -0.5, 0.0, 0.5, 1.0), "log_g": (1.0, 2.0, 3.0, 4.0, 5.0)} | dict.fromkeys(LABELS[2:], (0.0,))
    )
    temperature, gravity = lattice.labels[:, :1], (lattice.labels[:, 1:2] - 3.0) / 2.0
    pixel = np.arange(DATA.pixels)
    lines = np.where(pixel % 4 == 0, 0.04 * np.tanh(gravity + 0.5 * temperature), 0.0)
    flux = 0.5 + 0.05 * temperature * np.cos(0.3 * pixel) - lines
    return NodeGrid(lattice, pixel, flux.astype(np.float32), np.zeros(lattice.size), "made", "test", 2.0)


class Mean:
    """The mean label of the training spectra plus a tenth of the first pixel, and a record of what it was shown."""

    def __init__(self, uses_error=False, answer=lambda estimates: estimates):
        self.uses_error = uses_error
        self.answer = answer
        self.seen = []

    def fit(self, flux, y, *, error=None, validation=None):
        self.seen.append((flux, y, error, validation))
        self.mean = np.mean(y)
        return self

    def predict(self, flux, *, error=None):
        assert (error is not None) == self.uses_error
        return self.answer(self.mean + 0.1 * flux[:, 0])


def table_of(jobs):
    assert len({job.name for job in jobs}) == len(jobs)
    return arm_table([arm for job in jobs for arm in job.make()], DATA.stars)


def test_template_fits_need_no_training_set_and_no_settings(grid):
    table = table_of(roster_jobs(DATA, PLAN, LEVELS, grid))
    assert set(table.experiments) == set(table.models) == {"template"}
    assert not table.n_train.any()
    assert not table.seeds.any()
    scores = {}
    for weights in ("error", "mean"):
        for level in LEVELS:
            (row,) = table.rows(setting=f"weights={weights}", train_noise=level, test_noise=level)
            model = Template(Templates.of(grid), weights)
            known = DATA.validation(level)
            model.fit(known.flux[:0], known.y[:0], validation=known)
            expected = model.predict(DATA.test_flux(level), error=DATA.test_error(level))
            np.testing.assert_allclose(table.predictions[row], expected, rtol=1e-6)
            estimates = model.predict(known.flux, error=known.error)
            assert table.validation_r2[row] == pytest.approx(1.0 - np.mean((estimates - known.y) ** 2) / known.y.var())
            scores[weights, level] = 1.0 - np.mean((expected - table.truth) ** 2) / table.truth.var()
        assert scores[weights, 0.0] > 0.99  # the spline between five nodes is not the law itself
        assert scores[weights, 0.0] > scores[weights, 0.1] > scores[weights, 1.0]


def test_without_a_node_grid_its_models_are_left_out(grid):
    roster = (*ROSTER, Entry("mean", lambda _: Mean()))
    assert {job.name.split("_")[0] for job in roster_jobs(DATA, PLAN, LEVELS, None, roster)} == {"mean"}
    assert {job.name.split("_")[0] for job in roster_jobs(DATA, PLAN, LEVELS, grid, roster)} == {"mean", "template"}
    with pytest.raises(DataError, match="came without a node grid"):
        _ = Setup("cpu", None).templates


@pytest.mark.parametrize("uses_error", [False, True])
def test_a_new_model_sees_the_common_spectra_of_every_cell(uses_error):
    made = []

    def make(setup):
        assert setup.device == DATA.device
        made.append(Mean(uses_error))
        return made[-1]

    table = table_of(roster_jobs(DATA, PLAN, LEVELS, None, [Entry("mean", make, "a=1")]))
    cells = [(0, 20, level) for level in LEVELS] + [(0, 100, level) for level in LEVELS]
    cells += [(1, 20, level) for level in LEVELS] + [(1, 100, 1.0)]
    assert list(zip(table.seeds, table.n_train, table.train_noise, strict=True)) == cells
    assert set(table.experiments) == {"roster"}
    assert set(table.models) == {"mean"}
    assert set(table.settings) == {"a=1"}
    np.testing.assert_array_equal(table.test_noise, table.train_noise)
    for row, (model, (run, n, level)) in enumerate(zip(made, cells, strict=True)):
        ((flux, y, error, validation),) = model.seen
        np.testing.assert_array_equal(flux, DATA.noisy(level, n, run))
        np.testing.assert_array_equal(y, DATA.y[:n])
        np.testing.assert_array_equal(validation.flux, DATA.validation(level).flux)
        if uses_error:
            np.testing.assert_allclose(error, level * DATA.noise * DATA.train.error[:n], rtol=1e-6)
        else:
            assert error is None
        expected = y.mean() + 0.1 * DATA.test_flux(level)[:, 0]
        np.testing.assert_allclose(table.predictions[row], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda estimates: estimates[:, None], r"for each of 60 spectra; it gave an array of shape \(60, 1\)"),
        (lambda estimates: estimates[1:], r"for each of 60 spectra; it gave an array of shape \(59,\)"),
        (lambda estimates: np.where(estimates > estimates.min(), estimates, np.nan), "59 of its values finite"),
        (lambda estimates: estimates @ np.ones((3, 3)), "failed with ValueError: matmul"),
    ],
)
def test_a_model_that_fails_is_named(answer, message):
    job = roster_jobs(DATA, PLAN, LEVELS, None, [Entry("mine", lambda _: Mean(answer=answer))])[0]
    with pytest.raises(DataError, match=f"roster: model 'mine' at noise 0 with 20 training spectra.*{message}"):
        job.make()


def test_a_message_of_the_kit_is_passed_on_as_it_is():
    def refuse(_):
        raise DataError("node 3 is not here")

    job = roster_jobs(DATA, PLAN, LEVELS, None, [Entry("mine", refuse)])[0]
    with pytest.raises(DataError, match="^node 3 is not here$"):
        job.make()
