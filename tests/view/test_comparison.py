"""Identifications, windows and the numbers of a comparison."""

import numpy as np
import pytest

from repro.instrument.pixels import pixel_centres
from repro.physics.molecules.line_list import isotopologues
from repro.view.comparison import compare, residual
from repro.view.identifications import BAND_HEADS, marks, paschen, windows
from repro.view.spectrum import Slope, View

WAVE = pixel_centres()
# Published vacuum wavelengths [A]: Kramida et al., NIST Atomic Spectra Database
PUBLISHED = {
    "Ca II": (8500.36, 8544.44, 8664.52),
    "Na I": (8185.51, 8197.08),
    "K I": (7667.01, 7701.08),
    "Mg I": (8809.18,),
    "Fe I": (8691.01,),
    "Rb I": (7802.41,),
    "P12": (8752.88,),
    "P14": (8600.75,),
}


def view(flux, slope=None):
    slopes = {} if slope is None else {"log_g": Slope(slope, "exact")}
    return View("star", WAVE, flux, "flux", "PFS pixels", slopes=slopes)


@pytest.mark.parametrize("name", PUBLISHED)
def test_marks_stand_at_published_wavelengths(name):
    found = [mark.wave for mark in marks(7100.0, 8850.0) if mark.name == name]
    for wave in PUBLISHED[name]:
        assert min(abs(wave - other) for other in found) < 0.1


def test_marks_are_ordered_inside_and_not_hidden():
    found = marks(8400.0, 8700.0)
    assert all(8400.0 <= mark.wave <= 8700.0 for mark in found)
    assert [mark.wave for mark in found] == sorted(mark.wave for mark in found)
    assert not [mark for mark in found if mark.name == "Fe I" and abs(mark.wave - 8664.4) < 0.5]  # under Ca II
    assert abs(paschen(11) - 8865.2) < 0.12 and abs(paschen(9) - 9231.5) < 0.12  # their fine structure averaged


@pytest.mark.slow
def test_band_heads_are_turning_points_of_the_lines():
    """No line of some branch of the band lies blueward of the head, and one lies within 0.02 A of it."""
    for molecule, main in (("CN", "12C14N"), ("TiO", "48Ti16O")):
        (systems,) = (iso.systems for iso in isotopologues(molecule, 7050.0, 8900.0) if iso.name == main)
        for name, wave in BAND_HEADS:
            kind, *system, band = name.split()
            if kind != molecule:
                continue
            greek = {"γ": "gamma", "δ": "delta", "ε": "epsilon"}
            lines = systems[greek[system[0]] if system else "red"]
            own = (lines.band == [int(v) for v in band.split("-")]).all(axis=1)
            branches = np.column_stack([lines.component, lines.branch])[own]
            vacuum = 1e8 / lines.wavenumber[own]
            first = [vacuum[(branches == branch).all(axis=1)].min() for branch in np.unique(branches, axis=0)]
            assert np.abs(np.array(first) - wave).min() < 0.02, name


def test_windows_hold_their_features():
    found = windows(WAVE)
    assert found["all"].all() and set(found) == {"all", "Paschen", "Ca II triplet", "CN", "TiO", "Na I", "K I"}
    for name, wave in (("Paschen", 8600.8), ("Ca II triplet", 8544.4), ("CN", 7896.2), ("TiO", 7127.2)):
        assert found[name][np.abs(WAVE - wave).argmin()]
    assert not found["Paschen"][np.abs(WAVE - 8608.0).argmin()]
    assert found["Na I"].sum() == pytest.approx(2 * 10.0 / 0.42724609375, abs=2)


def test_numbers_of_a_known_difference():
    """One of two equal spectra is 1 % brighter and gains a known line in K I."""
    shape = 1.0 + 0.2 * np.sin(WAVE / 5.0)
    line = 0.05 * np.exp(-0.5 * ((WAVE - 7701.08) / 1.0) ** 2)
    numbers = compare(view(shape), view(1.01 * shape + line * shape))
    np.testing.assert_allclose(residual(view(shape), view(1.01 * shape)), 1.0, rtol=1e-9)
    assert numbers["Na I"]["rms_percent"] == pytest.approx(1.0, rel=1e-6)
    assert numbers["Na I"]["median_offset_percent"] == pytest.approx(1.0, rel=1e-6)
    inside = windows(WAVE)["K I"]
    expected = np.sqrt(np.mean((1.0 + 100.0 * line[inside]) ** 2))
    assert numbers["K I"]["rms_percent"] == pytest.approx(expected, rel=1e-6)
    assert numbers["all"]["share"] == 1.0
    assert 0.0 < numbers["K I"]["share"] < 1.0 and numbers["K I"]["share"] > 5 * numbers["Na I"]["share"]
    variance = np.var(0.01 * shape + line * shape) / np.var(shape)
    assert numbers["all"]["explained_variance"] == pytest.approx(1.0 - variance, abs=2e-4)


def test_derivatives_are_compared_where_both_are_known():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=WAVE.size), rng.normal(size=WAVE.size)
    flux = np.ones(WAVE.size)
    tilted = 0.8 * one + 3e-3 * WAVE - 20.0  # a straight line does not count
    found = compare(view(flux, one), view(flux, tilted))["all"]["derivatives"]["log_g"]
    assert found["correlation"] == pytest.approx(1.0, abs=1e-9) and found["amplitude"] == pytest.approx(0.8, rel=1e-6)
    mixed = compare(view(flux, one), view(flux, one + other))["all"]["derivatives"]["log_g"]
    assert mixed["correlation"] == pytest.approx(np.corrcoef(one, one + other)[0, 1], abs=0.002)
    assert compare(view(flux, one), view(flux))["all"]["derivatives"] == {}


def test_gaps_do_not_enter():
    shape = 1.0 + 0.2 * np.sin(WAVE / 5.0)
    holes = np.where(np.abs(WAVE - 8000.0) < 5.0, np.nan, shape)
    numbers = compare(view(shape), view(holes))["all"]
    assert numbers["pixels"] == WAVE.size - np.isnan(holes).sum() and numbers["rms_percent"] == 0.0
