"""dvc.yaml against the code: a stage must go stale when, and only when, something it uses changes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project.imports import import_closure, imported

ROOT = Path(__file__).resolve().parents[2]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]

# how a stage is started, checked and reported, not what it computes: listing these would rerun everything for nothing
PLUMBING = {
    "repro/errors.py",
    "repro/files.py",
    "repro/params.py",
    "repro/progress.py",
    "repro/sections.py",
    "repro/stages/runner.py",
}


def module_of(stage: str) -> str:
    match = re.fullmatch(r"python -m (repro\.stages\.\w+)", STAGES[stage]["cmd"])
    assert match, f"stage {stage}: cmd must be `python -m repro.stages.<script>`"
    return match[1]


def code_dependencies(stage: str) -> list[str]:
    return [path for path in STAGES[stage].get("deps", []) if path.startswith("repro")]


def covers(path: str, file: str) -> bool:
    return file == path or file.startswith(f"{path}/")


@pytest.mark.parametrize("stage", STAGES)
def test_script_is_named_after_the_stage(stage: str) -> None:
    assert module_of(stage) == f"repro.stages.{stage.replace('-', '_')}"
    assert (ROOT / module_of(stage).replace(".", "/")).with_suffix(".py").is_file()


@pytest.mark.parametrize("stage", STAGES)
def test_everything_a_stage_imports_is_declared(stage: str) -> None:
    files = {file for file in import_closure(ROOT, module_of(stage)) if not file.endswith("__init__.py")}
    undeclared = {file for file in files - PLUMBING if not any(covers(p, file) for p in code_dependencies(stage))}
    assert not undeclared, f"dvc.yaml, stage {stage}: add to deps what it imports: {sorted(undeclared)}"


@pytest.mark.parametrize("stage", STAGES)
def test_every_declared_file_is_imported(stage: str) -> None:
    files = import_closure(ROOT, module_of(stage))
    unused = [path for path in code_dependencies(stage) if not any(covers(path, file) for file in files)]
    assert not unused, f"dvc.yaml, stage {stage}: remove from deps what it does not import: {unused}"


def test_stage_count() -> None:
    assert len(STAGES) <= 35


def test_imports_are_found_where_python_finds_them(tmp_path: Path) -> None:
    """The closure on a package made for it: relative, nested and type-only imports."""
    files = {
        "repro/__init__.py": "",
        "repro/a.py": "import os\nfrom repro.room import one\n",
        "repro/room/__init__.py": "",
        "repro/room/one.py": "def f():\n    from .two import x\n",
        "repro/room/two.py": "import typing\nif typing.TYPE_CHECKING:\n    import repro.room.three\nx = 1\n",
        "repro/room/three.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert import_closure(tmp_path, "repro.a") == set(files) - {"repro/room/three.py"}
    assert set(imported(tmp_path / "repro/room/one.py", "repro.room.one")) == {"repro.room.two", "repro.room.two.x"}
