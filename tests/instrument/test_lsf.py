import numpy as np
import pytest
import torch

from repro.errors import DataError
from repro.instrument import calibration
from repro.instrument.lsf import LineSpread
from repro.instrument.pixels import STEP, pixel_centres


def grid(step: float = 0.05, low: float = 7070.0, high: float = 8880.0) -> torch.Tensor:
    return low + step * torch.arange(round((high - low) / step) + 1, dtype=torch.float64)


@pytest.fixture(scope="module")
def line_spread() -> LineSpread:
    return LineSpread(grid())


def forest(wave: np.ndarray) -> np.ndarray:
    """Two hundred narrow absorption lines on a slope, known at any wavelength."""
    rng = np.random.default_rng(3)
    centres, widths, depths = rng.uniform(7090, 8860, 200), rng.uniform(0.1, 0.6, 200), rng.uniform(0.1, 0.9, 200)
    flux = 1 + 2e-4 * (wave - 8000)
    for centre, width, depth in zip(centres, widths, depths, strict=True):
        flux = flux * (1 - depth * np.exp(-0.5 * ((wave - centre) / width) ** 2))
    return flux


def direct_convolution(pixels: np.ndarray) -> np.ndarray:
    """Quadrature on a fifty times finer grid, one pixel at a time, the kernel's rows mixed by hand."""
    wave_rows, offsets = calibration.array("lsf_wave"), calibration.array("lsf_offset_px")
    values = []
    for centre in pixel_centres()[pixels]:
        right = int(np.clip(np.searchsorted(wave_rows, centre), 1, 4))
        share = (centre - wave_rows[right - 1]) / (wave_rows[right] - wave_rows[right - 1])
        rows = calibration.array("lsf_kernel")
        kernel = (1 - share) * rows[right - 1] + share * rows[right]
        wave = centre + np.arange(-7.5 * STEP, 7.5 * STEP, 0.001)
        weights = np.interp((centre - wave) / STEP, offsets, kernel)
        values.append(np.sum(weights * forest(wave)) / np.sum(weights))
    return np.array(values)


def test_agrees_with_direct_convolution(line_spread: LineSpread) -> None:
    pixels = np.arange(0, 4096, 103)
    fast = line_spread(torch.from_numpy(forest(grid().numpy()))[None])[0].numpy()[pixels]
    assert np.abs(fast - direct_convolution(pixels)).max() < 3e-5
    assert np.ptp(fast) > 0.3


def test_a_flat_spectrum_passes_unchanged(line_spread: LineSpread) -> None:
    assert (line_spread(torch.ones_like(grid())[None]) - 1).abs().max() < 1e-14


def test_lines_keep_their_equivalent_width(line_spread: LineSpread) -> None:
    for centre in (7200.11, 8000.3, 8700.77):
        line = torch.exp(-0.5 * ((grid() - centre) / 0.2) ** 2)[None]
        area = float(line_spread(line).sum()) * STEP
        assert area == pytest.approx(0.2 * np.sqrt(2 * np.pi), rel=1e-4)


@pytest.mark.parametrize("row", range(5))
def test_width_of_a_pixels_response_is_the_published_one(line_spread: LineSpread, row: int) -> None:
    """Full width at half maximum of the weights of the pixel nearest to each tabulated wavelength."""
    pixel = int(np.abs(pixel_centres() - calibration.array("lsf_wave")[row]).argmin())
    flux = torch.zeros_like(grid())[None].requires_grad_()
    (weights,) = torch.autograd.grad(line_spread(flux)[0, pixel], flux)
    half = weights[0].max() / 2
    above = torch.nonzero(weights[0] > half)[:, 0]
    wave, values = grid().numpy(), weights[0].numpy()
    ends = [
        np.interp(half, values[[outer, inner]], wave[[outer, inner]])
        for outer, inner in ((int(above[0]) - 1, int(above[0])), (int(above[-1]) + 1, int(above[-1])))
    ]
    assert ends[1] - ends[0] == pytest.approx(calibration.notes()["lsf"]["fwhm_A"][row], rel=2e-3)


def test_is_linear_and_differentiable_both_ways(line_spread: LineSpread) -> None:
    generator = torch.Generator().manual_seed(0)
    flux, tangent = torch.rand((2, 1, len(grid())), generator=generator, dtype=torch.float64)
    cotangent = torch.rand((1, 4096), generator=generator, dtype=torch.float64)
    with torch.autograd.forward_ad.dual_level():
        value, slope = torch.autograd.forward_ad.unpack_dual(
            line_spread(torch.autograd.forward_ad.make_dual(flux, tangent))
        )
    assert torch.allclose(slope, line_spread(tangent), rtol=0, atol=1e-13)
    assert torch.allclose(line_spread(2 * flux - tangent), 2 * value - slope, rtol=0, atol=1e-13)
    (adjoint,) = torch.func.vjp(line_spread, flux)[1](cotangent)
    assert float((adjoint * tangent).sum()) == pytest.approx(float((slope * cotangent).sum()), rel=1e-12)


def test_a_finer_grid_changes_nothing(line_spread: LineSpread) -> None:
    fine = grid(0.02)
    coarse = line_spread(torch.from_numpy(forest(grid().numpy()))[None])
    assert (LineSpread(fine)(torch.from_numpy(forest(fine.numpy()))[None]) - coarse).abs().max() < 3e-5


@pytest.mark.parametrize(
    ("wave", "rule"),
    [
        (grid(low=7098.0), "does not cover"),
        (grid(high=8852.0), "does not cover"),
        (grid(0.5), "at most 0.2 A"),
        (torch.exp(torch.linspace(8.8636, 9.0916, 40000, dtype=torch.float64)), "uniform"),
        (grid().flip(0), "uniform"),
        (grid()[None], "one-dimensional"),
    ],
)
def test_an_unsuitable_grid_is_refused(wave: torch.Tensor, rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        LineSpread(wave)


def test_spectra_of_another_length_are_refused(line_spread: LineSpread) -> None:
    with pytest.raises(DataError, match="100 samples"):
        line_spread(torch.ones(2, 100, dtype=torch.float64))
