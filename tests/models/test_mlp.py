"""The perceptron: standardisation, storage, and what it refuses."""

import numpy as np
import pytest
import torch

from repro.errors import DataError, ParameterError
from repro.models.cnn import Cnn
from repro.models.mlp import Mlp, MlpNetwork
from repro.models.protocol import predict
from repro.models.ridge import Ridge
from repro.training.loop import Recipe
from repro.training.spectra import Validation
from tests.training.learnable import points, source, trained, validation


@pytest.fixture(scope="module")
def model():
    return trained(epochs=12)


def test_it_beats_a_line_where_the_label_is_curved(model):
    spectra, y = source()
    data = validation()
    straight = Ridge().fit(spectra, y, validation=data)
    error = [np.mean((fitted.predict(data.flux) - data.y) ** 2) for fitted in (model, straight)]
    assert error[0] < 0.8 * error[1]


def test_inputs_and_labels_are_standardised(model):
    spectra, y = source()
    network = model._network
    shown = spectra.block(torch.arange(400), 0).double()
    assert network.mean.numpy() == pytest.approx(shown.mean(dim=0).numpy(), abs=1e-6)
    assert network.scale.numpy() == pytest.approx(shown.std(dim=0, correction=0).numpy(), rel=1e-5)
    flux = validation().flux
    again = network(torch.from_numpy(flux)).detach().double().numpy() * np.std(y) + np.mean(y)
    assert model.predict(flux) == pytest.approx(again, abs=1e-6)


def test_a_pixel_that_never_changes_does_no_harm():
    spectra, y = source()
    flux = spectra.block(torch.arange(400), 0).numpy().copy()
    flux[:, 3] = 0.5
    data = validation()
    data.flux[:, 3] = 0.5
    fitted = Mlp(Recipe(epochs=2, batch=32), widths=(4,)).fit(flux, y, validation=data)
    assert np.isfinite(fitted.predict(data.flux)).all()


def test_a_stored_model_is_the_same_model(tmp_path, model):
    for name in ("one.safetensors", "two.safetensors"):
        model.save(tmp_path / name)
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    flux = validation().flux
    assert (Mlp.load(tmp_path / "one.safetensors").predict(flux) == model.predict(flux)).all()
    (tmp_path / "torn.safetensors").write_bytes((tmp_path / "one.safetensors").read_bytes()[:500])
    with pytest.raises(DataError, match=r"torn.safetensors: not a stored mlp model"):
        Mlp.load(tmp_path / "torn.safetensors")
    with pytest.raises(DataError, match="holds a mlp model, not a cnn model"):
        Cnn.load(tmp_path / "one.safetensors")
    Ridge().fit(*points(20, 1.0), validation=Validation(*points(20, 1.0, 1))).save(tmp_path / "ridge.npz")
    for name in ("ridge.npz", "absent.safetensors"):
        with pytest.raises(DataError, match=rf"{name}: not a stored mlp model .* must be a .safetensors file"):
            Mlp.load(tmp_path / name)


def test_the_error_array_is_kept_from_a_model_that_does_not_declare_it(model):
    data = validation()
    assert (predict(model, data.flux, data.error) == model.predict(data.flux)).all()


def test_seeds_give_other_networks():
    spectra, y = source()
    one, two = (
        Mlp(Recipe(epochs=1), seed=seed, widths=(4,)).fit(spectra, y, validation=validation()) for seed in (0, 1)
    )
    assert not np.allclose(one.predict(validation().flux), two.predict(validation().flux))


def test_what_cannot_be_done_is_refused(model):
    spectra, y = source()
    with pytest.raises(ParameterError, match="validation data are needed"):
        Mlp().fit(spectra, y)
    with pytest.raises(DataError, match="fitted to 24 pixels, asked about 23"):
        model.predict(validation().flux[:, 1:])
    for action in (lambda: Mlp().predict(validation().flux), lambda: Mlp().save("nowhere.npz")):
        with pytest.raises(DataError, match="fitted"):
            action()


def test_depth_activation_and_dropout_are_those_asked_for():
    """The published direct networks have 1 065 345, 528 577 and 11.0 million parameters."""
    for widths, count in (((256, 64), 1_065_345), ((128, 32), 528_577), ((2048, 1024, 512), 11_014_145)):
        made = Mlp(widths=widths)._made(torch.zeros(4096), torch.ones(4096))
        assert sum(weights.numel() for weights in made.parameters()) == count
    torch.manual_seed(0)
    network = Mlp(widths=(3, 2), activation="relu", dropout=0.5)._made(torch.zeros(5), torch.ones(5)).eval()
    x = torch.randn(4, 5)
    first, second, last = (network.layers[place] for place in (0, 2, 4))
    assert torch.equal(network(x), last(torch.relu(second(torch.relu(first(x)))))[:, 0])
    network.train()
    assert not torch.equal(network(x), network(x))  # values are left out at random
    assert list(network.state_dict()) == list(MlpNetwork(torch.zeros(5), torch.ones(5), (3, 2)).state_dict())


def test_another_activation_is_stored(tmp_path):
    spectra, y = source()
    model = Mlp(Recipe(epochs=1), widths=(4,), activation="silu", dropout=0.2).fit(spectra, y, validation=validation())
    model.save(tmp_path / "model.safetensors")
    again = Mlp.load(tmp_path / "model.safetensors")
    assert again.activation == "silu"
    assert again.parameters == model.parameters == 24 * 4 + 4 + 4 + 1
    assert (again.predict(validation().flux) == model.predict(validation().flux)).all()
    with pytest.raises(ParameterError, match="activation 'tanh' is not one of gelu, relu, silu"):
        Mlp(activation="tanh")
    with pytest.raises(ParameterError, match="dropout = 1.0 must be a share below 1"):
        Mlp(dropout=1.0)
