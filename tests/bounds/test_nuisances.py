"""Bounds with more unknown: closed forms, projection, spectra truly shifted and broadened, and the ladder of a grid."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve
from scipy.special import eval_legendre

from repro.bounds.ceiling import lattice_ceiling
from repro.bounds.fisher import fisher_information, marginal
from repro.bounds.nuisance_table import CONDITIONS, FLUX_NUISANCES, PARAMETERS, RUNGS, NuisanceTable
from repro.bounds.nuisances import bound, line_spread_width, nuisance_bounds, nuisance_columns
from repro.errors import DataError, ParameterError
from repro.files import sha256
from repro.instrument import calibration
from repro.instrument.lsf import LineSpread
from repro.instrument.noise import Conditions, NoiseModel
from repro.instrument.pixels import STEP, pixel_centres
from repro.spectra.lattice import Lattice
from repro.spectra.nodes import NodeGrid

AT = Conditions(mag=0.0, zenith_angle=22.5, field_angle=0.325, seeing=1.0)
WAVE = pixel_centres()
LIGHT = 299792.458  # [km/s]


def spectra(labels):
    """Fluxes (n, 4096) with sixty lines as wide as the line-spread function whose depths follow all five labels."""
    rng = np.random.default_rng(5)
    centres, response = rng.uniform(7110.0, 8840.0, 60), rng.normal(size=(60, 5)) * [1.0, 0.6, 1.0, 0.5, 0.3]
    drive = (labels - [5000.0, 3.0, -0.5, 0.1, 0.0]) / [800.0, 1.0, 1.0, 1.0, 1.0]
    depth = 0.7 / (1.0 + np.exp(0.4 - drive @ response.T))
    lines = depth @ np.exp(-0.5 * ((WAVE - centres[:, None]) / 0.8) ** 2)
    tilt = np.exp(0.1 * drive[:, :1] * (WAVE - 7975.0) / 875.0)
    return 4e6 * (labels[:, :1] / 5000.0) ** 4 * tilt * np.exp(-lines)


@pytest.fixture(scope="module")
def grid5():
    axes = {
        "T_eff": (4500.0, 5000.0, 5500.0),
        "log_g": (2.0, 3.0, 4.0),
        "M_H": (-1.0, -0.5, 0.0),
        "a_M": (0.0, 0.25),
        "C_M": (-0.25, 0.0),
    }
    lattice = Lattice(axes)
    flux = spectra(lattice.labels).astype(np.float32)
    zero_point = -20.0 - 10.0 * np.log10(lattice.labels[:, 0] / 5000.0) - 0.05 * lattice.labels[:, 1]
    return NodeGrid(lattice, WAVE, flux, zero_point, "lines", "test", 2.0)


def ladder(grid, noise_level=1.0, magnitudes=(21.5,), paired=(18.0, 21.5), **others):
    return nuisance_bounds(
        grid, NoiseModel("paper"), AT, noise_level, magnitudes=magnitudes, paired_magnitudes=paired, **others
    )


@pytest.fixture(scope="module")
def table(grid5):
    return ladder(grid5, recorded={"source": "lines"})


def information_of(jacobian, flux, sigma):
    """On labels and flux nuisances, (1, 11, 11), from label derivatives (5, P)."""
    columns = np.concatenate([jacobian[None], nuisance_columns(flux[None], WAVE)], axis=1)
    return fisher_information(columns, sigma[None])


def test_one_line_has_the_closed_forms():
    """1 - a G with log g as its depth: Gaussian integrals give each nuisance's share of what the depth shows."""
    a, width, error = 0.4, 3.0, 0.02
    line = np.exp(-0.5 * ((WAVE - 7975.0) / width) ** 2)
    jacobian = np.zeros((5, WAVE.size))
    jacobian[1] = -line
    information = information_of(jacobian, 1.0 - a * line, np.full(WAVE.size, error))
    root, span = np.sqrt(np.pi), WAVE.size * STEP
    alone = bound(information, RUNGS["none"], {})[0]
    assert alone == pytest.approx(error**2 * STEP / (root * width), rel=1e-9)
    # what is odd about the line's centre is orthogonal to its depth, but for the slow change of lambda over it
    assert bound(information, RUNGS["velocity"], {})[0] == pytest.approx(alone, rel=1e-6)
    # <G, G''>^2 / <G, G> <G'', G''> = 1/3
    assert bound(information, RUNGS["width"], {})[0] == pytest.approx(1.5 * alone, rel=1e-3)
    overlap = width * (np.sqrt(2.0) * root - a * root)
    norm = span - 2.0 * a * np.sqrt(2.0) * root * width + a**2 * root * width
    lost = overlap**2 / (root * width * norm)
    assert bound(information, RUNGS["amplitude"], {})[0] == pytest.approx(alone / (1.0 - lost), rel=1e-9)


