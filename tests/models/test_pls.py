"""Partial least squares against scikit-learn's, least squares and what its theory says."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from repro.errors import ParameterError
from repro.models.moments import moments
from repro.models.ols import ols_path
from repro.models.pls import Pls, pls_path
from repro.training.spectra import Validation
from tests.models.spectra_like import fading, problem


@pytest.mark.parametrize(("n", "pixels", "components"), [(300, 40, (1, 2, 7, 20)), (30, 40, (7, 1, 12)), (9, 1, (1,))])
@pytest.mark.parametrize("standardised", [False, True])
def test_every_number_of_components_equals_scikit_learn(n, pixels, components, standardised):
    flux, y = problem(n, pixels)
    wide, other = (problem(count, pixels, seed)[0].astype(np.float64) for count, seed in ((n, 0), (50, 1)))
    known = moments(flux, y)
    path = pls_path(known.standardised() if standardised else known, components)
    assert (path.facts["components"] == components).all()
    for column, count in enumerate(components):
        theirs = PLSRegression(count, scale=standardised).fit(wide, y)
        assert path.predict(other)[:, column] == pytest.approx(theirs.predict(other).ravel(), abs=1e-8)


def test_one_component_lies_along_the_covariance_with_the_label():
    flux, y = problem(200, 20)
    found = pls_path(moments(flux, y), (1,)).coefficients[:, 0]
    covariance = (flux - flux.mean(axis=0)).T.astype(np.float64) @ (y - y.mean())
    assert found / np.linalg.norm(found) == pytest.approx(covariance / np.linalg.norm(covariance), abs=1e-6)


@pytest.mark.parametrize(("n", "pixels"), [(300, 40), (30, 40)])
def test_all_components_are_least_squares(n, pixels):
    flux, y = problem(n, pixels)
    known = moments(flux, y)
    every = pls_path(known, (min(n - 1, pixels),))
    assert every.predict(flux) == pytest.approx(ols_path(known, (0.0,)).predict(flux), abs=1e-6)


def test_many_components_of_fading_spectra_do_not_repeat_themselves():
    # without repeated orthogonalisation Lanczos' recursion finds the strongest directions again and again here
    flux, y = fading(400, 60, decades=4)
    known = moments(flux.astype(np.float32), y)
    path = pls_path(known, tuple(range(1, 61)))
    left = np.mean((path.predict(flux) - y[:, None]) ** 2, axis=0)
    assert (np.diff(left) <= 1e-9 * left[0]).all()
    assert left[-1] < 1e-5 * left[0]
    assert left[-1] == pytest.approx(
        np.mean((ols_path(known, (0.0,)).predict(flux)[:, 0] - y) ** 2), rel=1e-3, abs=1e-9
    )


@pytest.mark.parametrize(("n", "pixels"), [(200, 20), (15, 20)])
def test_components_that_the_label_does_not_need_add_nothing(n, pixels):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(n, 2))
    flux = (hidden @ rng.normal(size=(2, pixels))).astype(np.float32)  # of rank two but for its rounding
    y = hidden @ [1.0, -0.5]
    path = pls_path(moments(flux, y), (2, 10))
    assert path.predict(flux)[:, 0] == pytest.approx(y, abs=1e-6)
    assert path.predict(flux)[:, 1] == pytest.approx(y, abs=1e-6)
    constant = pls_path(moments(flux, np.full(n, 2.0)), (1, 3))
    assert not constant.coefficients.any()
    assert constant.intercepts == pytest.approx([2.0, 2.0])


def test_the_number_is_the_best_on_validation_data_and_possible():
    flux, y = problem(300, 40)
    other, truth = problem(200, 40, seed=5)
    model = Pls((1, 3, 30)).fit(flux, y, validation=Validation(other, truth))
    assert model.chosen["components"] == (1, 3, 30)[int(np.argmax(model.scores))]
    residual = np.mean((model.predict(other) - truth) ** 2)
    assert max(model.scores) == pytest.approx(1.0 - residual / np.var(truth), abs=1e-12)
    with pytest.raises(ParameterError, match="pls: numbers of components must be 1 to 40"):
        Pls((41,)).fit(flux, y)
    with pytest.raises(ParameterError, match="pls: numbers of components must be at least 1"):
        Pls(())
