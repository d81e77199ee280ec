"""Muon against torch's, against a singular value decomposition, and written out; what it is given of a network."""

import numpy as np
import pytest
import torch
from torch import nn

from repro.models.vit import Shape, VitNetwork
from repro.training.muon import Muon, orthogonal
from repro.training.optimizers import begun, matrices
from repro.training.recipe import Recipe
from repro.training.spectra import FixedSpectra, Validation


def test_it_moves_as_that_of_torch_does():
    """Torch's multiplies in bfloat16: two digits. Wide, tall and square matrices, two of one shape."""
    torch.manual_seed(0)
    shapes = ((6, 10), (10, 6), (8, 8), (6, 10))
    ours = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    theirs = [nn.Parameter(weights.detach().clone()) for weights in ours]
    start = [weights.detach().clone() for weights in ours]
    optimizers = (
        Muon(ours, lr=0.02, weight_decay=0.1),
        torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(4):
        for one, two in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape)
            two.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for one, two, before in zip(ours, theirs, start, strict=True):
        assert (one - two).norm() < 2e-2 * (two - before).norm()


def test_matrices_become_orthogonal_in_their_own_directions():
    """Singular vectors stay, singular values of 0.02 to 1 of the norm come to 0.65 ... 1.2 (K. Jordan's iteration)."""
    torch.manual_seed(1)
    matrices = torch.randn(3, 12, 20, dtype=torch.float64)
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    found = u.mT @ orthogonal(matrices).double() @ v.mT
    values = found.diagonal(dim1=1, dim2=2)
    assert 0.65 < values.min() < values.max() < 1.25
    assert (found - torch.diag_embed(values)).abs().max() < 1e-4
    assert torch.allclose(orthogonal(matrices.mT), orthogonal(matrices).mT, atol=1e-5)


def test_an_update_written_out():
    """A 1 x 2 matrix, whose orthogonal matrix is its direction times the iteration of 1."""
    weights = nn.Parameter(torch.tensor([[1.0, -2.0]]))
    optimizer = Muon([weights], lr=0.1, weight_decay=0.5)
    value, momentum = np.array([1.0, -2.0]), np.zeros(2)
    unit = 1.0
    for _ in range(5):
        unit = 3.4445 * unit - 4.7750 * unit**3 + 2.0315 * unit**5
    for _ in range(3):
        gradient = 2.0 * (value - np.array([3.0, 1.0]))  # of a quadratic
        weights.grad = torch.tensor(gradient[None], dtype=torch.float32)
        optimizer.step()
        momentum = 0.95 * momentum + 0.05 * gradient
        step = 0.05 * gradient + 0.95 * momentum
        value = value * (1.0 - 0.1 * 0.5) - 0.1 * 0.2 * np.sqrt(2.0) * unit * step / np.linalg.norm(step)
    assert weights.detach().numpy()[0] == pytest.approx(value, rel=1e-5)


def test_it_gets_the_matrices_between_vectors_and_adamw_the_rest():
    network = nn.Sequential(nn.Conv1d(1, 4, 3), nn.Flatten(), nn.Linear(8, 6), nn.Linear(6, 6), nn.Linear(6, 1))
    network[3].requires_grad_(False)
    muon, adamw = begun(network, Recipe(optimizer="muon", learning_rate=0.3, weight_decay=0.7))
    (group,) = muon.param_groups
    assert [id(weights) for weights in group["params"]] == [id(network[2].weight)]
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.7)
    rest = {id(weights) for weights in adamw.param_groups[0]["params"]}
    trained = {id(weights) for weights in network.parameters() if weights.requires_grad}
    assert rest == trained - {id(network[2].weight)}
    (alone,) = begun(network, Recipe())
    assert {id(weights) for weights in alone.param_groups[0]["params"]} == trained


@pytest.mark.parametrize("tokenizer", ["c1d", "sw"])
def test_it_gets_no_embedding(tokenizer):
    """Of one block: queries, keys and values; what attention gives; up and down. A map of patches is none of them."""
    network = VitNetwork(Shape(patch=8, width=16, depth=1, heads=2, tokenizer=tokenizer), 24)
    block = [name for name, weights in network.named_parameters() if any(weights is one for one in matrices(network))]
    assert [name.rsplit(".", 2)[-2] for name in block] == ["qkv", "out", "up", "down"]
    assert isinstance(network.embed.map, nn.Linear) == (tokenizer == "sw")


def test_a_network_learns_by_it():
    from repro.training.loop import train

    torch.manual_seed(0)
    x = torch.randn(200, 3)
    y = torch.tanh(x @ torch.tensor([1.0, -1.0, 0.5])).double().numpy()
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    recipe = Recipe(epochs=12, batch=25, learning_rate=0.02, optimizer="muon", schedule="linear", warmup=5)
    found = train(network, FixedSpectra(x), y, Validation(x.numpy(), y), recipe, seed=0)
    assert found.history[-1].validation_r2 > 0.9
