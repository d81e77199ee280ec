"""The training loop: it learns, repeats itself, resumes to the same bits, keeps the best epoch and weights stars."""

import math
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import nn

from repro.errors import DataError, ParameterError
from repro.models.mlp import Mlp
from repro.training import loop
from repro.training.loop import Epoch, Recipe, train, write_history
from repro.training.spectra import FixedSpectra, Validation
from repro.training.state import read_state
from tests.training.learnable import source, trained, validation


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Line(nn.Module):
    """x -> slope x + offset, from a stated start."""

    def __init__(self, slope=0.0):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        nn.init.constant_(self.layer.weight, slope)
        nn.init.constant_(self.layer.bias, 0.0)

    def forward(self, flux):
        return self.layer(flux)[:, 0]


def points(n, slope, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, 1)).astype(np.float32)
    return x, slope * x[:, 0].astype(np.float64)


def test_a_training_equals_adamw_written_out():
    """Two batches of one epoch: rate by the cosine, clipped gradient, decoupled decay (Loshchilov & Hutter 2019)."""
    x, y = points(4, 3.0)
    network = Line(0.5)
    recipe = Recipe(epochs=1, batch=2, learning_rate=0.1, weight_decay=0.2, clip=0.7)
    seen = []
    network.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].clone()))
    train(network, FixedSpectra(torch.from_numpy(x)), y, Validation(x, y), recipe, seed=5)
    value, first, second = np.array([0.5, 0.0]), np.zeros(2), np.zeros(2)
    for step, batch in enumerate(part[:, 0].double().numpy() for part in seen[:2]):
        residual = value[0] * batch + value[1] - 3.0 * batch
        gradient = np.array([np.mean(2.0 * residual * batch), np.mean(2.0 * residual)])
        gradient *= min(1.0, 0.7 / (np.linalg.norm(gradient) + 1e-6))
        rate = 0.05 * (1.0 + math.cos(math.pi * step / 2))
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        value = value * (1.0 - rate * 0.2)
        corrected = second / (1.0 - 0.999 ** (step + 1))
        value -= rate * first / (1.0 - 0.9 ** (step + 1)) / (np.sqrt(corrected) + 1e-8)
    assert [network.layer.weight.item(), network.layer.bias.item()] == pytest.approx(value, rel=1e-5)


def test_each_epoch_shows_every_spectrum_once_in_an_order_of_its_own():
    x, y = points(50, 1.0)
    network = Line()
    seen = []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]) if module.training else None)
    train(network, FixedSpectra(torch.from_numpy(x)), y, Validation(x, y), Recipe(epochs=2, batch=20), seed=1)
    assert [len(batch) for batch in seen] == [20, 20, 10] * 2
    one, two = (torch.cat(seen[first : first + 3])[:, 0].numpy() for first in (0, 3))
    assert not (one == two).all()
    assert (np.sort(one) == np.sort(x[:, 0])).all()
    assert (np.sort(two) == np.sort(x[:, 0])).all()


def test_weights_decide_what_is_learnt():
    x, y = points(200, 1.0)
    both = np.concatenate((y, -y))
    heavy = np.concatenate((np.full(200, 1.9), np.full(200, 0.1)))
    network = Line()
    recipe = Recipe(epochs=60, batch=50, learning_rate=0.05, weight_decay=0.0)
    spectra = FixedSpectra(torch.from_numpy(np.concatenate((x, x))))
    train(network, spectra, both, Validation(x, 0.9 * y), recipe, seed=0, sample_weight=heavy)
    assert network.layer.weight.item() == pytest.approx(0.9, abs=0.02)  # weighted least squares: (1.9 - 0.1) / 2


def test_the_network_ends_in_its_best_epoch():
    model = trained(epochs=8)
    best = max(row.validation_r2 for row in model.history)
    data = validation()
    score = 1.0 - np.mean((model.predict(data.flux) - data.y) ** 2) / np.var(data.y)
    assert score == pytest.approx(best, abs=1e-6)
    assert best > 0.8  # it learns
    # a target that only the first epoch comes near: later ones are not kept
    x, y = points(100, 1.0)
    network = Line()
    recipe = Recipe(epochs=30, batch=100, learning_rate=0.1, weight_decay=0.0)
    history = train(network, FixedSpectra(torch.from_numpy(x)), y, Validation(x, 0.1 * y), recipe, seed=0)
    scores = [row.validation_r2 for row in history]
    assert int(np.argmax(scores)) < 3
    assert network.layer.weight.item() < 0.35


def test_two_trainings_are_the_same_and_leave_the_caller_his_random_numbers():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = trained()
    assert torch.equal(torch.rand(3), expected)
    second = trained()
    flux = validation().flux
    assert (first.predict(flux) == second.predict(flux)).all()
    assert first.history == second.history


def interrupting(limit):
    """A report that interrupts the training when that many presentations are done."""

    def report(done, _total):
        if done >= limit:
            raise KeyboardInterrupt

    return report


def test_an_interrupted_training_continues_to_the_same_bits(tmp_path):
    checkpoint = tmp_path / "checkpoint.npz"
    whole = trained()
    with pytest.raises(KeyboardInterrupt):
        trained(checkpoint, report=interrupting(3 * 400))
    assert len(read_state(checkpoint, "checkpoint")[1]["history"]) == 3
    done = []
    resumed = trained(checkpoint, report=lambda count, _total: done.append(count))
    assert done[0] == 3 * 400
    assert resumed.history == whole.history
    flux = validation().flux
    assert (resumed.predict(flux) == whole.predict(flux)).all()


