"""The interval and the equivalence rule, against scipy's t tests, brute force and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from repro.claims.estimate import Estimate, decide, difference, ratio, t_quantile, what_decides


@pytest.mark.parametrize("p", [0.5, 0.6, 0.9, 0.95, 0.975, 0.9999])
@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 30, 200, 5000])
def test_t_quantile_equals_scipy(p: float, freedom: int) -> None:
    assert t_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-10, abs=1e-12)


def test_t_quantile_of_infinite_freedom_is_normal() -> None:
    assert t_quantile(0.95, math.inf) == pytest.approx(stats.norm.ppf(0.95), rel=1e-13)


@pytest.mark.parametrize(("p", "freedom"), [(0.4, 3), (1.0, 3), (0.95, 0)])
def test_t_quantile_refuses_what_it_cannot_do(p: float, freedom: float) -> None:
    with pytest.raises(ValueError, match="t quantile"):
        t_quantile(p, freedom)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=8), st.floats(0, 2))
def test_half_width_is_the_stated_formula(values: list[float], bootstrap: float) -> None:
    n = len(values)
    expected = stats.t.ppf(0.95, n - 1) * np.sqrt(np.var(values, ddof=1) / n + bootstrap**2)
    assert Estimate(tuple(values), True, bootstrap).half_width == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_deterministic_value_has_the_bootstrap_error_alone() -> None:
    assert Estimate((0.5,)).half_width == 0.0
    assert Estimate((0.5,), bootstrap=0.01).half_width == pytest.approx(stats.norm.ppf(0.95) * 0.01)


@pytest.mark.parametrize("seed", range(40))
def test_verdict_is_two_one_sided_t_tests(seed: int) -> None:
    """Schuirmann's procedure: equivalence when both one-sided tests reject at 5 %, difference when one of them does."""
    rng = np.random.default_rng(seed)
    claimed, margin = 0.7, 0.05
    values = rng.normal(claimed + rng.uniform(-0.12, 0.12), 0.03, rng.integers(2, 8))
    above_low = stats.ttest_1samp(values, claimed - margin, alternative="greater").pvalue < 0.05
    below_high = stats.ttest_1samp(values, claimed + margin, alternative="less").pvalue < 0.05
    outside = (
        stats.ttest_1samp(values, claimed + margin, alternative="greater").pvalue < 0.05
        or stats.ttest_1samp(values, claimed - margin, alternative="less").pvalue < 0.05
    )
    expected = "REPRODUCED" if above_low and below_high else "NOT REPRODUCED" if outside else "INCONCLUSIVE"
    estimate = Estimate(tuple(values), seeded=True)
    assert decide(margin - abs(estimate.mean - claimed), estimate.half_width, 1.0) == expected


def test_a_value_on_the_margin_is_reproduced_in_one_case_of_twenty() -> None:
    rng = np.random.default_rng(3)
    margin, trials = 1.0, 4000
    words = [
        decide(margin - abs(e.mean), e.half_width, 1.0)
        for e in (Estimate(tuple(rng.normal(margin, 0.1, 5)), seeded=True) for _ in range(trials))
    ]
    share = words.count("REPRODUCED") / trials
    assert share == pytest.approx(0.05, abs=3.5 * math.sqrt(0.05 * 0.95 / trials))
    assert words.count("NOT REPRODUCED") / trials == pytest.approx(0.05, abs=3.5 * math.sqrt(0.05 * 0.95 / trials))


def test_margin_itself_reproduces_in_spite_of_binary_fractions() -> None:
    off = abs(0.8814 - 0.8914)
    assert off > 0.01  # what binary fractions make of it
    assert decide(0.01 - off, 0.0, 0.89) == "REPRODUCED"
    assert decide(0.01 - off - 1e-9, 0.0, 0.89) == "NOT REPRODUCED"