def test_marginalising_equals_projecting_out():
    rng = np.random.default_rng(2)
    flux = spectra(np.array([[5000.0, 3.0, -0.5, 0.0, 0.0]]))[0] / 8e6
    sigma = rng.uniform(0.02, 0.05, WAVE.size)
    jacobian = rng.normal(size=(5, WAVE.size)) + np.gradient(flux) * 30.0 + flux
    other = (nuisance_columns(flux[None], WAVE)[0] / sigma).T
    white = (jacobian / sigma).T
    rest = white - other @ np.linalg.lstsq(other, white, rcond=None)[0]
    projected = np.linalg.inv(rest.T @ rest)[1, 1]
    found = bound(information_of(jacobian, flux, sigma), RUNGS["all"], {})[0]
    assert found == pytest.approx(projected, rel=1e-8)
    assert found > 1.001 * bound(information_of(jacobian, flux, sigma), RUNGS["5D"], {})[0]


def test_with_the_amplitude_unknown_the_normalisation_does_not_matter(grid5):
    flux = spectra(grid5.lattice.labels[40:41])[0] / 8e6
    sigma = np.full(WAVE.size, 0.03)
    jacobian = np.random.default_rng(1).normal(size=(5, WAVE.size)) * 0.1 + flux
    other = jacobian + np.array([0.3, -2.0, 0.7, 0.1, 1.0])[:, None] * flux
    one, two = (information_of(each, flux, sigma) for each in (jacobian, other))
    for name in ("amplitude", "continuum_2", "all"):
        assert bound(two, RUNGS[name], {})[0] == pytest.approx(bound(one, RUNGS[name], {})[0], rel=1e-9)
    assert bound(two, RUNGS["5D"], {})[0] != pytest.approx(bound(one, RUNGS["5D"], {})[0], rel=0.01)


def test_amplitude_and_continuum_are_the_spectrum_times_legendre_polynomials():
    flux = spectra(np.array([[5000.0, 3.0, -0.5, 0.0, 0.0], [4500.0, 2.0, 0.0, 0.2, 0.0]]))
    columns = nuisance_columns(flux, WAVE)
    x = (2.0 * WAVE - WAVE[0] - WAVE[-1]) / (WAVE[-1] - WAVE[0])
    for degree in range(4):
        np.testing.assert_allclose(columns[:, degree], flux * eval_legendre(degree, x), rtol=1e-12, atol=1e-8)


@pytest.fixture(scope="module")
def observed():
    """Fine wavelengths and what the instrument makes of spectra on them."""
    fine = np.arange(7090.0, 8860.0, 0.1)
    spread = LineSpread(torch.tensor(fine))
    return fine, lambda flux: spread(torch.tensor(flux[None])).numpy()[0]


def narrow_lines(wave):
    rng = np.random.default_rng(9)
    centres, depths = rng.uniform(7110.0, 8840.0, 80), rng.uniform(0.1, 0.6, 80)
    return 1.0 - depths @ np.exp(-0.5 * ((wave - centres[:, None]) / 0.25) ** 2)


def test_velocity_is_the_slope_of_truly_shifted_spectra(observed):
    fine, observe = observed
    speed = 1.0  # [km/s]
    ahead, behind = (observe(narrow_lines(fine / (1.0 + sign * speed / LIGHT))) for sign in (1.0, -1.0))
    exact = (ahead - behind) / (2.0 * speed)
    column = nuisance_columns(observe(narrow_lines(fine))[None], WAVE)[0, FLUX_NUISANCES.index("velocity")]
    assert np.linalg.norm(column - exact) < 0.01 * np.linalg.norm(exact)


