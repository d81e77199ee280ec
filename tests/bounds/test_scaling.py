"""Errors at several magnitudes from two calls of the noise model, and spectra scaled beside a reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from repro.bounds.scaling import NoiseTerms, node_errors, unit_median, unit_median_beside, unit_median_jacobian
from repro.instrument.noise import Conditions, NoiseModel

CONDITIONS = Conditions(mag=21.5, zenith_angle=31.0, field_angle=0.5, seeing=1.1)


@pytest.mark.parametrize("mode", ["paper", "physical"])
def test_two_calls_of_the_noise_model_give_every_magnitude(mode, grid):
    noise = NoiseModel(mode)
    terms = NoiseTerms.of(noise, CONDITIONS)
    magnitudes = (14.0, 18.0, 21.5, 26.0)
    for scaled in (grid, unit_median(grid)):
        got = terms.variances(scaled.flux[10:14].astype(np.float64), scaled.zero_point[10:14], magnitudes)
        for m, magnitude in enumerate(magnitudes):
            expected = node_errors(scaled, slice(10, 14), noise, replace(CONDITIONS, mag=magnitude)) ** 2
            np.testing.assert_allclose(got[:, m], expected, rtol=1e-12)


def test_scaling_beside_a_reference_has_the_jacobian_s_slope_and_the_reference_s_median(spectrum_function):
    labels = torch.tensor([[4700.0, 2.6, -0.3, 0.0, 0.0]], dtype=torch.float64)
    reference = spectrum_function(labels).numpy()
    step = torch.tensor([[0.0, 1e-4, 0.0, 0.0, 0.0]], dtype=torch.float64)
    around = torch.cat([spectrum_function(labels + step), spectrum_function(labels - step)]).numpy()
    scaled = unit_median_beside(around, reference[0])
    raw = (around[0] - around[1]) / 2e-4
    expected = unit_median_jacobian(reference, raw[None, None])[0, 0]
    np.testing.assert_allclose((scaled[0] - scaled[1]) / 2e-4, expected, atol=1e-7 * np.abs(expected).max())
    assert np.median(unit_median_beside(reference, reference[0])) == pytest.approx(0.5, rel=1e-12)