def test_paired_difference_is_taken_run_by_run() -> None:
    a, b = (0.71, 0.74, 0.70), (0.61, 0.63, 0.60)
    expected = stats.ttest_rel(a, b).confidence_interval(0.90)
    step = difference(Estimate(a, True), Estimate(b, True))
    assert step.mean - step.half_width == pytest.approx(expected.low, rel=1e-9)
    assert step.mean + step.half_width == pytest.approx(expected.high, rel=1e-9)


def test_unequal_numbers_of_runs_pair_those_that_both_have() -> None:
    step = difference(Estimate((1.0, 2.0, 4.0), True), Estimate((0.5, 0.5), True))
    assert step.values == (0.5, 1.5)


def test_deterministic_number_pairs_with_every_run() -> None:
    assert difference(Estimate((1.0, 2.0), True), Estimate((0.5,))).values == (0.5, 1.5)


def test_common_bootstrap_samples_cancel_what_the_terms_share() -> None:
    rng = np.random.default_rng(5)
    shared, own = rng.normal(0, 1, 200), rng.normal(0, 0.1, 200)
    a = Estimate((1.0,), bootstrap=1.0, replicates=tuple(shared + own))
    b = Estimate((0.5,), bootstrap=1.0, replicates=tuple(shared))
    assert difference(a, b).bootstrap == pytest.approx(np.std(own, ddof=1), rel=1e-9)
    assert difference(a, Estimate((0.5,), bootstrap=1.0)).bootstrap == pytest.approx(math.sqrt(2))


def test_ratio_propagates_independent_errors_to_first_order() -> None:
    rng = np.random.default_rng(7)
    a, b, error_a, error_b = 0.6, 0.8, 0.006, 0.004
    drawn = rng.normal(a, error_a, 400_000) / rng.normal(b, error_b, 400_000)
    found = ratio(Estimate((a,), bootstrap=error_a), Estimate((b,), bootstrap=error_b))
    assert found.mean == pytest.approx(a / b)
    assert found.bootstrap == pytest.approx(np.std(drawn), rel=0.01)


def test_single_runs_combine_their_borrowed_spreads() -> None:
    a = Estimate((0.7,), True, borrowed=(0.03, 3))
    b = Estimate((0.6,), True, borrowed=(0.04, 5))
    step = difference(a, b)
    assert step.spread == pytest.approx(0.05)
    assert step.freedom == 2
    assert math.isinf(difference(a, Estimate((0.6,), True)).spread)


def _fewest_runs(spread: float, gap: float) -> int:
    return next(n for n in range(2, 2000) if stats.t.ppf(0.95, n - 1) * spread / math.sqrt(n) < gap)


@pytest.mark.parametrize("gap", [0.02, 0.011, 0.005, 0.002])
def test_advice_on_seeds_is_the_fewest_that_suffice(gap: float) -> None:
    estimate = Estimate((0.70, 0.72, 0.74), True)  # s = 0.02
    needed = _fewest_runs(0.02, gap)
    assert f"{needed - 3} more seed" in what_decides(estimate, gap)
    assert f"({needed} runs in all)" in what_decides(estimate, -gap)


def test_advice_on_stars_when_their_error_dominates() -> None:
    estimate = Estimate((0.7, 0.7001, 0.6999), True, bootstrap=0.02)
    gap = 0.02
    needed = 1000 * 0.02**2 / ((gap / stats.t.ppf(0.95, 2)) ** 2 - 0.0001**2 / 3)
    text = what_decides(estimate, gap, 1000)
    assert "test stars (now 1 000)" in text
    advised = int(text.split("about ")[1].split(" test")[0].replace(" ", ""))
    assert needed <= advised <= 1.1 * needed
    assert "times the test stars" in what_decides(estimate, gap)


def test_advice_names_both_when_neither_alone_suffices() -> None:
    text = what_decides(Estimate((0.6, 0.7, 0.8), True, bootstrap=0.1), 0.02, 500)
    assert "more seeds" in text
    assert "test stars" in text


def test_no_advice_where_none_is_practical() -> None:
    assert "no practical number" in what_decides(Estimate((0.6, 0.8), True), 0.0)
    assert "second run" in what_decides(Estimate((0.6,), True), 0.1)
