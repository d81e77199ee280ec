"""The perceptron beside a linear shortcut: cross-fitting, what is left without the perceptron, storage."""

import numpy as np
import pytest
import torch

from repro.errors import DataError, ParameterError
from repro.models.residual import ResidualMlp, shortcut
from repro.models.ridge import Ridge
from repro.training.loop import Recipe
from repro.training.spectra import FixedSpectra
from tests.training.learnable import source, validation

RECIPE = Recipe(epochs=2, batch=32, learning_rate=5e-3)


def shown(spectra, epoch=0):
    return spectra.block(torch.arange(spectra.shape[0]), epoch)


@pytest.mark.parametrize("n", [103, 20])  # more spectra than pixels, and fewer: two ways through the normal equations
def test_each_fold_is_the_regression_of_the_others(n):
    """Against ridge fitted anew to the spectra that stay."""
    spectra, y = source(n)
    found = shortcut(spectra, y, validation(), folds=4)
    flux = shown(spectra).numpy()
    assert np.bincount(found.fold).tolist() == [len(part) for part in np.array_split(np.zeros(n), 4)]
    for number in range(4):
        stay = found.fold != number
        alone = Ridge((found.alpha,)).fit(flux[stay], y[stay])
        assert found.held_out[:, number] == pytest.approx(alone.coefficients, abs=1e-9)
        assert found.held_out_intercepts[number] == pytest.approx(alone.intercept, abs=1e-9)
    whole = Ridge().fit(flux, y, validation=validation())
    assert found.alpha == whole.chosen["alpha"]
    assert found.coefficients == pytest.approx(whole.coefficients, abs=1e-9)
    assert found.intercept == pytest.approx(whole.intercept, abs=1e-9)


@pytest.mark.parametrize("n", [103, 20])
def test_the_estimate_of_a_spectrum_does_not_know_it(n):
    """Another label and another flux of one spectrum leave its own estimate as it was, to the last bits."""
    spectra, y = source(n)
    flux = shown(spectra)
    changed, label = flux.clone(), y.copy()
    changed[7] *= 1.3
    label[7] += 2.0
    before, after, seen = (
        shortcut(FixedSpectra(x), values, validation(), alphas=(0.3,))
        for x, values in ((flux, y), (changed, label), (flux, label))
    )
    own = [found.held_out[:, found.fold[7]] for found in (before, after)]
    assert own[1] == pytest.approx(own[0], rel=1e-8, abs=1e-8)
    own = [found.in_sample().held_out[:, 0] for found in (before, seen)]
    assert np.abs(own[1] - own[0]).max() > 1e-3  # the published one does


def test_residuals_of_spectra_that_ridge_learnt_from_are_smaller():
    """The fault of the published residuals, and that held out ones have the size of those of new spectra."""
    rng = np.random.default_rng(0)
    flux = rng.standard_normal((120, 24)).astype(np.float32)
    y = flux[:, 0] + rng.standard_normal(120)
    fresh = rng.standard_normal((4000, 24)).astype(np.float32)
    truth = fresh[:, 0] + rng.standard_normal(4000)
    found = shortcut(flux, y, validation()._replace(flux=fresh, y=truth))

    def left(linear):
        every = flux.astype(np.float64) @ linear.held_out + linear.held_out_intercepts
        return np.mean((y - every[np.arange(120), linear.fold]) ** 2)

    new = np.mean((truth - fresh @ found.coefficients - found.intercept) ** 2)
    assert left(found.in_sample()) < 0.8 * left(found)
    assert left(found) == pytest.approx(new, rel=0.15)


@pytest.fixture(scope="module")
def model():
    spectra, y = source()
    return ResidualMlp(RECIPE, widths=(16, 8), seed=3).fit(spectra, y, validation=validation())


def test_without_its_perceptron_it_is_ridge(model):
    flux = validation().flux
    ridge = Ridge((model.linear.alpha,)).fit(shown(source()[0]).numpy(), source()[1])
    network = model._network
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        network.layers[-1].weight.zero_()
        network.layers[-1].bias.zero_()
    assert model.predict(flux) == pytest.approx(ridge.predict(flux), abs=1e-5)
    network.load_state_dict(kept)
    assert np.abs(model.predict(flux) - ridge.predict(flux)).max() > 0.01


def test_it_is_shown_the_estimate_of_its_fold_from_the_noise_that_it_sees():
    spectra, y = source(103)
    model = ResidualMlp(RECIPE, widths=(4,))
    model._offset, model._unit = 3.0, 0.5
    beside = model._prepared(spectra, y, validation())
    rows = torch.tensor([101, 3, 50])
    seen = beside.block(rows, 2).double().numpy()
    flux = spectra.block(rows, 2).double().numpy()
    assert (seen[:, :-1] == flux).all()
    linear = model.linear
    for place, row in enumerate(rows.tolist()):
        k = linear.fold[row]
        estimate = flux[place] @ linear.held_out[:, k] + linear.held_out_intercepts[k]
        assert seen[place, -1] == pytest.approx((estimate - 3.0) / 0.5, abs=1e-5)


def test_regressions_may_be_shared_and_make_no_difference(model):
    spectra, y = source()
    linear = shortcut(spectra, y, validation())
    shared = ResidualMlp(RECIPE, widths=(16, 8), seed=3, linear=linear).fit(spectra, y, validation=validation())
    assert (shared.predict(validation().flux) == model.predict(validation().flux)).all()
    published = ResidualMlp(RECIPE, widths=(16, 8), seed=3, linear=linear.in_sample())
    published.fit(spectra, y, validation=validation())
    assert (published.predict(validation().flux) != model.predict(validation().flux)).any()


def test_a_stored_model_is_the_same_model(tmp_path, model):
    model.save(tmp_path / "model.safetensors")
    again = ResidualMlp.load(tmp_path / "model.safetensors")
    assert (again.predict(validation().flux) == model.predict(validation().flux)).all()


def test_what_cannot_be_done_is_refused(model):
    spectra, y = source(60)
    for folds in (1, 61):
        with pytest.raises(ParameterError, match=f"{folds} folds of 60 spectra; there must be 2 to 60"):
            shortcut(spectra, y, validation(), folds=folds)
    with pytest.raises(
        DataError, match=r"ridge learnt from spectra of shape \(400, 24\), the network is to learn from \(60, 24\)"
    ):
        ResidualMlp(RECIPE, linear=model.linear).fit(spectra, y, validation=validation())
