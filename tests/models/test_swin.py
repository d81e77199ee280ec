"""The Swin transformer: windows by brute force, one window as full attention, the seam, merging, storage."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from repro.errors import ParameterError
from repro.models.encoder import Attention
from repro.models.swin import MATCHED, TINY, Merge, Swin, SwinNetwork, SwinShape, WindowAttention
from repro.models.vit import PUBLISHED, parameters_by_part
from repro.training.recipe import Recipe
from tests.training.learnable import source, validation

SMALL = SwinShape(patch=2, window=4, width=8, depths=(2, 2), head=4)
P = 64


def attention(tokens=12, window=4, shift=2, *, seed=0):
    torch.manual_seed(seed)
    made = WindowAttention(8, 2, 0.0, tokens=tokens, window=window, shift=shift)
    made.table.data.normal_()
    made.inside.qkv.weight.data *= 20.0
    return made.double()


def brute_force(made, x, groups):
    """Attention within groups of tokens, one query at a time, with the bias of the distance."""
    heads, size = made.inside.heads, x.shape[-1] // made.inside.heads
    q, k, v = (part.numpy() for part in made.inside.qkv(torch.from_numpy(x)).detach().chunk(3, dim=-1))
    table = made.table.detach().numpy()
    seen = np.zeros_like(x)
    for group in groups:
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            for i in group:
                logits = [q[i, part] @ k[j, part] / size**0.5 + table[head, i - j + made.window - 1] for j in group]
                weights = np.exp(logits) / np.exp(logits).sum()
                seen[i, part] = weights @ v[group, part]
    return made.inside.out(torch.from_numpy(seen)).detach().numpy()


@pytest.mark.parametrize(
    ("shift", "groups"),
    [
        (0, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]),
        (2, [[0, 1], [2, 3, 4, 5], [6, 7, 8, 9], [10, 11]]),  # the ends do not meet
        (1, [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]),
    ],
)
def test_tokens_see_their_window_and_nothing_across_the_seam(shift, groups):
    made = attention(shift=shift)
    x = np.random.default_rng(0).standard_normal((12, 8))
    given = made(torch.from_numpy(x)[None])[0].detach().numpy()
    assert given == pytest.approx(brute_force(made, x, groups), abs=1e-10)


@pytest.mark.parametrize("shift", [0, 2])
def test_so_do_their_gradients(shift):
    made = attention(shift=shift)
    x = torch.randn(1, 12, 8, dtype=torch.float64, requires_grad=True)
    groups = [(0, 4), (4, 8), (8, 12)] if shift == 0 else [(0, 2), (2, 6), (6, 10), (10, 12)]
    for first, last in groups:
        (reached,) = torch.autograd.grad(made(x)[0, first].sum(), x)
        assert torch.nonzero(reached[0].abs().sum(dim=-1)).flatten().tolist() == list(range(first, last))


def test_a_window_that_covers_all_is_full_attention():
    made = attention(tokens=8, window=8, shift=0)
    made.table.data.zero_()
    full = Attention(8, 2, 0.0).double()
    full.load_state_dict(made.inside.state_dict())
    x = torch.randn(2, 8, 8, dtype=torch.float64)
    assert torch.allclose(made(x), full(x), rtol=0, atol=1e-12)


def test_every_other_block_is_shifted_but_where_one_window_covers_all():
    layers = [layer.attention for layer in SwinNetwork(SMALL, P).layers if not isinstance(layer, Merge)]
    assert [(layer.window, layer.shift) for layer in layers] == [(4, 0), (4, 2), (4, 0), (4, 2)]
    layers = [layer.attention for layer in SwinNetwork(SMALL, 16).layers if not isinstance(layer, Merge)]
    assert [(layer.window, layer.shift) for layer in layers] == [(4, 0), (4, 2), (4, 0), (4, 0)]


def test_neighbours_merge():
    torch.manual_seed(0)
    made, x = Merge(4), torch.randn(2, 6, 4)
    given = made(x)
    assert given.shape == (2, 3, 8)
    pair = torch.cat([x[1, 2], x[1, 3]])
    normal = (pair - pair.mean()) / pair.std(correction=0)
    assert torch.allclose(given[1, 1], made.map.weight @ normal, atol=1e-5)


def test_it_has_the_stages_of_its_design():
    """Track A's design: 512, 256 and 128 tokens of width 64, 128 and 256; its `tiny` is put at 1-2 million."""
    assert TINY.tokens(4096) == [512, 256, 128]
    made = SwinNetwork(TINY, 4096)
    widths = [layer.norm_1.normalized_shape[0] for layer in made.layers if not isinstance(layer, Merge)]
    assert widths == [64, 64, 128, 128, 256, 256]
    assert count(TINY) == 2_193_381


