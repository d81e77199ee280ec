"""The rule of each kind of claim: from estimates to a word and its reason."""

import math
from dataclasses import dataclass

from repro.claims import wording
from repro.claims.claim import Claim, Margin
from repro.claims.estimate import Estimate, decide, difference, ratio, what_decides


@dataclass(frozen=True)
class Finding:
    """What a rule says: the verdict's word, why, the number judged, and how it is shown."""

    word: str
    reason: str
    estimate: Estimate
    shown: str


def apply_rule(claim: Claim, terms: list[Estimate], margin: Margin | None, test_stars: int | None) -> Finding:
    """Judge measured numbers by the rule of the claim's kind.

    Args:
        claim: the claim.
        terms: one estimate per address of its evidence.
        margin: the margin that applies (None where the kind needs none).
        test_stars: how many test stars the numbers rest on, if the evidence says so.

    Raises:
        ZeroDivisionError: a ratio's denominator is zero.
    """
    if claim.kind == "ordering":
        return _ordering(claim, terms, test_stars)
    if claim.kind == "identity" and margin:
        return _identity(claim, terms, margin, test_stars)
    form = claim.evidence.form if claim.evidence else "value"
    estimate = {"value": lambda: terms[0], "difference": lambda: difference(*terms), "ratio": lambda: ratio(*terms)}[
        form
    ]()
    if claim.bounds:
        return _bound(claim, estimate, margin, test_stars)
    if margin and claim.reading and claim.reading.value:
        return _equivalence(claim, estimate, claim.reading.value.value, margin, test_stars)
    raise ValueError(f"{claim.place}: kind {claim.kind} has nothing to be judged by")


def _equivalence(claim: Claim, estimate: Estimate, value: float, margin: Margin, stars: int | None) -> Finding:
    width = margin.around(value)
    off = estimate.mean - value
    inside = width - abs(off)
    word = _settled(decide(inside, estimate.half_width, max(abs(value), abs(estimate.mean))), estimate)
    places = wording.places_for(claim, width)
    text = f"measured {wording.measured(estimate, claim, places)}, claimed {wording.claimed(claim, margin)}"
    if word == "INCONCLUSIVE":
        reason = f"{text}: {_undecided(estimate, inside, stars)}"
    else:
        reason = f"{text}: off by {wording.signed(off, places)}, {wording.margins(off, width)}{_borrowed(estimate)}"
    return Finding(word, reason, estimate, wording.with_interval(estimate, places))


def _bound(claim: Claim, estimate: Estimate, slack: Margin | None, stars: int | None) -> Finding:
    distances = []
    for limit, sign in ((claim.bounds and claim.bounds.at_least, 1), (claim.bounds and claim.bounds.at_most, -1)):
        if limit:
            allowed = slack.around(limit.value) if slack else 0.0
            distances.append(
                (sign * (estimate.mean - limit.value) + allowed, limit, "at least" if sign > 0 else "at most")
            )
    inside, limit, side = min(distances, key=lambda d: d[0])
    word = _settled(decide(inside, estimate.half_width, max(abs(limit.value), abs(estimate.mean))), estimate)
    places = wording.places_for(claim)
    text = f"measured {wording.measured(estimate, claim, places)}, claimed {side} {limit.text}{wording.unit(claim)}"
    if word == "INCONCLUSIVE":
        reason = f"{text}: {_undecided(estimate, inside, stars)}"
    else:
        verb = "holds with" if word == "REPRODUCED" else "missed by"
        spare = " to spare" if word == "REPRODUCED" else ""
        reason = f"{text}: {verb} {wording.size(abs(inside))}{spare}{_borrowed(estimate)}"
    return Finding(word, reason, estimate, wording.with_interval(estimate, places))


def _ordering(claim: Claim, terms: list[Estimate], stars: int | None) -> Finding:
    """Every step must go the claimed way by more than the margin; steps are paired differences."""
    sign = 1.0 if claim.relation == "increasing" else -1.0
    verb, noun = ("rises", "rise") if sign > 0 else ("falls", "fall")
    addresses = claim.evidence.addresses if claim.evidence else ()
    steps = []
    for i, (first, second) in enumerate(zip(terms, terms[1:], strict=False)):
        step = difference(second, first)
        inside = sign * step.mean - claim.step
        scale = max(abs(first.mean), abs(second.mean))
        steps.append((_settled(decide(inside, step.half_width, scale, strict=True), step), inside, step, i))
    words = {word for word, *_ in steps}
    word = next(w for w in ("NOT REPRODUCED", "INCONCLUSIVE", "REPRODUCED") if w in words)
    _, inside, step, i = min((s for s in steps if s[0] == word), key=lambda s: s[1])
    names = f"{addresses[i]} ({terms[i].mean:.4g}) to {addresses[i + 1]} ({terms[i + 1].mean:.4g})"
    needed = f" by more than {wording.size(claim.step)}" if claim.step else ""
    if word == "REPRODUCED":
        count = f"all {len(steps)} steps {noun}" if len(steps) > 1 else f"it {verb}"
        reason = f"{count}{needed}; the smallest step, {names}, is {wording.size(abs(step.mean))}"
    elif word == "NOT REPRODUCED":
        reason = f"claimed that every step {verb}{needed}, but {names} changes by {step.mean:+.3g}"
    else:
        reason = f"whether {names} {verb}{needed} is open: {_undecided(step, inside, stars)}"
    shown = f"{terms[0].mean:.4g} … {terms[-1].mean:.4g}"
    return Finding(word, reason, step, shown)


def _identity(claim: Claim, terms: list[Estimate], margin: Margin, stars: int | None) -> Finding:
    size = max(abs(term.mean) for term in terms)
    gap = difference(terms[0], terms[1])
    width = margin.around(size)
    inside = width - abs(gap.mean)
    word = _settled(decide(inside, gap.half_width, size), gap)
    first, second = claim.evidence.addresses if claim.evidence else ("", "")
    values = " and ".join(f"{a} ({t.mean:.6g})" for a, t in zip((first, second), terms, strict=True))
    text = f"{values} differ by {wording.size(abs(gap.mean))}, allowed {wording.size(width)}"
    reason = f"{text}: {_undecided(gap, inside, stars)}" if word == "INCONCLUSIVE" else text
    return Finding(word, reason, gap, f"differ by {wording.size(abs(gap.mean))}")


def _settled(word: str, estimate: Estimate) -> str:
    """One run of a seeded experiment can be far off, but it cannot reproduce."""
    once = estimate.seeded and estimate.runs == 1
    return "INCONCLUSIVE" if once and word == "REPRODUCED" else word


def _undecided(estimate: Estimate, inside: float, stars: int | None) -> str:
    advice = what_decides(estimate, inside, stars)
    if estimate.seeded and estimate.runs == 1:
        return f"one run of a seeded experiment cannot settle it; {advice}{_borrowed(estimate)}"
    return f"the interval reaches across the limit; {advice}"


def _borrowed(estimate: Estimate) -> str:
    once = estimate.seeded and estimate.runs == 1 and math.isfinite(estimate.spread)
    return f" (spread between seeds {wording.size(estimate.spread)}, taken from the nearest experiment)" if once else ""
