"""Maps of a transformer against brute force, finite differences, and estimators of which the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from repro.bounds.stars import StarSlopes
from repro.errors import DataError, ParameterError
from repro.experiments.attention import Networks, attention_table, initial, look, occlusion, rollout, spread
from repro.experiments.attention_table import CLASSES, MAPS
from repro.files import sha256
from repro.models.vit import PUBLISHED, Shape, Vit, VitNetwork
from repro.scores.attention import EVERY, AttentionScores
from repro.stages.trackA_attention import main_network, other_run
from repro.training.recipe import Recipe
from tests.experiments.small import SmallData

PIXELS = 24
SHAPE = Shape(patch=4, width=8, depth=2, heads=2, pooler=False)
WAVE = 7100.0 + 10.0 * np.arange(PIXELS)
WINDOWS = {"Na I": np.arange(PIXELS) // 4 == 2, "Ca II triplet": np.isin(np.arange(PIXELS), (1, 2, 13, 17))}


def network(shape=SHAPE, seed=3):
    """A network in float64 whose estimates depend on the flux as those of a trained one do."""
    torch.manual_seed(seed)
    made = VitNetwork(shape, PIXELS).eval()
    with torch.no_grad():
        for weights in made.parameters():
            weights.mul_(1.0 if weights.ndim < 2 else 3.0)
    return made.double()


def stars(n=5, seed=0):
    rng = np.random.default_rng(seed)
    return 0.5 + 0.1 * rng.normal(size=(n, PIXELS)), rng.uniform(0.02, 0.1, size=(n, PIXELS))


class Weighted(nn.Module):
    """Estimates that are weighted sums of the pixels, and attention to one token alone."""

    def __init__(self, weights, token=2):
        super().__init__()
        self.shape, self.token = SHAPE, token
        self.weights = torch.as_tensor(weights)

    def forward(self, flux):
        return flux.to(self.weights.dtype) @ self.weights

    def attention(self, flux):
        tokens = 1 + PIXELS // 4
        maps = torch.zeros(len(flux), 2, 2, tokens, tokens, dtype=flux.dtype)
        maps[..., 1 + self.token] = 1.0
        return maps


def slopes(jacobian):
    """What a differentiator gives that knows these derivatives (k, P) of every star."""

    def differentiate(labels, _axis):
        n = len(labels)
        return StarSlopes(np.ones((n, PIXELS)), np.zeros(n), np.tile(jacobian, (n, 1, 1)), np.zeros((n, 5)))

    return differentiate


@pytest.fixture
def jacobian():
    return np.random.default_rng(8).normal(size=(5, PIXELS))


@pytest.mark.parametrize(("patch", "stride"), [(4, None), (8, 4), (32, None), (32, 8)])
def test_a_token_is_spread_evenly_over_its_pixels(patch, stride):
    pixels = 128
    shape = replace(SHAPE, patch=patch, stride=stride)
    width = min(shape.step, 16)
    found = spread(shape, pixels).numpy()
    for token, row in enumerate(found):
        by_pixel = np.zeros(pixels)
        by_pixel[token * shape.step : token * shape.step + patch] = 1.0 / patch
        np.testing.assert_allclose(row, by_pixel.reshape(-1, width).sum(axis=1), atol=1e-7)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-6)


def test_published_tokens_are_cells():
    np.testing.assert_array_equal(spread(PUBLISHED, 4096).numpy(), np.eye(256, dtype=np.float32))
    with pytest.raises(ParameterError, match="130 pixels are no whole number of steps of 4"):
        spread(replace(SHAPE, patch=6, stride=4), 130)


def test_rollout_is_a_product_over_the_layers():
    weights = torch.softmax(torch.randn(2, 3, 4, 7, 7, dtype=torch.float64), dim=-1)
    found = rollout(weights).numpy()
    for star, layers in enumerate(weights.numpy()):
        product = np.eye(7)
        for layer in layers:
            mixed = np.zeros((7, 7))
            for i in range(7):
                for j in range(7):
                    mixed[i, j] = 0.5 * np.mean([head[i, j] for head in layer]) + 0.5 * (i == j)
            product = np.array(
                [[sum(mixed[i, k] * product[k, j] for k in range(7)) for j in range(7)] for i in range(7)]
            )
        np.testing.assert_allclose(found[star], product, rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_gradients_against_finite_differences(pooling):
    net, (flux, error) = network(replace(SHAPE, pooling=pooling)), stars()
    mean = flux.mean(axis=0)
    found = look(net, flux, error, mean)
    step = 1e-5
    slopes_of = np.empty_like(flux)
    for pixel in range(PIXELS):
        away = np.zeros(PIXELS)
        away[pixel] = step
        with torch.no_grad():
            high, low = (net(torch.as_tensor(flux + sign * away)).numpy() for sign in (1.0, -1.0))
        slopes_of[:, pixel] = (high - low) / (2.0 * step)
    noise = (slopes_of * error) ** 2
    np.testing.assert_allclose(found.profile, noise / noise.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-7)
    saliency = noise.reshape(5, 6, 4).sum(axis=2)
    np.testing.assert_allclose(
        found.maps[MAPS.index("saliency")], saliency / saliency.sum(axis=1, keepdims=True), rtol=1e-4
    )
    product = np.abs((slopes_of * (flux - mean)).reshape(5, 6, 4).sum(axis=2))
    np.testing.assert_allclose(
        found.maps[MAPS.index("grad_input")], product / product.sum(axis=1, keepdims=True), rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_attention_is_what_the_pooled_token_receives(pooling):
    net, (flux, error) = network(replace(SHAPE, pooling=pooling)), stars()
    weights = net.attention(torch.as_tensor(flux)).numpy()
    received = weights[:, :, :, 0, 1:] if pooling == "cls" else weights.mean(axis=3)
    found = look(net, flux, error, flux.mean(axis=0))
    np.testing.assert_allclose(found.heads, received, rtol=1e-6)
    mean = received.mean(axis=(1, 2))
    np.testing.assert_allclose(found.maps[0], mean / mean.sum(axis=1, keepdims=True), rtol=1e-6)
    assert found.row_sums == pytest.approx((1.0, 1.0), abs=1e-6)


def test_occlusion_against_one_piece_at_a_time():
    net, (flux, _) = network(), stars(3)
    mean = flux.mean(axis=0)
    found = occlusion(net, flux, mean, WINDOWS)
    assert found.shape == (3, 6 + 2)
    pieces = [np.arange(PIXELS) // 4 == cell for cell in range(6)] + list(WINDOWS.values())
    with torch.no_grad():
        before = net(torch.as_tensor(flux)).numpy()
        for place, hidden in enumerate(pieces):
            changed = flux.copy()
            changed[:, hidden] = mean[hidden]
            after = net(torch.as_tensor(changed)).numpy()
            np.testing.assert_allclose(found[:, place], after - before, rtol=1e-9, atol=1e-12)


def small_table(trained, untrained, jacobian, data=None, label=(3.0, 1.2), another=None):
    return attention_table(
        Networks(trained, untrained, another),
        label,
        data or SmallData(folder=None, seed=1, noise=1.0),
        slopes(jacobian),
        WAVE,
        WINDOWS,
        most=18,
        name="vit_small",
        conditions={"n_train": 200},
    )


def test_of_a_linear_estimator_gradient_and_occlusion_are_one(jacobian):
    weights = np.random.default_rng(4).normal(size=PIXELS)
    table = small_table(Weighted(weights), Weighted(np.ones(PIXELS)), jacobian)
    product, occluded = (table.values[0, MAPS.index(name)] for name in ("grad_input", "occlusion"))
    np.testing.assert_allclose(product, occluded, rtol=2e-3, atol=1e-5)
    # in dex: the windows' part of the weighted sum
    data = SmallData(folder=None, seed=1, noise=1.0)
    mean = data.val.flux.mean(axis=0)
    inside = WINDOWS["Na I"]
    shown = data.test_flux(1.0)[table.stars]
    expected = 1.2 * ((mean - shown) * weights)[:, inside].sum(axis=1)
    np.testing.assert_allclose(table.occluded[:, 0], expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(table.predictions[0], 3.0 + 1.2 * shown @ weights, rtol=1e-4)
    np.testing.assert_allclose(table.predictions[1], 3.0 + 1.2 * data.test.flux[table.stars] @ weights, rtol=1e-4)


def test_an_efficient_estimators_saliency_is_the_marginal_information(jacobian):
    data = SmallData(folder=None, seed=1, noise=1.0)
    data.test.error[:] = np.linspace(0.02, 0.1, PIXELS)
    weighted = jacobian / data.test.error[0].astype(float) ** 2
    efficient = np.linalg.solve(jacobian @ weighted.T, weighted)[1]
    table = small_table(Weighted(efficient), Weighted(np.ones(PIXELS)), jacobian, data)
    saliency, fisher = table.values[0, MAPS.index("saliency")], table.reference_values[1]
    np.testing.assert_allclose(saliency, fisher, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(table.profiles[0], table.profiles[1], rtol=1e-4, atol=1e-7)
    scores = AttentionScores(table)
    assert scores.agreement(EVERY, "saliency", "fisher_marginal").value == pytest.approx(1.0)


def test_a_network_that_looks_at_one_window_is_found(jacobian):
    weights = np.where(WINDOWS["Na I"], np.linspace(1.0, 2.0, PIXELS), 0.0)
    scores = AttentionScores(small_table(Weighted(weights), Weighted(np.ones(PIXELS), token=5), jacobian))
    for name in ("attention", "rollout", "saliency", "grad_input", "occlusion"):
        assert scores.rank(EVERY, name, "Na I") == 1
        assert scores.moved(EVERY, name, "Na I").p == 1.0 / 6.0
        assert scores.enrichment(EVERY, name, "Na I").value == pytest.approx(6.0, rel=1e-4)
    assert scores.over_untrained(EVERY, "attention", "Na I").value == pytest.approx(6.0)
    assert scores.best_head(EVERY, "Na I") == (pytest.approx(6.0), 1.0 / 6.0)
    assert scores.occluded(EVERY, "Ca II triplet").value == pytest.approx(0.0, abs=1e-6)


def test_the_map_of_another_run_is_beside_where_there_is_one(jacobian):
    weights = np.random.default_rng(4).normal(size=PIXELS)
    one, two = Weighted(weights), Weighted(weights[::-1].copy(), token=4)
    table = small_table(one, Weighted(np.ones(PIXELS)), jacobian, another=two)
    assert table.variants == ("noisy", "clean", "untrained", "another")
    alone = small_table(two, Weighted(np.ones(PIXELS)), jacobian)
    assert alone.variants == ("noisy", "clean", "untrained")
    np.testing.assert_array_equal(table.values[3, :4], alone.values[0, :4])
    same = AttentionScores(small_table(one, one, jacobian, another=one))
    assert same.agreement(EVERY, "saliency", "saliency", ("noisy", "another")).value == pytest.approx(1.0)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_table_of_a_transformer(pooling, jacobian, tmp_path):
    net = network(replace(SHAPE, pooling=pooling)).float()
    first = small_table(net, initial(net, 0), jacobian)
    for values in (first.values[0], first.values[1:, :4], first.reference_values):
        np.testing.assert_allclose(values.sum(axis=-1), 1.0, rtol=1e-5)
        assert values.min() >= 0.0
    assert np.isnan(first.values[1:, MAPS.index("occlusion")]).all()
    low = {name: (first.log_g >= least).sum() for name, (least, _) in CLASSES.items()}
    assert low["giants"] - low["subgiants"] in (6, 7) and low["dwarfs"] in (6, 7)  # and the one like the published
    np.testing.assert_allclose(first.heads[0, 2].sum(axis=-1).max(), 1.0, atol=0.5)
    again = small_table(net, initial(net, 0), jacobian)
    first.write(tmp_path / "a.h5")
    again.write(tmp_path / "b.h5")
    assert sha256(tmp_path / "a.h5") == sha256(tmp_path / "b.h5")


def test_initial_weights_are_those_that_a_training_starts_from(monkeypatch):
    begun = []

    def not_trained(network, *_args, **_settings):
        begun.append(network)
        raise KeyboardInterrupt

    monkeypatch.setattr("repro.models.network.train", not_trained)
    data = SmallData(folder=None, seed=1, noise=1.0)
    model = Vit(Recipe(), shape=replace(SHAPE, inputs="standardised"), seed=5)
    with pytest.raises(KeyboardInterrupt):
        model.fit(data.noisy(1.0, 32), data.train.y[:32], validation=data.validation(1.0))
    again = initial(begun[0], 5).state_dict()
    for name, values in begun[0].state_dict().items():
        assert torch.equal(again[name], values)
    assert not torch.equal(initial(begun[0], 6).state_dict()["head.weight"], again["head.weight"])


def test_the_network_of_the_largest_size_and_first_run_is_taken(tmp_path):
    for name in ("main_vit_small_n2000_seed0", "main_vit_small_n8000_seed1", "steps_vit_steps=8_n8000_seed0"):
        (tmp_path / f"{name}.safetensors").touch()
    with pytest.raises(DataError, match="0 main networks of 8000 spectra and run 0.*run stage trackA-train again"):
        main_network(tmp_path, 8000)
    (tmp_path / "main_vit_small_n8000_seed0.safetensors").touch()
    found = main_network(tmp_path, 8000)
    assert found.name == "main_vit_small_n8000_seed0.safetensors"
    assert other_run(found).exists()
