"""What is done to a spectrum before a model sees it, and which spectra are refused."""

from dataclasses import replace

import numpy as np
import pytest

from repro.errors import DataError, ParameterError
from repro.instrument.pixels import N_PIXELS, pixel_centres
from repro.observed.prepare import Prepared, Wishes, prepare, redshift_of
from repro.observed.spectrum import Observed, checked
from repro.view.air import to_air, to_vacuum
from tests.observed.stars import spectrum

WAVE = pixel_centres()
RNG = np.random.default_rng(1)
ERROR = 0.02 * np.ones(N_PIXELS)
NO_CALM = Wishes(calm=np.inf)


def observed(wave: np.ndarray = WAVE, log_g: float = 3.0, **changes: object) -> Observed:
    known = {"medium": "vacuum", "redshift": 0.0, "resolution": 6000.0, "layout": "test"}
    error = changes.pop("error", 0.02 * np.ones(wave.size))
    bad = changes.pop("bad", None)
    return checked("star", wave, spectrum(log_g, wave), error, bad, **(known | changes))  # type: ignore[arg-type]


def shown(one: Observed, wishes: Wishes = NO_CALM) -> Prepared:
    return prepare(one, wishes)


def wanted(log_g: float = 3.0) -> np.ndarray:
    flux = spectrum(log_g)
    return flux * 0.5 / np.median(flux)


def test_what_is_on_the_pixels_already_is_only_normalised() -> None:
    star = shown(observed())
    assert np.abs(star.flux - wanted()).max() < 1e-6
    assert star.error is not None
    assert np.allclose(star.error, 0.02 * 0.5 / np.median(spectrum(3.0)))
    assert np.median(star.flux) == pytest.approx(0.5, abs=1e-6)
    assert (star.coverage, star.calmed, star.warnings) == (1.0, 0.0, ())


@pytest.mark.parametrize("velocity", [-300.0, 0.0, 150.0])
@pytest.mark.parametrize("medium", ["air", "vacuum"])
def test_a_moved_star_seen_in_air_comes_back_to_rest(medium: str, velocity: float) -> None:
    """Lines are put where they are seen; the samples of this file are the detector's, not moved ones."""
    beta = 1.0 + velocity / 299_792.458
    wave = np.arange(7060.0, 8900.0, 0.1)
    vacuum = to_vacuum(wave) if medium == "air" else wave
    one = checked("star", wave, spectrum(3.0, vacuum / beta), medium=medium, redshift=velocity / 299_792.458,
                  resolution=None, layout="test")  # fmt: skip
    assert np.abs(shown(one).flux - wanted()).max() < 1e-3  # of 0.5: a sample is a quarter of a pixel
    unmoved = shown(replace(one, redshift=0.0)).flux
    assert velocity == 0.0 or np.abs(unmoved - wanted()).max() > 0.05
    told = replace(one, medium=None, redshift=None)
    by_hand = shown(told, replace(NO_CALM, medium=medium, redshift=redshift_of(velocity)))  # type: ignore[arg-type]
    assert np.array_equal(by_hand.flux, shown(one).flux)


def test_air_and_vacuum_as_a_published_table_has_them() -> None:
    """The Ca II triplet, as line lists give it in air and in vacuum."""
    air, vacuum = np.array([8498.02, 8542.09, 8662.14]), np.array([8500.36, 8544.44, 8664.52])
    assert np.abs(to_vacuum(air) - vacuum).max() < 0.01  # their last digit
    assert np.abs(to_air(to_vacuum(air)) - air).max() < 1e-5


@pytest.mark.slow
def test_air_and_vacuum_as_specutils_has_them() -> None:
    pytest.importorskip("specutils")
    from astropy import units as u
    from specutils.utils.wcs_utils import air_to_vac

    wave = np.linspace(7000.0, 9000.0, 101)
    for scheme in ("iteration", "Piskunov"):
        other = air_to_vac(wave * u.AA, scheme=scheme, method="Morton2000", precision=1e-10).to_value(u.AA)
        assert np.abs(to_vacuum(wave) - other).max() < 1e-5
    ciddor = air_to_vac(wave * u.AA, scheme="iteration", method="Ciddor1996").to_value(u.AA)
    assert np.abs(to_vacuum(wave) - ciddor).max() < 1e-3  # another dispersion: a four-hundredth of a pixel


def test_what_the_file_does_not_say_is_said_to_be_assumed() -> None:
    star = shown(observed(medium=None, redshift=None, resolution=None))
    text = " | ".join(star.warnings)
    for part in ("air or vacuum not stated", "taken to be at rest", "resolving power not stated"):
        assert part in text
    assert "the file says vacuum" in " ".join(shown(observed(), replace(NO_CALM, medium="air")).warnings)


