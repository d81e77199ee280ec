"""What training draws: the common presentations of noisy spectra, kept or drawn anew."""

import numpy as np
import pytest
import torch

from repro.errors import DataError
from repro.spectra.presentation import present_arrays
from repro.spectra.sampling import COLUMNS
from repro.training.spectra import FixedSpectra, NoisySpectra, RememberedSpectra, as_source, blocks


def arrays(n=40, pixels=12):
    rng = np.random.default_rng(0)
    return rng.uniform(0.3, 0.7, (n, pixels)).astype(np.float32), rng.uniform(0.01, 0.1, (n, pixels)).astype(np.float32)


def noisy():
    flux, error = arrays()
    return NoisySpectra(torch.from_numpy(flux), torch.from_numpy(error), 2.0, 9)


def test_rows_and_epochs_show_the_common_presentations():
    flux, error = arrays()
    rows = np.array([7, 3, 39])
    for epoch in (0, 4):
        expected = present_arrays(flux[rows], error[rows], np.zeros(3, COLUMNS), "train", 9, 2.0, rows, epoch)
        assert (noisy().block(torch.from_numpy(rows), epoch).numpy() == expected.x).all()
    assert not torch.equal(noisy().block(torch.arange(3), 0), noisy().block(torch.arange(3), 1))


def test_what_is_remembered_is_what_would_be_drawn(monkeypatch):
    size = noisy().flux.nbytes
    kept = RememberedSpectra(noisy(), most_bytes=2 * size)
    drawn = []
    draw = NoisySpectra.block
    monkeypatch.setattr(NoisySpectra, "block", lambda self, rows, epoch: drawn.append(epoch) or draw(self, rows, epoch))
    for epoch in (0, 1, 2, 0, 1, 2, 2):
        rows = torch.tensor([epoch, 30, 5])
        assert torch.equal(kept.block(rows, epoch), draw(noisy(), rows, epoch))
    assert drawn == [0, 1, 2, 2, 2]  # there was room for two


def test_blocks_go_through_all_spectra_in_order():
    flux, _ = arrays()
    source = as_source(flux)
    assert isinstance(source, FixedSpectra)
    parts = list(blocks(source, 3, rows=16))
    assert [part for part, _ in parts] == [slice(0, 16), slice(16, 32), slice(32, 40)]
    assert (torch.cat([block for _, block in parts]).numpy() == flux).all()
    assert as_source(source) is source
    with pytest.raises(DataError, match=r"shape \(40,\)"):
        as_source(flux[:, 0])
