"""Ridge against scikit-learn, on noisy spectra and what cannot be fitted."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as ScikitRidge

from repro.errors import DataError, ParameterError
from repro.models.ridge import Ridge
from repro.training.spectra import NoisySpectra, Validation, blocks
from tests.models.spectra_like import ALPHAS, problem


@pytest.mark.parametrize(("n", "pixels"), [(700, 60), (50, 60), (60, 60), (2, 5), (40, 1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_penalty_equals_scikit_learn(n, pixels, weighted):
    flux, y = problem(n, pixels)
    weight = np.random.default_rng(1).uniform(0.0, 3.0, size=n) if weighted else None
    for alpha in ALPHAS:
        ours = Ridge((alpha,)).fit(flux, y, sample_weight=weight)
        theirs = ScikitRidge(alpha).fit(flux.astype(np.float64), y, sample_weight=weight)
        scale = np.abs(theirs.coef_).max() + 1e-12
        assert np.abs(ours.coefficients - theirs.coef_).max() < 1e-8 * scale
        assert ours.predict(flux) == pytest.approx(theirs.predict(flux.astype(np.float64)), rel=1e-8)


def test_the_penalty_is_the_best_on_validation_data():
    flux, y = problem(300, 80)
    other, truth = problem(200, 80, seed=5)
    model = Ridge(ALPHAS).fit(flux, y, validation=Validation(other, truth))
    alone = [Ridge((alpha,)).fit(flux, y).predict(other) for alpha in ALPHAS]
    scores = [1.0 - np.mean((estimate - truth) ** 2) / np.var(truth) for estimate in alone]
    assert model.scores == pytest.approx(scores, abs=1e-9)
    assert model.alpha == ALPHAS[int(np.argmax(scores))]
    assert model.predict(other) == pytest.approx(alone[int(np.argmax(scores))], abs=1e-9)


def test_a_source_of_noisy_spectra_gives_its_presentation_0():
    flux, y = problem(600, 16)
    source = NoisySpectra(torch.from_numpy(flux), torch.full((600, 16), 0.1), 2.0, 7)
    shown = np.concatenate([block.numpy() for _, block in blocks(source, 0, rows=100)])
    assert np.std(shown - flux) == pytest.approx(0.2, rel=0.02)
    streamed, at_once = (Ridge((1.0,)).fit(spectra, y) for spectra in (source, shown))
    assert streamed.coefficients == pytest.approx(at_once.coefficients, rel=1e-12)


def test_a_torn_or_absent_file_is_no_model(tmp_path):
    model = Ridge((3.0,)).fit(*problem(100, 10))
    model.save(tmp_path / "one.npz")
    assert Ridge.load(tmp_path / "one.npz").alpha == 3.0
    (tmp_path / "torn.npz").write_bytes((tmp_path / "one.npz").read_bytes()[:100])
    for name in ("torn.npz", "absent.npz"):
        with pytest.raises(DataError, match=f"{name}: not a stored ridge model"):
            Ridge.load(tmp_path / name)


def test_what_cannot_be_fitted_is_refused():
    flux, y = problem(30, 8)
    with pytest.raises(ParameterError, match="need validation data"):
        Ridge(ALPHAS).fit(flux, y)
    with pytest.raises(ParameterError, match="positive and finite"):
        Ridge((0.0,))
    with pytest.raises(DataError, match="y must hold 30 finite"):
        Ridge((1.0,)).fit(flux, y[:-1])
    with pytest.raises(DataError, match="sample weights"):
        Ridge((1.0,)).fit(flux, y, sample_weight=-np.ones(30))
    with pytest.raises(DataError, match="flux must be finite"):
        Ridge((1.0,)).fit(np.where(flux > 0.5, np.nan, flux), y)
    with pytest.raises(DataError, match="fitted to 8 pixels, asked about 7"):
        Ridge((1.0,)).fit(flux, y).predict(flux[:, :7])
