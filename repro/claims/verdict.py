"""The verdict on one claim: is there evidence, may it be compared, and what does the rule of its kind say."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from repro.claims import wording
from repro.claims.claim import Claim
from repro.claims.evidence import Evidence, Value
from repro.claims.located import Scalar, is_number
from repro.claims.rules import apply_rule
from repro.errors import ClaimError

WORDS: Final = ("REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE", "NOT COMPARABLE", "NOT RUN", "NOT TESTABLE")
JUDGED: Final = WORDS[:3]
NOTHING_RUN: Final = "nothing was run yet: dvc repro {track}"
DECIDES: Final = "; to be decided by: "  # stands between a reason and the run that a claim waits for
FLAG: Final = "SOURCE CONTRADICTS ITSELF"
_NEEDS_NO_MARGIN: Final = ("ordering", "identity", "bound")  # evidence from another source may decide these


@dataclass(frozen=True)
class Verdict:
    """One claim judged.

    Attributes:
        claim: the claim.
        word: one of `WORDS`.
        reason: why, in plain words.
        claimed: the claim's value and margin as text.
        shown: the measured value and its interval as text, "" without one.
        measured: mean of the number judged (of an ordering: its deciding step; of an identity: the difference).
        half_width: h of its interval; None without evidence or when the spread is unknown.
        runs: how many independent runs; 0 without evidence.
        source, scale: what the evidence was measured on, "" without evidence.
        stale: evidence exists, but belongs to other data than dvc.lock names.
    """

    claim: Claim
    word: str
    reason: str
    claimed: str
    shown: str = ""
    measured: float | None = None
    half_width: float | None = None
    runs: int = 0
    source: str = ""
    scale: str = ""
    stale: bool = False

    @property
    def label(self) -> str:
        """The word as printed, with "(stale)" where that is why nothing was judged."""
        return f"{self.word} (stale)" if self.stale else self.word


def judge(claim: Claim, evidence: Evidence | None, absent: str = NOTHING_RUN) -> Verdict:
    """Judge a claim by its own evidence (a claim with `same_as` is judged where it is owned).

    Args:
        claim: the claim.
        evidence: its track's evidence, or None.
        absent: what to say without evidence; "{track}" stands for the track's name.

    Raises:
        ClaimError: the claim names a value that its family of measurements does not know.
    """
    if claim.kind == "priority":
        why = claim.reading.why if claim.reading else "a statement of priority or novelty"
        reason = f"no measurement decides it: {why}"
        return Verdict(claim, "NOT TESTABLE", reason, wording.claimed(claim))
    if claim.evidence is None:
        raise ClaimError(f"{claim.place}: has no evidence of its own")
    if evidence is None:
        return _not_run(claim, absent.format(track=claim.track))
    if evidence.stale:
        reason = f"stale evidence: {evidence.stale}; dvc repro {claim.track} renews it"
        return _not_run(claim, reason, evidence, stale=True)
    found = [evidence.find(address) for address in claim.evidence.addresses]
    values = [value for value in found if value and value.estimate]
    if len(values) < len(found):
        return _not_run(claim, _absence(claim, evidence), evidence)
    return _judge_values(claim, evidence, values)


def _judge_values(claim: Claim, evidence: Evidence, values: list[Value]) -> Verdict:
    differing = _differing(claim, values)
    other = _other_source(claim, values)
    margin = claim.other_source if other else claim.tolerance
    if other and margin is None:
        own = wording.plain(claim.stated["source"])
        differing.append(f"source is {other}, the claim's is {own}, and it gives no margin for another source")
    stars = evidence.conditions.get("n_test")
    estimates = [value.estimate for value in values if value.estimate]
    try:
        finding = apply_rule(claim, estimates, margin or claim.tolerance, int(stars) if is_number(stars) else None)
    except ZeroDivisionError:
        return _not_run(claim, "the ratio has no value: its denominator is zero", evidence)
    wider = f" (the margin is the one for source {other})" if other else ""
    half = finding.estimate.half_width
    return Verdict(
        claim=claim,
        word="NOT COMPARABLE" if differing else finding.word,
        reason="; ".join(differing) if differing else finding.reason + wider,
        claimed=wording.claimed(claim, margin),
        shown=finding.shown,
        measured=finding.estimate.mean,
        half_width=half if math.isfinite(half) else None,
        runs=finding.estimate.runs,
        source=str(values[0].conditions["source"]),
        scale=str(values[0].conditions["scale"]),
    )


def _not_run(claim: Claim, reason: str, evidence: Evidence | None = None, *, stale: bool = False) -> Verdict:
    source, scale = (evidence.source, evidence.scale) if evidence else ("", "")
    if claim.decided_by and evidence and not stale:  # otherwise a run comes first
        reason += DECIDES + claim.decided_by
    return Verdict(claim, "NOT RUN", reason, wording.claimed(claim), source=source, scale=scale, stale=stale)


def _absence(claim: Claim, evidence: Evidence) -> str:
    """Why the first value that is not there is not there."""
    for address in claim.evidence.addresses if claim.evidence else ():
        value = evidence.find(address)
        if value is None:
            # a run under other conditions may lack what the claim's own conditions would give
            mistake = evidence.misspelt(address)
            if mistake and not _mismatches(claim, evidence.conditions):
                raise ClaimError(f"{claim.place}: {mistake}")
            return f"no value at {address} in {evidence.file}{evidence.nearest(address)}"
        if value.estimate is None:
            return f"no value at {address}: {value.reason}"
    return ""


def _differing(claim: Claim, values: list[Value]) -> list[str]:
    """The required conditions that the values do not meet, each said once."""
    found: dict[str, None] = {}
    for value in values:
        found |= dict.fromkeys(_mismatches(claim, value.conditions))
    return list(found)


def _mismatches(claim: Claim, conditions: Mapping[str, Scalar]) -> list[str]:
    return [
        wording.mismatch(name, conditions.get(name), needed)
        for name, needed in claim.required.items()
        if not _same(conditions.get(name), needed)
    ]


def _same(found: Scalar | None, needed: Scalar) -> bool:
    if is_number(found) and is_number(needed):
        return math.isclose(found, needed, rel_tol=1e-9)
    return type(found) is type(needed) and found == needed


def _other_source(claim: Claim, values: list[Value]) -> str | None:
    """The evidence's source where it is not the claim's and the kind of claim depends on it."""
    own = claim.stated.get("source", "not stated")
    if claim.kind in _NEEDS_NO_MARGIN or claim.bounds or own == "not stated":
        return None
    return next((str(v.conditions["source"]) for v in values if v.conditions["source"] != own), None)
