"""What networks share: scales of the label, the weights of a fit, what it came to, and what their files are."""

import numpy as np
import pytest
from safetensors import safe_open

from repro.errors import DataError, ParameterError
from repro.models.mlp import Mlp
from repro.training.recipe import Recipe
from tests.training.learnable import source, validation

RECIPE = Recipe(epochs=4, batch=64, learning_rate=2e-2)


def fitted(recipe=RECIPE, **settings):
    spectra, y = source()
    return Mlp(recipe, seed=3, widths=(8,), **settings).fit(spectra, y, validation=validation())


@pytest.mark.parametrize("labels", ["zscore", "minmax", "none"])
def test_labels_are_learnt_on_the_scale_asked_for(tmp_path, labels):
    """The kept epoch's validation error is that of the estimates, divided by the unit; a file keeps the scale."""
    _, y = source()
    model, data = fitted(labels=labels), validation()
    offset, unit = {"zscore": (y.mean(), y.std()), "minmax": (y.min(), y.max() - y.min()), "none": (0, 1)}[labels]
    assert model.label == pytest.approx((offset, unit))
    missed = np.abs(model.predict(data.flux) - data.y).mean()
    best = model.history[model.recipe.best(model.history)]
    assert missed / unit == pytest.approx(best.validation_mae, rel=1e-5)
    model.save(tmp_path / "model.safetensors")
    again = Mlp.load(tmp_path / "model.safetensors")
    assert again.labels == labels
    assert (again.predict(data.flux) == model.predict(data.flux)).all()
    with pytest.raises(ParameterError, match="mlp: labels = 'rank' must be zscore or minmax or none"):
        Mlp(labels="rank")


def test_a_fit_leaves_its_last_and_its_average_weights():
    """The last ones are those of an average-free fit; each is judged as its epoch was."""
    data = validation()
    plain, averaged = fitted(), fitted(Recipe(epochs=4, batch=64, learning_rate=2e-2, average=0.9))
    last = [model.with_weights("last").predict(data.flux) for model in (plain, averaged)]
    assert (last[0] == last[1]).all()
    average = averaged.with_weights("average").predict(data.flux)
    assert (average != last[1]).any()
    for model, given in ((plain, last[0]), (averaged, average)):
        score = 1.0 - np.mean((given - data.y) ** 2) / np.var(data.y)
        assert score == pytest.approx(model.facts["last_validation_r2"], abs=1e-6)
        assert (model.with_weights("best").predict(data.flux) == model.predict(data.flux)).all()
    with pytest.raises(DataError, match="mlp: no weights 'average'; there are best, last"):
        plain.with_weights("average")
    with pytest.raises(DataError, match="mlp: not fitted, there is no network"):
        _ = Mlp().network


def test_a_fit_tells_what_it_came_to():
    """400 spectra in batches of 64: seven updates an epoch, the last of sixteen spectra."""
    model = fitted(Recipe(steps=16, batch=64, learning_rate=2e-2))
    rows = model.history
    best = int(np.argmax([row.validation_r2 for row in rows]))
    assert model.facts == {
        "parameters": 24 * 8 + 8 + 8 + 1,
        "parameters_used": 24 * 8 + 8 + 8 + 1,
        "epochs": best + 1,
        "epochs_run": 3,
        "steps": 16,
        "presentations": 2 * 400 + 2 * 64,
        "best_validation_mae": rows[best].validation_mae,
        "last_validation_r2": rows[-1].validation_r2,
    }
    with pytest.raises(DataError, match="not fitted here, there is nothing to tell"):
        _ = Mlp().facts


def test_a_file_says_what_it_is_in_one_entry(tmp_path):
    model = fitted()
    model.save(tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", framework="pt") as stored:
        assert list(stored.metadata()) == ["about"]
        assert sorted(stored.keys()) == sorted(model.network.state_dict())
