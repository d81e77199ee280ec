"""Deviates that trainings share: the same presentations as without, whatever is kept and whoever asks."""

import numpy as np
import pytest
import torch

from repro.spectra.noise import standard_normal
from repro.training.deviates import Deviates, SharedNoise
from repro.training.spectra import NoisySpectra
from tests.training.learnable import noise_free

N, PIXELS = 150, 24
SIZE = N * PIXELS * 4


@pytest.fixture(scope="module")
def clean():
    flux, error, _ = noise_free(N, 0)
    return torch.from_numpy(flux), torch.from_numpy(error)


@pytest.mark.parametrize("most_bytes", [0, SIZE, 10 * SIZE])
@pytest.mark.parametrize("level", [0.0, 0.1, 2.0])
def test_presentations_are_those_of_noisy_spectra(clean, most_bytes, level):
    deviates = Deviates((N, PIXELS), 9, most_bytes)
    shared = SharedNoise(clean[0][:70], clean[1][:70], level, deviates)
    alone = NoisySpectra(clean[0][:70], clean[1][:70], level, 9)
    assert shared.shape == alone.shape == (70, PIXELS)
    rows = torch.tensor([69, 0, 13])
    for epoch in (0, 3, 1, 3):
        assert torch.equal(shared.block(rows, epoch), alone.block(rows, epoch))


def test_only_so_much_is_kept_and_it_is_drawn_once(monkeypatch):
    drawn = []

    def counted(seed, split, epoch, rows, *others):
        drawn.append((epoch, len(rows)))
        return standard_normal(seed, split, epoch, rows, *others)

    monkeypatch.setattr("repro.training.deviates.standard_normal", counted)
    deviates = Deviates((N, PIXELS), 9, 2 * SIZE)
    rows = torch.tensor([1, 5])
    for epoch in (0, 1, 2, 0, 1, 2):
        deviates.block(rows, epoch)
    assert [sum(count for at, count in drawn if at == epoch) for epoch in range(3)] == [N, N, 2 * len(rows)]


def test_noise_levels_share_deviates(clean):
    deviates = Deviates((N, PIXELS), 9, SIZE)
    rows = torch.arange(N)
    low, high = (SharedNoise(*clean, level, deviates).block(rows, 0).double() for level in (0.5, 2.0))
    flux = clean[0].double()
    assert (low - flux).numpy() == pytest.approx((high - flux).numpy() / 4.0, abs=1e-6)
    assert np.std(((high - flux) / clean[1] / 2.0).numpy()) == pytest.approx(1.0, abs=0.05)
