"""What all linear models share: paths, choice by validation, storage."""

import numpy as np
import pytest

from repro.errors import DataError, ParameterError
from repro.models.linear import LinearPath
from repro.models.ols import Ols
from repro.models.pca import PcaRidge
from repro.models.pls import Pls
from repro.models.protocol import predict
from repro.models.ridge import Ridge
from repro.training.spectra import Validation
from tests.models.spectra_like import ALPHAS, problem

MODELS = [Ridge(ALPHAS), Ridge(ALPHAS, standardised=True), Ols(), PcaRidge((2, 5), ALPHAS), Pls((1, 2, 4))]


def path():
    rng = np.random.default_rng(0)
    return LinearPath(rng.normal(size=(6, 3)), rng.normal(size=3), {"alpha": np.array([1.0, 2.0, 4.0])})


def test_a_path_predicts_with_each_of_its_columns():
    flux = np.random.default_rng(1).normal(size=(2500, 6)).astype(np.float32)
    expected = flux.astype(np.float64) @ path().coefficients + path().intercepts
    assert path().predict(flux) == pytest.approx(expected, abs=1e-12)
    y = expected[:, 1]
    spread = [np.mean((expected[:, column] - y) ** 2) / np.var(y) for column in range(3)]
    assert path().r2(Validation(flux, y)) == pytest.approx(1.0 - np.array(spread), abs=1e-12)
    with pytest.raises(DataError, match=r"fitted to 6 pixels, asked about flux of shape \(2500, 5\)"):
        path().predict(flux[:, :5])


@pytest.mark.parametrize("which", [1, -1, slice(0, 2), np.array([True, False, True]), np.array([2, 0])])
def test_columns_of_a_path_keep_their_facts(which):
    columns = np.atleast_1d(np.arange(3)[which])
    part = path()[which]
    assert len(part) == len(columns)
    assert (part.facts["alpha"] == path().facts["alpha"][columns]).all()
    assert (part.coefficients == path().coefficients[:, columns]).all()
    assert (part.intercepts == path().intercepts[columns]).all()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_stored_model_is_the_same_model(model, tmp_path):
    flux, y = problem(100, 10)
    error = np.ones_like(flux)
    with pytest.raises(DataError, match="not fitted, there is nothing to save"):
        type(model)().save(tmp_path / "empty.npz")
    assert model.fit(flux, y, validation=Validation(*problem(50, 10, seed=1))) is model
    for name in ("one.npz", "two.npz"):
        model.save(tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    again = type(model).load(tmp_path / "one.npz")
    assert (again.chosen, again.intercept, again.uses_error) == (model.chosen, model.intercept, False)
    assert (predict(again, flux, error) == predict(model, flux, error)).all()
    with pytest.raises(DataError, match=f"{model.name}: fitted to 10 pixels, asked about 9"):
        again.predict(flux[:, :9])


def test_a_model_of_another_kind_is_refused(tmp_path):
    Ridge((1.0,)).fit(*problem(20, 4)).save(tmp_path / "ridge.npz")
    with pytest.raises(DataError, match="holds a ridge model, not a pls model"):
        Pls.load(tmp_path / "ridge.npz")


@pytest.mark.parametrize("model", [m for m in MODELS if m.candidates > 1], ids=lambda model: type(model).__name__)
def test_several_candidates_need_validation(model):
    with pytest.raises(ParameterError, match=f"{model.name}: {model.candidates} candidates need validation data"):
        model.fit(*problem(20, 4))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_weight_of_two_is_a_spectrum_twice(model):
    flux, y = problem(90, 8)
    weight, validation = np.ones(90), Validation(*problem(50, 8, seed=1))
    weight[:30] = 2.0
    weighted = model.fit(flux, y, sample_weight=weight, validation=validation).coefficients
    twice = (np.concatenate((flux, flux[:30])), np.concatenate((y, y[:30])))
    assert model.fit(*twice, validation=validation).coefficients == pytest.approx(weighted, rel=1e-6, abs=1e-9)
