"""Arithmetic on the published numbers: what the fact sheet derived from them by hand, and the network itself."""

from decimal import Decimal

import pytest

from repro.instrument.pixels import N_PIXELS
from repro.models.vit import Shape, parameters_by_part
from repro.scores import published_vit
from repro.scores.published_vit_items import ceiling_at, parameters, published_items
from repro.scores.vit_size import SWEEP, size_items

# as the fact sheet of Track A states them, with the line, to the digits that it gives
SHEET = {
    "mae/validation_dex": ("0.435", "C2"),
    "mae/test_z": ("0.378", "C2"),
    "mae/card_dex": ("0.440", "L4"),
    "rmse/from_r2": ("0.632", "L9"),
    "steps/per_epoch": ("3907", "L15"),
    "steps/of_1m": ("3907", "L15"),
    "hours/best": ("20.3", "L17"),
    "hours/planned": ("31.5", "L17"),
    "throughput/spectra_a_second": ("1766", "L16"),
    "eta/mixed": ("0.813", "R11"),
    "eta/ceiling_5": ("0.73", "R2"),
    "eta/snr_5_quantile": ("0.82", "R11: .60 over .73"),
    "eta/snr_5_fixed": ("0.74", "R11"),
    "gap/snr_4.6_stated": ("0.02", "L26"),
    "gap/snr_4.6_quantile": ("0.13", "C3"),
    "gap/snr_4.6_fixed": ("0.19", "C3"),
    "gap/snr_7.1_mixed": ("0.163", "L27"),
    "gap/snr_of_0.68": ("6.3", "C3"),
    "magnitude_rows/outside": ("2", "C4"),
    "magnitude_rows/shared": ("0.8", "C4"),
    "slope/vit": ("0.213", "L23"),
    "slope/lightgbm": ("0.097", "L23"),
    "slope/ratio": ("2.2", "L23"),
    "slope/vit_per_doubling": ("0.061", "L23"),
    "slope/lightgbm_per_doubling": ("0.019", "L23"),
    "gain/lightgbm": ("0.097", "L18"),
    "gain/lightgbm_relative": ("0.16", "L18"),
    "gain/template": ("0.307", "L19"),
    "gain/template_relative": ("0.76", "L19"),
    "gain/template_relative_hub": ("0.73", "L19"),
    "gain/ridge": ("0.211", "L20"),
    "gain/ridge_relative": ("0.42", "L20"),
    "gain/ridge_relative_hub": ("0.52", "L20"),
    "gain/vit_500k_1m": ("0.002", "L21"),
    "gain/lightgbm_500k_1m_mixed": ("0.040", "L21"),
    "gain/lightgbm_500k_1m_same": ("-0.003", "C5"),
    "sampling_error/n10000": ("0.005", "2.6"),
    "ceiling/variance_nodes": ("1.667", "5.5"),
    "ceiling/variance_test": ("1.38", "2.1"),
    "ceiling/21.5_test_variance": ("0.848", "5.5"),
    "ceiling/sigma_21.5_3D": ("0.4254", "L28"),
    "ceiling/sigma_21.5_5D": ("0.458", "L28"),
    "ceiling/sigma_22.5_3D": ("1.028", "L28"),
    "ceiling/sigma_22.5_5D": ("1.107", "L28"),
    "ceiling/3D_less_5D_22.5_relative": ("0.28", "section 8"),
    "grid/product": ("30240", "C25"),
    "grid/appendix": ("11340", "C25"),
    "grid/metallicities": ("14", "C25"),
    "wavelength/step": ("0.427246", "C26"),
    "snr_definition/max": ("1.47", "C21"),
    "cosine/rate_128_t100": ("6.3e-5", "2.5 a"),
    "cosine/rate_128_t200": ("9.3e-5", "2.5 a"),
    "label_std/beta": ("1.29", "C10"),
    "label_std/uniform": ("1.155", "C10"),
    "r2/column_is_mae": ("0.0", "C7"),
    "sweep/epoch_9": ("0.0", "C28"),
    "sweep/patch_32_less_width_128": ("0.0", "C29"),
    "parameters/embed": ("70400", "2.4"),
    "parameters/encoder": ("4738560", "2.4"),
    "parameters/total": ("4875521", "2.4"),
    "parameters/used": ("4809729", "2.4"),
    "tokenizer/first_weights": ("7", "2.4"),
}


@pytest.fixture(scope="module")
def values():
    return {address.removeprefix("published/"): value for address, value, _ in published_items()}


@pytest.mark.parametrize("address", SHEET)
def test_the_arithmetic_gives_what_the_sheet_has(values, address):
    stated = Decimal(SHEET[address][0])
    half = 0.501 * 10.0 ** stated.as_tuple().exponent  # of the last digit that is given
    assert values[address] == pytest.approx(float(stated), abs=half)


def test_the_headline_was_trained_on_a_million(values):
    assert abs(values["steps/n_train"] - 1e6) < published_vit.BATCH


def test_layers_of_the_formula_are_those_of_the_sheet():
    one = parameters(patch=16, width=256, depth=1, ratio=4, pixels=4096)
    assert one["encoder"] == 789_760 and one["pooler"] == 65_792


@pytest.fixture(scope="module")
def counted():
    return dict(size_items())


def _built(patch, width, depth, heads, stride):
    return parameters_by_part(Shape(patch=patch, width=width, depth=depth, heads=heads, stride=stride), N_PIXELS)


def test_formula_and_network_count_the_same(counted):
    assert parameters(8, 128, 8, 4, N_PIXELS, 8) == _built(8, 128, 8, 4, 8)
    for part, number in parameters(**published_vit.ARCHITECTURE).items():
        assert counted[f"vit/parameters/{part}"] == number, part


@pytest.mark.slow
@pytest.mark.parametrize("members", SWEEP)
def test_formula_and_network_count_the_same_all_over_the_sweep(members):
    patch, width, depth, _, stride = members
    assert parameters(patch, width, depth, 4, N_PIXELS, stride) == _built(*members)


def test_sizes_of_the_sweep_are_the_published_ones(counted):
    millions = {"16-256-4-8-16": 3.296, "8-128-8-4-8": 1.670, "32-256-4-4-8": 3.365, "16-256-8-8-16": 6.455}
    millions |= {"16-384-6-8-16": 10.901, "32-384-4-8-16": 7.358, "16-256-6-8-16": 4.876}
    for shape, size in millions.items():
        assert round(counted[f"vit/parameters/{shape}/total"] / 1e6, 3) == size
    assert counted["vit/parameters/total"] == 4_875_521 and counted["vit/parameters/used"] == 4_809_729


def test_ceilings_between_magnitudes():
    assert ceiling_at(7.1) == pytest.approx(0.8742) and ceiling_at(4.6) == pytest.approx(0.6983)
    assert published_vit.CEILING[21.5] > ceiling_at(5.0) > published_vit.CEILING[22.0]
