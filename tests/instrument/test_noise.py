import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from repro.errors import DataError, ParameterError
from repro.instrument import calibration
from repro.instrument.noise import TABLE_EPOCH, Conditions, NoiseModel
from repro.instrument.photometry import AB_ZERO, SPEED_OF_LIGHT
from repro.instrument.pixels import pixel_centres

FISHER = Conditions(mag=21.5, zenith_angle=22.5, field_angle=0.325, seeing=1.0)


def flat_ab(rows: int = 1) -> torch.Tensor:
    """A source of AB magnitude 0 at every wavelength, (rows, 4096)."""
    return torch.from_numpy(AB_ZERO * SPEED_OF_LIGHT / pixel_centres() ** 2).repeat(rows, 1)


def stars(rows: int, seed: int = 5) -> tuple[torch.Tensor, torch.Tensor, Conditions]:
    """Spectra with absorption lines, zero points and conditions, all drawn at random."""
    rng = np.random.default_rng(seed)
    flux = 1e6 * rng.uniform(0.1, 1.0, (rows, 4096)) * (pixel_centres() / 8000) ** rng.uniform(-4, 0, (rows, 1))
    limits = {"mag": (18, 23), "zenith_angle": (0, 45), "field_angle": (0, 0.65), "seeing": (0.5, 1.5)}
    conditions = Conditions(**{name: torch.from_numpy(rng.uniform(*span, rows)) for name, span in limits.items()})
    return torch.from_numpy(flux), torch.from_numpy(rng.uniform(-35, -34, rows)), conditions


def by_the_book(flux: np.ndarray, zero_point: float, mag: float, zenith: float, field: float) -> np.ndarray:
    """The calculator's formula for one spectrum, 12 x 900 s, in plain numpy with explicit loops over pixels."""
    zenith_nodes, field_nodes = np.radians(calibration.array("zenith_deg")), calibration.array("field_deg")

    def interpolate(table: np.ndarray, x_nodes: np.ndarray, x: float) -> np.ndarray:
        along_zenith = [
            [np.interp(x, x_nodes, table[:, j, pixel]) for pixel in range(4096)] for j in range(field_nodes.size)
        ]
        return np.array([np.interp(field, field_nodes, column) for column in np.transpose(along_zenith)])

    z = np.radians(zenith)
    signal = np.exp(interpolate(np.log(calibration.array("signal_ab18")), 1 / np.cos(zenith_nodes), 1 / np.cos(z)))
    sky = interpolate(
        calibration.array("sky"),
        1 / np.sqrt(1 - 0.96 * np.sin(zenith_nodes) ** 2),
        1 / np.sqrt(1 - 0.96 * np.sin(z) ** 2),
    )
    f_nu = flux * 10 ** (-0.4 * (mag - zero_point)) * (pixel_centres() * 1e-8) ** 2 / 2.99792458e10 * 1e8
    ab = -2.5 * np.log10(f_nu) - 48.60
    c = signal * 10 ** (-0.4 * (ab - 18))
    n, variance = 12, np.empty(4096)
    for pixel in range(4096):
        m3 = sky[max(pixel - 1, 0) : pixel + 2].max()
        variance[pixel] = n * (
            c[pixel]
            + sky[pixel]
            + (0.01 * np.sqrt(n) * m3) ** 2
            + 0.02 * sky.mean() * 5 * 15 / 100
            + 5 * (1e-4 * 900 + 4.0**2)
        )
    return flux * np.sqrt(variance) / (n * c)


def test_agrees_with_the_formula_pixel_by_pixel() -> None:
    flux, zero, conditions = stars(2)
    errors = NoiseModel("paper", throughput=TABLE_EPOCH)(flux, zero, conditions)
    for row in range(2):
        mag, zenith, field = (float(getattr(conditions, name)[row]) for name in ("mag", "zenith_angle", "field_angle"))
        expected = by_the_book(flux[row].numpy(), float(zero[row]), mag, zenith, field)
        assert np.allclose(errors[row].numpy(), expected, rtol=1e-11)


