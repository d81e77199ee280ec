"""Transformers on a GPU give what a processor gives; where there is none, the same code compares it with itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from repro.models.swin import SwinNetwork, SwinShape
from repro.models.vit import Shape, VitNetwork
from repro.training.loop import train
from repro.training.recipe import Recipe
from repro.training.spectra import NoisySpectra, Validation
from tests.training.learnable import NOISE, PIXELS, Halting, noise_free, validation

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
each_device = pytest.mark.parametrize("device", ["cpu", CUDA])
trained_on = pytest.mark.parametrize("device", [pytest.param("cpu", marks=pytest.mark.slow), CUDA])

SMALLEST = Shape(patch=4, width=16, depth=1, heads=2, dropout=0.0, inputs="standardised", pooler=False)
ROTARY = replace(SMALLEST, tokenizer="sw", positions="rotary", pooling="mean", norm_qk=True)
SWIN = SwinShape(patch=2, window=3, width=8, depths=(2, 2), head=4)
RECIPE = Recipe(epochs=8, batch=20, learning_rate=5e-3, warmup=2)
NETWORKS = {"vit": lambda: VitNetwork(SMALLEST, PIXELS), "rotary": lambda: VitNetwork(ROTARY, PIXELS),
            "swin": lambda: SwinNetwork(SWIN, PIXELS)}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def made(name="vit", device="cpu"):
    torch.manual_seed(0)
    return NETWORKS[name]().to(device)


def passed(name, device, *, half=False):
    """Estimates of 40 spectra and the gradients of their mean square error, on the processor."""
    flux, _, y = noise_free(40, 0)
    network = made(name, device).train()
    shown, goal = (torch.from_numpy(values).float().to(device) for values in (flux, y))
    with torch.backends.cudnn.flags(allow_tf32=False), torch.autocast(device, torch.bfloat16, enabled=half):
        given = network(shown)
    ((given.float() - goal) ** 2).mean().backward()
    gradients = {key: value.grad.cpu() for key, value in network.named_parameters() if value.grad is not None}
    return given.detach().float().cpu(), gradients


def apart(one, other):
    """Norm of the difference over the norm."""
    return float((one - other).norm() / other.norm())


@each_device
@pytest.mark.parametrize("name", NETWORKS)
def test_estimates_and_gradients_are_those_of_a_processor(name, device):
    """In float32: sums of up to 64 products in another order, unit roundoff 6e-8; TF32 would miss by 5e-4."""
    (given, gradients), (known, wanted) = passed(name, device), passed(name, "cpu")
    assert apart(given, known) < 1e-5
    assert list(gradients) == list(wanted)
    whole = torch.cat([value.flatten() for value in wanted.values()]).norm()
    for key, value in wanted.items():
        assert (gradients[key] - value).norm() < 1e-5 * whole, key


@each_device
@pytest.mark.parametrize("name", NETWORKS)
def test_products_in_bfloat16_are_near_those_in_float32(name, device):
    """Unit roundoff 2^-9 = 0.002 a product; gradients pass a dozen of them."""
    (given, gradients), (known, wanted) = passed(name, device, half=True), passed(name, "cpu")
    assert not torch.equal(given, known)
    spread = (given - known).abs().max() / known.abs().max()
    assert spread < 0.03
    both = [torch.cat([value.flatten() for value in some.values()]) for some in (gradients, wanted)]
    assert apart(*both) < 0.03


def fitted(device, recipe=RECIPE, *, n=390, shape=SMALLEST, path=None, halt=10_000):
    """A training on noise that is drawn on the device; the last of each epoch's batches is not full."""
    flux, error, y = noise_free(n, 0)
    torch.manual_seed(0)
    moments = (torch.from_numpy(flux.mean(axis=0)), torch.from_numpy(flux.std(axis=0)))
    network = VitNetwork(shape, PIXELS, moments)
    network = (Halting(network, halt) if recipe.mode == "strict" else network).to(device)
    source = NoisySpectra(torch.from_numpy(flux).to(device), torch.from_numpy(error).to(device), NOISE, 7)
    judged = validation(50)
    shown = Validation(judged.flux, judged.y - 3.0)
    return train(network, source, y - 3.0, shown, recipe, seed=1, checkpoint=path, every=0.0)


def columns(trained):
    """Loss, R2 and mean absolute error of each epoch, (3, epochs)."""
    rows = trained.history
    return np.array([[r.loss for r in rows], [r.validation_r2 for r in rows], [r.validation_mae for r in rows]])


def same_bits(one, other):
    return one.history == other.history and all(
        torch.equal(value, other.weights[kept][key])
        for kept, weights in one.weights.items()
        for key, value in weights.items()
    )


@trained_on
@pytest.mark.parametrize(("optimizer", "margin"), [("adamw", 2e-5), ("muon", 0.05)])  # Muon on a GPU: bfloat16
def test_a_strict_training_is_near_that_of_a_processor(device, optimizer, margin):
    """Rounding of all layers, as random factors of 1 + 3e-7, moves a column by 2e-6, TF32 in the tokenizer by 5e-5."""
    recipe = replace(RECIPE, optimizer=optimizer)
    known = columns(fitted("cpu", recipe))
    assert known[1, -1] > 0.5  # it learns
    np.testing.assert_allclose(columns(fitted(device, recipe)), known, rtol=0, atol=margin)


@each_device
def test_strict_training_repeats_its_bits_and_resumes_to_them(tmp_path, device):
    """With dropout, whose numbers the device draws; interrupted within an epoch and between two."""
    shape, recipe = replace(SMALLEST, dropout=0.1), replace(RECIPE, epochs=2, average=0.8)
    whole = fitted(device, recipe, n=90, shape=shape)  # five updates an epoch
    assert same_bits(fitted(device, recipe, n=90, shape=shape), whole)
    for halt in (2, 5, 8):
        path = tmp_path / f"{halt}.npz"
        with pytest.raises(KeyboardInterrupt):
            fitted(device, recipe, n=90, shape=shape, path=path, halt=halt)
        assert same_bits(fitted(device, recipe, n=90, shape=shape, path=path), whole)


@trained_on
def test_fast_training_stays_near_strict_training(monkeypatch, device):
    """Measured on a processor that is told to be fast, less the compiler: 1e-3, bfloat16, filled batches."""
    if device == "cpu":
        monkeypatch.setattr(Recipe, "fast_on", lambda recipe, _device: recipe.mode == "fast")
        monkeypatch.setattr(torch, "compile", lambda network, **_settings: network)
        monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: None)
    fast, strict = columns(fitted(device, replace(RECIPE, mode="fast"))), columns(fitted(device))
    assert (fast != strict).any()
    np.testing.assert_allclose(fast, strict, rtol=0, atol=0.02)
    assert fast[1, -1] > 0.9
