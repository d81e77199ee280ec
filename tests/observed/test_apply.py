"""A model on files: what it says of own sets, of the same stars as others would write them, and of strangers."""

from pathlib import Path

import numpy as np
import pytest

from repro.errors import DataError
from repro.observed.apply import Application, Estimate, Redraws
from repro.observed.domain import home
from repro.observed.gap import gap, own_truth, read_truth, with_truth
from repro.observed.prepare import Wishes
from repro.observed.readers import read
from repro.scores.bins import r2
from repro.spectra.store import open_set
from repro.view.air import to_air
from tests.observed import files
from tests.observed.stars import model, spectrum, star_set, stored

SDSS = {"TELESCOP": "SDSS 2.5-M"}  # whose Z is a redshift


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set of 96 stars."""
    folder = tmp_path_factory.mktemp("stars")
    star_set(folder / "test.h5")
    return folder


def known(place: Path) -> np.ndarray:
    with open_set(place / "test.h5") as spectra:
        return spectra.labels["log_g"]


def test_a_set_gets_the_estimates_that_its_scores_are_made_of(place: Path) -> None:
    found = list(Application(stored()).files([place / "test.h5"]))
    noisy = np.array([one.flux for one in read(place / "test.h5")])
    # a median of noisy flux stands in for that of the noise-free one
    wanted = model().predict(noisy * 0.5 / np.median(noisy, axis=1, keepdims=True))
    assert np.allclose([one.log_g for one in found], wanted, atol=1e-4)
    assert all(not one.refused and one.coverage == 1.0 and one.calmed == 0.0 for one in found)
    assert r2(known(place), np.array([one.log_g for one in found])) > 0.9


def test_the_same_stars_from_fits_files_get_the_same_estimates(place: Path, tmp_path: Path) -> None:
    """In air and moved by -120 km/s with their pixels: exactly the same. On another detector: within its noise."""
    native = list(Application(stored()).files([place / "test.h5"], slice(0, 12)))
    z, paths, moved = -120.0 / 299_792.458, [], []
    for number, one in enumerate(read(place / "test.h5", slice(0, 12))):
        assert one.error is not None
        wave = to_air(one.wave * (1.0 + z))
        paths.append(files.star(tmp_path / f"star{number}.fits", one.flux * 77.0, one.error * 77.0, wave,
                                VACUUM=False, Z=z, SPEC_RES=6000.0, **SDSS))  # fmt: skip
        detector = np.arange(7080.0, 8870.0, 0.21)
        clean = spectrum(one.labels["log_g"], detector / (1.0 + z))
        sigma = float(np.median(one.error)) * np.sqrt(2.0)  # twice the samples
        noise = sigma * np.random.default_rng(number).standard_normal(detector.size)
        moved.append(files.star(tmp_path / f"moved{number}.fits", clean + noise, sigma + 0 * detector, detector,
                                VACUUM=True, Z=z, SPEC_RES=6000.0, **SDSS))  # fmt: skip
    same = list(Application(stored(), Wishes(calm=np.inf)).files(paths))
    assert np.abs(np.array([a.log_g - b.log_g for a, b in zip(same, native, strict=True)])).max() < 1e-4
    other = list(Application(stored(), redraws=Redraws(16)).files(moved))
    off = np.array([a.log_g - known(place)[row] for row, a in enumerate(other)])
    spread = np.array([one.spread for one in other])
    assert np.sqrt(np.mean((off / spread) ** 2)) < 1.6  # chi of 12 stars: 1, 99.9 % below 1.6
    assert [len(one.warnings) for one in other] == [0] * 12 or all("SNR" in one.warnings[0] for one in other)


def test_redraws_spread_as_noise_does(place: Path) -> None:
    """For a linear model the spread is sqrt(sum (c s)^2), whatever the spectrum."""
    found = list(Application(stored(), redraws=Redraws(32, seed=1)).files([place / "test.h5"], slice(0, 24)))
    with open_set(place / "test.h5") as spectra:
        _, error = spectra.read(slice(0, 24))
    wanted = np.sqrt(model().coefficients ** 2 @ error.T.astype(float) ** 2)
    ratio = np.array([one.spread for one in found]) / wanted
    assert np.abs(np.sqrt(np.mean(ratio**2)) - 1.0) < 0.08  # 24 stars, 32 draws: 2.6 per cent
    again = list(Application(stored(), redraws=Redraws(32, seed=1)).files([place / "test.h5"], slice(0, 24)))
    assert [(one.spread, one.shift) for one in again] == [(one.spread, one.shift) for one in found]


def test_one_bad_file_does_not_stop_the_others(place: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.fits").write_bytes(b"nothing")
    paths = [tmp_path / "bad.fits", files.lamost_table(tmp_path / "blurred.fits"), place / "test.h5"]
    found = list(Application(stored()).files(paths, slice(0, 1)))
    assert [bool(one.refused) for one in found] == [True, True, False]
    assert "bad.fits" in str(found[0].refused)
    assert "its resolving power is 1800" in str(found[1].refused)
    let = list(Application(stored(), Wishes(any_resolution=True)).files(paths[1:2]))
    assert "do not trust" in " ".join(let[0].warnings)


def test_strangers_are_told_from_stars_like_the_reference(place: Path, tmp_path: Path) -> None:
    at_home = home(model(), place / "test.h5")
    star_set(tmp_path / "val.h5", 40, seed=6)
    own = list(Application(stored(), home=at_home).files([tmp_path / "val.h5"]))
    assert np.mean([one.misfit for one in own]) == pytest.approx(1.0, abs=0.02)
    assert sum("unlike the reference" in " ".join(one.warnings) for one in own) <= 2
    wave = np.arange(7080.0, 8870.0, 0.4)
    strange = spectrum(3.0, wave) * (1.0 + 0.3 * np.sin(wave / 30.0))
    path = files.star(tmp_path / "strange.fits", strange, 0.02 + 0 * wave, wave, VACUUM=True, SPEC_RES=6000.0)
    (one,) = Application(stored(), home=at_home).files([path])
    assert "unlike the reference" in " ".join(one.warnings)
    assert one.misfit > 2.0


def test_errors_to_expect_are_those_of_the_reference_at_the_same_snr(place: Path) -> None:
    """The noise of the set grows fourfold from its first star to its last, and the model is linear."""
    at_home = home(model(), place / "test.h5")
    low, high = np.percentile(at_home.stars.snr, [6, 94])
    assert at_home.expected(low) / at_home.expected(high) == pytest.approx(high / low, rel=0.6)
    assert np.isnan(at_home.expected(float("nan")))
    (whole,) = [group for group in gap(at_home.stars, at_home.stars) if group.name == "all"]
    assert whole.gap == pytest.approx(1.0, abs=0.06)


def test_a_bias_opens_a_gap(place: Path) -> None:
    at_home = home(model(), place / "test.h5")
    found = list(Application(stored(), home=at_home).files([place / "test.h5"]))
    shifted = [Estimate(one.name, one.log_g + 0.7, snr=one.snr, labels=one.labels) for one in found]
    stars, moved = own_truth(found), own_truth(shifted)
    assert stars is not None
    assert moved is not None
    before, after = gap(stars, at_home.stars)[0], gap(moved, at_home.stars)[0]
    assert after.bias - before.bias == pytest.approx(0.7)
    assert after.scatter == pytest.approx(before.scatter)
    assert after.rmse == pytest.approx(np.sqrt(np.mean((stars.residual + 0.7) ** 2)))
    assert after.gap == pytest.approx(before.gap * after.rmse / before.rmse)
    assert after.interval[0] > before.interval[1]
    assert after.r2 == pytest.approx(r2(stars.truth, stars.estimate + 0.7))


def test_gravities_of_a_table_are_found_by_the_names_of_files(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text("spectrum,log_g,T_eff\na.fits,2.5,4800\nb,4.5,\n")
    estimates = [Estimate("x/a.fits", 3.0, snr=10.0), Estimate("b.fits.gz", 4.0, snr=9.0), Estimate("c.fits", 1.0)]
    stars = with_truth(estimates, read_truth(path))
    assert stars.truth.tolist() == [2.5, 4.5]
    assert stars.estimate.tolist() == [3.0, 4.0]
    assert stars.labels[0, 0] == 4800.0
    assert np.isnan(stars.labels[1, 0])
    with pytest.raises(DataError, match="names none of the spectra"):
        with_truth(estimates[2:], read_truth(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,log_g\na,1\n", "column spectrum is missing; it has name, log_g"),
        ("spectrum,log_g\na,1\nb,high\n", "line 3, column log_g, value 'high': must be a number"),
        ("spectrum,log_g\na,4500\n", "line 2, column log_g, value 4500.0: must be a gravity"),
        ("spectrum,log_g\na,\n", "line 2, column log_g, value nan"),
        ("", "column spectrum is missing"),
    ],
)
def test_tables_that_are_none_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "known.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_truth(tmp_path / "known.csv")