def test_variance_is_that_of_simulated_exposures() -> None:
    """Counts of four exposures drawn at random: Poisson photons, Gaussian readout, one sky error common to all four."""
    pixel, exposures, trials = 2500, 4, 200_000
    model = NoiseModel("paper", exposures=exposures, throughput=TABLE_EPOCH)
    conditions = dataclasses.replace(FISHER, mag=21.0)
    sigma = model(flat_ab(), torch.zeros(1), conditions)[0, pixel] / flat_ab()[0, pixel]
    signal = calibration.array("signal_ab18")[1, 2, pixel] * 10 ** (-0.4 * 3)
    sky = calibration.array("sky")[1, 2]
    rng = np.random.default_rng(8)
    rate = signal + sky[pixel] + 0.02 * sky.mean() * 0.75 + 5 * 1e-4 * 900
    photons = rng.poisson(exposures * rate, trials)
    readout = rng.normal(0, np.sqrt(exposures * 5 * 16), trials)
    residual = rng.normal(0, 0.01 * exposures * sky[pixel - 1 : pixel + 2].max(), trials)
    counts = (photons + readout + residual) / (exposures * signal)
    assert float(sigma) == pytest.approx(counts.std(), rel=4 / np.sqrt(2 * trials))


def test_constants_are_those_of_the_calculator() -> None:
    """Far fainter than the sky, what remains is sky, floor, stray light, dark and readout: 80.45 e2 of the last two."""
    assert calibration.notes()["variance"]["read_and_dark"] == "5 (0.0001*900 + 16) = 80.45 e2 per exposure"
    conditions = dataclasses.replace(FISHER, mag=60.0)
    sigma = (
        NoiseModel("paper", exposures=1, throughput=TABLE_EPOCH)(flat_ab(), torch.zeros(1), conditions)[0]
        / flat_ab()[0]
    )
    signal, sky = (calibration.array(name)[1, 2] for name in ("signal_ab18", "sky"))
    variance = (sigma.numpy() * signal * 10 ** (-0.4 * 42)) ** 2
    m3 = np.max([np.r_[sky[1:], 0], sky, np.r_[0, sky[:-1]]], axis=0)
    assert variance - sky - (0.01 * m3) ** 2 - 0.015 * sky.mean() == pytest.approx(80.45, abs=1e-5)


def test_exposures_beat_photon_noise_but_not_the_sky_floor() -> None:
    def sigma(mag: float, exposures: int, seconds: float = 900.0) -> np.ndarray:
        model = NoiseModel("paper", exposures=exposures, exposure_time=seconds)
        return model(flat_ab(), torch.zeros(1), dataclasses.replace(FISHER, mag=mag))[0].numpy()

    assert np.allclose(sigma(5, 1) / sigma(5, 16), 4, rtol=1e-2)
    assert np.allclose(sigma(5, 1, 225) / sigma(5, 1, 900), 2, rtol=1e-2)
    sky_line = int(calibration.array("sky")[1, 2].argmax())
    assert sigma(23, 100)[sky_line] / sigma(23, 10_000)[sky_line] == pytest.approx(1, rel=1e-2)


@pytest.mark.parametrize("mode", ["paper", "physical"])
def test_batches_of_any_size_give_the_same_bits(mode: str) -> None:
    flux, zero, conditions = stars(131)
    model = NoiseModel(mode)
    whole = model(flux, zero, conditions)
    for low, high in pairwise((0, 1, 4, 131)):
        part = Conditions(**{name: values[low:high] for name, values in vars(conditions).items()})
        assert torch.equal(model(flux[low:high], zero[low:high], part), whole[low:high])
    assert bool((whole > 0).all()) and bool(whole.isfinite().all())


def test_the_unit_of_flux_does_not_matter() -> None:
    flux, zero, conditions = stars(3)
    model = NoiseModel("paper")
    scaled = model(1e-20 * flux, zero + 50, conditions)
    assert torch.allclose(scaled * 1e20, model(flux, zero, conditions), rtol=1e-11)


def test_a_black_pixel_keeps_the_noise_of_sky_and_detector() -> None:
    flux, zero, conditions = stars(1)
    dark, bright = flux.clone(), flux.clone()
    dark[0, 7], bright[0, 7] = 0.0, 1e-6 * flux[0, 7]
    model = NoiseModel("paper")
    below_zero = dark.clone()
    below_zero[0, 7] = -0.01 * flux[0, 7]
    errors = [float(model(values, zero, conditions)[0, 7]) for values in (dark, bright, below_zero)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-5) and errors[0] == errors[2] > 0


def test_seeing_is_inert_in_paper_and_acts_through_the_fibre_in_physical() -> None:
    conditions = dataclasses.replace(FISHER, mag=4.0)  # photon noise alone: variance of the flux goes with 1/signal
    zero, flux = torch.zeros(1), flat_ab()
    paper, physical = NoiseModel("paper"), NoiseModel("physical")

    def errors(model: NoiseModel, seeing: float) -> np.ndarray:
        return model(flux, zero, dataclasses.replace(conditions, seeing=seeing))[0].numpy()

    assert np.array_equal(errors(paper, 0.5), errors(paper, 1.5))
    assert np.allclose(errors(physical, 0.8), errors(paper, 0.8), rtol=1e-12)
    fraction, wave = calibration.array("fibre_fraction")[:, 2], calibration.array("fibre_fraction_wave")
    for index, seeing in enumerate(calibration.array("seeing_arcsec")):
        gain = np.interp(pixel_centres(), wave, fraction[index]) / np.interp(pixel_centres(), wave, fraction[3])
        assert np.allclose((errors(physical, 0.8) / errors(physical, seeing)) ** 2, gain, rtol=1e-3)


