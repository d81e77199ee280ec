"""The verdicts in README.md are those that the evidence in git gives."""

from pathlib import Path

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
