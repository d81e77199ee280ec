"""`repro status`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from repro.machine.status import StageStatus

COLOURS = {"up to date": "green", "stale": "red", "waiting": "yellow"}


@click.command()
@click.argument("track", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(track: str | None, as_json: bool) -> None:
    """Show what is up to date, what is stale and why, and what a run would do.

    TRACK (a track or any stage) limits the answer to what that stage rests on. `waiting` means: runs only if the output
    of a stale stage before it changes. Durations are those of the last run on this machine.
    """
    from repro.machine.place import repository_root
    from repro.machine.status import pipeline_status
    from repro.machine.table import table

    stages = pipeline_status(repository_root(), track)
    if as_json:
        click.echo(json.dumps([asdict(stage) for stage in stages], indent=1))
        return
    rows = [(stage.state, stage.name, duration(stage.seconds), _why(stage)) for stage in stages]
    click.echo(table(rows, COLOURS))
    click.echo()
    click.echo(_outlook(stages, track))


def duration(seconds: float | None) -> str:
    """`unknown`, `12 s` or `3 min`."""
    if seconds is None:
        return "unknown"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _why(stage: StageStatus) -> str:
    if stage.state == "waiting":
        return f"runs if the output of {' or '.join(stage.after)} changes"
    return "; ".join(stage.reasons)


def _outlook(stages: Sequence[StageStatus], track: str | None) -> str:
    stale = [stage for stage in stages if stage.state == "stale"]
    waiting = [stage for stage in stages if stage.state == "waiting"]
    if not stale:
        return f"All {len(stages)} stages are up to date: `dvc repro{' ' + track if track else ''}` would run nothing."
    text = f"`dvc repro{' ' + track if track else ''}` would run {_names(stale)} ({_total(stale)})"
    if waiting:
        text += f"; then, if outputs change, {_names(waiting)} ({_total(waiting)})"
    return text + "."


def _names(stages: Sequence[StageStatus]) -> str:
    return ", ".join(stage.name for stage in stages)


def _total(stages: Sequence[StageStatus]) -> str:
    known = [stage.seconds for stage in stages if stage.seconds is not None]
    unknown = len(stages) - len(known)
    if not known:
        return "duration unknown"
    return f"about {duration(sum(known))}" + (f" and {unknown} of unknown duration" if unknown else "")
