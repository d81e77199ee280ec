"""Ridge on principal components against scikit-learn's PCA and Ridge."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge as ScikitRidge
from sklearn.preprocessing import StandardScaler

from repro.errors import ParameterError
from repro.models.moments import moments
from repro.models.pca import PcaRidge, pca_path
from repro.models.ridge import ridge_path
from repro.training.spectra import Validation
from tests.models.spectra_like import ALPHAS, problem


@pytest.mark.parametrize(("n", "pixels", "components"), [(300, 40, (1, 3, 12, 40)), (30, 40, (5, 2, 29)), (9, 1, (1,))])
@pytest.mark.parametrize("standardised", [False, True])
def test_every_number_of_components_and_penalty_equals_scikit_learn(n, pixels, components, standardised):
    flux, y = problem(n, pixels)
    other, _ = problem(50, pixels, seed=1)
    scaler = StandardScaler(with_std=standardised).fit(flux.astype(np.float64))
    known = moments(flux, y)
    path = pca_path(known.standardised() if standardised else known, components, ALPHAS)
    columns = iter(range(len(path)))
    for count in components:
        pca = PCA(count, svd_solver="full").fit(scaler.transform(flux.astype(np.float64)))
        scores, shown = (pca.transform(scaler.transform(x.astype(np.float64))) for x in (flux, other))
        for alpha in ALPHAS:
            column = next(columns)
            theirs = ScikitRidge(alpha).fit(scores, y).predict(shown)
            assert path.predict(other)[:, column] == pytest.approx(theirs, abs=1e-9)
            facts = {name: values[column] for name, values in path.facts.items()}
            assert (facts["components"], facts["alpha"]) == (count, alpha)
            assert facts["variance"] == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-12)


@pytest.mark.parametrize(("n", "pixels"), [(300, 40), (30, 40)])
def test_all_components_are_ridge(n, pixels):
    flux, y = problem(n, pixels)
    known = moments(flux, y)
    every, ridge = pca_path(known, (min(n, pixels),), ALPHAS), ridge_path(known, ALPHAS)
    assert every.coefficients == pytest.approx(ridge.coefficients, rel=1e-7, abs=1e-10)


def test_number_and_penalty_are_the_best_on_validation_data():
    flux, y = problem(300, 40)
    validation = Validation(*problem(200, 40, seed=5))
    model = PcaRidge((2, 3, 30), ALPHAS).fit(flux, y, validation=validation)
    scores = {
        (k, alpha): PcaRidge((k,), (alpha,)).fit(flux, y, validation=validation).scores[0]
        for k in (2, 3, 30)
        for alpha in ALPHAS
    }
    assert model.scores == pytest.approx(list(scores.values()), abs=1e-12)
    assert (model.chosen["components"], model.chosen["alpha"]) == max(scores, key=scores.__getitem__)


def test_impossible_components_are_refused():
    flux, y = problem(20, 30)
    for wrong in ((), (0,), (2.5,), (3, -1)):
        with pytest.raises(ParameterError, match="pca_ridge: numbers of components must be at least 1"):
            PcaRidge(wrong)
    with pytest.raises(ParameterError, match=r"must be 1 to 20, the smaller number of spectra and pixels, not \[21\]"):
        PcaRidge((21,), (1.0,)).fit(flux, y)
    with pytest.raises(ParameterError, match="pca_ridge: penalties must be positive and finite"):
        PcaRidge((2,), (0.0,))
