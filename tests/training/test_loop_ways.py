"""The loop's other ways: counted updates, patience, averaged weights, a watcher, mode `fast`."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from repro.models.mlp import Mlp
from repro.training.loop import Recipe, train
from repro.training.spectra import FixedSpectra, Validation
from tests.training.learnable import Line, interrupting, points, source, trained, validation


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("steps", "batches"), [(2, [20, 20]), (3, [20, 20, 10]), (5, [20, 20, 10, 20, 20])])
def test_updates_may_be_counted_instead_of_epochs(steps, batches):
    """The last pass is cut short, the rate falls over the updates, and so many are made."""
    x, y = points(50, 1.0)
    network = Line()
    seen = []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]) if module.training else None)
    recipe = Recipe(epochs=9, batch=20, steps=steps)
    history = train(network, FixedSpectra(torch.from_numpy(x)), y, Validation(x, y), recipe, seed=1).history
    assert [len(batch) for batch in seen] == batches
    assert recipe.plan(50) == (len(history), steps)
    assert history[-1].learning_rate == pytest.approx(0.5e-3 * (1.0 + math.cos(math.pi * (steps - 1) / steps)))
    whole = Line()
    again = Recipe(epochs=1, batch=20)
    train(whole, FixedSpectra(torch.from_numpy(x)), y, Validation(x, y), again, seed=1)
    if steps == 3:
        assert torch.equal(whole.layer.weight, network.layer.weight)


def test_it_stops_when_no_epoch_has_been_better_for_so_long():
    x, y = points(100, 1.0)
    settings = {"epochs": 30, "batch": 100, "learning_rate": 0.1, "weight_decay": 0.0}
    data = FixedSpectra(torch.from_numpy(x)), y, Validation(x, 0.1 * y)
    network, longer = Line(), Line()
    history = train(network, *data, Recipe(patience=3, **settings), seed=0).history
    whole = train(longer, *data, Recipe(**settings), seed=0).history
    scores = [row.validation_r2 for row in whole]
    best = int(np.argmax(scores))
    assert len(history) == best + 4 < len(whole) == 30
    assert history == whole[: best + 4]
    assert torch.equal(network.layer.weight, longer.layer.weight)


def test_the_average_of_weights_is_what_is_judged_and_kept():
    """From the first update on: a, then decay * average + (1 - decay) * a."""
    x, y = points(40, 2.0)
    recipe = Recipe(epochs=3, batch=20, learning_rate=0.1, average=0.75)
    seen, averaged, plain = [], Line(0.5), Line(0.5)
    spectra, data = FixedSpectra(torch.from_numpy(x)), Validation(x, y)
    history = train(averaged, spectra, y, data, recipe, seed=2).history
    plain.register_forward_pre_hook(lambda m, _inputs: seen.append(m.layer.weight.item()) if m.training else None)
    train(plain, spectra, y, data, Recipe(epochs=3, batch=20, learning_rate=0.1), seed=2)
    weights = [*seen[1:], plain.layer.weight.item()]  # after each update; the last epoch is the best one here
    expected = weights[0]
    for weight in weights[1:]:
        expected = 0.75 * expected + 0.25 * weight
    assert len(weights) == 6
    assert averaged.layer.weight.item() == pytest.approx(expected, rel=1e-6)
    with torch.no_grad():
        given = averaged(torch.from_numpy(x)).double().numpy()
    assert history[-1].validation_r2 == pytest.approx(1.0 - np.mean((given - y) ** 2) / np.var(y), rel=1e-6)


@pytest.mark.parametrize("settings", [{"steps": 75}, {"patience": 2}, {"average": 0.9}])
def test_an_interrupted_training_of_any_kind_continues_to_the_same_bits(tmp_path, settings):
    data, (spectra, y) = validation(), source()

    def run(checkpoint=None, report=lambda _done, _total: None):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(24, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1), nn.Flatten(0))
        recipe = Recipe(epochs=6, batch=32, learning_rate=2e-2, **settings)
        places = {"checkpoint": checkpoint, "every": 0.0}
        history = train(network, spectra, y - 3.0, data, recipe, seed=1, report=report, **places).history
        return history, network.state_dict()

    history, whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "checkpoint.npz", interrupting(3 * 400))
    again, resumed = run(tmp_path / "checkpoint.npz")
    assert again == history
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())
    # a training that has ended stays as it is
    done = []
    last, _ = run(tmp_path / "checkpoint.npz", lambda count, _total: done.append(count))
    assert last == history
    assert len(done) == 1


def test_an_epoch_may_be_watched():
    seen = []
    trained(epochs=3, watch=lambda model: seen.append(model.predict(validation().flux)))
    model = trained(epochs=3)
    data = validation()
    scores = [1.0 - np.mean((given - data.y) ** 2) / np.var(data.y) for given in seen]
    assert scores == pytest.approx([row.validation_r2 for row in model.history], abs=1e-6)


def test_mode_fast_is_strict_on_a_processor():
    x, y = points(60, 1.0)
    found = []
    for mode in ("strict", "fast"):
        network = Line()
        recipe = Recipe(epochs=2, batch=20, mode=mode)
        train(network, FixedSpectra(torch.from_numpy(x)), y, Validation(x, y), recipe, seed=1)
        found.append(network.layer.weight.item())
    assert found[0] == found[1]


def test_mode_fast_learns_the_same_from_products_of_fewer_digits(monkeypatch):
    """What a GPU would do, on a processor: bfloat16 without the compiler, which takes a minute here."""
    monkeypatch.setattr(Recipe, "fast_on", lambda recipe, _device: recipe.mode == "fast")
    monkeypatch.setattr(torch, "compile", lambda network, **_settings: network)
    spectra, y = source()
    data = validation()
    found = []
    for mode in ("strict", "fast"):
        model = Mlp(Recipe(epochs=4, batch=32, learning_rate=5e-3, mode=mode), seed=3, widths=(16, 8))
        found.append(model.fit(spectra, y, validation=data).predict(data.flux))
    assert (found[0] != found[1]).any()
    assert found[1] == pytest.approx(found[0], abs=0.1)
    assert np.mean((found[1] - found[0]) ** 2) < 1e-3 * np.var(data.y)


def test_every_training_in_mode_fast_is_compiled_as_if_it_were_the_first(monkeypatch):
    """What the compiler is asked for, in order: to forget, then to take each size of batch as its own."""
    asked = []
    monkeypatch.setattr(Recipe, "fast_on", lambda recipe, _device: recipe.mode == "fast")
    monkeypatch.setattr(torch.compiler, "reset", lambda: asked.append("reset"))
    monkeypatch.setattr(torch, "compile", lambda network, **settings: asked.append(settings) or network)
    x, y = points(20, 1.0)
    for batch in (10, 20):
        recipe = Recipe(epochs=1, batch=batch, mode="fast", compile="max-autotune")
        train(Line(), FixedSpectra(torch.from_numpy(x)), y, Validation(x, y), recipe, seed=1)
    assert asked == ["reset", {"mode": "max-autotune", "dynamic": False}] * 2
