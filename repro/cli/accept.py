"""`repro accept`: the present verdicts become the expected ones."""

import click

from repro.claims import report
from repro.claims.registry import read_registry


@click.command()
@click.argument("tracks", nargs=-1, metavar="[TRACK]...")
def command(tracks: tuple[str, ...]) -> None:
    """Accept the present verdicts of TRACKs (without one: of all tracks) as the expected ones; print what changed.

    They are written to tracks/*/verdicts.json, which `repro verify --accepted` compares with.
    """
    root = report.find_root()
    registry = read_registry(root)
    for track in report.select_tracks(registry, tracks):
        verdicts = report.judge_tracks(root, registry, [track])
        changes = report.accept(root, track.name, verdicts)
        if changes is None:
            click.echo(f"{track.name}: {len(verdicts)} verdicts accepted for the first time")
            continue
        click.echo(f"{track.name}: {f'{len(changes)} changed' if changes else 'nothing changed'}")
        for line in changes:
            click.echo(f"  {line}")
