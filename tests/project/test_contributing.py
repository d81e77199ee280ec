"""CONTRIBUTING.md does what it says: its blocks are carried out, section by section, in a copy of the repository."""

import re
import sys
from pathlib import Path

import pytest

from tests.project.copies import copy_project, copy_smallest, run

TEXT = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"^```(\w+) (create|append|apply|run|pipeline)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("title", SECTIONS)
def test_section(title: str, tmp_path: Path, project_root: Path) -> None:
    assert len(BLOCK.findall(SECTIONS[title])) == SECTIONS[title].count("\n```") / 2, "a block is never carried out"
    copy = copy_project(project_root, tmp_path)
    carry_out(title, copy, pipeline=False)
    if written := [name for _, action, name, _ in BLOCK.findall(SECTIONS[title]) if action == "create"]:
        run(f"ruff check {' '.join(written)}; ruff format --check {' '.join(written)}", copy)


@pytest.mark.slow
@pytest.mark.parametrize("title", [title for title, text in SECTIONS.items() if " pipeline\n" in text])
def test_section_with_its_stages(title: str, tmp_path: Path, project_root: Path) -> None:
    carry_out(title, copy_smallest(project_root, tmp_path), pipeline=True)


def carry_out(title: str, copy: Path, *, pipeline: bool) -> None:
    for language, action, name, content in BLOCK.findall(SECTIONS[title]):
        if action == "apply":
            run(f"git apply - <<'EOF'\n{content}EOF", copy)
        elif action == "run" or (action == "pipeline" and pipeline):
            run(content if language == "bash" else f"{sys.executable} - <<'EOF'\n{content}\nEOF", copy)
        elif action in ("create", "append"):
            path = copy / name
            assert path.exists() == (action == "append")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((path.read_text() if path.exists() else "") + content)
