"""`repro record`: keep the evidence of a large run in the repository."""

import click

from repro.claims import report
from repro.claims.recorded import record
from repro.claims.registry import read_registry


@click.command()
@click.argument("track")
def command(track: str) -> None:
    """Copy TRACK's evidence, its per-node or per-star files and its provenance into tracks/TRACK/recorded, with hashes.

    For runs at scale lab or paper; evidence at scale ci is in git anyway.
    """
    root = report.find_root()
    report.select_tracks(read_registry(root), [track])
    for path, size in record(root, track).items():
        click.echo(f"{path}  {size / 1e6:.2f} MB")
    click.echo(f"`git add tracks/{track}/recorded` keeps them; `repro verify --recorded {track}` judges them")
