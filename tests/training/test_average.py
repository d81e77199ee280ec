"""The average of weights against that of torch, bit for bit."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from repro.training.average import Average


def test_it_is_that_of_torch():
    """Weights of two types, one that is not trained, buffers of two types, states that either can read."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 1).double())
    network[0].bias.requires_grad_(False)
    ours = Average(network, 0.9)
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for number in range(7):
        with torch.no_grad():
            for value in (*network.parameters(), *network.buffers()):
                value.copy_(torch.randn(value.shape) * 10)
        if number == 4:  # as after a checkpoint
            state = theirs.state_dict()
            ours = Average(network, 0.9)
            ours.load_state_dict(state)
        ours.update()
        theirs.update_parameters(network)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for one, two in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
            assert one.dtype == two.dtype
            assert torch.equal(one, two)
    assert not torch.equal(ours.module[0].weight, network[0].weight)


def test_a_network_without_buffers_has_an_average():
    network = nn.Linear(2, 1)
    average = Average(network, 0.5)
    average.update()
    assert torch.equal(average.module.weight, network.weight)
