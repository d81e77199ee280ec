import numpy as np
import pytest
import torch
from scipy.stats import kstest

from repro.errors import ParameterError
from repro.spectra.noise import inject, philox4x32, standard_normal

# Random123 1.14, tests/kat_vectors, philox4x32 10 rounds: counter, key, output
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter, key, expected):
    words = philox4x32(tuple(torch.tensor([word]) for word in counter), key)
    assert tuple(int(word) for word in words) == expected


def test_words_become_normals_as_box_and_muller_wrote():
    """Second route: plain Python integers and numpy for the first quad of pixels."""
    seed, epoch, row = 2**40 + 17, 3, 12345
    counter, key = (0, row, epoch, 2), (seed & 0xFFFFFFFF, seed >> 32)
    words = [int(word) for word in philox4x32(tuple(torch.tensor([word]) for word in counter), key)]
    expected = []
    for first, second in (words[:2], words[2:]):
        radius, angle = np.sqrt(-2 * np.log((first + 0.5) / 2**32)), 2 * np.pi * (second + 0.5) / 2**32
        expected += [radius * np.cos(angle), radius * np.sin(angle)]
    np.testing.assert_allclose(standard_normal(seed, "test", epoch, [row])[0, :4], expected, rtol=1e-6)


def test_the_numbers_are_normal_and_independent():
    sample = standard_normal(42, "train", 0, range(200)).double()
    assert sample.shape == (200, 4096)
    flat = sample.flatten().numpy()
    assert kstest(flat[::8], "norm").pvalue > 1e-3
    n = flat.size
    assert abs(flat.mean()) < 4 / n**0.5
    assert abs(flat.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((flat**4).mean() - 3) < 4 * (96 / n) ** 0.5
    assert abs(flat).max() > 4.5  # the tails are there
    for one, other in ((sample[:, :-1], sample[:, 1:]), (sample[:-1], sample[1:]), (sample[:, 0::2], sample[:, 1::2])):
        assert abs(float((one * other).mean())) < 4 / one.numel() ** 0.5


@pytest.mark.parametrize("change", [{"seed": 43}, {"seed": 42 + 2**32}, {"split": "val"}, {"epoch": 1}, {"index": [6]}])
def test_every_part_of_the_key_counts(change):
    base = {"seed": 42, "split": "train", "epoch": 0, "index": [5]}
    one, other = standard_normal(**base), standard_normal(**(base | change))
    assert abs(float((one * other).mean())) < 5 / 64
    assert not bool((one == other).any())


def test_order_batch_and_number_of_pixels_do_not_count():
    whole = standard_normal(1, "train", 2, torch.arange(40))
    order = torch.randperm(40)
    assert torch.equal(standard_normal(1, "train", 2, order), whole[order])
    assert torch.equal(torch.cat([standard_normal(1, "train", 2, [row]) for row in range(40)]), whole)
    assert torch.equal(standard_normal(1, "train", 2, torch.arange(40), n_pixels=1001), whole[:, :1001])
    assert standard_normal(1, "train", 2, []).shape == (0, 4096)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_noise():
    cpu = standard_normal(42, "train", 0, range(64))
    gpu = standard_normal(42, "train", 0, range(64), device="cuda").cpu()
    np.testing.assert_allclose(gpu, cpu, rtol=3e-7, atol=1e-7)


def test_noise_is_scaled_by_level_and_error():
    flux, error, normal = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.1, 0.2]]), torch.tensor([[1.0, -2.0]])
    np.testing.assert_allclose(inject(flux, error, normal, 2.0), [[1.2, 1.2]], rtol=1e-6)
    assert torch.equal(inject(flux, error, normal, 0.0), flux)


@pytest.mark.parametrize(
    "change", [{"seed": -1}, {"seed": 2**64}, {"split": "holdout"}, {"epoch": -1}, {"epoch": 2**32}, {"index": [0, -1]}]
)
def test_keys_out_of_range_are_refused(change):
    with pytest.raises(ParameterError, match=next(iter(change))):
        standard_normal(**({"seed": 1, "split": "train", "epoch": 0, "index": [0]} | change))