def test_the_h_band_is_refused_by_its_name() -> None:
    wave = np.linspace(15_140.0, 16_960.0, 8575)
    with pytest.raises(DataError, match="star: covers 15140 to 16960 A; the models know 7100 to 8850 A .*APOGEE"):
        shown(observed(wave))
    with pytest.raises(DataError, match="alone.$"):
        shown(observed(np.linspace(4000.0, 5000.0, 3000)))


@pytest.mark.parametrize(
    ("step", "resolution", "message"),
    [
        (0.2, 1800.0, "its resolving power is 1800"),
        (2.0, None, "samples of 2.00 A, allowing no more than R = 1994"),
    ],
)
def test_blurred_spectra_are_refused_unless_asked_for(step: float, resolution: float | None, message: str) -> None:
    one = observed(np.arange(7000.0, 8900.0, step), resolution=resolution)
    with pytest.raises(DataError, match=f"star: {message}.*--allow-resolution"):
        shown(one)
    let = shown(one, replace(NO_CALM, any_resolution=True))
    assert "do not trust the estimate" in " ".join(let.warnings)


def test_holes_are_filled_from_their_neighbours_and_told() -> None:
    bad = np.zeros(N_PIXELS, bool)
    bad[[100, 101, 102, 2000]] = True
    one = observed(bad=bad)
    one.flux[bad] = 1e9
    star = shown(one)
    assert star.coverage == 1.0 - 4 / N_PIXELS
    assert np.abs(star.flux - wanted()).max() < 2e-3
    assert "4 pixels (0.1 %) without data, taken from their neighbours" in star.warnings
    assert star.error is not None
    assert np.isfinite(star.error).all()


@pytest.mark.parametrize(("first", "count", "step"), [(0, 90, 40), (500, 41, 1), (4050, 46, 1)])
def test_too_much_missing_is_refused_or_masked_by_the_models_own_declaration(first: int, count: int, step: int) -> None:
    bad = np.zeros(N_PIXELS, bool)
    bad[first : first + count * step : step] = True
    one = observed(bad=bad)
    with pytest.raises(DataError, match=rf"star: {count} of 4096 pixels .* refuses spectra that lack more than 2 %"):
        shown(one)
    mean = wanted(2.0)
    star = prepare(one, NO_CALM, "mask", mean)
    assert np.abs(star.flux - np.where(bad, mean, wanted())).max() < 2e-3
    assert "set to the mean training spectrum" in " ".join(star.warnings)


def test_half_a_spectrum_keeps_its_level_when_it_is_masked() -> None:
    """Its own median is that of the half alone: the level is taken from the mean spectrum there."""
    bad = pixel_centres() > 8100.0
    star = prepare(observed(bad=bad), NO_CALM, "mask", wanted())
    assert np.abs(star.flux - wanted()).max() < 1e-6
    with pytest.raises(DataError, match="lack more than 50 %"):
        prepare(observed(bad=pixel_centres() > 7900.0), NO_CALM, "mask", wanted())


def test_pixels_of_the_sky_are_calmed() -> None:
    sky = np.arange(N_PIXELS) % 50 == 0
    error = np.where(sky, 0.4, 0.02)
    noise = error * RNG.standard_normal(N_PIXELS)
    one = observed(error=error)
    star = prepare(replace(one, flux=one.flux + noise), Wishes())
    assert np.array_equal(~star.kept, sky)
    assert star.error is not None
    off = star.flux - wanted()
    # nine pixels of 0.02, one of them of no weight, against 0.4: 56 times less, and what the lines bend
    assert off[sky].std() < 0.02
    assert star.error[sky][1:].max() < 0.4 / 50  # the first pixel has half a neighbourhood
    untouched = prepare(replace(one, flux=one.flux + noise), NO_CALM)
    assert (untouched.flux - wanted())[sky].std() > 0.2
    assert np.array_equal(untouched.flux[~sky], star.flux[~sky])


def test_snr_is_the_kits_own_within_its_noise() -> None:
    """The median over the pixels of noise-free flux over error."""
    error = RNG.uniform(0.05, 0.15, N_PIXELS)
    one = observed(error=error)
    star = shown(replace(one, flux=one.flux + error * RNG.standard_normal(N_PIXELS)))
    assert star.snr == pytest.approx(np.median(spectrum(3.0) / error), rel=0.03)


def test_spectra_without_errors_have_no_snr() -> None:
    star = shown(observed(error=None))
    assert np.isnan(star.snr)
    assert "no errors in the file" in " ".join(star.warnings)


def test_flux_that_is_not_positive_is_refused() -> None:
    with pytest.raises(DataError, match="star: the median flux is -"):
        shown(replace(observed(), flux=-observed().flux))


@pytest.mark.parametrize("wrong", [{"redshift": 0.5}, {"redshift": np.nan}, {"resolution": 3.0}, {"calm": 0.5}])
def test_wishes_that_cannot_be_are_refused(wrong: dict) -> None:
    with pytest.raises(ParameterError):
        Wishes(**wrong)
