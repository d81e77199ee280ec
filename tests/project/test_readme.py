"""The verdicts and measured numbers in the documents are those that the evidence in git gives."""

import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from tests.project.copies import run

BLOCKS = ("excerpt", "whole")


def block(readme: str, name: str) -> list[str]:
    """Lines of the fenced block between `<!-- name -->` and `<!-- /name -->`."""
    inside = readme.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0]
    return [line.rstrip() for line in inside.split("```")[1].splitlines()[1:]]


@pytest.fixture(scope="module")
def printed(project_root: Path) -> list[str]:
    answer = run("COLUMNS=130 repro verify trackC", project_root, check=False)
    assert answer.returncode in (0, 1), answer.stderr
    return [line.rstrip() for line in answer.stdout.splitlines()]


def test_the_whole_table_is_what_verify_prints(project_root: Path, printed: list[str]) -> None:
    readme = (project_root / "README.md").read_text()
    assert block(readme, "whole") == printed, "README.md: paste what `COLUMNS=130 repro verify trackC` prints"


def test_every_line_of_the_excerpt_is_in_the_table(project_root: Path, printed: list[str]) -> None:
    lines = block((project_root / "README.md").read_text(), "excerpt")
    assert len(lines) > 10
    assert not [line for line in lines if line not in printed]


# `0.796 ± 0.014 <!-- =mmse/flux/r2 -->`: a value, perhaps with its bootstrap error, and the address it was taken from
QUOTED = re.compile(r"(?P<value>-?\d+(?:\.\d+)?)(?: ± (?P<error>\d+\.\d+))? <!-- =(?P<address>\S+) -->")
DOCUMENTS = ("README.md", "tracks/trackC/README.md")


def measured(entry: dict[str, Any]) -> float:
    return statistics.fmean(entry["runs"]) if "runs" in entry else entry["value"]


def bootstrap_error(entry: dict[str, Any]) -> float:
    return statistics.stdev(entry["replicates"]) if "replicates" in entry else entry["bootstrap_error"]


def test_quoted_numbers_are_those_of_the_evidence(project_root: Path) -> None:
    values = json.loads((project_root / "results/trackC/evidence.json").read_text())["values"]
    found = [match for name in DOCUMENTS for match in QUOTED.finditer((project_root / name).read_text())]
    assert len(found) > 10
    wrong = []
    for match in found:
        entry = values[match["address"]]
        printed = {"value": measured(entry)} | ({"error": bootstrap_error(entry)} if match["error"] else {})
        for part, number in printed.items():
            decimals = len(match[part].partition(".")[2])
            if f"{number:.{decimals}f}" != match[part]:
                wrong.append(f"{match.group(0)}: {part} is {number:.6g}")
    assert not wrong
