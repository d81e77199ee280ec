"""Intervals and resolved differences against the rule of the claims, hand calculation and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from repro.claims import estimate
from repro.scores.interval import FAMILY, Measured, borrow, resolved, t_quantile


def measured(runs, error, seeded=True):
    """A number whose resamples have exactly the standard error `error`."""
    draws = np.random.default_rng(0).standard_normal(200)
    draws = (draws - draws.mean()) / draws.std(ddof=1)
    value = float(np.mean(runs))
    return Measured(tuple(runs), np.concatenate([[value], value + error * draws]), seeded)


@pytest.mark.parametrize("freedom", [1, 2, 7, 199, math.inf])
def test_quantiles_are_those_of_the_claims(freedom):
    assert t_quantile(0.95, freedom) == pytest.approx(estimate.t_quantile(0.95, freedom), rel=1e-9)


@pytest.mark.parametrize(("runs", "seeded"), [((0.4, 0.41, 0.44), True), ((0.4, 0.5), True), ((0.4,), False)])
def test_the_half_width_is_that_of_the_claims(runs, seeded):
    one = measured(runs, 0.02, seeded)
    same = estimate.Estimate(runs, seeded, bootstrap=0.02)
    assert one.half_width == pytest.approx(same.half_width, rel=1e-9)
    assert (one.value, one.spread) == pytest.approx((same.mean, same.spread))


def test_one_run_of_a_seeded_number_has_no_interval_until_it_borrows_one():
    one, other, far = measured([0.4], 0.02), measured([0.3, 0.32], 0.02), measured([0.1, 0.2], 0.02)
    assert one.half_width == math.inf and one.tail == 1.0
    lent = borrow({(1.0, 8000): one, (1.0, 2000): other, (1.0, 1000): far, (0.5, 8000): far})
    assert lent[1.0, 8000].borrowed == (other.spread, 2)
    same = estimate.Estimate((0.4,), True, bootstrap=0.02, borrowed=(other.spread, 2))
    assert lent[1.0, 8000].half_width == pytest.approx(same.half_width)
    assert lent[1.0, 2000] is other
    alone = borrow({(1.0, 8000): one, (2.0, 1000): other, (0.0, 8000): measured([0.4], 0.02, seeded=False)})
    assert alone[1.0, 8000].borrowed == (other.spread, 2) and alone[0.0, 8000].borrowed is None


def test_the_tail_is_student_s_where_one_source_of_error_rules():
    of_runs = measured([0.01, 0.02, 0.06], 1e-9)
    assert of_runs.tail == pytest.approx(stats.ttest_1samp([0.01, 0.02, 0.06], 0.0).pvalue, rel=1e-6)
    of_stars = measured([0.03], 0.02, seeded=False)
    assert of_stars.tail == pytest.approx(2 * stats.t.sf(1.5, 199), rel=1e-6)
    assert measured([0.0], 0.0, seeded=False).tail == 1.0 and measured([0.1], 0.0, seeded=False).tail == 0.0


def test_holm_by_hand():
    # tails of 0.1 % (z 3.29), 4 % and 6 %, in a family of three: limits 3.3, 5 and 10 %
    sizes = [0.0329, 0.02067, 0.0189]
    family = [measured([-size], 0.01, seeded=False) for size in sizes]
    assert [round(one.tail, 2) for one in family] == [0.0, 0.04, 0.06]
    assert resolved(family) == [True, True, True]
    assert resolved([*family, measured([0.0], 0.01, seeded=False)]) == [True, False, False, False]
    assert resolved(family[::-1]) == [True, True, True]
    # the first that is not resolved ends it, even if a later limit is wider
    assert resolved([family[1], family[2], family[2], family[2]]) == [False] * 4
    assert resolved([]) == []


def test_a_difference_within_its_own_interval_is_not_resolved():
    """Two runs: the interval has one degree of freedom, however many the sum of both errors has."""
    one = measured([0.040, 0.044], 0.01)
    assert one.tail < FAMILY and abs(one.value) < one.half_width
    assert resolved([one]) == [False]


def test_seldom_is_a_difference_resolved_where_there_is_none():
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(300):
        seeds = rng.normal(0.0, 0.01, (6, 3))
        stars = rng.normal(0.0, 0.01, (6, 1))
        family = [measured(row, 0.01) for row in seeds + stars]
        wrong += any(resolved(family))
    assert wrong / 300 < FAMILY + 0.052  # three standard errors of the simulation
