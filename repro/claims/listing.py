"""What the registry says, as lines of text: the list, the contradictions, and the check of addresses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from repro.claims import wording
from repro.claims.claim import Claim, Source, Track, disagreements
from repro.claims.evidence import Evidence
from repro.claims.located import Printed


@dataclass
class AddressCheck:
    """How the addresses of claims meet the evidence; `lines` says what is not there and why."""

    lines: list[str]
    filled: int = 0
    absent: int = 0
    misspelt: int = 0


def all_claims(tracks: Sequence[Track]) -> list[Claim]:
    """Every claim of the tracks, each followed by its downsized form."""
    return [claim for track in tracks for parent in track.claims for claim in (parent, parent.downsized) if claim]


def line(claim: Claim) -> str:
    """One line: id, kind, what is claimed, statement."""
    return f"{claim.id:<24} {claim.kind:<9} {wording.claimed(claim):<22} {claim.statement}"


def check_addresses(claims: Sequence[Claim], evidence: Mapping[str, Evidence | None]) -> AddressCheck:
    """Look up every address of `claims` in the evidence of their tracks."""
    result = AddressCheck([])
    for claim in claims:
        measured = evidence[claim.track]
        for address in claim.evidence.addresses if claim.evidence else ():
            if measured is None:
                result.absent += 1
            elif address in measured.values:
                result.filled += 1
            else:
                mistake = measured.misspelt(address)
                result.misspelt += bool(mistake)
                result.absent += not mistake
                result.lines.append(f"{claim.place}: {mistake or f'not run: {address}{measured.nearest(address)}'}")
    return result


def contradiction(claim: Claim) -> Iterator[str]:
    """What the documents give for a claim, how that differs, and which value is tested."""
    yield f"{claim.id}  {claim.statement}"
    for source in claim.sources:
        yield f"  {source_value(source):<12} {source.where}" + (f" ({source.note})" if source.note else "")
    pairs = disagreements(claim.sources)
    if pairs:
        numbers = "; ".join(f"{source_value(a)} against {source_value(b)}" for a, b in pairs[:3])
        yield f"  differ beyond their printed digits: {numbers}" + (" ..." if len(pairs) > 3 else "")
    if claim.contradiction:
        yield f"  {claim.contradiction}"
    if claim.reading:
        value = f"{claim.reading.value.text} is tested: " if claim.reading.value else ""
        yield f"  {value}{claim.reading.why}"


def source_value(source: Source) -> str:
    """The value of a source as it is printed there."""
    value = source.value
    if isinstance(value, tuple):
        return ", ".join(number.text for number in value)
    return value.text if isinstance(value, Printed) else value or "–"


def as_json(claim: Claim) -> dict[str, Any]:
    """One claim as plain data; printed numbers become numbers."""
    plain: dict[str, Any] = _plain(asdict(claim))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"value", "text"}:
            return value["value"]
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
