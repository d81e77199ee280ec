"""The training loop: it learns, repeats itself, resumes to the same bits, keeps the best epoch and weights stars."""

import math

import numpy as np
import pytest
import torch

from repro.errors import DataError, ParameterError
from repro.training.loop import Epoch, Recipe, train, write_history
from repro.training.spectra import FixedSpectra, Validation
from repro.training.state import read_state
from tests.training.learnable import Line, interrupting, points, trained, validation


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
    history = train(network, FixedSpectra(torch.from_numpy(x)), y, Validation(x, 0.1 * y), recipe, seed=0).history
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


def test_a_history_is_a_table_of_text(tmp_path):
    rows = [Epoch(1, 1e-3, 0.5, 0.25, 0.75), Epoch(2, 0.0, 0.25, 0.5, 0.625)]
    write_history(rows, tmp_path / "history.csv")
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines == [
        "epoch,learning_rate,loss,validation_r2,validation_mae",
        "1,0.001,0.5,0.25,0.75",
        "2,0.0,0.25,0.5,0.625",
    ]


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
