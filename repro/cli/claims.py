"""`repro claims`: what the registry holds."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from repro.claims import report, wording
from repro.claims.claim import Claim, Source, disagreements
from repro.claims.evidence import Evidence, read_evidence
from repro.claims.located import Printed
from repro.claims.registry import read_registry


@click.command()
@click.argument("tracks", nargs=-1, metavar="[TRACK]...")
@click.option("--contradictions", is_flag=True, help="Only claims on which the documents disagree, with their sources.")
@click.option("--check", is_flag=True, help="List the evidence addresses that no run has filled, and likely misprints.")
@click.option("--json", "as_json", is_flag=True, help="Print the claims as JSON.")
def command(tracks: tuple[str, ...], contradictions: bool, check: bool, as_json: bool) -> None:
    """List the claims of TRACKs (without one: of all tracks); reading them checks the whole registry.

    Exit code: 0 if the registry is sound (with --check: and no address is misspelt), else 2.
    """
    root = report.find_root()
    registry = read_registry(root)
    chosen = report.select_tracks(registry, tracks)
    claims = [c for track in chosen for parent in track.claims for c in (parent, parent.downsized) if c]
    if check:
        sys.exit(_check(claims, {track.name: read_evidence(root, track.name) for track in chosen}))
    if contradictions:
        claims = [c for c in claims if c.contradicts_itself]
    if as_json:
        click.echo(json.dumps([_plain(dataclasses.asdict(c)) for c in claims], indent=1, ensure_ascii=False))
    elif contradictions:
        for claim in claims:
            _contradiction(claim)
        click.echo(f"{wording.plural(len(claims), 'claim')} on which the documents disagree")
    else:
        for claim in claims:
            click.echo(f"{claim.id:<24} {claim.kind:<9} {wording.claimed(claim):<22} {claim.statement}")
        click.echo(f"{wording.plural(len(claims), 'claim')} in {wording.plural(len(chosen), 'track')}")


def _check(claims: Sequence[Claim], evidence: dict[str, Evidence | None]) -> int:
    misspelt = absent = filled = 0
    for claim in claims:
        measured = evidence[claim.track]
        for address in claim.evidence.addresses if claim.evidence else ():
            if measured is None or address in measured.values:
                filled += measured is not None
                absent += measured is None
                continue
            mistake = measured.misspelt(address)
            misspelt += bool(mistake)
            absent += not mistake
            text = mistake or f"not run: {address}{measured.nearest(address)}"
            click.echo(f"{claim.file}, line {claim.line}: {claim.id}: {text}")
    click.echo(f"{filled} addresses filled, {absent} not run, {misspelt} misspelt")
    return 2 if misspelt else 0


def _contradiction(claim: Claim) -> None:
    click.echo(click.style(claim.id, bold=True) + f"  {claim.statement}")
    for source in claim.sources:
        click.echo(f"  {_shown(source):<12} {source.where}" + (f" ({source.note})" if source.note else ""))
    pairs = disagreements(claim.sources)
    if pairs:
        numbers = "; ".join(f"{_shown(a)} against {_shown(b)}" for a, b in pairs[:3])
        click.echo(f"  differ beyond their printed digits: {numbers}" + (" ..." if len(pairs) > 3 else ""))
    if claim.contradiction:
        click.echo(f"  {claim.contradiction}")
    if claim.reading:
        value = f"{claim.reading.value.text} is tested: " if claim.reading.value else ""
        click.echo(f"  {value}{claim.reading.why}")
    click.echo()


def _shown(source: Source) -> str:
    value = source.value
    if isinstance(value, tuple):
        return ", ".join(number.text for number in value)
    return value.text if isinstance(value, Printed) else value or "–"


def _plain(value: Any) -> Any:
    """Nested data with numbers for printed numbers."""
    if isinstance(value, dict):
        if set(value) == {"value", "text"}:
            return value["value"]
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
