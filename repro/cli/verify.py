"""`repro verify`: judge claims against evidence."""

import json
import sys
from collections.abc import Sequence

import click

from repro.claims import report
from repro.claims.claim import Track
from repro.claims.recorded import NOTHING_RECORDED, read_recorded
from repro.claims.registry import read_registry
from repro.claims.verdict import Verdict


@click.command()
@click.argument("tracks", nargs=-1, metavar="[TRACK]...")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.option("--strict", is_flag=True, help="Exit 1 also for INCONCLUSIVE, NOT RUN and NOT COMPARABLE.")
@click.option("--accepted", is_flag=True, help="Exit 0 exactly when the verdicts equal tracks/*/verdicts.json.")
@click.option(
    "--recorded", is_flag=True, help="Judge tracks/*/recorded, recomputed from its per-node or per-star files."
)
def command(tracks: tuple[str, ...], as_json: bool, strict: bool, accepted: bool, recorded: bool) -> None:
    """Judge the claims of TRACKs (without one: of all tracks) against the evidence.

    Exit code: 0 if nothing is NOT REPRODUCED, 1 if something is, 2 if the registry or the evidence cannot be read.
    """
    if accepted and (strict or recorded):
        raise click.UsageError("--accepted goes with neither --strict nor --recorded")
    root = report.find_root()
    registry = read_registry(root)
    chosen = report.select_tracks(registry, tracks)
    if recorded:
        verdicts = report.judge_tracks(root, registry, chosen, read_recorded, NOTHING_RECORDED)
    else:
        verdicts = report.judge_tracks(root, registry, chosen)
    changes = report.compare_accepted(root, chosen, verdicts) if accepted else []
    code = int(bool(changes)) if accepted else report.exit_code(verdicts, strict=strict)
    if as_json:
        data = {"verdicts": [report.as_json(v) for v in verdicts], **report.summary(verdicts), "exit_code": code}
        click.echo(json.dumps(data | ({"changed": changes} if accepted else {}), indent=1, ensure_ascii=False))
    else:
        _print(chosen, verdicts, changes if accepted else None, recorded)
    sys.exit(code)


def _print(tracks: Sequence[Track], verdicts: Sequence[Verdict], changes: list[str] | None, recorded: bool) -> None:
    from repro.claims.table import Report  # rich is worth its import only where a table is drawn

    out = Report()
    for track in tracks:
        title = f"{track.name}: {track.title}" + (" (recorded evidence)" if recorded else "")
        out.track(title, [v for v in verdicts if v.claim.track == track.name])
    out.count(verdicts)
    if changes is not None:
        out.say(
            "the verdicts equal the accepted ones" if not changes else "the verdicts differ from the accepted ones:"
        )
        for line in changes:
            out.say(line, indent=2)
        if changes:
            out.say("`repro accept` takes the present ones as expected")
