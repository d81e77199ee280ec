import numpy as np
import pytest
import torch

from repro.errors import DataError
from repro.instrument.pixels import pixel_edges
from repro.instrument.resample import rebin

EDGES = torch.tensor([0.0, 1.0, 1.5, 4.0, 6.0], dtype=torch.float64)
FLUX = torch.tensor([[2.0, 4.0, 1.0, 3.0], [0.0, 1.0, 0.0, 5.0]], dtype=torch.float64)


def test_by_hand() -> None:
    out = rebin(EDGES, FLUX, torch.tensor([0.5, 1.25, 5.0], dtype=torch.float64))
    expected = [[(0.5 * 2 + 0.25 * 4) / 0.75, (0.25 * 4 + 2.5 + 3) / 3.75], [0.25 / 0.75, (0.25 + 5) / 3.75]]
    assert torch.allclose(out, torch.tensor(expected, dtype=torch.float64), rtol=1e-15)


def test_agrees_with_the_matrix_of_overlaps() -> None:
    rng = np.random.default_rng(1)
    edges_in = np.unique(rng.uniform(7000, 7110, 400))
    edges_out = np.unique(rng.uniform(edges_in[0], edges_in[-1], 90))
    flux = rng.uniform(size=(3, edges_in.size - 1))
    low = np.maximum(edges_in[:-1, None], edges_out[None, :-1])
    high = np.minimum(edges_in[1:, None], edges_out[None, 1:])
    expected = flux @ np.clip(high - low, 0, None) / np.diff(edges_out)
    out = rebin(*(torch.from_numpy(values) for values in (edges_in, flux, edges_out)))
    assert np.allclose(out.numpy(), expected, rtol=1e-9)


def test_flux_is_conserved_from_a_logarithmic_grid_to_the_pixels() -> None:
    edges = torch.exp(torch.linspace(np.log(7000.0), np.log(9000.0), 12561, dtype=torch.float64))
    centres = (edges[1:] + edges[:-1]) / 2
    flux = 1 - 0.8 * torch.exp(-0.5 * ((centres - 8000) / 0.7) ** 2)
    pixels = torch.from_numpy(pixel_edges())
    out = rebin(edges, flux, pixels)
    whole = rebin(edges, flux, pixels[[0, -1]])
    assert float((out * torch.diff(pixels)).sum()) == pytest.approx(float(whole[0] * 1750), rel=1e-13)
    assert 1750 - float(whole[0] * 1750) == pytest.approx(0.8 * 0.7 * np.sqrt(2 * np.pi), rel=1e-4)


def test_the_same_bins_and_constants_pass_unchanged() -> None:
    assert torch.allclose(rebin(EDGES, FLUX, EDGES), FLUX, rtol=1e-14)
    assert torch.allclose(rebin(EDGES, torch.ones(4, dtype=torch.float64), EDGES[::2] * 0.9), torch.ones(2).double())


def test_derivative() -> None:
    out = torch.tensor([0.2, 0.3, 3.0, 5.9], dtype=torch.float64)
    flux = FLUX.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: rebin(EDGES, values, out), flux, check_forward_ad=True)


@pytest.mark.parametrize(
    ("edges_in", "edges_out", "rule"),
    [
        (EDGES, torch.tensor([-0.1, 2.0]), "beyond"),
        (EDGES, torch.tensor([1.0, 6.1]), "beyond"),
        (EDGES.flip(0), torch.tensor([1.0, 2.0]), "input bin edges"),
        (EDGES, torch.tensor([1.0, 1.0]), "output bin edges"),
        (EDGES[:3], torch.tensor([0.1, 1.0]), "do not bound 4 bins"),
    ],
)
def test_impossible_bins_are_refused(edges_in: torch.Tensor, edges_out: torch.Tensor, rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        rebin(edges_in, FLUX, edges_out.double())
