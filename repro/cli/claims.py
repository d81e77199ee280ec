"""`repro claims`: what the registry holds."""

import json
import sys

import click

from repro.claims import listing, report, wording
from repro.claims.evidence import read_evidence
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
    claims = listing.all_claims(chosen)
    if contradictions:
        claims = [claim for claim in claims if claim.contradicts_itself]
    if check:
        found = listing.check_addresses(claims, {track.name: read_evidence(root, track.name) for track in chosen})
        for line in found.lines:
            click.echo(line)
        click.echo(f"{found.filled} addresses filled, {found.absent} not run, {found.misspelt} misspelt")
        sys.exit(2 if found.misspelt else 0)
    if as_json:
        click.echo(json.dumps([listing.as_json(claim) for claim in claims], indent=1, ensure_ascii=False))
    elif contradictions:
        for claim in claims:
            click.echo("\n".join(listing.contradiction(claim)) + "\n")
        click.echo(f"{wording.plural(len(claims), 'claim')} on which the documents disagree")
    else:
        for claim in claims:
            click.echo(listing.line(claim))
        click.echo(f"{wording.plural(len(claims), 'claim')} in {wording.plural(len(chosen), 'track')}")