def test_width_is_the_slope_of_truly_broadened_spectra(observed):
    fine, observe = observed
    flux, more = narrow_lines(fine), 0.05  # [A] r.m.s. of a further broadening, by a kernel of three samples
    broadened = flux + 0.5 * (more / 0.1) ** 2 * (np.roll(flux, 1) + np.roll(flux, -1) - 2.0 * flux)
    # d ln s = d s^2 / 2 s^2
    exact = (observe(broadened) - observe(flux)) * 2.0 * line_spread_width(WAVE) ** 2 / more**2
    column = nuisance_columns(observe(flux)[None], WAVE)[0, FLUX_NUISANCES.index("width")]
    assert np.linalg.norm(column - exact) < 0.03 * np.linalg.norm(exact)
    assert 0.5 < line_spread_width(WAVE).min() <= line_spread_width(WAVE).max() < 0.65


def test_width_is_almost_a_stretch_of_the_instrument_s_kernel():
    offset, kernel = STEP * calibration.array("lsf_offset_px"), calibration.array("lsf_kernel")[2]
    fine, step = np.arange(7080.0, 8870.0, 0.05), 0.05
    flux, reach = narrow_lines(fine), step * np.arange(-100, 101)

    def observe(stretch):
        weights = np.interp(reach / stretch, offset, kernel, left=0.0, right=0.0)
        return np.interp(WAVE, fine, 1.0 + fftconvolve(flux - 1.0, weights / weights.sum(), mode="same"))

    exact = (observe(1.02) - observe(0.98)) / 0.04
    column = nuisance_columns(observe(1.0)[None], WAVE)[0, FLUX_NUISANCES.index("width")]
    assert column @ exact > 0.998 * np.linalg.norm(column) * np.linalg.norm(exact)


def test_five_labels_give_the_ceiling_of_the_lattice(grid5, table):
    """Second route: the table of ceilings, and the inverse of its information without two labels."""
    ceiling = lattice_ceiling(grid5, (18.0, 21.5), NoiseModel("paper"), AT)
    np.testing.assert_allclose(table.crlb_5d, ceiling.crlb, rtol=1e-8)
    np.testing.assert_allclose(table.bound("5D")[0], ceiling.crlb[1], rtol=1e-8)
    np.testing.assert_allclose(table.bound("none")[0], ceiling.conditional[1], rtol=1e-8)
    np.testing.assert_allclose(table.bound("3D")[0], table.crlb_3d[1], rtol=1e-8)
    np.testing.assert_array_equal(table.interior, ceiling.interior)


def test_five_labels_never_bind_less_than_three_nor_more_unknowns_than_fewer(table):
    assert (table.crlb_5d >= table.crlb_3d).all() and (table.crlb_5d > 1.001 * table.crlb_3d).any()
    assert np.isfinite(table.crlb).all()
    for more in RUNGS:
        for less in RUNGS:
            one, other = RUNGS[less], RUNGS[more]
            if set(one.unknown) <= set(other.unknown) and one.box == other.box and one.alone == other.alone:
                assert (table.bound(more) >= table.bound(less) * (1.0 - 1e-9)).all(), (less, more)
    for knows, rung in (("5D_box", "5D"), ("all_box", "all"), ("5D_scatter_conditions_box", "5D_scatter_conditions")):
        assert (table.bound(knows) < table.bound(rung)).all()
    for name, rung in RUNGS.items():
        if rung.without_scatter in ("none", "5D") and rung.unknown == RUNGS[rung.without_scatter].unknown:
            assert (table.bound(name) < table.bound(rung.without_scatter)).all()


def test_a_wide_box_is_no_knowledge_and_a_narrow_one_is_three_labels(grid5):
    jacobian = np.random.default_rng(6).normal(size=(3, 5, 400))
    information = fisher_information(jacobian + jacobian.mean(axis=1, keepdims=True), np.full((3, 400), 0.5))
    wide = bound(information, RUNGS["5D_box"], {"a_M": (0.0, 1e6), "C_M": (0.0, 1e6)})
    np.testing.assert_allclose(wide, bound(information, RUNGS["5D"], {}), rtol=1e-6)
    narrow = bound(information, RUNGS["5D_box"], {"a_M": (0.0, 1e-6), "C_M": (0.0, 1e-6)})
    np.testing.assert_allclose(narrow, bound(information, RUNGS["3D"], {}), rtol=1e-6)
    # in between: the precision of the uniform law, 12 / L^2, on the diagonal of a plain inverse
    box = {"a_M": (-0.25, 0.5), "C_M": (-0.75, 0.5)}
    plain = information + np.diag([0.0, 0.0, 0.0, 12.0 / 0.75**2, 12.0 / 1.25**2])
    np.testing.assert_allclose(bound(information, RUNGS["5D_box"], box), marginal(plain, 1).crlb, rtol=1e-9)


