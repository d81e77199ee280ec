"""`repro why`: the chain behind one verdict."""

import click

from repro.claims import report
from repro.claims.chain import BREAKS, HOLDS, UNKNOWN, walk
from repro.claims.registry import read_registry
from repro.claims.table import Report

_SYMBOLS = {HOLDS: "✔", BREAKS: "✘", UNKNOWN: "?"}


@click.command()
@click.argument("claim")
def command(claim: str) -> None:
    """Walk CLAIM's chain: text, sources, reading, metric, conditions, data, parameters, environment, seeds."""
    root = report.find_root()
    verdict, rungs = walk(root, read_registry(root), claim)
    out = Report()
    out.say(f"{verdict.claim.id}: {verdict.label}")
    out.say(verdict.reason, indent=2)
    for rung in rungs:
        for i, line in enumerate(rung.lines):
            head = f"{_SYMBOLS[rung.state]} {rung.name}" if i == 0 else ""
            out.say(f"{head:<14} {line}", hanging=15) if head else out.say(line, indent=15)
    broken = [rung.name for rung in rungs if rung.state == BREAKS]
    if broken:
        out.say(f"Rungs that break, from the claim to the machine: {', '.join(broken)}")
    elif verdict.word == "NOT REPRODUCED":
        out.say("Every rung holds: the number itself differs")
