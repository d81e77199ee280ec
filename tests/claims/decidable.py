"""Evidence made up for one claim, so that it must be reproduced, or must not."""

from repro.claims.claim import Claim
from repro.claims.evidence import Evidence, parse_evidence
from repro.claims.verdict import judge


def word(claim: Claim, *, met: bool) -> str:
    """The verdict on a claim whose evidence meets it by a wide margin, or misses it by one."""
    return judge(claim, _evidence(claim, met)).word


def _evidence(claim: Claim, met: bool) -> Evidence:
    assert claim.evidence is not None
    numbers = dict(zip(claim.evidence.addresses, _terms(claim, met), strict=True))
    stated = {"source": claim.stated.get("source", "bosz"), **claim.required}
    content = {
        **{"schema": 1, "track": claim.track, "dependencies": {}},
        "conditions": {"scale": "paper", "noise": 1.0, **stated},
        "values": {address: {"value": value} for address, value in numbers.items()},
    }
    return parse_evidence(content, claim.track, "made up")


def _terms(claim: Claim, met: bool) -> list[float]:
    assert claim.evidence is not None
    count = len(claim.evidence.addresses)
    if claim.kind == "ordering":
        sign = 1.0 if (claim.relation == "increasing") == met else -1.0
        return [sign * (claim.step + 0.01) * place for place in range(count)]
    if claim.kind == "identity":
        return [1.0, 1.0 if met else 1.0 + 3.0 * claim.tolerance.around(1.0) + 1e-9]
    wanted = _wanted(claim, met)
    return {"value": [wanted], "difference": [wanted + 1.0, 1.0], "ratio": [2.0 * wanted, 2.0]}[claim.evidence.form]


def _wanted(claim: Claim, met: bool) -> float:
    if claim.bounds is None:
        value = claim.reading.value.value
        return value if met else value + 3.0 * claim.tolerance.around(value)
    low, high = (limit.value if limit else None for limit in (claim.bounds.at_least, claim.bounds.at_most))
    slack = claim.tolerance.around(low or high or 0.0) if claim.tolerance else 0.0
    if met:
        return high - 1e-6 if low is None else low + 1e-6 if high is None else (low + high) / 2
    return low - slack - 0.01 if low is not None else high + slack + 0.01