def test_noise_scales_what_is_in_the_flux_and_not_what_is_in_the_scatter(grid5, table):
    double = ladder(grid5, 2.0)
    for name, rung in RUNGS.items():
        if not rung.without_scatter and not rung.box:
            np.testing.assert_allclose(double.bound(name), 4.0 * table.bound(name), rtol=1e-7)
    np.testing.assert_allclose(double.crlb_3d, 4.0 * table.crlb_3d, rtol=1e-9)
    gain, again = (1.0 / each.bound("none_scatter") - 1.0 / each.bound("none") for each in (table, double))
    np.testing.assert_allclose(gain, again, rtol=1e-6)
    assert (gain > 0).all()


def test_seeing_is_a_condition_of_physical_noise_alone(grid5, table):
    """In the mode `paper` it has no effect, so that not knowing it is no loss: the rung is that of three conditions."""
    physical = nuisance_bounds(grid5, NoiseModel("physical"), AT, magnitudes=(21.5,), paired_magnitudes=(21.5,))
    without = replace(RUNGS["5D_scatter_conditions"], unknown=("T_eff", "M_H", "a_M", "C_M", *CONDITIONS[:3]))
    assert np.isfinite(physical.crlb).all()
    assert (physical.bound("5D_scatter_conditions") > physical.bound("5D_scatter")).all()
    information = np.eye(len(PARAMETERS))[None].repeat(2, axis=0)
    information[:, 1, 1:] = information[:, 1:, 1] = 0.1
    information[:, 1, 1] = 1.0
    information[1, -1] = information[1, :, -1] = 0.0  # a condition without effect
    known, inert = bound(information, RUNGS["5D_scatter_conditions"], {})
    np.testing.assert_allclose(inert, bound(information, without, {}), rtol=1e-12)
    assert inert < known


def test_order_of_magnitudes_and_blocks_do_not_matter(grid5, table):
    seen = []
    other = ladder(
        grid5, magnitudes=(22.5, 21.5), paired=(21.5, 18.0), block=7, progress=lambda done, of: seen.append((done, of))
    )
    np.testing.assert_allclose(other.crlb[:, 1], table.crlb[:, 0], rtol=1e-9)
    np.testing.assert_allclose(other.crlb_5d[::-1], table.crlb_5d, rtol=1e-9)
    assert seen[0] == (7, 108) and seen[-1] == (108, 108)
    np.testing.assert_array_equal(ladder(grid5).crlb, table.crlb)


def test_a_grid_without_five_labels_or_without_noise_is_refused(grid5, grid):
    with pytest.raises(ParameterError, match="3 free labels.*in all five"):
        ladder(grid)
    with pytest.raises(ParameterError, match="must be positive and finite"):
        ladder(grid5, 0.0)


def test_every_rung_names_known_parameters_and_a_reference():
    for rung in RUNGS.values():
        assert set(rung.unknown) <= set(PARAMETERS) - {"log_g"} and set(rung.box) <= set(rung.unknown)
        assert len(set(rung.unknown)) == len(rung.unknown) and rung.alone in RUNGS
        assert not rung.without_scatter or not RUNGS[rung.without_scatter].without_scatter
        # the flux says nothing about the conditions: they are unknown only where the noise's size is used
        assert rung.without_scatter or not set(rung.unknown) & set(CONDITIONS)


def test_files_keep_everything_and_broken_ones_are_named(table, tmp_path):
    path, again = tmp_path / "a.h5", tmp_path / "b.h5"
    table.write(path)
    read = NuisanceTable.read(path)
    for entry in fields(NuisanceTable):
        if entry.name != "conditions":
            np.testing.assert_array_equal(getattr(read, entry.name), getattr(table, entry.name))
    assert read.conditions["noise"] == 1.0 and read.conditions["source"] == "lines"
    assert read.conditions["ranges"]["C_M"] == [-0.25, 0.0]
    read.write(again)
    assert sha256(path) == sha256(again)
    replace(table, crlb=table.crlb[:, :, :-1]).write(path)
    with pytest.raises(DataError, match=r"'crlb' has shape \(17, 1, 107\), expected \(17, 1, 108\)"):
        NuisanceTable.read(path)
    assert read.solar.sum() == 27 and read.label("log_g").shape == (108,)
