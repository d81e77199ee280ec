"""Every verdict and every kind of claim, on constructed cases."""

import math
from typing import Any

import pytest
from scipy import stats

from repro.errors import ClaimError
from tests.claims.throwaway import Project, claim, ordering

WIDE = {"absolute": 0.1, "why": "other opacities"}
BOSZ = {"required": {"noise": 1.0}, "stated": {"source": "bosz"}}


def _half(values: list[float], bootstrap: float = 0.0) -> float:
    n = len(values)
    return float(stats.t.ppf(0.95, n - 1) * math.sqrt(stats.tvar(values) / n + bootstrap**2))


@pytest.mark.parametrize(
    ("measured", "word"),
    [
        (0.5, "REPRODUCED"),
        (0.51, "REPRODUCED"),
        (0.49, "REPRODUCED"),
        (0.5101, "NOT REPRODUCED"),
        (0.4, "NOT REPRODUCED"),
    ],
)
def test_deterministic_value(project: Project, measured: float, word: str) -> None:
    verdict = project.judge(claim(), {"3D/a": measured})
    assert verdict.word == word
    assert verdict.measured == measured
    assert verdict.half_width == 0.0


def test_reason_says_how_far_off_and_in_margins(project: Project) -> None:
    sources = [{"where": "log", "value": 0.8914}]
    one = claim(sources=sources, reading={"value": 0.8914, "why": "x"})
    assert project.judge(one, {"3D/a": 0.93}).reason == (
        "measured 0.9300, claimed 0.8914 ± 0.01: off by +0.0386, 3.9 times the margin"
    )
    assert "off by -0.0014, 0.14 of the margin" in project.judge(one, {"3D/a": 0.89}).reason
    assert "twice the margin" in project.judge(one, {"3D/a": 0.9114}).reason


@pytest.mark.parametrize(
    ("runs", "word"),
    [
        ([0.500, 0.501, 0.499], "REPRODUCED"),
        ([0.50, 0.52, 0.51], "INCONCLUSIVE"),
        ([0.60, 0.601, 0.599], "NOT REPRODUCED"),
    ],
)
def test_seeded_value(project: Project, runs: list[float], word: str) -> None:
    verdict = project.judge(claim(), {"3D/a": runs})
    assert verdict.word == word
    assert verdict.half_width == pytest.approx(_half(runs))
    assert verdict.runs == 3
    assert f"± {_half(runs):.3f}" in verdict.shown
    assert "(3 runs)" in verdict.reason


def test_relative_margin(project: Project) -> None:
    one = claim(tolerance={"relative": 0.1, "why": "x"})
    assert project.judge(one, {"3D/a": 0.549}).word == "REPRODUCED"
    assert project.judge(one, {"3D/a": 0.551}).word == "NOT REPRODUCED"


def test_bootstrap_error_widens_the_interval(project: Project) -> None:
    runs = [0.500, 0.501, 0.499]
    verdict = project.judge(claim(), {"3D/a": {"runs": runs, "bootstrap_error": 0.01}})
    assert verdict.half_width == pytest.approx(_half(runs, 0.01))
    assert verdict.word == "INCONCLUSIVE"


def test_inconclusive_counts_the_seeds_that_would_decide(project: Project) -> None:
    runs = [0.50, 0.505, 0.51]
    gap = 0.01 - 0.005
    needed = next(n for n in range(2, 500) if stats.t.ppf(0.95, n - 1) * 0.005 / math.sqrt(n) < gap)
    verdict = project.judge(claim(), {"3D/a": runs})
    assert verdict.word == "INCONCLUSIVE"
    assert f"{needed - 3} more seed" in verdict.reason
    assert f"({needed} runs in all) would decide" in verdict.reason


def test_inconclusive_counts_the_stars_that_would_decide(project: Project) -> None:
    value = {"value": 0.505, "bootstrap_error": 0.006}
    verdict = project.judge(claim(), {"3D/a": value}, n_test=1000)
    assert verdict.word == "INCONCLUSIVE"
    needed = 1000 * (stats.norm.ppf(0.95) * 0.006 / 0.005) ** 2
    assert f"about {math.ceil(needed / 100) * 100:,}".replace(",", " ") + " test stars (now 1 000)" in verdict.reason


@pytest.mark.parametrize(
    ("value", "word", "words"),
    [
        (0.5, "INCONCLUSIVE", "one run of a seeded experiment cannot settle it"),
        (0.9, "NOT REPRODUCED", "taken from the nearest experiment"),
        (0.53, "INCONCLUSIVE", "spread between seeds 0.01"),
    ],
)
def test_one_run_of_a_seeded_experiment(project: Project, value: float, word: str, words: str) -> None:
    verdict = project.judge(claim(), {"3D/a": [value], "other/a": [0.30, 0.31, 0.32]})
    assert verdict.word == word
    assert words in verdict.reason
    assert verdict.half_width == pytest.approx(stats.t.ppf(0.95, 2) * 0.01)


