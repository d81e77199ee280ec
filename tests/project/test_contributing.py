"""CONTRIBUTING.md does what it says: its blocks are carried out, section by section, in a copy of the repository."""

import re
import sys
from pathlib import Path

import pytest

from tests.project.copies import copy_project, run

TEXT = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"^```(\w+) (create|append|run)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def copy(tmp_path: Path, project_root: Path) -> Path:
    return copy_project(project_root, tmp_path)


@pytest.mark.parametrize("title", SECTIONS)
def test_section(title: str, copy: Path) -> None:
    blocks = BLOCK.findall(SECTIONS[title])
    assert len(blocks) == SECTIONS[title].count("\n```") / 2, "a block of this section is never carried out"
    for language, action, name, content in blocks:
        if action == "run":
            script = content if language == "bash" else f"{sys.executable} - <<'EOF'\n{content}\nEOF"
            run(script, copy)
        else:
            path = copy / name
            assert path.exists() == (action == "append")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((path.read_text() if path.exists() else "") + content)
    if written := [name for _, action, name, _ in blocks if action == "create"]:
        run(f"ruff check {' '.join(written)}; ruff format --check {' '.join(written)}", copy)