def count(shape):
    return sum(weights.numel() for weights in SwinNetwork(shape, 4096).parameters())


def test_it_matches_the_vision_transformer():
    """By formula, stage by stage; within 1 % of the parameters that the published transformer uses."""
    total = (8 + 1) * 64 + 2 * 64 + 512 * 64 + 2 * 256 + 257
    for stage, depth in enumerate(MATCHED.depths):
        width = 64 * 2**stage
        total += depth * (12 * width**2 + 13 * width + width // 32 * 15)
        total += (2 * width + width**2) if stage else 0  # merging: normalisation and map of two half widths
    assert count(MATCHED) == total == 4_766_525
    assert total == pytest.approx(parameters_by_part(PUBLISHED, 4096)["used"], rel=0.01)


@pytest.mark.parametrize(("positions", "told"), [("learned", True), ("none", False)])
def test_places_are_told_by_positions_alone(positions, told):
    """A line that moves by whole windows of the last stage, away from the ends and without shifts."""
    torch.manual_seed(0)
    shape = replace(SMALL, depths=(1, 1), positions=positions)
    made = SwinNetwork(shape, P).eval()
    if made.positions is not None:
        made.positions.data *= 50.0
    flux = torch.full((2, P), 0.5)
    flux[0, 18:22] = flux[1, 34:38] = -1.0  # 16 pixels: four tokens of the last stage
    one, other = made(flux)
    assert (abs(one - other).item() > 1e-4) == told


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    made = SwinNetwork(SMALL, P)
    (made(torch.randn(3, P)) ** 2).sum().backward()
    assert all(weights.grad is not None and weights.grad.any() for weights in made.parameters())


def test_bfloat16_is_close_to_float32_and_pieces_to_the_whole():
    torch.manual_seed(0)
    made, shown = SwinNetwork(SMALL, P).eval(), torch.randn(70, P)
    with torch.autocast("cpu", torch.bfloat16):
        rough = made(shown[:3])
    assert torch.allclose(rough.float(), made(shown[:3]), rtol=0.03, atol=0.01)
    assert torch.allclose(made(shown), made._estimate(shown), rtol=1e-5, atol=1e-6)


def test_it_learns_and_is_stored(tmp_path):
    flux, y = source()
    shape = SwinShape(patch=3, window=2, width=8, depths=(2, 2), head=4, inputs="standardised")
    model = Swin(Recipe(epochs=4, batch=20, learning_rate=5e-3), shape=shape, seed=1)
    model.fit(flux, y, validation=validation())
    assert max(row.validation_r2 for row in model.history) > 0.5
    path = tmp_path / f"model{model.suffix}"
    model.save(path)
    again = Swin.load(path)
    assert again.shape == shape
    assert (again.predict(validation().flux) == model.predict(validation().flux)).all()


def test_what_cannot_be_is_refused():
    for settings, message in (
        ({"positions": "sine"}, "positions = 'sine'"),
        ({"depths": ()}, "has a number below 1"),
        ({"depths": (2, 0)}, "has a number below 1"),
        ({"width": 40}, "width = 40 is not a multiple of a head of 32"),
        ({"dropout": -0.1}, "dropout = -0.1 must be a share"),
    ):
        with pytest.raises(ParameterError, match=message):
            SwinShape(**settings)
    with pytest.raises(
        ParameterError, match="4100 pixels in patches of 8 do not give windows of 8 tokens in each of 3"
    ):
        TINY.tokens(4100)
    with pytest.raises(ParameterError, match="do not give windows"):
        TINY.tokens(8 * 4 * 9)  # 36, 18 and 9 tokens
