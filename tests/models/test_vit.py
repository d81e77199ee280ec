"""The vision transformer: published counts, layers of another library, symmetries of its parts, storage."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from repro.errors import DataError, ParameterError
from repro.models.encoder import Attention, Block
from repro.models.swin import SwinNetwork, SwinShape
from repro.models.vit import FAST, PUBLISHED, SMALL, Shape, Vit, VitNetwork, flops, parameters_by_part
from repro.training.recipe import Recipe
from tests.training.learnable import PIXELS, source, validation

TINY = Shape(patch=8, width=32, depth=2, heads=4, ratio=2, pooler=False)
SWIN = SwinShape(patch=2, window=4, width=8, depths=(2, 2), head=4)
P = 64


def network(shape=TINY, pixels=P, *, seed=0, training=False):
    torch.manual_seed(seed)
    return VitNetwork(shape, pixels).train(training)


def spectra(n=3, pixels=P, seed=1):
    return 0.5 + 0.3 * torch.randn(n, pixels, generator=torch.Generator().manual_seed(seed))


def test_the_published_architecture_has_the_published_parameters():
    """Fact sheet 2.4: embeddings, six layers, last normalisation, the pooler that nothing uses, head."""
    parts = parameters_by_part(PUBLISHED, 4096)
    assert parts == {
        "embed": 70_400,
        "encoder": 6 * 789_760,
        "norm": 512,
        "pooler": 65_792,
        "head": 257,
        "total": 4_875_521,
        "used": 4_809_729,
    }
    assert parameters_by_part(replace(PUBLISHED, pooler=False), 4096)["total"] == 4_809_729


@pytest.mark.parametrize(
    ("patch", "width", "depth", "heads", "stride", "million"),
    [
        (16, 256, 4, 8, 16, 3.296),
        (8, 128, 8, 4, 8, 1.670),
        (32, 256, 4, 4, 8, 3.365),
        (16, 256, 8, 8, 16, 6.455),
        (16, 384, 6, 8, 16, 10.901),
        (32, 384, 4, 8, 16, 7.358),
    ],
)
def test_so_have_the_members_of_its_sweep(patch, width, depth, heads, stride, million):
    tokens = (4096 - patch) // stride + 1
    layer = 4 * (width**2 + width) + 2 * 4 * width**2 + 5 * width + 4 * width  # attention, perceptron, normalisations
    formula = (patch + 1) * width + (tokens + 2) * width + depth * layer + 2 * width + width**2 + width + width + 1
    shape = Shape(patch, stride, width, depth, heads)
    assert parameters_by_part(shape, 4096)["total"] == formula
    assert round(formula / 1e6, 3) == million


def test_its_start_is_the_published_one():
    torch.manual_seed(0)
    made = VitNetwork(PUBLISHED, 4096)
    linear = torch.cat([layer.weight.flatten() for layer in made.encoder.modules() if isinstance(layer, nn.Linear)])
    assert linear.std().item() == pytest.approx(0.02, rel=1e-2)
    assert all(not layer.bias.any() for layer in made.encoder.modules() if isinstance(layer, nn.Linear))
    assert made.embed.positions.std().item() == pytest.approx(1.0, abs=0.02)
    for weights in (made.embed.map.weight, made.embed.map.bias):  # uniform in +-1 / sqrt(16)
        assert 0.24 < weights.abs().max().item() <= 0.25
    assert {layer.eps for layer in made.modules() if isinstance(layer, nn.LayerNorm)} == {1e-12}
    assert {layer.p for layer in made.modules() if isinstance(layer, nn.Dropout)} == {0.1}
    assert {layer.share for layer in made.modules() if isinstance(layer, Attention)} == {0.1}


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_it_is_the_encoder_of_another_library(pooling):
    """PyTorch's own layers with the same weights, every token through all of them."""
    made = network(replace(TINY, pooling=pooling))
    shown = spectra()
    patches = shown.view(3, 8, 8)
    x = patches @ made.embed.map.weight[:, 0].T + made.embed.map.bias
    if pooling == "cls":
        x = torch.cat([made.embed.cls.expand(3, 1, -1), x], dim=1)
    x = x + made.embed.positions
    for block in made.encoder:
        layer = nn.TransformerEncoderLayer(
            32, 4, 64, 0.1, activation="gelu", layer_norm_eps=1e-12, batch_first=True, norm_first=True
        ).eval()
        names = {"self_attn.in_proj_": "attention.qkv.", "self_attn.out_proj.": "attention.out."}
        names |= {"linear1.": "up.", "linear2.": "down.", "norm1.": "norm_1.", "norm2.": "norm_2."}
        ours = block.state_dict()
        layer.load_state_dict({a + end: ours[b + end] for a, b in names.items() for end in ("weight", "bias")})
        x = layer(x)
    x = made.norm(x)
    expected = made.head(x[:, 0] if pooling == "cls" else x.mean(dim=1))[:, 0]
    assert torch.allclose(made(shown), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stride", [8, 4])
def test_both_tokenizers_are_the_same_map(stride):
    shape = replace(TINY, stride=stride)
    convolution, windows = network(shape), network(replace(shape, tokenizer="sw"))
    state = convolution.state_dict()
    state["embed.map.weight"] = state["embed.map.weight"][:, 0]
    windows.load_state_dict(state)
    assert torch.allclose(windows(spectra()), convolution(spectra()), rtol=1e-5, atol=1e-6)


def test_the_tokenizers_start_at_other_scales():
    """0.144 = 1 / sqrt(3 x 16) of the convolution, 0.02 of the windows: the published asymmetry, and its control."""
    wide = {"patch": 16, "width": 512, "heads": 4, "depth": 1}
    for tokenizer, init, scale in (("c1d", "published", 0.144), ("sw", "published", 0.02), ("sw", "conv", 0.144)):
        made = network(Shape(**wide, tokenizer=tokenizer, init=init))
        assert made.embed.map.weight.std().item() == pytest.approx(scale, rel=0.03)


def test_rotary_positions_tell_distances_alone():
    """Equal tokens at all places: a logit depends on how far apart two places are; phases as complex numbers."""
    torch.manual_seed(0)
    made = Attention(8, 2, 0.0, rotary=12).double()
    made.turns = made.turns.double()
    x = torch.randn(8, dtype=torch.float64).expand(1, 12, 8)
    q, k, _ = made.asked(x)
    logits = (q @ k.transpose(-1, -2))[0]
    for apart in range(-11, 12):
        diagonal = torch.diagonal(logits, apart, dim1=1, dim2=2)
        assert torch.allclose(diagonal, diagonal[:, :1], rtol=0, atol=1e-7)
    assert logits.std(dim=2).min() > 1e-5
    plain, _, _ = made.qkv(x[0, 0]).chunk(3)
    phases = np.exp(1j * np.outer(np.arange(12), [1.0, 10_000.0**-0.5]))
    for head, values in enumerate(plain.detach().numpy().reshape(2, 4)):
        turned = (values[:2] + 1j * values[2:]) * phases
        both = np.concatenate([turned.real, turned.imag], axis=1)
        assert q[0, head].detach().numpy() == pytest.approx(both, abs=1e-7)


@pytest.mark.parametrize(("positions", "same"), [("none", True), ("learned", False), ("rotary", False)])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_without_positions_the_order_of_patches_is_not_seen(positions, same, pooling):
    made = network(replace(TINY, positions=positions, pooling=pooling))
    for weights in made.encoder.parameters():  # so that attention is sharp enough to tell
        weights.data *= 10.0
    patches = spectra().view(3, 8, 8)
    orders = [patches[:, order].reshape(3, P) for order in (torch.arange(8), torch.tensor([3, 1, 0, 7, 5, 2, 6, 4]))]
    one, other = (made(flux) for flux in orders)
    assert torch.allclose(one, other, rtol=1e-4, atol=1e-5) == same


@pytest.mark.parametrize(
    "shape",
    [
        replace(TINY, pooler=True),
        replace(TINY, pooling="mean", norm_qk=True, zero_residual=True),
        replace(TINY, positions="rotary", tokenizer="sw"),
    ],
)
def test_gradients_reach_what_is_used_and_nothing_else(shape):
    made = network(shape, training=True)
    if shape.zero_residual:  # the first update moves what starts at 0, then all the rest is reached
        made(spectra()).sum().backward()
        for weights in made.parameters():
            weights.data -= 0.1 * weights.grad
        made.zero_grad()
    (made(spectra()) ** 2).sum().backward()
    without = {name for name, weights in made.named_parameters() if weights.grad is None or not weights.grad.any()}
    assert without == ({"pooler.weight", "pooler.bias"} if shape.pooler else set())
    assert {name for name, weights in made.named_parameters() if not weights.requires_grad} == without


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("norm_qk", [False, True])
def test_maps_of_attention_are_what_the_layers_do(positions, norm_qk):
    made = network(replace(TINY, positions=positions, norm_qk=norm_qk), training=True)
    shown = spectra()
    maps = made.attention(shown)
    assert made.training
    assert maps.shape == (3, 2, 4, 9, 9)
    assert torch.allclose(maps.sum(dim=-1), torch.ones(()))
    made.eval()
    x = made.embed(shown)
    for number, block in enumerate(made.encoder):
        normal = block.norm_1(x)
        _, _, v = block.attention.asked(normal)
        given = block.attention.out((maps[:, number] @ v).transpose(1, 2).flatten(2))
        assert torch.allclose(given, block.attention(normal), rtol=1e-5, atol=1e-6)
        x = block(x)
    assert torch.equal(made.attention(shown), maps)  # no dropout in either


def test_a_block_that_starts_at_zero_hands_its_tokens_on():
    block = Block(16, Attention(16, 2, 0.0, zero_residual=True), 4, 0.0, zero_residual=True)
    x = torch.randn(2, 5, 16)
    assert torch.equal(block(x), x)
    assert not torch.equal(Block(16, Attention(16, 2, 0.0), 4, 0.0)(x), x)


def test_normalised_queries_bound_the_logits():
    """|q . k| / sqrt(d) <= sqrt(d), however large the weights."""
    made = network(replace(TINY, norm_qk=True))
    attention = made.encoder[0].attention
    attention.qkv.weight.data *= 1000.0
    q, k, _ = attention.asked(torch.randn(2, 9, 32))
    assert (q @ k.transpose(-1, -2) / 8**0.5).abs().max().item() <= 8**0.5 * (1 + 1e-5)


@pytest.mark.slow  # the counter imports what takes seconds
@pytest.mark.parametrize("shape", [TINY, replace(TINY, pooling="mean"), replace(TINY, stride=4, depth=3)])
def test_operations_are_those_that_a_counter_counts(shape):
    made, counter = network(shape, training=True), FlopCounterMode(display=False)
    shown = spectra(5)
    with counter, sdpa_kernel(SDPBackend.MATH):
        made(shown)
    assert 3 * counter.get_total_flops() == 5 * flops(shape, P)


def test_the_published_shape_takes_this_many_operations():
    """By hand: 12 D^2 products a token and layer and 2 T D of attention, the last layer asked by one token."""
    each, keys = 10 * 256**2 + 2 * 257 * 256, 2 * 256**2
    products = 256 * 16 * 256 + 5 * 257 * (each + keys) + (each + 257 * keys) + 256
    assert flops(PUBLISHED, 4096) == 6 * products == 7_291_031_040


def test_dropout_is_for_training_alone_and_pieces_are_estimated_as_the_whole():
    made = network(training=True)
    shown = spectra(70)
    assert not torch.equal(made(shown), made(shown))
    made.eval()
    whole = made._estimate(shown)
    assert torch.allclose(made(shown), whole, rtol=1e-5, atol=1e-6)  # 64 and 6


@pytest.mark.parametrize("shape", [TINY, replace(TINY, pooling="mean", positions="rotary", norm_qk=True)])
def test_products_in_bfloat16_are_close_to_float32(shape):
    made, shown = network(shape), spectra()
    with torch.autocast("cpu", torch.bfloat16):
        assert made.encoder[0](made.embed(shown)).dtype == torch.float32  # what blocks add is summed in full
        rough = made(shown)
    assert torch.allclose(rough.float(), made(shown), rtol=0.03, atol=0.01)


@pytest.mark.slow  # the compiler's imports
@pytest.mark.parametrize(
    "made", [network(replace(TINY, positions="rotary", norm_qk=True), training=True), SwinNetwork(SWIN, P), network()]
)
def test_it_compiles_in_one_piece(made):
    whole = torch.compile(made, fullgraph=True, backend="eager")
    torch.manual_seed(0)
    given = whole(spectra())
    torch.manual_seed(0)
    assert torch.allclose(given, made(spectra()), rtol=1e-5, atol=1e-6)


SMALLEST = Shape(patch=4, width=16, depth=1, heads=2, dropout=0.0, inputs="standardised", pooler=False)


def _trained(shape, epochs=1):
    flux, y = source()
    recipe = Recipe(epochs=epochs, batch=20, learning_rate=5e-3)
    return Vit(recipe, shape=shape, seed=1).fit(flux, y, validation=validation())


def test_it_learns_and_is_stored(tmp_path):
    model = _trained(SMALLEST, epochs=8)
    assert max(row.validation_r2 for row in model.history) > 0.6
    for name in ("one", "two"):
        model.save(tmp_path / f"{name}{model.suffix}")
    first, second = (tmp_path / f"{name}{model.suffix}" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    again = Vit.load(first)
    assert again.shape == SMALLEST
    assert (again.predict(validation().flux) == model.predict(validation().flux)).all()
    with pytest.raises(DataError, match="fitted to 24 pixels, asked about 23"):
        again.predict(validation().flux[:, 1:])


def test_the_same_training_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        _trained(replace(SMALLEST, dropout=0.1, inputs="raw")).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


class Counted:
    """A source that counts the rows that were asked for."""

    def __init__(self, source):
        self.source, self.rows = source, 0

    @property
    def shape(self):
        return self.source.shape

    def block(self, rows, epoch):
        self.rows += len(rows)
        return self.source.block(rows, epoch)


def test_raw_inputs_cost_no_pass_over_the_spectra():
    flux, _ = source()
    for inputs, passes in (("raw", 0), ("standardised", 2)):
        counted = Counted(flux)
        mean, scale = Vit(shape=replace(SMALLEST, inputs=inputs))._moments(counted)
        assert counted.rows == passes * 400
        assert mean.shape == scale.shape == (PIXELS,)
        made = VitNetwork(replace(SMALLEST, inputs=inputs), PIXELS, (mean, scale)).eval()
        shown = torch.from_numpy(validation().flux)
        plain = VitNetwork(SMALLEST, PIXELS).eval()
        plain.load_state_dict(made.state_dict() | {"mean": torch.zeros(PIXELS), "scale": torch.ones(PIXELS)})
        assert torch.equal(made(shown), plain((shown - mean) / scale))


def test_the_declared_shapes_fit_the_spectra():
    assert (SMALL.tokens(4096), FAST.sequence(4096), PUBLISHED.sequence(4096)) == (32, 257, 257)
    assert parameters_by_part(SMALL, 4096)["used"] == 110_593


def test_what_cannot_be_is_refused():
    for settings, message in (
        ({"tokenizer": "c2d"}, "tokenizer = 'c2d' is not one of c1d, sw"),
        ({"positions": "sine"}, "positions = 'sine' is not one of"),
        ({"stride": 0}, "step = 0 must be at least 1"),
        ({"width": 100}, "width = 100 must be an even number for each of 8 heads"),
        ({"dropout": 1.0}, "dropout = 1.0 must be a share below 1"),
    ):
        with pytest.raises(ParameterError, match=message):
            Shape(**settings)
    with pytest.raises(ParameterError, match="patches of 16 every 16 pixels do not cover 4090 pixels"):
        PUBLISHED.tokens(4090)