def test_between_nodes_the_tables_are_smooth() -> None:
    """A worse zenith angle, field angle or seeing never helps, and steps between nodes have no jumps."""
    axes = {"zenith_angle": (0.0, 45.0), "field_angle": (0.0, 0.65), "seeing": (0.5, 1.5)}
    for name, (low, high) in axes.items():
        values = torch.linspace(low, high, 61, dtype=torch.float64)
        conditions = dataclasses.replace(FISHER, **{name: values})
        errors = NoiseModel("physical")(flat_ab(61), torch.zeros(1), conditions).median(dim=1).values
        steps = torch.diff(errors) / errors[:-1]
        assert bool((steps > -1e-9).all()) and float(steps.max()) < 0.05


def test_derivatives_in_flux_and_magnitude() -> None:
    flux, zero, conditions = stars(1)
    model = NoiseModel("paper")
    tangent = torch.rand(flux.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * flux
    mag = conditions.mag

    def errors(scale: torch.Tensor) -> torch.Tensor:
        bent = dataclasses.replace(conditions, mag=mag + scale, zenith_angle=conditions.zenith_angle + scale)
        return model(flux + scale * tangent, zero, bent)

    at = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    pixels = torch.arange(0, 4096, 500)
    slopes = torch.cat([torch.autograd.grad(errors(at)[0, pixel], at)[0] for pixel in pixels])
    step = 1e-5
    differences = (errors(at.detach() + step) - errors(at.detach() - step))[0, pixels] / (2 * step)
    assert torch.allclose(slopes, differences, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"zenith_angle": 50.0}, "zenith_angle of spectrum 0 is 50"),
        ({"field_angle": torch.tensor([0.1, 0.7])}, "field_angle of spectrum 1 is 0.7"),
        ({"seeing": 2.0}, "seeing of spectrum 0 is 2"),
        ({"mag": float("nan")}, "mag of spectrum 0 is nan"),
    ],
)
def test_conditions_outside_the_tables_are_refused(change: dict, text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        NoiseModel("physical")(flat_ab(2), torch.zeros(2), dataclasses.replace(FISHER, **change))


def test_other_bad_input_is_refused() -> None:
    model = NoiseModel("paper")
    with pytest.raises(ParameterError, match="`paper` or `physical`, not 'papre'"):
        NoiseModel("papre")
    with pytest.raises(ParameterError, match="one of 20151204, .*, not '2024'"):
        NoiseModel("paper", throughput="2024")
    for wrong in ({"exposures": 0}, {"exposure_time": -1.0}, {"exposure_time": float("nan")}):
        with pytest.raises(ParameterError, match="cannot be observed"):
            NoiseModel("paper", **wrong)
    with pytest.raises(DataError, match=r"must have shape \(B, 4096\)"):
        model(flat_ab()[:, :100], torch.zeros(1), FISHER)
    with pytest.raises(DataError, match=r"mag has shape \(3,\) for 2 spectra"):
        model(flat_ab(2), torch.zeros(2), dataclasses.replace(FISHER, mag=torch.ones(3)))


@pytest.mark.parametrize("mode", ["paper", "physical"])
def test_the_sky_floor_follows_from_stored_spectra_alone(mode, monkeypatch):
    """Second route: without a floor the errors are smaller by it, in quadrature; scale and magnitude drop out."""
    model = NoiseModel(mode)
    flux, zero_point, conditions = stars(3)
    with_floor = model(flux, zero_point, conditions)
    monkeypatch.setattr("repro.instrument.noise.SKY_FLOOR", 0.0)
    without = model(flux, zero_point, conditions)
    monkeypatch.undo()
    found = model.sky_floor(7.0 * flux, 7.0 * with_floor, conditions.zenith_angle, conditions.field_angle)
    np.testing.assert_allclose(found, 7.0 * torch.sqrt(with_floor**2 - without**2), rtol=1e-5)
    with pytest.raises(ParameterError, match="zenith_angle of spectrum 0 is 50"):
        model.sky_floor(flux, with_floor, 50.0, 0.3)