def test_one_run_cannot_reproduce_however_small_the_spread_nearby(project: Project) -> None:
    values = {"3D/a": [0.5], "3D/b": [0.9], "other/a": [0.3, 0.30001, 0.29999], "other/b": [0.3, 0.30001, 0.29999]}
    verdict = project.judge(claim(), values)
    assert verdict.word == "INCONCLUSIVE"
    assert "1 more seed (2 runs in all) would decide" in verdict.reason
    assert project.judge(ordering(evidence=["3D/a", "3D/b"]), values).word == "INCONCLUSIVE"
    bound = claim(kind="bound", bound={"at_least": 0.1}, reading=None, tolerance=None)
    assert project.judge(bound, values).word == "INCONCLUSIVE"


def test_one_run_without_any_spread_nearby(project: Project) -> None:
    verdict = project.judge(claim(), {"3D/a": [0.9]})
    assert verdict.word == "INCONCLUSIVE"
    assert verdict.half_width is None
    assert "a second run with another seed would show the spread" in verdict.reason


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([0.1, 0.2, 0.3], "REPRODUCED"),
        ([0.1, 0.2, 0.2], "NOT REPRODUCED"),
        ([0.1, 0.3, 0.2], "NOT REPRODUCED"),
        ([0.3, 0.2, 0.1], "NOT REPRODUCED"),
    ],
)
def test_ordering(project: Project, values: list[float], word: str) -> None:
    evidence = dict(zip(("3D/a", "3D/b", "3D/c"), values, strict=True))
    assert project.judge(ordering(), evidence).word == word
    mirrored = {address: -value for address, value in evidence.items()}
    assert project.judge(ordering(relation="decreasing"), mirrored).word == word


def test_ordering_names_the_step_that_fails(project: Project) -> None:
    verdict = project.judge(ordering(), {"3D/a": 0.1, "3D/b": 0.3, "3D/c": 0.25})
    assert "3D/b (0.3) to 3D/c (0.25) changes by -0.05" in verdict.reason


def test_ordering_with_margin_needs_larger_steps(project: Project) -> None:
    values = {"3D/a": 0.1, "3D/b": 0.2, "3D/c": 0.3}
    assert project.judge(ordering(tolerance={"margin": 0.09, "why": "x"}), values).word == "REPRODUCED"
    assert project.judge(ordering(tolerance={"margin": 0.11, "why": "x"}), values).word == "NOT REPRODUCED"


def test_ordering_of_paired_runs_uses_their_differences(project: Project) -> None:
    """Seeds move both models alike: apart the intervals overlap, paired the order is certain."""
    a, b = [0.50, 0.60, 0.70], [0.51, 0.61, 0.715]
    verdict = project.judge(ordering(evidence=["3D/a", "3D/b"]), {"3D/a": a, "3D/b": b})
    assert verdict.word == "REPRODUCED"
    assert verdict.half_width == pytest.approx(_half([0.01, 0.01, 0.015]))
    unpaired = stats.ttest_ind(b, a, alternative="greater").pvalue
    assert unpaired > 0.3


def test_ordering_within_the_noise_is_inconclusive(project: Project) -> None:
    verdict = project.judge(ordering(evidence=["3D/a", "3D/b"]), {"3D/a": [0.5, 0.6, 0.7], "3D/b": [0.6, 0.5, 0.75]})
    assert verdict.word == "INCONCLUSIVE"
    assert "whether 3D/a" in verdict.reason
    assert "would decide" in verdict.reason


@pytest.mark.parametrize(
    ("bound", "value", "word"),
    [
        ({"at_least": 0.75}, 0.75, "REPRODUCED"),
        ({"at_least": 0.75}, 0.7499, "NOT REPRODUCED"),
        ({"at_most": 3}, 2.9, "REPRODUCED"),
        ({"at_most": 3}, 3.1, "NOT REPRODUCED"),
        ({"at_least": 0.4, "at_most": 0.6}, 0.5, "REPRODUCED"),
        ({"at_least": 0.4, "at_most": 0.6}, 0.39, "NOT REPRODUCED"),
        ({"at_least": 0.4, "at_most": 0.6}, 0.61, "NOT REPRODUCED"),
        ({"at_least": 0.4}, [0.39, 0.42, 0.45], "INCONCLUSIVE"),
        ({"at_least": 0.4}, [0.5, 0.51, 0.52], "REPRODUCED"),
    ],
)
def test_bound(project: Project, bound: dict[str, float], value: Any, word: str) -> None:
    one = claim(kind="bound", bound=bound, reading=None, tolerance=None)
    assert project.judge(one, {"3D/a": value}).word == word


