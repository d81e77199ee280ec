"""Least squares against LAPACK's and scikit-learn's, with their rank cuts."""

import numpy as np
import pytest
from scipy.linalg import lstsq
from sklearn.linear_model import LinearRegression

from repro.errors import ParameterError
from repro.models.moments import moments
from repro.models.ols import FLOAT32, Ols, ols_path
from repro.models.ridge import ridge_path
from tests.models.spectra_like import fading, problem

EPS = float(np.finfo(np.float32).eps)


@pytest.mark.parametrize(("n", "pixels"), [(400, 30), (25, 30), (30, 30), (2, 5), (9, 1)])
@pytest.mark.parametrize("cut", [0.0, 0.05, 0.5])
def test_every_cut_is_that_of_lapack_and_scikit_learn(n, pixels, cut):
    flux, y = problem(n, pixels)
    wide = flux.astype(np.float64)
    path = ols_path(moments(flux, y), (cut,))
    x, label = wide - wide.mean(axis=0), y - y.mean()
    expected, _, rank, _ = lstsq(x, label, cond=cut or 1e-7)
    theirs = LinearRegression(tol=cut or 1e-7).fit(wide, y)
    assert path.facts["rank"] == [rank]
    assert path.coefficients[:, 0] == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert path.predict(flux)[:, 0] == pytest.approx(theirs.predict(wide), abs=1e-8)


def test_several_cuts_come_from_one_factorisation(monkeypatch):
    flux, y = problem(200, 20)
    known = moments(flux, y)
    path = ols_path(known, (0.5, 0.0, FLOAT32, 0.05))
    assert "eigen" in vars(known)
    for column, cut in enumerate((0.5, 0.0, 200 * EPS, 0.05)):
        alone = ols_path(moments(flux, y), (cut,))
        assert path.facts["cut"][column] == cut
        assert path.coefficients[:, column] == pytest.approx(alone.coefficients[:, 0], rel=1e-12)


def test_the_cut_of_float32_hides_what_a_small_penalty_finds():
    # noise-free spectra whose directions fade away: the published 0.969 of least squares beside 0.999 of Ridge
    flux, y = fading(4000, 12, decades=5)
    known = moments(flux.astype(np.float32), y)
    cut, full = (ols_path(known, (limit,)) for limit in (FLOAT32, 0.0))
    sizes = 10.0 ** np.linspace(0.0, -5, 12)
    assert cut.facts["rank"] == [np.count_nonzero(sizes > 4000 * EPS)]
    assert full.facts["rank"] == [12]
    weak = ridge_path(known, (1e-9,))
    r2 = [1.0 - np.mean((path.predict(flux)[:, 0] - y) ** 2) / np.var(y) for path in (cut, full, weak)]
    assert r2[0] < 0.7
    assert min(r2[1:]) > 0.999


def test_directions_beyond_the_normal_equations_are_left_out():
    flux, y = fading(3000, 10, decades=9)
    known = moments(flux.astype(np.float32), y)
    path = ols_path(known, (0.0,))
    resolved = np.sqrt(3000 * np.finfo(np.float64).eps)
    assert path.facts["rank"] == [np.count_nonzero(10.0 ** np.linspace(0.0, -9, 10) > resolved)]
    assert np.abs(path.coefficients).max() < 1 / resolved


def test_the_model_keeps_its_rank_and_refuses_what_is_no_cut():
    flux, y = problem(60, 8)
    model = Ols(FLOAT32).fit(flux, y)
    assert (model.rank, model.chosen["cut"]) == (8, 60 * EPS)
    assert Ols(FLOAT32).fit(flux[:5], y[:5]).chosen["cut"] == 8 * EPS
    for wrong in (-0.1, 1.0, float("nan")):
        with pytest.raises(ParameterError, match="the cut must lie in 0"):
            Ols(wrong)
        with pytest.raises(ParameterError, match="cuts must lie in 0"):
            ols_path(moments(flux, y), (0.1, wrong))
    with pytest.raises(ParameterError, match="cuts must lie in 0"):
        ols_path(moments(flux, y), ())
    constant = Ols().fit(np.full((5, 3), 0.5, np.float32), y[:5])
    assert constant.rank == 0
    assert constant.predict(flux[:2, :3]) == pytest.approx([y[:5].mean()] * 2)
