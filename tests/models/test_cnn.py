"""The convolutional network: published counts, receptive field, what its pools keep of wavelengths."""

import numpy as np
import pytest
import torch
from torch import nn

from repro.errors import ParameterError
from repro.models.cnn import Cnn, CnnNetwork
from repro.training.loop import Recipe
from tests.training.learnable import source, validation

RECIPE = Recipe(epochs=2, batch=50, learning_rate=3e-3)


def network(pixels=256, *, kernel=9, dilation=1, pool="average", norm=True, seed=0):
    torch.manual_seed(seed)
    return CnnNetwork(torch.zeros(pixels), torch.ones(pixels), kernel, dilation, pool, (32, 64), norm).eval()


@pytest.mark.parametrize(
    ("kernel", "norm", "published"),
    [
        (7, False, 23_105),
        (9, False, 27_265),
        (21, False, 52_225),
        (45, False, 102_145),
        (63, False, 139_585),
        (15, True, 39_937),  # the one published count that has the scales and shifts of batch normalisation in it
    ],
)
def test_parameters_are_as_many_as_published(kernel, norm, published):
    assert sum(weights.numel() for weights in network(kernel=kernel, norm=norm).parameters()) == published


@pytest.mark.parametrize(
    ("kernel", "dilation", "field"), [(7, 1, 19), (9, 1, 25), (21, 1, 61), (45, 1, 133), (63, 1, 187), (7, 2, 37)]
)
def test_one_position_depends_on_so_many_pixels(kernel, dilation, field):
    """The receptive field by the gradient of one position before the pool, with every weight positive."""
    made = network(512, kernel=kernel, dilation=dilation, norm=False)
    for layer in made.features:
        if isinstance(layer, nn.Conv1d):
            nn.init.constant_(layer.weight, 1.0)
    flux = torch.ones(1, 1, 512, requires_grad=True)
    made.features(flux)[0, :, 128].sum().backward()
    reached = torch.nonzero(flux.grad[0, 0])[:, 0]
    reach = int(reached[-1] - reached[0]) + 1
    assert reach == field == Cnn(kernel=kernel, dilation=dilation).receptive_field
    assert int(reached[0] + reached[-1]) // 2 == 256  # centred where the position stands


@pytest.mark.parametrize("kernel", [9, 21])
def test_an_average_over_positions_erases_wavelengths_and_cells_keep_them(kernel):
    """A line that moves by an even number of pixels, away from the edges, moves the second alone."""
    lines = torch.zeros(2, 512)
    lines[0, 200:206] = lines[1, 264:270] = -30.0
    average, cells = (network(512, kernel=kernel, pool=pool)(lines) for pool in ("average", "flatten"))
    assert average[0].item() == pytest.approx(average[1].item(), abs=1e-6)
    assert abs(average[0].item() - network(512, kernel=kernel)(torch.zeros(1, 512)).item()) > 1e-4  # it sees the line
    assert abs(cells[0].item() - cells[1].item()) > 1e-4


def test_a_network_is_what_its_layers_are_written_out():
    """Convolution, normalisation by running moments, ReLU, average and head, in numpy."""
    made = network(40, kernel=3)
    with torch.no_grad():
        for layer in made.features:
            if isinstance(layer, nn.BatchNorm1d):
                layer.running_mean.uniform_(-0.2, 0.2)
                layer.running_var.uniform_(0.5, 2.0)
    x = np.random.default_rng(0).standard_normal(40).astype(np.float32)
    hidden = x[None].astype(np.float64)
    first, norm, _, second, norm2, _ = made.features
    for convolution, normal, stride in ((first, norm, 2), (second, norm2, 1)):
        weight, bias = (p.detach().double().numpy() for p in (convolution.weight, convolution.bias))
        padded = np.pad(hidden, ((0, 0), (1, 1)))
        starts = range(0, padded.shape[1] - 2, stride)
        seen = np.stack([np.einsum("oik,ik->o", weight, padded[:, s : s + 3]) + bias for s in starts], axis=1)
        mean, var, a, b = (
            v.detach().double().numpy()[:, None]
            for v in (normal.running_mean, normal.running_var, normal.weight, normal.bias)
        )
        hidden = np.maximum((seen - mean) / np.sqrt(var + normal.eps) * a + b, 0.0)
    assert hidden.shape == (64, 20)
    head = [p.detach().double().numpy() for p in made.head.parameters()]
    expected = head[2] @ np.maximum(head[0] @ hidden.mean(axis=1) + head[1], 0.0) + head[3]
    assert made(torch.from_numpy(x)[None]).item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_learns_is_stored_and_estimates_each_spectrum_alone(tmp_path):
    spectra, y = source()
    data = validation()
    model = Cnn(Recipe(epochs=8, batch=20, learning_rate=3e-3), kernel=5, pool="flatten", seed=1)
    model.fit(spectra, y, validation=data)
    assert max(row.validation_r2 for row in model.history) > 0.6
    every = model.predict(data.flux)
    assert model.predict(data.flux[40:41]) == pytest.approx(every[40:41], abs=1e-4)  # not normalised by its company
    model.save(tmp_path / "model.safetensors")
    again = Cnn.load(tmp_path / "model.safetensors")
    assert (again.kernel, again.pool, again.parameters) == (5, "flatten", model.parameters)
    assert (again.predict(data.flux) == every).all()


def test_what_cannot_be_is_refused():
    for settings in ({"kernel": 8}, {"kernel": -1}, {"dilation": 0}):
        with pytest.raises(ParameterError, match="must be odd and dilation"):
            Cnn(**settings)
    with pytest.raises(ParameterError, match="pool 'max' is not one of average, flatten"):
        Cnn(pool="max")