def test_bound_with_slack(project: Project) -> None:
    one = claim(
        kind="bound", bound={"at_most": 1.0}, reading=None, tolerance={"absolute": 0.1, "why": "printed digits"}
    )
    assert project.judge(one, {"3D/a": 1.09}).word == "REPRODUCED"
    assert project.judge(one, {"3D/a": 1.11}).word == "NOT REPRODUCED"


def test_share_is_a_ratio(project: Project) -> None:
    one = claim(kind="share", evidence={"numerator": "3D/a", "denominator": "3D/b"})
    assert project.judge(one, {"3D/a": 1.0, "3D/b": 2.0}).word == "REPRODUCED"
    assert project.judge(one, {"3D/a": 1.1, "3D/b": 2.0}).word == "NOT REPRODUCED"
    paired = project.judge(one, {"3D/a": [1.0, 2.0, 3.01], "3D/b": [2.0, 4.0, 6.0]})
    assert paired.word == "REPRODUCED"
    assert paired.half_width == pytest.approx(_half([0.5, 0.5, 3.01 / 6]))
    zero = project.judge(one, {"3D/a": 1.0, "3D/b": 0})
    assert (zero.word, zero.reason) == ("NOT RUN", "the ratio has no value: its denominator is zero")


def test_gap_is_a_paired_difference(project: Project) -> None:
    one = claim(evidence={"difference": ["3D/a", "3D/b"]})
    verdict = project.judge(one, {"3D/a": [1.0, 1.5, 2.004], "3D/b": [0.5, 1.0, 1.5]})
    assert verdict.word == "REPRODUCED"
    assert verdict.half_width == pytest.approx(_half([0.5, 0.5, 0.504]))


@pytest.mark.parametrize(
    ("tolerance", "second", "word"),
    [
        ({"absolute": 1e-8, "why": "x"}, 0.5 + 0.9e-8, "REPRODUCED"),
        ({"absolute": 1e-8, "why": "x"}, 0.5 + 1.1e-8, "NOT REPRODUCED"),
        ({"relative": 1e-3, "why": "x"}, 0.5004, "REPRODUCED"),
        ({"relative": 1e-3, "why": "x"}, 0.501, "NOT REPRODUCED"),
    ],
)
def test_identity(project: Project, tolerance: dict[str, Any], second: float, word: str) -> None:
    one = claim(kind="identity", evidence=["3D/a", "3D/b"], reading=None, tolerance=tolerance)
    verdict = project.judge(one, {"3D/a": 0.5, "3D/b": second})
    assert verdict.word == word
    assert "3D/a (0.5) and 3D/b" in verdict.reason


def test_resource_is_a_value_or_a_bound(project: Project) -> None:
    one = claim(kind="resource", bound={"at_most": 60}, reading=None, tolerance=None, unit="s")
    assert project.judge(one, {"3D/a": 59}).word == "REPRODUCED"
    assert "claimed at most 60 s" in project.judge(one, {"3D/a": 61}).reason
    assert project.judge(claim(kind="resource"), {"3D/a": 0.505}).word == "REPRODUCED"


def test_priority_is_not_testable(project: Project) -> None:
    one = {"id": "Z-1", "statement": "We are the first.", "kind": "priority", "sources": [{"where": "abstract"}]}
    assert project.judge(one, {"3D/a": 1}).word == "NOT TESTABLE"


@pytest.mark.parametrize(
    ("required", "file", "own", "words"),
    [
        ({"noise": 1.0}, {"noise": 2.0}, {}, "noise is 2, the claim needs 1"),
        ({}, {"noise": 2.0}, {}, "noise is 2, the claim needs 1"),
        ({"scale": "paper"}, {}, {}, "scale is ci, the claim needs paper"),
        ({"n_train": 1000}, {}, {}, "the evidence does not state n_train, the claim needs 1000"),
        ({"grid": "5D"}, {"grid": "3D"}, {}, "grid is 3D, the claim needs 5D"),
        ({"n_train": 1000}, {"n_train": 1000}, {"n_train": 500}, "n_train is 500, the claim needs 1000"),
        ({"strict": True}, {"strict": False}, {}, "strict is false, the claim needs true"),
    ],
)
def test_other_conditions_are_not_comparable_and_named(
    project: Project, required: dict[str, Any], file: dict[str, Any], own: dict[str, Any], words: str
) -> None:
    one = claim(conditions={"required": required, "stated": {}})
    verdict = project.judge(one, {"3D/a": {"value": 0.5, "conditions": own}}, **file)
    assert verdict.word == "NOT COMPARABLE"
    assert verdict.reason == words
    assert verdict.measured == 0.5


