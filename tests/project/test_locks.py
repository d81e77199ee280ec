"""The lock files: every package pinned by hash, no address, one torch, what pyproject asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ("base.lock", "torch.lock", "torch-cpu.lock", "installer.lock")


def entries(root: Path, name: str) -> list[str]:
    text = (root / "requirements" / name).read_text()
    return re.findall(r"^[a-z].*\n(?:    .*\n)*", text, flags=re.MULTILINE)


def names(root: Path, name: str) -> set[str]:
    return {canonicalize_name(entry.partition("==")[0]) for entry in entries(root, name)}


def test_all_locks_are_tested(project_root: Path) -> None:
    assert {path.name for path in (project_root / "requirements").glob("*.lock")} == set(LOCKS)


@pytest.mark.parametrize("name", LOCKS)
def test_no_address(project_root: Path, name: str) -> None:
    text = (project_root / "requirements" / name).read_text()
    assert not re.findall(r".*(?:://|index-url|find-links|trusted-host|/).*", re.sub(r"^#.*", "", text, flags=re.M))


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_a_pin_with_hashes(project_root: Path, name: str) -> None:
    text = (project_root / "requirements" / name).read_text()
    assert "".join(entries(project_root, name)) == "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith("#")
    )
    for entry in entries(project_root, name):
        assert re.fullmatch(r"[a-z0-9-]+==\S+(?: ; .+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", entry), (
            entry
        )


def test_one_torch(project_root: Path) -> None:
    (gpu,) = (entry for entry in entries(project_root, "torch.lock") if entry.startswith("torch=="))
    (cpu,) = entries(project_root, "torch-cpu.lock")
    assert gpu.split()[0] + "+cpu" == cpu.split()[0]
    assert "torch" not in names(project_root, "base.lock")


def test_same_versions_on_every_python(project_root: Path) -> None:
    for name in LOCKS:
        listed = [entry.partition("==")[0] for entry in entries(project_root, name)]
        assert len(listed) == len(set(listed)), f"{name} pins a package twice"


def test_everything_the_project_asks_for_is_locked(project_root: Path) -> None:
    project = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    locked = names(project_root, "base.lock") | names(project_root, "torch.lock")
    assert {canonicalize_name(Requirement(text).name) for text in wanted} <= locked


def test_locks_were_made_from_the_requirements(project_root: Path) -> None:
    """Every pin of base.in is the one in the lock (the rest of the lock is what those need)."""
    lines = (project_root / "requirements/base.in").read_text().splitlines()
    pins = {line.partition("#")[0].split("[")[0].partition("==")[0].strip(): line for line in lines if "==" in line}
    locked = entries(project_root, "base.lock") + entries(project_root, "torch.lock")
    versions = {entry.partition("==")[0]: re.split(r"[ ;\\]", entry.partition("==")[2])[0] for entry in locked}
    for name, line in pins.items():
        assert versions[name] == line.partition("#")[0].partition("==")[2].strip(), name
