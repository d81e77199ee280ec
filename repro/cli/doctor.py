"""`repro doctor`."""

import json
import sys
from dataclasses import asdict

import click

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(as_json: bool) -> None:
    """Check this machine: Python, packages, GPU, memory, git, DVC cache, disk, offline mode.

    Each line is ok, warn (it works, but see the advice) or fail. Exits with 2 if a line fails, otherwise with 0.
    """
    from repro.machine.doctor import examine
    from repro.machine.place import repository_root
    from repro.machine.table import table

    checks = list(examine(repository_root()))
    healthy = all(check.level != "fail" for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": healthy, "checks": [asdict(check) for check in checks]}, indent=1))
    else:
        rows = [(c.level, c.name, f"{c.found}. {c.advice}" if c.advice else c.found) for c in checks]
        click.echo(table(rows, COLOURS))
    sys.exit(0 if healthy else 2)
