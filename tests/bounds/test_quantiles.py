"""Streamed quantiles against numpy on the whole sample."""

import numpy as np
import pytest

from repro.bounds.quantiles import LogHistogram


@pytest.mark.parametrize("q", [0.0, 5.0, 37.3, 50.0, 95.0, 100.0])
def test_quantiles_equal_numpy_s(q):
    values = np.random.default_rng(0).lognormal(1.0, 0.3, size=(40, 5000))
    histogram = LogHistogram()
    for row in values:
        histogram.add(row)
    assert histogram.percentile(q) == pytest.approx(np.percentile(values, q), rel=2.5e-4)


def test_extremes_go_to_the_outermost_bins_and_nothing_gives_nan():
    histogram = LogHistogram()
    assert np.isnan(histogram.percentile(50.0))
    histogram.add(np.array([0.0, -1.0, 1e30, 1.0]))
    assert histogram.percentile(1.0) == pytest.approx(1e-20, rel=1e-3)
    assert histogram.percentile(99.0) == pytest.approx(1e20, rel=1e-3)
