"""A throw-away copy of the project with the smallest sizes, in which DVC really runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SMALLEST = {"train": 40, "val": 8, "test": 24, "autodiff_nodes": 1}

Command = Callable[..., subprocess.CompletedProcess[str]]


def tracked_files() -> list[str]:
    answer = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    return [name for name in answer.stdout.splitlines() if (ROOT / name).is_file()]


def set_parameters(project: Path, **changes: object) -> None:
    """Change parameters in place; `ci__test=24` reaches into a section."""
    path = project / "params.yaml"
    content = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        target = content
        *sections, last = key.split("__")
        for section in sections:
            target = target[section]
        target[last] = value
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def copy_project(target: Path) -> Path:
    """The project as it is in the working tree, as a git repository of its own without results or cache."""
    for name in tracked_files():
        if name.startswith(("results/", "dvc.lock")):
            continue
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, destination)
    set_parameters(target, nodes__recomputed=1, **{f"ci__{name}": value for name, value in SMALLEST.items()})
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "copy"]):
        subprocess.run(["git", *arguments], cwd=target, check=True)
    return target


def environment() -> dict[str, str]:
    binaries = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}


def runner(project: Path) -> Command:
    def run(*arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            arguments, cwd=project, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
        )

    return run