@pytest.mark.parametrize("change", ["weights", "epochs"])
def test_the_checkpoint_of_another_training_is_not_continued(tmp_path, change):
    checkpoint = tmp_path / "checkpoint.npz"
    trained(checkpoint)
    done = []
    others = {"sample_weight": np.linspace(0.5, 1.5, 400)} if change == "weights" else {"epochs": 7}
    trained(checkpoint, report=lambda count, _total: done.append(count), **others)
    assert done[0] == 0


@pytest.mark.slow
def test_a_killed_training_continues_to_the_same_bits(tmp_path):
    """SIGKILL at two moments of one training in a process of its own, each continued by the next."""
    command = [sys.executable, "-m", "tests.training.learnable"]
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    subprocess.run([*command, str(tmp_path / "whole"), "60"], check=True)
    checkpoint = tmp_path / "killed" / "checkpoint.npz"
    kills = 0
    for epochs in (10, 30):
        process = subprocess.Popen([*command, str(tmp_path / "killed"), "60"])
        while process.poll() is None and _epochs(checkpoint) < epochs:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills == 2
    assert 30 <= _epochs(checkpoint) < 60
    subprocess.run([*command, str(tmp_path / "killed"), "60"], check=True)
    whole, killed = ((tmp_path / name / "model.npz").read_bytes() for name in ("whole", "killed"))
    assert whole == killed


def _epochs(checkpoint):
    return len(read_state(checkpoint, "checkpoint")[1]["history"]) if checkpoint.exists() else 0


def test_a_history_is_a_table_of_text(tmp_path):
    rows = [Epoch(1, 1e-3, 0.5, 0.25), Epoch(2, 0.0, 0.25, 0.5)]
    write_history(rows, tmp_path / "history.csv")
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines == ["epoch,learning_rate,loss,validation_r2", "1,0.001,0.5,0.25", "2,0.0,0.25,0.5"]


def test_what_cannot_be_trained_is_refused():
    x, y = points(10, 1.0)
    spectra = FixedSpectra(torch.from_numpy(x))
    with pytest.raises(ParameterError, match="epochs = 0"):
        Recipe(epochs=0)
    with pytest.raises(DataError, match="target must hold 10 finite"):
        train(Line(), spectra, y[:-1], Validation(x, y), Recipe(), seed=0)
    with pytest.raises(DataError, match="sample_weight must hold 10 finite"):
        train(Line(), spectra, y, Validation(x, y), Recipe(), seed=0, sample_weight=np.full(10, np.nan))
    with pytest.raises(DataError, match="loss of epoch 1 is inf; lower the learning rate"):
        train(Line(1e30), spectra, y, Validation(x, y), Recipe(), seed=0)


def test_recipes_round_trip_as_text():
    assert Recipe(**asdict(Recipe(batch=7))) == Recipe(batch=7)
    spectra, y = source()
    assert spectra.shape == (len(y), 24)


@pytest.mark.parametrize(("steps", "batches"), [(2, [20, 20]), (3, [20, 20, 10]), (5, [20, 20, 10, 20, 20])])
def test_updates_may_be_counted_instead_of_epochs(steps, batches):
    """The last pass is cut short, the rate falls over the updates, and so many are made."""
    x, y = points(50, 1.0)
    network = Line()
    seen = []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]) if module.training else None)
    recipe = Recipe(epochs=9, batch=20, steps=steps)
    history = train(network, FixedSpectra(torch.from_numpy(x)), y, Validation(x, y), recipe, seed=1)
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
    history = train(network, *data, Recipe(patience=3, **settings), seed=0)
    whole = train(longer, *data, Recipe(**settings), seed=0)
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
    history = train(averaged, spectra, y, data, recipe, seed=2)
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
        history = train(network, spectra, y - 3.0, data, recipe, seed=1, checkpoint=checkpoint, report=report)
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


def test_recipes_that_cannot_be_are_refused():
    for settings, message in (
        ({"average": 1.0}, "average = 1.0 must be a decay below 1"),
        ({"steps": -1}, "steps = -1 must be a finite number > 0"),
        ({"mode": "slow"}, "mode = 'slow' must be strict or fast"),
    ):
        with pytest.raises(ParameterError, match=message):
            Recipe(**settings)


def test_mode_fast_learns_the_same_from_products_of_fewer_digits(monkeypatch):
    """What a GPU would do, on a processor: bfloat16 without the compiler, which takes a minute here."""
    monkeypatch.setattr(loop, "_fast", lambda recipe, _device: recipe.mode == "fast")
    monkeypatch.setattr(torch, "compile", lambda network: network)
    spectra, y = source()
    data = validation()
    found = []
    for mode in ("strict", "fast"):
        model = Mlp(Recipe(epochs=4, batch=32, learning_rate=5e-3, mode=mode), seed=3, widths=(16, 8))
        found.append(model.fit(spectra, y, validation=data).predict(data.flux))
    assert (found[0] != found[1]).any()
    assert found[1] == pytest.approx(found[0], abs=0.1)
    assert np.mean((found[1] - found[0]) ** 2) < 1e-3 * np.var(data.y)
