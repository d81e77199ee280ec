"""What the documents quote from the kit: printed tables and measured numbers.

    python -m tests.project.documents        # writes the present ones into the documents; the tests compare

A block between `<!-- prints: COMMAND -->` and `<!-- /prints -->` holds what the command prints. One between
`<!-- excerpt: COMMAND -->` and `<!-- /excerpt -->` holds its heading, some of its claims and its last line.
`0.796 ± 0.014 <!-- =trackC:mmse/flux/r2 -->` is a value, perhaps with its bootstrap error, and where it comes from: the
evidence of a track, by default that of the document.
"""

import functools
import json
import re
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.project.copies import run

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("tracks/*/*.md")])

BLOCK = re.compile(
    r"<!-- (?P<kind>prints|excerpt): (?P<command>.+?) -->\n```text\n(?P<text>.*?)```\n<!-- /(?P=kind) -->", re.S
)
QUOTED = re.compile(
    r"(?P<value>[-\N{MINUS SIGN}]?\d+(?:\.\d+)?)(?: ± (?P<error>\d+\.\d+))?"
    r" <!-- =(?:(?P<track>track[A-F]):)?(?P<address>\S+) -->"
)


@functools.cache
def printed(command: str) -> tuple[str, ...]:
    """Lines that a command of the kit prints; its verdicts may be NOT REPRODUCED."""
    answer = run(command, ROOT, check=False)
    assert answer.returncode in (0, 1), f"{command}\n{answer.stderr}"
    return tuple(line.rstrip() for line in answer.stdout.strip("\n").splitlines())


def refreshed(name: str) -> str:
    """A document as it ought to be."""
    text = (ROOT / name).read_text(encoding="utf-8")
    own = name.split("/")[1] if name.startswith("tracks/") else None
    return QUOTED.sub(lambda match: quoted(match, own), BLOCK.sub(block, text))


def block(match: re.Match[str]) -> str:
    """A block with the present output of its command."""
    kind, command = match["kind"], match["command"]
    lines = list(printed(command))
    if kind == "excerpt":
        lines = excerpt(lines, match["text"].splitlines())
    return f"<!-- {kind}: {command} -->\n```text\n" + "\n".join(lines) + f"\n```\n<!-- /{kind} -->"


def excerpt(lines: list[str], old: list[str]) -> list[str]:
    """Heading and last line of a table of claims, and those of its claims that the old excerpt shows."""
    first = next(number for number, line in enumerate(lines) if line.startswith("Claim"))
    wanted = {line.split()[0] for line in old if re.match(r"[A-F]-\S", line)}
    shown, take = [], False
    for line in lines[first + 1 :]:
        if line[:1].strip():
            take = line.split()[0] in wanted
        if take and line:
            shown.append(line)
    return [*lines[: first + 1], *shown, "", lines[-1]]


def quoted(match: re.Match[str], own: str | None) -> str:
    """A quoted number with the present value, as many decimals as before."""
    track = match["track"] or own
    assert track, f"{match.group(0)}: name the track"
    entry = evidence(track).get(match["address"])
    assert entry is not None and (entry.get("value") is not None or "runs" in entry), f"no value: {match.group(0)}"
    text = with_decimals(measured(entry), match["value"])
    if match["error"]:
        text += f" ± {with_decimals(bootstrap_error(entry), match['error'])}"
    source = f"{match['track']}:" if match["track"] else ""
    return f"{text} <!-- ={source}{match['address']} -->"


@functools.cache
def evidence(track: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((ROOT / f"results/{track}/evidence.json").read_text())["values"]
    return values


def measured(entry: dict[str, Any]) -> float:
    return statistics.fmean(entry["runs"]) if "runs" in entry else entry["value"]


def bootstrap_error(entry: dict[str, Any]) -> float:
    return statistics.stdev(entry["replicates"]) if "replicates" in entry else entry["bootstrap_error"]


def with_decimals(value: float, like: str) -> str:
    text = f"{value:.{len(like.partition('.')[2])}f}"
    return text.replace("-", "\N{MINUS SIGN}") if like.startswith("\N{MINUS SIGN}") else text


def main(write: Callable[[str], object] = print) -> None:
    for name in DOCUMENTS:
        text = refreshed(name)
        if text != (ROOT / name).read_text(encoding="utf-8"):
            (ROOT / name).write_text(text, encoding="utf-8")
            write(f"{name}: renewed")


if __name__ == "__main__":
    sys.exit(main())