def test_conditions_of_a_value_win_over_those_of_the_file(project: Project) -> None:
    one = claim(conditions={"required": {"n_train": 1000}})
    verdict = project.judge(one, {"3D/a": {"value": 0.5, "conditions": {"n_train": 1000}}}, n_train=5)
    assert verdict.word == "REPRODUCED"


def test_another_source_needs_a_margin_of_its_own(project: Project) -> None:
    without = project.judge(claim(conditions=BOSZ), {"3D/a": 0.5})
    assert without.word == "NOT COMPARABLE"
    assert without.reason == "source is lte, the claim's is bosz, and it gives no margin for another source"
    wide = project.judge(claim(conditions=BOSZ, other_source=WIDE), {"3D/a": 0.55})
    assert wide.word == "REPRODUCED"
    assert "the margin is the one for source lte" in wide.reason
    assert project.judge(claim(conditions=BOSZ, other_source=WIDE), {"3D/a": 0.65}).word == "NOT REPRODUCED"
    same = project.judge(claim(conditions=BOSZ, other_source=WIDE), {"3D/a": 0.55}, source="bosz")
    assert same.word == "NOT REPRODUCED"


def test_orderings_identities_and_bounds_need_no_other_margin(project: Project) -> None:
    values = {"3D/a": 0.1, "3D/b": 0.2, "3D/c": 0.3}
    assert project.judge(ordering(conditions=BOSZ), values).word == "REPRODUCED"
    bound = claim(kind="bound", bound={"at_least": 0}, reading=None, tolerance=None, conditions=BOSZ)
    assert project.judge(bound, values).word == "REPRODUCED"
    identity = claim(kind="identity", evidence=["3D/a", "3D/b"], reading=None, conditions=BOSZ)
    assert project.judge(identity, values).word == "NOT REPRODUCED"


def test_nothing_run_yet(project: Project) -> None:
    project.claims(claim(decided_by="a week on a GPU"))
    verdict = project.verdicts()["Z-1"]
    assert verdict.word == "NOT RUN"
    assert verdict.reason == "nothing was run yet: dvc repro trackZ"


def test_absent_family_is_not_run_and_names_the_nearest(project: Project) -> None:
    verdict = project.judge(claim(evidence="5D/a"), {"3D/a": 0.5})
    assert verdict.word == "NOT RUN"
    assert verdict.reason == "no value at 5D/a in results/trackZ/evidence.json; the nearest is 3D/a"
    verdict = project.judge(claim(evidence="5D/a", decided_by="a week on a GPU"), {"3D/a": 0.5})
    assert verdict.reason.endswith("; to be decided by: a week on a GPU")


def test_value_that_a_run_could_not_give_is_not_run(project: Project) -> None:
    verdict = project.judge(claim(), {"3D/a": {"value": None, "reason": "never crosses 0"}, "3D/b": 1})
    assert (verdict.word, verdict.reason) == ("NOT RUN", "no value at 3D/a: never crosses 0")


def test_unknown_metric_is_an_error_with_file_line_and_hint(project: Project) -> None:
    project.claims(claim(evidence="3D/medain"))
    project.evidence({"3D/median": 0.5})
    with pytest.raises(ClaimError) as error:
        project.verdicts()
    assert str(error.value) == (
        "tracks/trackZ/claims.yaml, line 5: claim Z-1: no value at '3D/medain' in results/trackZ/evidence.json "
        "(did you mean '3D/median'?)"
    )


def test_unknown_metric_under_other_conditions_is_only_not_run(project: Project) -> None:
    verdict = project.judge(claim(evidence="3D/crossing"), {"3D/median": 0.5}, noise=0.1)
    assert verdict.word == "NOT RUN"


def test_stale_evidence_is_not_run(project: Project) -> None:
    project.claims(claim())
    project.evidence({"3D/a": 0.5})
    lock = project.root / "dvc.lock"
    lock.write_text(lock.read_text().replace("md5: ", "md5: 0"))
    verdict = project.verdicts()["Z-1"]
    assert (verdict.word, verdict.label, verdict.stale) == ("NOT RUN", "NOT RUN (stale)", True)
    assert "dvc repro trackZ renews it" in verdict.reason
